"""Requests as the OpenAI protocol words them, and its answers read strictly. No network here.

Servers differ in what they leave out or add: everything but the text may be missing, and what has
another shape than the protocol says is no answer.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from core.llm.failures import Garbled, Later, failure, one_line
from core.llm.logprobs import chat_logprobs, completion_logprobs
from core.llm.requests import Request, TokenLogprob
from core.llm.settings import EndpointSettings
from core.llm.shapes import mapping, plain, string


class Answer(NamedTuple):
    """What an endpoint said."""

    text: str
    finish: str | None  # stop, length, refusal, ...
    logprobs: tuple[TokenLogprob, ...] | None
    input_tokens: int | None  # None = it did not say
    output_tokens: int | None
    cost_usd: float | None  # the endpoint's own figure


def path_of(request: Request) -> str:
    """The endpoint's path for a request."""
    return "/chat/completions" if request.kind == "chat" else "/completions"


def body_of(request: Request, settings: EndpointSettings, extra: Mapping[str, Any]) -> dict:
    """Word a request, with everything that it wishes for and `settings` allow."""
    body: dict[str, Any] = {"model": settings.model}
    if request.kind == "chat":
        body |= {"messages": [{"role": r, "content": c} for r, c in request.messages]}
        body |= {"max_tokens": request.max_tokens + settings.reasoning}
    else:
        body |= {"prompt": request.prompt, "max_tokens": request.max_tokens}
    body |= {"temperature": request.temperature, "seed": request.seed}
    if settings.structured != "off" and request.schema is not None:
        schema = {"name": "answer", "strict": True, "schema": json.loads(request.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if settings.logprobs != "off":
        body |= _logprob_wish(request)
    return {**body, **extra}


def _logprob_wish(request: Request) -> dict[str, Any]:
    if request.kind == "completion":
        echo = {"echo": True} if request.echo_from is not None else {}
        return {"logprobs": max(1, request.logprobs), **echo} if echo or request.logprobs else {}
    return {"logprobs": True, "top_logprobs": request.logprobs} if request.logprobs else {}


def answer_of(body: bytes, request: Request) -> Answer:
    """Read an answer; Later where there is none in it, as it may be a proxy's page or cut off."""
    try:
        payload = mapping(json.loads(body))
        if "choices" not in payload:
            raise _error_in(payload)
        return _answer(payload, request)
    except (Garbled, RecursionError) as error:
        raise Later(f"an answer of no known shape ({error})", billed=True) from error
    except ValueError as error:
        shown = one_line(body[:60].decode("utf-8", "replace"))
        raise Later(f"an answer that is no JSON ({shown!r})", billed=True) from error


def _error_in(payload: Mapping[str, Any]) -> Exception:
    """Read an error that came with status 200, as routers send it."""
    error = payload.get("error")
    if not error:
        return Garbled("no choices")
    code = error.get("code") if isinstance(error, Mapping) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 502
    return failure(status, one_line(words_of(error)), "", None)


def words_of(error: object) -> str:
    """Find the sentence in an error's body; servers put it in several places."""
    if isinstance(error, str):
        return error
    if isinstance(error, Mapping):
        for name in ("message", "detail", "error", "msg"):
            if found := words_of(error.get(name)):
                return found
    if isinstance(error, Sequence) and not isinstance(error, str | bytes):
        return json.dumps(error)[:2000]
    return ""


def _answer(payload: Mapping[str, Any], request: Request) -> Answer:
    choices = payload["choices"]
    if not isinstance(choices, list) or not choices:
        raise Garbled("no choices")
    choice = mapping(choices[0])
    if choice.get("error"):
        raise Later(one_line(words_of(choice["error"])) or "the provider failed", billed=True)
    finish = choice.get("finish_reason")
    finish = plain(finish) if isinstance(finish, str) else None
    if request.kind == "chat":
        text, refused = _message_text(mapping(choice.get("message")))
        finish = "refusal" if refused else finish
        logprobs = chat_logprobs(choice.get("logprobs"))
    else:
        text = string(choice.get("text"))
        text = text.removeprefix(request.prompt) if request.echo_from is not None else text
        logprobs = completion_logprobs(choice.get("logprobs"), request)
    usage = payload.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    return Answer(
        plain(text),
        finish,
        logprobs,
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        _dollars(usage.get("cost")),
    )


def _message_text(message: Mapping[str, Any]) -> tuple[str, bool]:
    """Read the text of a message, and whether it is a refusal; reasoning fields are not text."""
    content, refusal = message.get("content"), message.get("refusal")
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, Mapping)]
        content = "".join(string(part["text"]) for part in parts if part.get("type") == "text")
    if not content and isinstance(refusal, str) and refusal:
        return refusal, True
    return ("" if content is None else string(content)), False


def _count(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32:
        return value
    return None


def _dollars(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    return None


def listed_in(body: bytes) -> list[Mapping[str, object]]:
    """Read a list of models; [] where there is none."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return []
    entries = payload.get("data") if isinstance(payload, Mapping) else None
    return [one for one in entries if isinstance(one, Mapping)] if isinstance(entries, list) else []

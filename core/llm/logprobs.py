"""Log-probabilities of answers and of echoed prompts, as chats and completions word them.

None wherever there are none, or not one for every token: half a measurement is none.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from core.llm.failures import Garbled
from core.llm.requests import Request, TokenLogprob
from core.llm.shapes import mapping, number, plain, string

Tokens = tuple[TokenLogprob, ...]
NO_TEXT = "\ufffd"  # stands for part of a character


def chat_logprobs(found: object) -> Tokens | None:
    """Read those of a chat's answer."""
    tokens = found.get("content") if isinstance(found, Mapping) else None
    if not isinstance(tokens, list) or not tokens:
        return None
    try:
        return tuple(
            TokenLogprob(plain(string(t["token"])), number(t["logprob"]), _alternatives(t))
            for t in map(mapping, tokens)
        )
    except (KeyError, TypeError, Garbled):
        return None


def _alternatives(token: Mapping[str, Any]) -> dict[str, float]:
    """Read alternatives; of two that are spelled alike, as half characters are, the likelier."""
    top: dict[str, float] = {}
    for one in map(mapping, token.get("top_logprobs") or []):
        name, value = plain(string(one["token"])), number(one["logprob"])
        if value is not None:
            top[name] = max(value, top.get(name, value))
    return top


def completion_logprobs(found: object, request: Request) -> Tokens | None:
    """Read those of a completion; of an echo, the prompt's tokens from `echo_from` on."""
    if isinstance(found, Mapping) and "content" in found and request.echo_from is None:
        return chat_logprobs(found)  # llama.cpp words them as a chat's
    try:
        tokens = _listed(mapping(found))
    except Garbled:
        return None
    if request.echo_from is not None:
        tokens = _of_prompt(tokens, mapping(found).get("text_offset"), request)
    return tuple(tokens) or None


def _listed(found: Mapping[str, Any]) -> list[TokenLogprob]:
    """Put together what stands in lists beside each other."""
    names, values = found.get("tokens"), found.get("token_logprobs")
    if not isinstance(names, list) or not isinstance(values, list):
        raise Garbled("no tokens")
    tops = found.get("top_logprobs")
    tops = tops if isinstance(tops, list) else [None] * len(names)
    if not len(names) == len(values) == len(tops):
        raise Garbled("lists of different lengths")
    return [
        TokenLogprob(plain(string(name)), number(value), _top(top))
        for name, value, top in zip(names, values, tops, strict=True)
    ]


def _top(top: object) -> dict[str, float]:
    pairs = mapping(top).items() if top is not None else ()
    values = {plain(name): number(value) for name, value in pairs}
    return {name: value for name, value in values.items() if value is not None}


def _of_prompt(tokens: list[TokenLogprob], offsets: object, request: Request) -> list[TokenLogprob]:
    """Choose the prompt's tokens; none where nobody can say which they are."""
    starts = _starts([token.token for token in tokens], offsets, request.prompt)
    first, end = request.echo_from or 0, len(request.prompt)
    return [token for token, at in zip(tokens, starts, strict=False) if first <= at < end]


def _starts(names: Sequence[str], offsets: object, prompt: str) -> list[int]:
    """Find the characters of the prompt at which tokens start, e.g. ["<s>", "a", "b"] -> -3, 0, 1.

    The tokens' own text goes first: vLLM's text_offset counts the name of a BOS that it added.
    [] where the tokens are not the prompt's.
    """
    shift = "".join(names).find(prompt)
    if shift >= 0:
        return [at - shift for at in accumulate(map(len, names[:-1]), initial=0)]
    if not isinstance(offsets, list) or len(offsets) != len(names):
        return []
    starts = [at if isinstance(at, int) else -1 for at in offsets]
    fits = all(
        NO_TEXT in name or at >= len(prompt) or prompt.startswith(name, at)
        for name, at in zip(names, starts, strict=True)
    )
    return starts if fits and min(starts, default=-1) >= 0 else []

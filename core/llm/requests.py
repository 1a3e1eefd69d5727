"""What is asked of a language model, and what comes back; the nouns of `core/llm`.

A request is identified by everything that determines its reply: address, model, messages and
parameters. Knows nothing of features, networks or stores.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeVar

from data.records import Usage

Role = Literal["system", "user", "assistant"]


class Message(NamedTuple):
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a language model, with every parameter that matters for the reply."""

    prefix: tuple[Message, ...]  # system text and few-shots: the same for many requests
    question: str  # the last user turn; of a completion: the text after the prefix's contents
    max_tokens: int  # of the answer
    temperature: float = 0.0
    seed: int = 0
    schema: str | None = None  # JSON schema of the answer, as JSON text; a wish, not a promise
    logprobs: int = 0  # alternatives wanted for each token; 0 = no log-probabilities
    kind: Literal["chat", "completion"] = "chat"
    echo_from: int | None = None  # completion: log-probabilities of the prompt from this character
    attempt: int = 0  # the same question again is another request
    purpose: str = ""  # what it is for, in a word; does not determine the reply

    @property
    def messages(self) -> tuple[Message, ...]:
        """The whole conversation."""
        return (*self.prefix, Message("user", self.question))

    @property
    def prompt(self) -> str:
        """The text of a completion."""
        return "".join(message.content for message in self.messages)

    @property
    def parameters(self) -> dict[str, object]:
        """Everything but the words, JSON-ready."""
        return {
            "kind": self.kind,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "seed": self.seed,
            "schema": json.loads(self.schema) if self.schema else None,
            "logprobs": self.logprobs,
            "echo_from": self.echo_from,
            "attempt": self.attempt,
        }

    def sha256(self, address: str, model: str) -> str:
        """Identify the request at one model of one endpoint."""
        parts = [address, model, self.messages, self.parameters]
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


class TokenLogprob(NamedTuple):
    """One token of an answer, or of an echoed prompt, with its likeliest alternatives."""

    token: str
    logprob: float | None  # nats; None where the endpoint gives none (a prompt's first token)
    top: dict[str, float]  # alternatives, the token itself usually among them, nats


class Reply(NamedTuple):
    """An answer, as it was stored before anybody used it."""

    key: str  # sha256 of the request
    text: str  # "" is an answer too
    finish: str | None  # stop, length, content_filter, ...
    logprobs: tuple[TokenLogprob, ...] | None
    input_tokens: int | None  # as counted by the endpoint; None = it did not say
    output_tokens: int | None
    cost_usd: float | None  # None = no price is known
    seconds: float  # from sending to the last byte
    known: bool = False  # it was in the store: nothing was asked, nothing was paid now


class CallFailed(NamedTuple):
    """No usable answer after all retries; nothing is stored, and asking again will ask again."""

    key: str
    reason: str  # in a few words: "no answer in 60 s", "HTTP 500", ...


Outcome = Reply | CallFailed


class Client(Protocol):
    """Somebody who answers requests: an endpoint, a plan, a script."""

    @property
    def model(self) -> str:
        """The model's name, as a score or an explanation names it."""
        ...

    def ask(self, requests: Sequence[Request]) -> list[Outcome]:
        """Answer all requests, in their order; those known are not asked again.

        Blocks until the last one is answered and stored. Safe to call from many threads: all share
        one limit of requests in flight. A question that cannot be answered is a CallFailed; an
        endpoint that refuses everything, an exhausted budget and a stop are errors.
        """
        ...


def why_unanswered(outcomes: Iterable[Outcome]) -> str | None:
    """Say in a few words why the first call that failed did; None where all were answered."""
    return next((one.reason for one in outcomes if isinstance(one, CallFailed)), None)


class Spent(NamedTuple):
    """What some replies took."""

    calls: int
    input_tokens: int | None  # None = unknown for at least one of them
    output_tokens: int | None
    cost_usd: float | None
    seconds: float  # summed over calls, which overlap

    @property
    def usage(self) -> Usage | None:
        """As results are stored with it; None where nothing was answered."""
        if not self.calls:
            return None
        return Usage(self.calls, self.input_tokens, self.output_tokens, self.cost_usd)


def spent(outcomes: Iterable[Outcome]) -> Spent:
    """Add up replies, known ones as first paid; a figure that one of them lacks is None."""
    replies = [found for found in outcomes if isinstance(found, Reply)]
    return Spent(
        calls=len(replies),
        input_tokens=_sum([reply.input_tokens for reply in replies]),
        output_tokens=_sum([reply.output_tokens for reply in replies]),
        cost_usd=_sum([reply.cost_usd for reply in replies]),
        seconds=sum(reply.seconds for reply in replies),
    )


Number = TypeVar("Number", int, float)


def _sum(values: Sequence[Number | None]) -> Number | None:
    known = [value for value in values if value is not None]
    return sum(known, start=type(known[0])(0)) if known and len(known) == len(values) else None

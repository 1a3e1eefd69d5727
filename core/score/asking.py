"""Asking a language model and reading its answers strictly: what all judging questions share.

In: requests, and for each how its answer is read. Out: what was read, or what was wrong with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

from core.llm.requests import Client, Message, Outcome, Reply, Request
from core.prompts.judged_texts import again
from core.replies import BadReply

ALTERNATIVES = 5  # likeliest tokens that are asked for where log-probabilities are wanted

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """How a language model is asked for verdicts and choices; the temperature is always 0."""

    max_tokens: int = 200  # of one answer, which needs about 30; reasoning models need thousands
    seed: int = 0
    probabilities: bool = False  # ask for log-probabilities; not every endpoint has them

    def request(self, messages: Sequence[Message], schema: str, purpose: str) -> Request:
        """Make a request of a conversation; its last message is the question."""
        return Request(
            prefix=tuple(messages[:-1]),
            question=messages[-1].content,
            max_tokens=self.max_tokens,
            seed=self.seed,
            schema=schema,
            logprobs=ALTERNATIVES if self.probabilities else 0,
            purpose=purpose,
        )


class Asked(NamedTuple, Generic[T]):
    """A request that was answered, or was not."""

    request: Request
    outcome: Outcome
    value: T | None  # as read; None = no usable reply
    defect: str | None  # what is wrong with the reply; None = nothing, or there is no reply


def ask(
    client: Client, requests: Sequence[Request], read: Callable[[int, str], T]
) -> list[Asked[T]]:
    """Ask all at once; `read` gets a request's place and the reply's text, and may find it bad."""
    outcomes = client.ask(requests) if requests else []
    return [
        _read(request, outcome, place, read)
        for place, (request, outcome) in enumerate(zip(requests, outcomes, strict=True))
    ]


def _read(
    request: Request, outcome: Outcome, place: int, read: Callable[[int, str], T]
) -> Asked[T]:
    if not isinstance(outcome, Reply):
        # The client has repeated it as often as makes sense: a failed call is not asked again.
        return Asked(request, outcome, None, None)
    try:
        return Asked(request, outcome, read(place, outcome.text), None)
    except BadReply as error:
        return Asked(request, outcome, None, str(error))


def repeated(asked: Asked[T]) -> Request:
    """Ask again, saying what was wrong with the first answer."""
    question = again(asked.request.question, asked.defect or "")
    return replace(asked.request, question=question, attempt=1)

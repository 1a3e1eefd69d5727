"""Asks questions that have one form of answer: an answer, one repair, or the reason for failing.

A reply without a usable answer is sent back once with its defect; after that the question has
failed and says why. Nothing is put in the place of an answer (methods.md 3.1).
"""

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from core.llm.requests import CallFailed, Client, Message, Outcome, Reply, Request
from core.prompts.explain_answer import Form, Prompt, repair
from core.replies import BadReply, cleaned

T = TypeVar("T")
REPAIR = "explanation repair"
QUOTED = 4000  # characters of a bad answer that are sent back
NOTHING = "(no answer)"  # in a conversation: some endpoints refuse an empty turn


class Question(NamedTuple, Generic[T]):
    """A request and how its answer is read."""

    request: Request
    form: Form  # what a repair asks for
    parse: Callable[[Reply], T]  # raises BadReply


class Asked(NamedTuple, Generic[T]):
    """What came of a question."""

    value: T | None
    error: str | None
    request: Request  # that decided: the repair, if there was one
    reply: str | None  # as received; None = the call failed
    outcomes: tuple[Outcome, ...]
    defects: tuple[str, ...] = ()  # of its replies


def as_request(
    prompt: Prompt,
    *,
    max_tokens: int,
    temperature: float,
    seed: int,
    attempt: int = 0,
    purpose: str = "explanation",
) -> Request:
    """Make the request of a prompt; a greedy one takes no seed, so that its reply can be reused."""
    return Request(
        prefix=prompt.prefix,
        question=prompt.question,
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed if temperature else 0,
        schema=None if prompt.free else prompt.form.schema,
        attempt=attempt,
        purpose=purpose,
    )


def ask(client: Client, questions: Sequence[Question[T]]) -> list[Asked[T]]:
    """Ask all at once, then repair at once what needs it."""
    asked = _answers(client, questions)
    bad = [place for place, one in enumerate(asked) if one.defects]
    again = [
        questions[place]._replace(request=_repaired(questions[place], asked[place]))
        for place in bad
    ]
    for place, second in zip(bad, _answers(client, again), strict=True):
        first = asked[place]
        asked[place] = second._replace(
            outcomes=first.outcomes + second.outcomes, defects=first.defects + second.defects
        )
    return asked


def _answers(client: Client, questions: Sequence[Question[T]]) -> list[Asked[T]]:
    if not questions:
        return []
    outcomes = client.ask([one.request for one in questions])
    return [_answer(one, outcome) for one, outcome in zip(questions, outcomes, strict=True)]


def _answer(question: Question[T], outcome: Outcome) -> Asked[T]:
    if isinstance(outcome, CallFailed):
        return Asked(None, f"no reply: {outcome.reason}", question.request, None, (outcome,))
    try:
        value = question.parse(outcome)
    except BadReply as defect:
        error, defects = f"no usable reply: {defect}", (str(defect),)
        return Asked(None, error, question.request, outcome.text, (outcome,), defects)
    return Asked(value, None, question.request, outcome.text, (outcome,))


def _repaired(question: Question[T], bad: Asked[T]) -> Request:
    """Go on with the conversation; reasoning is not sent back."""
    request = question.request
    said = Message("assistant", cleaned(bad.reply or "")[:QUOTED] or NOTHING)
    return Request(
        prefix=(*request.messages, said),
        question=repair(bad.defects[-1], question.form),
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        seed=request.seed,
        schema=question.form.schema,
        attempt=request.attempt,
        purpose=REPAIR,
    )


def ended(reply: Reply) -> bool:
    """Say whether the model came to its end before the limit of tokens."""
    return reply.finish != "length"

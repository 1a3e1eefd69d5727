"""How likely a judge finds an explanation after a passage: the evidence of an intervention score.

The judge is a base language model that reads a few passages with statements of what they have too
much of (core/prompts/intervention.py), then the feature's passage and the same statement; counted
is the log-probability of the explanation and the closing quotation mark (arXiv 2410.13928;
methods.md 5.9, 6). The few-shots are run once and their keys and values kept; upstream gives them
as input again. What does not fit into the judge is shortened in a fixed order, the same for every
passage: fewer few-shots, then a shorter end of the passage.
In: passages and explanations. Out: nats. Knows no features and no stores.
"""

from collections.abc import Sequence
from dataclasses import replace
from threading import Lock
from typing import NamedTuple, Protocol

import numpy as np

from core.causal import Reader
from core.llm.requests import Client, Message, Outcome, Reply, Request
from core.prompts.intervention import SHOTS, asked_about, few_shots, named
from data.errors import BadInput, EndpointRefused

ROOM = 26  # judge tokens kept for an explanation: 20 and the words around it
FEWEST = 16  # judge tokens of a passage, below which there is nothing to read
ENOUGH = 32  # below it a few-shot is given up for more of the passage
ROUNDING = 1e-3  # nats above 0, up to which a number still is a log-probability


class Said(NamedTuple):
    """What the judge holds of an explanation."""

    total: float  # log-probability of explanation and closing quotation mark, nats
    n_tokens: int  # of the judge


class Answers(NamedTuple):
    """All answers."""

    values: list[list[Said | None]]  # by explanation, then by passage; None = no usable answer
    outcomes: tuple[Outcome, ...] = ()  # what an endpoint was asked


class Judge(Protocol):
    """Says how likely explanations are."""

    @property
    def name(self) -> str: ...

    @property
    def described(self) -> dict[str, object]:
        """What matters for the comparison of two scores: few-shots, and tokens of a passage."""
        ...

    def ask(self, passages: Sequence[str], explanations: Sequence[str]) -> Answers:
        """Say how likely every explanation is after every passage."""
        ...


class LocalJudge:
    """A language model on this machine."""

    def __init__(self, reader: Reader, passage_tokens: int) -> None:
        """Fit few-shots and passages in; passage_tokens: of the longest one, as the subject's."""
        self._reader = reader
        self.name = reader.name
        self.n_shots, self.keep, self._short = _fitted(reader, 2 * passage_tokens)
        self._prefix = few_shots(self.n_shots)

    @property
    def described(self) -> dict[str, object]:
        """Few-shots, and what is kept of a passage with its statement where that is less."""
        return {"few_shots": self.n_shots, "passage_tokens": self.keep if self._short else None}

    @property
    def note(self) -> str:
        """What the judge's length takes away; "" = nothing."""
        if self.n_shots == len(SHOTS) and not self._short:
            return ""
        said = f"{self.n_shots} of {len(SHOTS)} few-shots"
        if self._short:
            said += f" and the last {self.keep} tokens of a passage with its statement"
        return f"{self.name} reads {self._reader.max_length} tokens: it is shown {said}"

    def ask(self, passages: Sequence[str], explanations: Sequence[str]) -> Answers:
        """Read every passage after the few-shots, which are run once.

        An explanation that is too long for the judge has no answer.
        """
        said = [named(one) for one in explanations]
        fit = [i for i, one in enumerate(said) if self._reader.n_text_tokens(one) <= ROOM]
        found = self._reader.endings(
            self._prefix, [asked_about(one) for one in passages], [said[i] for i in fit],
            keep=self.keep,
        )  # fmt: skip
        values: list[list[Said | None]] = [[None] * len(passages) for _ in explanations]
        for i, row in zip(fit, found, strict=True):
            values[i] = [
                Said(float(one.sum()), len(one)) if len(one) and np.isfinite(one).all() else None
                for one in row
            ]
        return Answers(values)


class _Fit(NamedTuple):
    """What a judge's length leaves room for."""

    n_shots: int
    keep: int | None  # tokens of passage and statement; None = any number
    short: bool  # a passage may be longer than that


def _fitted(reader: Reader, wanted: int) -> _Fit:
    """Fit few-shots first, then the end of a passage; wanted: judge tokens of a whole one."""
    limit = reader.max_length
    if limit is None:
        return _Fit(len(SHOTS), None, short=False)
    statement = reader.n_text_tokens(asked_about(""))
    before = [reader.n_tokens(few_shots(n)) if n else 1 for n in range(len(SHOTS) + 1)]
    left = [limit - ROOM - statement - n for n in before]  # tokens of a passage
    for n in range(len(SHOTS), -1, -1):
        if left[n] >= min(wanted, ENOUGH if n else FEWEST):
            return _Fit(n, left[n] + statement, short=left[n] < wanted)
    raise BadInput(
        f"{reader.name} reads {limit} tokens, too few for a passage and its statement: use a judge "
        f"that reads at least {limit - left[0] + FEWEST}; gloss demo --judge-model DIR trains one"
    )


class EndpointJudge:
    """A model behind a completions endpoint that echoes log-probabilities of the prompt."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.name = client.model
        self._prefix = (Message("user", few_shots()),)
        self.note = ""
        self._echoes, self._lock = False, Lock()

    @property
    def described(self) -> dict[str, object]:
        """All few-shots and whole passages."""
        return {"few_shots": len(SHOTS), "passage_tokens": None}

    def ask(self, passages: Sequence[str], explanations: Sequence[str]) -> Answers:
        """Send one prompt a passage and explanation; one without an answer is None.

        EndpointRefused where the first answer holds no log-probabilities: no other one would.
        """
        requests = [self._request(passage, one) for one in explanations for passage in passages]
        if requests:
            self._require_echo(requests[0])
        outcomes = self._asked(requests) if requests else []
        values = [_read(outcome) for outcome in outcomes]
        n = len(passages)
        rows = [values[i * n : (i + 1) * n] for i in range(len(explanations))]
        return Answers(rows, tuple(outcomes))

    def _require_echo(self, request: Request) -> None:
        """Ask one question alone, until one is answered."""
        with self._lock:
            if self._echoes:
                return
            (first,) = self._asked([request])
            if isinstance(first, Reply) and not first.logprobs:
                raise EndpointRefused(
                    f"{self.name} echoes no log-probabilities of a prompt, which is all that a "
                    "judge of interventions is read for: use a completions endpoint that does, "
                    "such as vllm, or --judge-model FOLDER"
                )
            self._echoes = isinstance(first, Reply)

    def _asked(self, requests: Sequence[Request]) -> list[Outcome]:
        """Ask; what was stored when the endpoint still gave no log-probabilities is asked again."""
        outcomes = self._client.ask(requests)
        while stale := [i for i, one in enumerate(outcomes) if _is_stale(one)]:
            again = [replace(requests[i], attempt=requests[i].attempt + 1) for i in stale]
            requests, renewed = list(requests), self._client.ask(again)
            for i, request, outcome in zip(stale, again, renewed, strict=True):
                requests[i], outcomes[i] = request, outcome
        return outcomes

    def _request(self, passage: str, explanation: str) -> Request:
        before = asked_about(passage)
        return Request(
            prefix=self._prefix,
            question=before + named(explanation),
            max_tokens=1,
            logprobs=1,
            kind="completion",
            echo_from=len(self._prefix[0].content) + len(before),
            purpose="intervention",
        )


def _is_stale(outcome: Outcome) -> bool:
    return isinstance(outcome, Reply) and outcome.known and not outcome.logprobs


def _read(outcome: Outcome) -> Said | None:
    """Add up the tokens that begin in the explanation; one that begins before it is left out."""
    if not isinstance(outcome, Reply) or not outcome.logprobs:
        return None
    values = [one.logprob for one in outcome.logprobs]
    if any(value is None or not np.isfinite(value) or value > ROUNDING for value in values):
        return None
    return Said(float(sum(value for value in values if value is not None)), len(values))

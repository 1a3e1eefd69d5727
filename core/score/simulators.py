"""Who simulates: predicts a value 0..10 for every token of some contexts from an explanation.

Three ways behind one protocol: a language model that lists what is not silent (JsonSimulator, any
endpoint), one whose log-probabilities are read (LogprobSimulator, completion endpoints that echo),
and the rules of a grammar explanation (GrammarSimulator, no calls). A simulator holds one
explanation and sees no activation.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np

from core.grammar import Rules, Words, predict
from core.llm.requests import CallFailed, Client, Outcome, Reply
from core.prompts import simulation as prompts
from core.prompts.judged_texts import again
from core.replies.cleaning import BadReply
from core.replies.simulated import TOP, expected_values, keeps_ten, values_in
from core.score.asking import JudgeSettings

Values = tuple[float, ...]


class Texts(NamedTuple):
    """Contexts to simulate."""

    pieces: Sequence[Sequence[str]]  # of each token; "" = nothing to show (special, split)
    tokens: np.ndarray  # int32 [n, length]
    start: np.ndarray  # position of each first token in its sequence, int64 [n]
    max_activation: float  # of the feature over the corpus, raw: what 10 stands for


class Simulation(NamedTuple):
    """What was predicted for every context, in their order."""

    values: tuple[Values | None, ...]  # 0..10 for every token; None = no usable answer
    keys: tuple[str | None, ...]  # request of the last answer, usable or not
    defects: tuple[str | None, ...]  # why there are no values
    outcomes: tuple[Outcome, ...] = ()  # everything that was asked, repeats included


class Simulator(Protocol):
    """Predicts activations from the explanation that it was made for."""

    def simulate(self, texts: Texts) -> Simulation:
        """Predict every token of every context."""
        ...


@dataclass(frozen=True, slots=True)
class GrammarSimulator:
    """Predicts the mean activation of the first rule that holds, else 0 (methods.md 4.5)."""

    rules: Rules
    words: Words

    def simulate(self, texts: Texts) -> Simulation:
        """Apply the rules; a value above the feature's maximum counts as that."""
        said = predict(self.rules, texts.tokens, texts.start, self.words)
        scale = TOP / texts.max_activation if texts.max_activation > 0 else 0.0
        nothing = (None,) * len(texts.tokens)
        values = np.clip(said.value.astype(np.float64) * scale, 0, TOP)
        return Simulation(tuple(tuple(row) for row in values.tolist()), nothing, nothing)


@dataclass(frozen=True, slots=True)
class JsonSimulator:
    """Asks for the tokens that are not silent; one retry, then each context alone, then None.

    One context a call is the default: about 1,000 tokens each, most of it a prefix that servers
    keep, and contexts cannot colour each other. Five a call take a third of the tokens.
    """

    client: Client
    explanation: str
    settings: JudgeSettings = field(default_factory=JudgeSettings)
    contexts_per_call: int = 1

    def simulate(self, texts: Texts) -> Simulation:
        """Ask about all contexts at once, then again about those without a usable answer."""
        shown, size = _shown(texts), self.contexts_per_call
        book = _Book(len(shown))
        every = list(range(len(shown)))
        calls = [every[first : first + size] for first in range(0, len(every), size)]
        self._round(book, shown, calls)
        calls = [call for call in calls if book.open(call)]
        self._round(book, shown, calls, repeat=True)
        if size > 1:
            alone = [[context] for call in calls if book.open(call) for context in call]
            self._round(book, shown, alone)
        return book.simulation(texts)

    def _round(
        self,
        book: "_Book",
        shown: Sequence[Sequence[str]],
        calls: Sequence[list[int]],
        repeat: bool = False,
    ) -> None:
        """Ask about the contexts of each call; a repeat quotes what was wrong with the answer."""
        requests = []
        for call in calls:
            request = prompts.ask_pairs(
                self.explanation,
                [shown[context] for context in call],
                max_tokens=self.settings.max_tokens,
                seed=self.settings.seed,
            )
            if repeat:
                question = again(request.question, book.defects[call[0]] or "")
                request = replace(request, question=question, attempt=1)
            requests.append(request)
        outcomes = self.client.ask(requests) if requests else []
        for call, outcome in zip(calls, outcomes, strict=True):
            sizes = [len(shown[context]) for context in call]
            book.enter(call, outcome, partial(_read_pairs, sizes))


def _read_pairs(sizes: Sequence[int], reply: Reply) -> list[Values]:
    # What is left of an answer that was cut off can look like a whole one: "[]" in its reasoning.
    if reply.finish == "length":
        raise BadReply("it was cut off before its end")
    return values_in(reply.text, sizes)


@dataclass(frozen=True, slots=True)
class LogprobSimulator:
    """Reads the values that a model holds likely: one prompt a context, one token written.

    Asking again would give the same, so nothing is repeated. A first small call finds out whether
    "10" is one token of the judge; if it is not, values are 0..9 and scaled.
    """

    client: Client
    explanation: str

    def simulate(self, texts: Texts) -> Simulation:
        """Ask about all contexts at once."""
        shown = _shown(texts)
        book = _Book(len(shown))
        top = self._top(book)
        if top is not None:
            requests = [prompts.ask_echo(self.explanation, pieces, top) for pieces in shown]
            for context, outcome in enumerate(self.client.ask(requests)):
                read = partial(_read_echo, len(shown[context]), top)
                book.enter([context], outcome, read)
        return book.simulation(texts)

    def _top(self, book: "_Book") -> int | None:
        """Find the largest value that is one token, 10 or 9; None = no usable answer."""
        (outcome,) = self.client.ask([prompts.ask_for_ten()])
        known = _Book(1)
        known.enter([0], outcome, _read_top)
        book.outcomes.append(outcome)
        book.defects = known.defects * len(book.defects)
        return None if known.values[0] is None else int(known.values[0][0])


def _read_echo(n: int, top: int, reply: Reply) -> list[Values]:
    return [expected_values(reply.logprobs, n, top)]


def _read_top(reply: Reply) -> list[Values]:
    return [(TOP if keeps_ten(reply.logprobs) else TOP - 1,)]


def _shown(texts: Texts) -> list[list[str]]:
    return [[piece for piece in pieces if piece] for pieces in texts.pieces]


class _Book:
    """What is known of every context so far."""

    def __init__(self, n: int) -> None:
        self.values: list[Values | None] = [None] * n  # of the tokens that are shown
        self.keys: list[str | None] = [None] * n
        self.defects: list[str | None] = [None] * n
        self.outcomes: list[Outcome] = []
        self._lost: set[int] = set()  # nobody answered: asking at once again is of no use

    def enter(
        self, call: Sequence[int], outcome: Outcome, read: Callable[[Reply], list[Values]]
    ) -> None:
        """Enter what came back for the contexts of one call."""
        self.outcomes.append(outcome)
        defect, found = None, [None] * len(call)
        if isinstance(outcome, CallFailed):
            defect = outcome.reason
            self._lost.update(call)
        else:
            try:
                found = read(outcome)
            except BadReply as error:
                defect = str(error)
        for context, values in zip(call, found, strict=True):
            self.values[context], self.defects[context] = values, defect
            self.keys[context] = outcome.key if isinstance(outcome, Reply) else None

    def open(self, call: Sequence[int]) -> bool:
        """Say whether a call had an answer that cannot be used."""
        return self.values[call[0]] is None and call[0] not in self._lost

    def simulation(self, texts: Texts) -> Simulation:
        """Give every token a value: one without text of its own has that of the one before it.

        A character spread over tokens is shown at its first one, and its tokens belong together.
        """
        return Simulation(
            tuple(
                None if values is None else tuple(_at_tokens(pieces, values))
                for pieces, values in zip(texts.pieces, self.values, strict=True)
            ),
            tuple(self.keys),
            tuple(self.defects),
            tuple(self.outcomes),
        )


def _at_tokens(pieces: Sequence[str], values: Values) -> Iterator[float]:
    rest, value = iter(values), 0.0
    for piece in pieces:
        value = next(rest) if piece else value
        yield value

"""Who answers the questions: a judge holds one explanation and answers items with it.

The grammar judge runs the explanation's rules; a language model fits the same protocol. A judge
sees an item's tokens, its marks and the position of its first token, and nothing else.
"""

from typing import NamedTuple, Protocol

import numpy as np

from core.grammar import Rules, Words, detection_verdicts, fuzzing_verdicts, predict
from core.llm.requests import Outcome as CallOutcome
from core.score.items import Items
from data.errors import BadInput

YES, NO, NO_ANSWER = 1, 0, -1


class Answers(NamedTuple):
    """One judge's answers to one scorer's items, in their order."""

    verdict: np.ndarray  # 1 yes, 0 no, -1 no usable reply, int8 [n]
    probability: np.ndarray | None = None  # of "yes", 0..1, float32 [n]
    call: np.ndarray | None = None  # call each came from, int [n]; None = each judged by itself
    keys: tuple[str | None, ...] | None = (
        None  # request that each verdict was read from; None = none
    )
    outcomes: tuple[CallOutcome, ...] = ()  # everything that was asked, repeats included


class Judge(Protocol):
    """Answers items with the explanation it was made for."""

    @property
    def name(self) -> str:
        """What a score names it by: "grammar" or a model's id."""
        ...

    def answer(self, scorer: str, items: Items, tokens: np.ndarray) -> Answers:
        """Answer the items of detection or fuzzing; tokens int32 [n, length] are their contexts."""
        ...


class GrammarJudge:
    """Rules that a program checks: no cost, no noise, no failures (methods.md 4.5)."""

    name = "grammar"

    def __init__(self, rules: Rules, words: Words) -> None:
        self.rules, self.words = rules, words

    def answer(self, scorer: str, items: Items, tokens: np.ndarray) -> Answers:
        """Apply the rules to every context; a marked one is asked about its marks."""
        if scorer == "detection":
            said = detection_verdicts(self.rules, tokens, items.start, self.words)
        elif scorer == "fuzzing":
            said = fuzzing_verdicts(self.rules, tokens, items.start, self.words, items.marks)
        else:
            raise BadInput(f"the grammar judge cannot answer {scorer}: use detection or fuzzing")
        return Answers(said.verdict.astype(np.int8), said.probability)

    def satisfied(self, tokens: np.ndarray, start: np.ndarray, marks: np.ndarray) -> np.ndarray:
        """Share of each context's marks that satisfy the rules, 0..1 [n]; 0 without marks.

        tokens int32 [n, length], start int64 [n] of their first ones, marks bool [n, length].
        """
        fires = predict(self.rules, tokens, start, self.words).fires
        return (fires & marks).sum(axis=1) / np.maximum(1, marks.sum(axis=1))

"""The blind game: which of two unlabelled subjects is the second one, the tuned one?

A question shows some features that differ, with what each does in X and in Y. Every question is
asked in both orders, the second subject once as X and once as Y: whoever prefers a letter gains
nothing. (Upstream's benchmark counts a pair in one order only; methods.md 8.) The two orders show
the same facts, so a question is one trial, not two: one answered alike in both is right or wrong,
one answered differently decides nothing. The share right of those answered alike gets Wilson's
interval and an exact sign test against one half.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core import seeds
from core.score.statistics import mcnemar, wilson
from data.guesses import Guess
from data.records import Interval

QUESTIONS = 10  # at most
SHOWN = 4  # features a question
SECOND = 2  # the right answer


class Question(NamedTuple):
    """One question in one order."""

    number: int  # from 0
    swapped: bool  # the second subject is X
    features: tuple[int, ...]


class Tally(NamedTuple):
    """What somebody's answers come to; the unit of n, interval and p is the question."""

    right: int  # questions right in both orders
    n: int  # questions answered alike in both orders
    split: int  # questions answered differently in the two orders: they decide nothing
    interval: Interval | None  # share right of n, Wilson
    p: float | None  # exact sign test of right against wrong, two-sided
    answers_right: int
    answers: int  # usable ones
    failed: int  # "cannot say", or no usable reply: in no denominator
    x_named: int  # answers that named X: a leaning to a letter shows here


def questions(features: Sequence[int], seed: int) -> list[Question]:
    """All questions in the order in which they are asked, each in both orders.

    features: those that differ, surest first. Each is in one question, dealt out in turn, so that
    all questions have some of the surest. First every question comes once, half of them (within
    one) with the second subject as X, then every one the other way round.
    """
    n = min(QUESTIONS, -(-len(features) // SHOWN))
    dealt = [tuple(features[k : n * SHOWN : n]) for k in range(n)]
    stream = seeds.seed_of(seed, "", 0, "game")
    order = seeds.permutation(stream, n).tolist()
    first = {number: bool(place % 2) for place, number in enumerate(order)}
    again = seeds.permutation(stream + 1, n).tolist()
    if n > 1 and again[0] == order[-1]:  # not the same question twice in a row
        again = [*again[1:], again[0]]
    return [
        *(Question(k, first[k], dealt[k]) for k in order),
        *(Question(k, not first[k], dealt[k]) for k in again),
    ]


def answer_of(question: Question, letter: str | None) -> int | None:
    """Which subject a letter names, 1 or 2; None = no usable answer."""
    if letter is None:
        return None
    return 2 if (letter == "X") == question.swapped else 1


def named(who: str, seed: int) -> str:
    """How a player is called: other questions are another game, counted apart."""
    return who if seed == 0 else f"{who}, game {seed}"


def tally(guesses: Sequence[Guess]) -> Tally:
    """Count questions; an answer that is not usable is in no denominator (methods.md 6.2).

    8 of 10 questions right in both orders, 2 wrong in both: 80 %, 95 % interval 49 to 94 %,
    p = 112 / 1024; the 20 answers are no 20 trials.
    """
    usable = [one for one in guesses if one.answer is not None]
    by_question: dict[int, list[bool]] = {}
    for one in usable:
        by_question.setdefault(one.question, []).append(one.answer == SECOND)
    pairs = [found for found in by_question.values() if len(found) == 2]
    right, wrong = (sum(pair == [good, good] for pair in pairs) for good in (True, False))
    n = right + wrong
    return Tally(
        right=right,
        n=n,
        split=len(pairs) - n,
        interval=wilson(right, n),
        p=mcnemar(right, wrong) if n else None,
        answers_right=sum(one.answer == SECOND for one in usable),
        answers=len(usable),
        failed=len(guesses) - len(usable),
        x_named=sum((one.answer == SECOND) == one.swapped for one in usable),
    )


def next_question(asked: Sequence[Question], guesses: Sequence[Guess]) -> Question | None:
    """The first question that has no answer yet; None = all have."""
    known = {(one.question, one.swapped) for one in guesses}
    return next((one for one in asked if (one.number, one.swapped) not in known), None)


def shuffled(features: Sequence[int], question: Question, seed: int) -> list[int]:
    """The order in which a question lists its features, another one in each order of subjects."""
    stream = seeds.seed_of(seed, "", question.number, f"game-list-{question.swapped}")
    return np.array(features)[seeds.permutation(stream, len(features))].tolist()

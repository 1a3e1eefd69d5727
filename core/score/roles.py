"""Is a feature about what is read, about what is written next, or both? A label from two scores.

Sparse feature circuits (arXiv 2403.19647) hold features that respond to patterns of the text and
features that act on predictions; an explanation of the one kind scores like chance where the other
kind is measured. Gloss's rule (methods.md 8): *input* if detection beats the 95th percentile of its
null, *output* if the steered texts are recognised in 5 of 6 trials at a chance of one in three (p =
.018). The texts of a feature resemble each other from trial to trial, so that explanations of other
features reach that a little more often than independent guesses would; null scores tell how often.
In: figures that other scores left. Out: a label, or None while one of the sides is not measured.
"""

from collections.abc import Sequence
from enum import StrEnum
from math import comb

import numpy as np

FEWEST_NULLS = 20  # null scores below which the 95th percentile is hardly more than the largest
NULL_SHARE = 0.95
OPTIONS = 3  # text sets in a trial
P_NEEDED = 13 / 729  # of 5 or more right ones of 6 at a chance of 1/3: .0178


class Role(StrEnum):
    """What a feature answers to."""

    INPUT = "input"
    OUTPUT = "output"
    BOTH = "both"
    NEITHER = "neither"


def role(
    detection: float | None,
    null_95: float | None,
    output_hits: int | None,
    output_n: int | None,
) -> Role | None:
    """Label a feature; None = one of the sides is not measured well enough to say.

    detection: balanced accuracy, 0..1; null_95: see `null_bar`, of the same hookpoint, scorer,
    judge, preset and explainer; output_hits of output_n usable trials were right.

    >>> role(0.8, 0.6, 1, 6), role(0.5, 0.6, 5, 6), role(0.8, 0.6, 6, 6), role(0.5, 0.6, 2, 6)
    (<Role.INPUT: 'input'>, <Role.OUTPUT: 'output'>, <Role.BOTH: 'both'>, <Role.NEITHER: 'neither'>)
    """
    reads, writes = on_input(detection, null_95), on_output(output_hits, output_n)
    if reads is None or writes is None:
        return None
    return {
        (True, True): Role.BOTH,
        (True, False): Role.INPUT,
        (False, True): Role.OUTPUT,
        (False, False): Role.NEITHER,
    }[reads, writes]


def on_input(detection: float | None, null_95: float | None) -> bool | None:
    """Whether detection is above what other features' explanations reach; None = not known."""
    return None if detection is None or null_95 is None else detection > null_95


def on_output(hits: int | None, n: int | None) -> bool | None:
    """Whether the steered texts are recognised; None = too few usable trials to be sure of any.

    Six trials need five right ones, five or four need all; fewer can never be enough.

    >>> on_output(5, 6), on_output(4, 6), on_output(5, 5), on_output(4, 5), on_output(3, 3)
    (True, False, True, False, None)
    """
    if hits is None or not n or by_chance(n, n) > P_NEEDED:
        return None
    return by_chance(hits, n) <= P_NEEDED


def by_chance(hits: int, n: int) -> float:
    """How likely `hits` or more right choices of n are when every choice is a guess among three.

    >>> round(by_chance(5, 6), 4)
    0.0178
    """
    ways = sum(comb(n, right) * (OPTIONS - 1) ** (n - right) for right in range(hits, n + 1))
    return ways / OPTIONS**n


def null_bar(scores: Sequence[float]) -> float | None:
    """What a score has to beat: the null's 95th percentile; None of fewer than 20 null scores."""
    if len(scores) < FEWEST_NULLS:
        return None
    return float(np.quantile(np.asarray(scores, np.float64), NULL_SHARE))

"""Points of a noise sweep as means over prompts with their intervals, and subject against subject.

Prompts without a finite number are left out and counted; the difference of two subjects is paired
by prompt.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core import seeds
from core.diffing.statistics import mean_spans
from data.diffs import Point


class Mean(NamedTuple):
    """A mean over prompts, nats, with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float
    n: int  # prompts
    failed: int  # prompts without a finite number


class Curve(NamedTuple):
    """One direction in one subject, or the difference of both."""

    side: int  # 1 first subject, 2 second, 3 second minus first
    direction: str  # noise, feature, random
    strengths: tuple[float, ...]  # ascending
    means: tuple[Mean | None, ...]  # None: no prompt has a finite number


def curves(points: Sequence[Point], what: str) -> list[Curve]:
    """Every direction of every subject, then second minus first; what: kl or target.

    A target's curves are changes of its log-probability, since subjects begin at different ones.
    """
    known = {(p.side, p.direction, p.strength): _values(p, points, what) for p in points}
    sides = sorted({p.side for p in points})
    directions = dict.fromkeys(p.direction for p in points)
    out = []
    for side in [*sides, *[3] * (len(sides) == 2)]:
        for direction in directions:
            strengths = tuple(sorted({s for _, d, s in known if d == direction}))
            means = tuple(mean_of(_of(known, side, direction, s)) for s in strengths)
            out.append(Curve(side, direction, strengths, means))
    return out


def _values(point: Point, points: Sequence[Point], what: str) -> np.ndarray:
    """One number a prompt, NaN where there is none."""
    if what == "kl":
        return as_numbers(point.kl)
    clean = next(p for p in points if (p.side, p.strength) == (point.side, 0.0))
    return as_numbers(point.target) - as_numbers(clean.target)


def _of(
    known: dict[tuple[int, str, float], np.ndarray], side: int, direction: str, strength: float
) -> np.ndarray:
    if side < 3:
        return known[side, direction, strength]
    return known[2, direction, strength] - known[1, direction, strength]


def as_numbers(values: Sequence[float | None] | None) -> np.ndarray:
    """Numbers with NaN for what is missing, float64."""
    return np.array([np.nan if one is None else one for one in values or ()], np.float64)


def mean_of(values: np.ndarray) -> Mean | None:
    """The mean of what is finite, float64 [prompts]."""
    kept = values[np.isfinite(values)]
    if not len(kept):
        return None
    value, low, high = (float(end[0]) for end in mean_spans(kept[None], seeds.text_seed("noise")))
    return Mean(value, low, high, len(kept), len(values) - len(kept))

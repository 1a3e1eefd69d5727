"""Where scores stand against null scores; pure functions over arrays (methods.md 6.5).

Only scores of the same scorer, preset, judge and explainer can be compared; who calls sees to it.
Undefined scores are left out before, and counted by whoever left them out.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.score.statistics import wilson
from data.records import Interval

HIGH = 0.95  # quantile of the null that a score should exceed
FEWEST = 20  # null scores; of fewer, the highest is no twentieth


class Percentile(NamedTuple):
    """Where one score stands among null scores."""

    value: float  # share of null scores below, and half of the equal ones, 0..1
    n: int  # null scores
    median: float  # of the null, as are the quartiles
    low: float
    high: float


def percentile(value: float | None, null: np.ndarray) -> Percentile | None:
    """Place a score among null scores float [n]; None when there is nothing to compare.

    .6 among .4, .5, .6, .7 has two below and one equal: (2 + 1/2) / 4 = .625.
    """
    if value is None or not len(null):
        return None
    below = (null < value).sum() + 0.5 * (null == value).sum()
    low, median, high = np.quantile(null, [0.25, 0.5, 0.75]).tolist()
    return Percentile(float(below / len(null)), len(null), median, low, high)


class Summary(NamedTuple):
    """The scores of a hookpoint's features against their null."""

    n: int  # features with a score
    undefined: int  # features whose score is undefined
    median: float | None  # of the scores; None without any
    null_n: int
    null_median: float | None
    null_low: float | None  # quartiles
    null_high: float | None
    threshold: float | None  # 95th percentile of the null; None below 20 null scores
    above: Interval | None  # share of features above it, Wilson interval


def summarise(values: Sequence[float | None], null: np.ndarray) -> Summary:
    """Compare features' scores with null scores float [n].

    One in twenty features without any true explanation lies above the threshold too.
    """
    found = np.array([value for value in values if value is not None], np.float64)
    quartiles = np.quantile(null, [0.25, 0.5, 0.75]).tolist() if len(null) else [None] * 3
    threshold = float(np.quantile(null, HIGH)) if len(null) >= FEWEST else None
    over = 0 if threshold is None else int((found > threshold).sum())
    return Summary(
        n=len(found),
        undefined=len(values) - len(found),
        median=float(np.median(found)) if len(found) else None,
        null_n=len(null),
        null_median=quartiles[1],
        null_low=quartiles[0],
        null_high=quartiles[2],
        threshold=threshold,
        above=None if threshold is None else wilson(over, len(found)),
    )

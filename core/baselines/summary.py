"""Scores of features as median, quartiles, mean and difference; intervals over features.

Pure functions over arrays. Undefined scores are left out before and counted by whoever left them
out. Intervals are percentile intervals of 2,000 resamples (methods 6.1, 6.4); below five features
there is none.
"""

from typing import NamedTuple

import numpy as np

from core import seeds
from core.comparing.figures import Figure
from core.comparing.resampling import DRAWS, FEWEST

CELLS = 2_000_000  # drawn at once


class Summary(NamedTuple):
    """Scores of some features."""

    n: int  # features with a score
    median: float | None
    low: float | None  # quartiles
    high: float | None
    mean: Figure | None  # with its interval; None without features


NONE = Summary(0, None, None, None, None)


def summarise(values: np.ndarray, feature: np.ndarray | None = None) -> Summary:
    """Summarise scores float64 [n]; feature: of each score, where a feature has several.

    The mean is over features: of .4 and .6 of one feature and .8 of another it is .65.
    """
    if not len(values):
        return NONE
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    means = values if feature is None else by_feature(values, feature)[1]
    return Summary(len(means), median, low, high, mean_of(means))


def by_feature(values: np.ndarray, feature: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The features, ascending, and the mean score of each."""
    found, place, count = np.unique(feature, return_inverse=True, return_counts=True)
    return found, np.bincount(place, weights=values) / count


def mean_of(values: np.ndarray) -> Figure:
    """The mean of scores float64 [n >= 1]."""
    return _figure(float(values.mean()), _resampled(values, "first"), len(values))


def difference(first: np.ndarray, second: np.ndarray) -> Figure | None:
    """Mean of the first minus mean of the second, of unrelated features; None without either.

    Both are resampled, each by itself.
    """
    if not len(first) or not len(second):
        return None
    drawn = _resampled(first, "first") - _resampled(second, "second")
    value = float(first.mean() - second.mean())
    return _figure(value, drawn, min(len(first), len(second)))


def paired_difference(gain: np.ndarray) -> Figure | None:
    """Mean of differences float64 [n], one a feature; None without any."""
    return mean_of(gain) if len(gain) else None


def _figure(value: float, drawn: np.ndarray, n: int) -> Figure:
    if n < FEWEST:
        return Figure(value, None, None)
    low, high = np.percentile(drawn, [2.5, 97.5]).tolist()
    return Figure(value, low, high)


def _resampled(values: np.ndarray, which: str) -> np.ndarray:
    """Means of resamples, float64 [DRAWS]; `which` side, so that two sides are drawn apart."""
    rng = seeds.generator(seeds.text_seed(f"baselines|{which}|{len(values)}"))
    step = max(1, CELLS // len(values))
    parts = [
        values[rng.integers(0, len(values), (min(step, DRAWS - first), len(values)))].mean(axis=1)
        for first in range(0, DRAWS, step)
    ]
    return np.concatenate(parts)

"""Bootstrap over features: many shares and means at once, all from the same resamples.

Every figure is a ratio of two sums over features, e.g. right verdicts of decile 3 over verdicts of
decile 3, or scores of a layer over its features. A resample draws features with replacement, so
both sums move together, and so do both sides of a comparison (methods.md 6.1, 6.4).
"""

from typing import NamedTuple

import numpy as np

from core import seeds

DRAWS = 2000
SEED = 0  # so that a comparison says the same thing twice
CHUNK = 250  # draws at once
# Above so many, features are put at random into this many groups and groups are drawn: the spread
# of a sum over equal groups is that over features, known to 1/sqrt(2 groups) = 1 %.
UNITS = 4096
FEWEST = 5  # features behind a figure; of fewer, resamples say nothing


class Ratios(NamedTuple):
    """Ratios with 95 % percentile intervals, float64 [k]; NaN where undefined."""

    value: np.ndarray
    low: np.ndarray  # NaN also where fewer than FEWEST features stand behind the ratio
    high: np.ndarray


def ratios(above: np.ndarray, below: np.ndarray, *, seed: int = SEED) -> Ratios:
    """Sums of `above` over sums of `below`, both [feature, k], with bootstrap intervals."""
    total = below.sum(axis=0, dtype=np.float64)
    value = _divided(above.sum(axis=0, dtype=np.float64), total)
    known = (below > 0).sum(axis=0) >= FEWEST
    low, high = np.full(len(value), np.nan), np.full(len(value), np.nan)
    if known.any():
        drawn = _resampled(*_grouped(above[:, known], below[:, known], seed), seed)
        low[known], high[known] = np.nanpercentile(drawn, [2.5, 97.5], axis=0)
    return Ratios(value, low, high)


def _divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)


def _grouped(above: np.ndarray, below: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """As they are, or summed over random groups of features of equal size."""
    n = len(above)
    if n > UNITS:
        order = seeds.permutation(seed, n)
        starts = np.linspace(0, n, UNITS, endpoint=False).astype(int)
        above, below = (np.add.reduceat(part[order], starts) for part in (above, below))
    return above.astype(np.float32), below.astype(np.float32)


def _resampled(above: np.ndarray, below: np.ndarray, seed: int) -> np.ndarray:
    """The ratios of every resample, float64 [draw, k]."""
    rng, n = seeds.generator(seed), len(above)
    parts = []
    for first in range(0, DRAWS, CHUNK):
        chosen = rng.integers(0, n, (min(CHUNK, DRAWS - first), n), dtype=np.uint16)
        offset = np.arange(len(chosen))[:, None] * n
        times = np.bincount((chosen + offset).ravel(), minlength=len(chosen) * n)
        times = times.reshape(len(chosen), n).astype(np.float32)
        parts.append(
            _divided((times @ above).astype(np.float64), (times @ below).astype(np.float64))
        )
    return np.concatenate(parts)

"""Paired differences of many features at once: tests, intervals and AUROC; pure, no stores.

Rows are features, columns are units (sequences, pairs of texts), so that one product with a matrix
of signs or of resampled counts serves all features.
"""

import math
from typing import NamedTuple

import numpy as np

from core import seeds
from core.score.statistics import Z

FLIPS = 9_999  # sign patterns drawn where there are too many to count them all
FIRST = 999  # of those, for every feature; the rest where that leaves it open
SETTLED = 50  # patterns as extreme among the first ones: p is above .05, no more are drawn
SURE = 1e-6  # a bound of p below this needs no drawing at all
RESAMPLES = 2000
CHUNK = 1_000  # sign patterns or resamples held at once
CLOSE = 1e-5  # relative: sums that differ by less are equal, as float32 rounds them


class Spans(NamedTuple):
    """A figure of every feature with its 95 % interval, float64 [features]."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def sign_flip(difference: np.ndarray, seed: int) -> np.ndarray:
    """p of every feature's sum of paired differences, two-sided, float64 [features].

    difference: [features, n]. Were the subjects alike, each difference could as well have the
    other sign. Up to 13 units all 2^n patterns are counted; above, 9,999 are drawn, p = (b + 1) /
    (drawn + 1), fewer where the first 999 show 50 as extreme (Besag & Clifford 1991, Biometrika
    78, 301). Where drawing cannot resolve p, Hoeffding's bound 2 exp(-S^2 / (2 sum d^2)), which is
    never below the exact p, is taken if it is smaller; thousands of features can then be told apart
    without millions of patterns.

    >>> sign_flip(np.array([[1.0, 2.0, 3.0]]), 0)  # +++ and --- of 8 patterns
    array([0.25])
    """
    n_features, n = difference.shape
    size = np.sqrt((difference.astype(np.float64) ** 2).sum(axis=1))  # [features]
    p = np.ones(n_features)
    moved = np.flatnonzero(size > 0)
    if not len(moved) or not n:
        return p
    unit = (difference[moved] / size[moved, None]).astype(np.float32)
    if 2**n <= FLIPS:
        p[moved] = _counted(unit)
        return p
    total = np.abs(unit.sum(axis=1, dtype=np.float64))  # in standard deviations of the null
    bound = np.minimum(1.0, 2 * np.exp(-(total**2) / 2))
    p[moved] = np.minimum(bound, _drawn(unit, bound > SURE, seed))
    return p


def _counted(unit: np.ndarray) -> np.ndarray:
    """Share of all sign patterns whose sum is as far from 0."""
    n = unit.shape[1]
    signs = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    return _as_extreme(unit, signs.astype(np.float32)) / len(signs)


def _drawn(unit: np.ndarray, is_open: np.ndarray, seed: int) -> np.ndarray:
    """p by drawn patterns, the same ones for every feature; 1 of those that are not open."""
    rng = seeds.generator(seed)
    extreme, drawn = np.zeros(len(unit)), np.zeros(len(unit))
    for goal in (FIRST, FLIPS):
        rows = np.flatnonzero(is_open & (extreme < SETTLED))
        left = goal - (0 if goal == FIRST else FIRST)
        while left and len(rows):
            take = min(CHUNK, left)
            bits = rng.integers(0, 2, (take, unit.shape[1]), np.int8)
            signs = (2 * bits - 1).astype(np.float32)
            extreme[rows] += _as_extreme(unit[rows], signs)
            drawn[rows] += take
            left -= take
    return np.where(is_open, (extreme + 1) / (drawn + 1), 1.0)


def _as_extreme(unit: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """How many patterns [patterns, n] give a sum as far from 0 as the observed one, [features]."""
    observed = np.abs(unit.sum(axis=1, dtype=np.float64))
    least = (observed - CLOSE * (1 + observed)).astype(np.float32)
    return (np.abs(signs @ unit.T) >= least).sum(axis=0).astype(np.float64)


def mean_spans(difference: np.ndarray, seed: int) -> Spans:
    """Mean over units with its percentile bootstrap interval; difference: [features, n].

    All features see the same resamples. Units that all agree give an interval of no width.
    """
    n_features, n = difference.shape
    value = difference.mean(axis=1, dtype=np.float64) if n else np.full(n_features, np.nan)
    ends = np.stack([value, value])
    moved = np.flatnonzero(np.ptp(difference, axis=1) > 0) if n else np.empty(0, np.int64)
    if len(moved):
        counts = seeds.generator(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
        weight = (counts / n).astype(np.float32)
        for rows in np.array_split(moved, math.ceil(len(moved) / CHUNK)):
            means = weight @ difference[rows].astype(np.float32).T  # [resamples, features]
            ends[:, rows] = _percentiles(means)
    return Spans(value, np.minimum(ends[0], value), np.maximum(ends[1], value))


def _percentiles(means: np.ndarray) -> np.ndarray:
    """The 2.5th and the 97.5th of each column, [2, features]."""
    low, high = round(0.025 * (len(means) - 1)), round(0.975 * (len(means) - 1))
    return np.partition(means, (low, high), axis=0)[[low, high]]


def auroc_spans(first: np.ndarray, second: np.ndarray) -> Spans:
    """Chance that a unit has more of a feature in the second subject than one in the first.

    first, second: the same units in both subjects, [features, n]; ties count half. Both values of a
    unit depend on each other, so the variance is that of Obuchowski's clustered AUROC (1997,
    Biometrics 53, 567): a unit adds the share of first values below its second one and the share
    of second values above its first one; the interval is on the logit scale.

    >>> auroc_spans(np.array([[0.0, 2.0]]), np.array([[1.0, 3.0]])).value  # 3 of 4 pairs
    array([0.75])
    """
    n = first.shape[1]
    if not n:
        nothing = np.full(len(first), np.nan)
        return Spans(nothing, nothing, nothing)
    both = _ranks(np.concatenate([first, second], axis=1))
    above = both[:, n:] - _ranks(second)  # first values below each second one
    below = both[:, :n] - _ranks(first)  # second values below each first one
    share = above.sum(axis=1) / n**2
    error = (above - below).std(axis=1, ddof=1) / n**1.5 if n > 1 else np.zeros(len(first))
    inside = (share > 0) & (share < 1)
    p = np.where(inside, share, 0.5)
    middle, half = np.log(p / (1 - p)), Z * error / (p * (1 - p))
    low = np.where(inside, 1 / (1 + np.exp(half - middle)), _certain(share, n)[0])
    high = np.where(inside, 1 / (1 + np.exp(-half - middle)), _certain(share, n)[1])
    return Spans(share, np.minimum(low, share), np.maximum(high, share))


def _certain(share: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Ends for a perfect order: as far as n units without an exception allow (rule of three)."""
    room = min(1.0, 3 / n)
    return np.where(share >= 1, 1 - room, 0.0), np.where(share <= 0, room, 1.0)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Rank of each value in its row from 1, equal ones at their mean rank, float64 [rows, n]."""
    n = values.shape[1]
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    is_new = np.ones(values.shape, bool)
    is_new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    place = np.arange(n)
    first = np.maximum.accumulate(np.where(is_new, place, 0), axis=1)
    is_last = np.ones(values.shape, bool)
    is_last[:, :-1] = is_new[:, 1:]
    ends = np.where(is_last, place, n)[:, ::-1]
    last = np.minimum.accumulate(ends, axis=1)[:, ::-1]
    out = np.empty(values.shape)
    np.put_along_axis(out, order, (first + last) / 2 + 1, axis=1)
    return out

"""Intervals, tests and rank measures; pure functions of counts and arrays (methods.md 6).

Undefined is None: a share of nothing, the AUROC of one class, the correlation of a constant.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from core import seeds
from data.records import Interval

Z = 1.96  # of a 95 % interval
RESAMPLES = 2000
FEWEST_DISCORDANT = 15  # below it two explanations are called not distinguishable


def wilson(correct: int, n: int) -> Interval | None:
    """Wilson's 95 % interval of a share: 4 of 5 gives .38 to .96."""
    if not n:
        return None
    share = correct / n
    spread = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    middle, shrink = share + Z**2 / (2 * n), 1 + Z**2 / n
    low, high = (middle - spread) / shrink, (middle + spread) / shrink
    return Interval(share, min(max(0.0, low), share), max(min(1.0, high), share))


def weighted_rate(correct: np.ndarray, n: np.ndarray, weight: np.ndarray) -> float | None:
    """Sum of weight x share right over strata; None if a stratum with weight has no verdict.

    Balanced accuracy is this with weight 1/2 for each class.
    """
    used = weight > 0
    if not used.any() or (n[used] == 0).any():
        return None
    return float((weight[used] * correct[used] / n[used]).sum())


def bootstrap_items(
    correct: np.ndarray, n: np.ndarray, weight: np.ndarray, seed: int
) -> tuple[float, float] | None:
    """95 % percentile interval of weighted_rate, resampling items within each stratum.

    Drawing n verdicts out of n with replacement gives a binomial number of right ones, so counts
    are drawn instead of items. A stratum that is all right or all wrong would not vary at all;
    there the interval is widened to the one from Wilson's limits. All three arrays are [strata].
    """
    used = weight > 0
    if weighted_rate(correct, n, weight) is None:
        return None
    correct, n, weight = correct[used], n[used], weight[used]
    drawn = seeds.generator(seed).binomial(n, correct / n, size=(RESAMPLES, len(n)))
    return _widened(_middle((drawn / n) @ weight), correct, n, weight)


def bootstrap_calls(
    correct: np.ndarray, n: np.ndarray, weight: np.ndarray, seed: int
) -> tuple[float, float] | None:
    """95 % percentile interval of weighted_rate, resampling whole judge calls.

    correct and n are [calls, strata]. Verdicts of one call depend on each other, so a call stays
    together. Resamples without a stratum are left out.
    """
    used = weight > 0
    if weighted_rate(correct.sum(axis=0), n.sum(axis=0), weight) is None:
        return None
    taken = _multiplicities(len(n), seed)
    right, total = taken @ correct[:, used], taken @ n[:, used]
    whole = (total > 0).all(axis=1)
    found = _middle((right[whole] / total[whole]) @ weight[used])
    return _widened(found, correct.sum(axis=0)[used], n.sum(axis=0)[used], weight[used])


def _widened(
    found: tuple[float, float], correct: np.ndarray, n: np.ndarray, weight: np.ndarray
) -> tuple[float, float]:
    """Keep a bootstrap interval from claiming certainty: 100 of 100 right is not [1, 1].

    Wilson's limits of the strata are combined by the squares of their distances (MOVER; Newcombe
    1998, Statistics in Medicine 17, 873): with 100 of 100 in both classes [.97, 1].
    """
    share = correct / n
    if ((share > 0) & (share < 1)).all():
        return found
    limits = [wilson(int(c), int(m)) for c, m in zip(correct, n, strict=True)]
    below = [one.value - one.low for one in limits if one]
    above = [one.high - one.value for one in limits if one]
    value = float(share @ weight)
    low = value - float(np.linalg.norm(weight * below))
    high = value + float(np.linalg.norm(weight * above))
    return max(0.0, min(found[0], low)), min(1.0, max(found[1], high))


def _multiplicities(count: int, seed: int) -> np.ndarray:
    """How often each of `count` things is in each resample, int64 [resamples, count]."""
    return seeds.generator(seed).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)


def _middle(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


class Comparison(NamedTuple):
    """Two explanations judged on the same items."""

    n: int  # items with a usable verdict on both sides
    excluded: int  # items without one on either side
    only_first: int  # items that only the first got right
    only_second: int
    p: float  # exact McNemar test
    difference: float | None  # balanced accuracy of the first minus that of the second
    low: float | None  # 95 % interval of the difference
    high: float | None

    @property
    def finding(self) -> str:
        """Who is better, in words: first, second or not distinguishable."""
        if self.only_first + self.only_second < FEWEST_DISCORDANT or self.p >= 0.05:
            return "not distinguishable"
        return "first" if self.only_first > self.only_second else "second"


def compare(
    first: np.ndarray,
    second: np.ndarray,
    stratum: np.ndarray,
    weight: np.ndarray,
    *,
    seed: int,
    call: np.ndarray | None = None,
) -> Comparison:
    """Compare two explanations: first and second say 1 right, 0 wrong, -1 no verdict, int8 [n].

    stratum int [n] is the kind of an item, weight [strata] as in weighted_rate; call [n] is the
    judge call, or None if every item was judged by itself.
    """
    both = (first >= 0) & (second >= 0)
    gain, stratum = first[both].astype(np.int64) - second[both], stratum[both]
    only_first, only_second = int((gain > 0).sum()), int((gain < 0).sum())
    unit = np.arange(len(gain)) if call is None else np.unique(call[both], return_inverse=True)[1]
    shape = (int(unit.max(initial=-1)) + 1, len(weight))
    gains, sizes = np.zeros(shape), np.zeros(shape)
    np.add.at(gains, (unit, stratum), gain)
    np.add.at(sizes, (unit, stratum), 1)
    difference = weighted_rate(gains.sum(axis=0), sizes.sum(axis=0), weight)
    interval = None
    if difference is not None and call is not None:
        interval = bootstrap_calls(gains, sizes, weight, seed)
    elif difference is not None:
        interval = _bootstrap_gains(gain, stratum, weight, seed)
    low, high = interval or (None, None)
    return Comparison(
        n=len(gain),
        excluded=int((~both).sum()),
        only_first=only_first,
        only_second=only_second,
        p=mcnemar(only_first, only_second),
        difference=difference,
        low=low,
        high=high,
    )


def _bootstrap_gains(
    gain: np.ndarray, stratum: np.ndarray, weight: np.ndarray, seed: int
) -> tuple[float, float]:
    """Resample items within strata; their gains are +1, 0, -1, hence counts of three kinds."""
    rng = seeds.generator(seed)
    total = np.zeros(RESAMPLES)
    for index in np.flatnonzero(weight):
        here = gain[stratum == index]
        shares = np.array([(here > 0).mean(), (here < 0).mean(), (here == 0).mean()])
        drawn = rng.multinomial(len(here), shares, size=RESAMPLES)
        total += weight[index] * (drawn[:, 0] - drawn[:, 1]) / len(here)
    return _middle(total)


def mcnemar(b: int, c: int) -> float:
    """Exact two-sided p of b against c discordant items: min(1, 2 P(X <= min)), X ~ Bin(b+c, ½).

    >>> mcnemar(1, 7)  # 2 (1 + 8) / 256
    0.0703125
    """
    n = b + c
    whole = math.lgamma(n + 1) - n * math.log(2)
    terms = (
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(n - k + 1)) for k in range(min(b, c) + 1)
    )
    return min(1.0, 2 * math.fsum(terms))


def precision_at(tpr: float, fpr: float, base_rate: float) -> float | None:
    """Precision at a base rate, 0..1: TPR .9 and FPR .01 at one in a thousand give .083."""
    said = tpr * base_rate + fpr * (1 - base_rate)
    return tpr * base_rate / said if said > 0 else None


def f1(precision: float | None, recall: float | None) -> float | None:
    """Harmonic mean of precision and recall, 0..1."""
    if precision is None or recall is None:
        return None
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def auroc(value: np.ndarray, positive: np.ndarray) -> float | None:
    """Chance that a positive has a larger value than a negative, ties half, 0..1."""
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return None
    _, place, count = np.unique(value, return_inverse=True, return_counts=True)
    middle_rank = np.cumsum(count) - (count - 1) / 2
    above = middle_rank[place][positive].sum() - n_positive * (n_positive + 1) / 2
    return float(above / (n_positive * n_negative))


def auroc_interval(value: np.ndarray, positive: np.ndarray) -> Interval | None:
    """AUROC with its 95 % interval (DeLong et al. 1988, Biometrics 44, 837), on the logit scale.

    A positive's placement is the share of negatives below it, a negative's the share of positives
    above it; both average to the AUROC, and its variance is the sum of their variances over n.
    Where the placements of a class do not vary, as in a perfect order, that would claim certainty:
    there the interval is widened to Newcombe's, which needs no placements.

    >>> auroc_interval([3, 1, 2, 0], [True, True, False, False])  # placements 1, .5 and .5, 1
    Interval(value=.75, low=.069, high=.992)
    """
    share = auroc(value, positive)
    if share is None:
        return None
    above, below = np.sort(value[positive]), np.sort(value[~positive])
    placed = [_below(below, above), 1 - _below(above, below)]
    spread = [float(one.var(ddof=1)) if len(one) > 1 else 0.0 for one in placed]
    low = high = share
    if 0 < share < 1:
        error = math.sqrt(sum(s / len(one) for s, one in zip(spread, placed, strict=True)))
        middle, half = math.log(share / (1 - share)), Z * error / (share * (1 - share))
        low, high = _logistic(middle - half), _logistic(middle + half)
    if min(spread) == 0:
        wide = newcombe(share, len(above), len(below))
        low, high = min(low, wide[0]), max(high, wide[1])
    return Interval(share, min(low, share), max(high, share))


def _below(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Share of `values`, ascending, below each number of `among`, ties half, 0..1."""
    left, right = np.searchsorted(values, among), np.searchsorted(values, among, side="right")
    return (left + right) / (2 * len(values))


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else 1 - 1 / (1 + math.exp(x))


def newcombe(share: float, n_positive: int, n_negative: int) -> tuple[float, float]:
    """95 % interval of an AUROC from the value alone (Newcombe 2006, Statist. Med. 25, 559).

    His method 5: all t with (share - t)^2 <= Z^2 V(t), V being the variance that Hanley and McNeil
    (1982) derive for exponential scores, with both sample sizes replaced by their mean where they
    count the pairs that share a member. A perfect order of 100 and 100 gives .980 to 1.
    """
    both = (n_positive + n_negative) / 2 - 1

    def inside(t: float) -> bool:
        pairs = 1 + both * ((1 - t) / (2 - t) + t / (1 + t))
        return (share - t) ** 2 <= Z**2 * t * (1 - t) * pairs / (n_positive * n_negative)

    return _edge(share, 0.0, inside), _edge(share, 1.0, inside)


def _edge(good: float, bad: float, inside: Callable[[float], bool]) -> float:
    """Halve the way from a point inside an interval to one at or beyond its end, 50 times."""
    for _ in range(50):
        middle = (good + bad) / 2
        good, bad = (middle, bad) if inside(middle) else (good, middle)
    return good


def auprc(
    value: np.ndarray, positive: np.ndarray, weight: np.ndarray | None = None
) -> float | None:
    """Average precision, sum of (R_k - R_{k-1}) P_k over distinct values from the top, 0..1.

    weight [n] is how many contexts of the corpus an item stands for; chance is the weighted share
    of positives, not one half.
    """
    weight = np.ones(len(value)) if weight is None else weight
    if not weight[positive].sum() or positive.all():
        return None
    _, place = np.unique(-value, return_inverse=True)
    right = np.cumsum(np.bincount(place, weight * positive))
    said = np.cumsum(np.bincount(place, weight))
    # Items of weight 0 at the top would make 0 / 0 of a threshold that says nothing.
    precision = right / np.maximum(said, np.finfo(float).tiny)
    return float((np.diff(right, prepend=0) / right[-1] * precision).sum())


class Sums(NamedTuple):
    """What a correlation needs of pairs (x, y); sums of parts of a corpus add up."""

    n: float
    x: float
    y: float
    xx: float
    yy: float
    xy: float

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray) -> "Sums":
        """The sums of all pairs of two columns, both [n]."""
        return cls(len(x), *(float(v) for v in (x.sum(), y.sum(), x @ x, y @ y, x @ y)))


def pearson(sums: Sums) -> float | None:
    """Correlation from running sums, -1..1; None for a constant or fewer than two pairs."""
    if sums.n < 2:
        return None
    n, x, y, xx, yy, xy = sums
    spread_x, spread_y = xx - x * x / n, yy - y * y / n
    # What rounding leaves of a constant is not a spread.
    if spread_x <= 1e-12 * abs(xx) or spread_y <= 1e-12 * abs(yy):
        return None
    r = (xy - x * y / n) / math.sqrt(spread_x * spread_y)
    return max(-1.0, min(1.0, r))


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Adjusted p values, float64 [n]: flagging those below q keeps false flags at a share of q."""
    n = len(p)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * n / np.arange(1, n + 1)
    adjusted = np.empty(n)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)
    return adjusted

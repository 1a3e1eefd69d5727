"""Accuracy by decile over many features: pooled verdicts, or the mean of the features' shares.

Verdicts on one feature depend on each other, so both intervals are over features. They are never
narrower than Wilson's of the pooled verdicts where the features do not vary.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from core.score.statistics import Z, wilson
from data.catalogue import Row
from data.comparing import SILENT_KINDS
from data.records import Interval


class Point(NamedTuple):
    """One place of the axis, over all features."""

    place: int | str  # decile 1 weakest .. 10 strongest, or a kind of silent context
    n: int  # usable verdicts
    correct: int
    failed: int
    features: int  # with a usable verdict here
    pooled: Interval | None  # share right of all verdicts; None = no usable verdict
    mean: Interval | None  # mean over features of their shares


def curves(rows: Sequence[Row]) -> dict[str, list[Point]]:
    """By scorer: deciles in order, then the kinds of silent context that were asked about."""
    found: dict[str, list[Point]] = {}
    for row in rows:
        found.setdefault(row["scorer"], []).append(_point(row))
    return {scorer: sorted(points, key=_order) for scorer, points in sorted(found.items())}


def _point(row: Row) -> Point:
    place = int(row["place"]) if row["place"].isdecimal() else row["place"]
    n, correct, features = row["n"], row["correct"], row["features"]
    pooled = mean = wide = wilson(correct, n)
    if pooled and wide and features > 1:
        pooled = _around(pooled.value, _ratio_error(row), wide)
        mean = _around(row["mean"], row["spread"] / math.sqrt(features), wide)
    return Point(place, n, correct, row["failed"], features, pooled, mean)


def _ratio_error(row: Row) -> float:
    """Standard error of a ratio of two sums over features (Cochran 1977, section 6.4).

    Sum of (c - share n)^2 is what the shares leave unexplained; with the same n for every feature
    it is the usual standard error of a mean.
    """
    share, features = row["correct"] / row["n"], row["features"]
    rest = max(0.0, row["cc"] - 2 * share * row["nc"] + share**2 * row["nn"])
    return math.sqrt(rest * features / (features - 1)) / row["n"]


def _around(value: float, error: float, wide: Interval) -> Interval:
    """95 % interval of a value; where the features do not vary at all, Wilson's width."""
    below, above = Z * error, Z * error
    if error < 1e-9:  # what rounding leaves of nothing
        below, above = wide.value - wide.low, wide.high - wide.value
    return Interval(value, max(0.0, value - below), min(1.0, value + above))


def _order(point: Point) -> tuple[int, str]:
    if isinstance(point.place, int):
        return point.place, ""
    known = point.place in SILENT_KINDS
    return 11 + (SILENT_KINDS.index(point.place) if known else len(SILENT_KINDS)), point.place

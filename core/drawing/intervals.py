"""Contexts in no decile: exports of other tools group them by intervals of equal width instead."""

import math

import numpy as np

from core.drawing.spans import GroupHeading
from core.examples import FeatureExamples
from data.percents import percent

Interval = tuple[float, float, float]  # low, high, share of all tokens (NaN where not given)
NOWHERE: Interval = (math.inf, math.inf, 0.0)  # of contexts that have none


def by_interval(drawn: FeatureExamples, slots: np.ndarray) -> list[tuple[GroupHeading, np.ndarray]]:
    """Headings with their slots, the strongest first, in groups and within one."""
    found: dict[Interval, list[int]] = {}
    for slot in slots[np.argsort(-drawn.peak[slots], kind="stable")].tolist():
        low, high, share = NOWHERE if drawn.interval is None else drawn.interval[slot].tolist()
        found.setdefault(NOWHERE if math.isnan(low) else (low, high, share), []).append(slot)
    return [
        (_heading(interval, len(inside), is_only=len(found) == 1), np.array(inside, np.int64))
        for interval, inside in sorted(found.items(), key=lambda pair: -pair[0][0])
    ]


def _heading(interval: Interval, n: int, *, is_only: bool) -> GroupHeading:
    if interval == NOWHERE:
        name = "In no decile" if is_only else "Strongest of the export"
        return GroupHeading(name, f"{n} contexts")
    low, high, share = interval
    said = "" if math.isnan(share) else f" · {percent(share, 2)} of all tokens"
    return GroupHeading(f"Interval {low:.3g}–{high:.3g}", f"{n} contexts{said}")

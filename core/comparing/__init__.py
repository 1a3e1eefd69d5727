"""Two or more explainer settings over many features: pairs, differences, intervals, tests.

A side is one explainer setting in one cache; a pair is a feature that was scored under both sides.
Everything is read in a few queries (data/comparing.py) and computed on arrays.
"""

from core.comparing.figures import Comparison, Figure, Group, Share, adjusted, compare
from core.comparing.pairs import Found, Judge, LeftOut, Pairs, Question, read
from core.comparing.sides import (
    Judged,
    Side,
    SideRecord,
    differing,
    parse,
    partners,
    sides,
    sides_named,
)

__all__ = [
    "Comparison", "Figure", "Found", "Group", "Judge", "Judged", "LeftOut", "Pairs", "Question",
    "Share", "Side", "SideRecord", "adjusted", "compare", "differing", "parse", "partners", "read",
    "sides", "sides_named",
]  # fmt: skip

"""How contexts stand in a prompt: numbered, marked, with the strengths of their marked tokens.

    Example 1: The fair opens on 3 <<May>>.
    Strengths: “ May” 10

Few-shots and the feature at hand go through the same functions, hence share one layout.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from core.explain.evidence import Shown
from core.prompts.judged_texts import USUAL, Marks
from core.prompts.marking import Token, line, marked, marks_for, quoted, tokens

Scale = Literal["ceil", "floor"]


@dataclass(frozen=True, slots=True)
class Layout:
    """How the contexts of one prompt are written."""

    marks: Marks = USUAL
    highlight: float = 0.3  # of a context's peak: tokens from there on are marked
    scale: Scale = "ceil"  # how activations become 0..10
    listed: int = 10  # strengths below a context; 0 = none

    def fitting(self, shown: Iterable[Shown]) -> "Layout":
        """Choose marks that cannot be mistaken in these contexts."""
        found = marks_for([line(one, self.highlight) for one in shown])
        return Layout(found, self.highlight, self.scale, self.listed)

    def without_strengths(self) -> "Layout":
        """Show marks alone."""
        return Layout(self.marks, self.highlight, self.scale, 0)


def level(activation: float, largest: float, scale: Scale = "ceil") -> int:
    """Write an activation as 0..10 of the feature's largest; ceil gives 0 to silence alone.

    >>> level(0.01, 8.0), level(0.01, 8.0, "floor"), level(9.0, 8.0)
    (1, 0, 10)
    """
    if activation <= 0 or largest <= 0:
        return 0
    tenths = round(10 * activation / largest, 6)  # 3.0000000000000004 is 3
    value = max(1, math.ceil(tenths)) if scale == "ceil" else math.floor(tenths)
    return min(10, value)


def numbered(shown: Sequence[Shown], layout: Layout, largest: float, first: int = 1) -> str:
    """Write contexts one below the other; `largest` is the raw activation that counts as 10."""
    parts = []
    for number, one in enumerate(shown, first):
        parts.append(f"Example {number}: {marked(line(one, layout.highlight), layout.marks)}")
        if strengths := _strengths(one, layout, largest):
            parts.append(f"Strengths: {strengths}")
    return "\n".join(parts)


def _strengths(one: Shown, layout: Layout, largest: float) -> str:
    listed = tokens(one, layout.highlight)
    places = [place for place, token in enumerate(listed) if token.marked]
    strongest = sorted(places, key=lambda place: -listed[place].activation)[: layout.listed]
    return ", ".join(_strength(listed[place], layout, largest) for place in sorted(strongest))


def _strength(token: Token, layout: Layout, largest: float) -> str:
    return f"{quoted(token.piece)} {level(token.activation, largest, layout.scale)}"

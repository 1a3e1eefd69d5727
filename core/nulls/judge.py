"""A judge that has read nothing: it tests the scoring itself (methods.md 6.5)."""

import numpy as np

from core.score.items import Items
from core.score.judge import YES, Answers


class AlwaysYes:
    """Says yes to every item: right on all activating ones, wrong on all others, hence .5.

    Anything else is a fault of the pipeline: items that lean to one class, or a parser that turns
    failures into answers. Asks no model and has no failures.
    """

    name = "always-yes"

    def answer(self, scorer: str, items: Items, tokens: np.ndarray) -> Answers:
        """Answer without a look at scorer or tokens."""
        return Answers(np.full(len(items.kind), YES, np.int8))

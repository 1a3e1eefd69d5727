"""Detection against fuzzing over the features of one side: do the two scores agree?

High fuzzing with low detection says: the right token, a vague context (methods.md 6.6).
"""

from typing import NamedTuple

import numpy as np

from core.comparing.sides import Side
from core.score.statistics import Sums, pearson
from data import comparing
from data.catalogue import Connection


class Agreement(NamedTuple):
    """Headline scores of one side, by feature."""

    detection: np.ndarray  # float64 [n], 0..1
    fuzzing: np.ndarray  # float64 [n]
    correlation: float | None  # Pearson; None for a constant or fewer than two features


def agreement(con: Connection, side: Side, hookpoint: str | None) -> Agreement:
    """Both headline scores of every feature that has both."""
    frame = comparing.both_scores(con, side.cache, side.explainer_id, hookpoint)
    x, y = (frame[name].to_numpy(float) for name in ("detection", "fuzzing"))
    return Agreement(x, y, pearson(Sums.of(x, y)))

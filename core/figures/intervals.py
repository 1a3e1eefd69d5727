"""What detection and fuzzing said of the same contexts, by how strongly the feature fires there.

Twenty equal intervals of the context's peak as a share of the feature's largest activation. A
context counts once, where both scorers gave a usable verdict on it; the others are counted apart.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from data.catalogue import Row
from data.run_figures import INTERVALS

OUTCOMES = ("both right", "only detection right", "only fuzzing right", "neither right")


class Picture(NamedTuple):
    """Contexts by interval and outcome."""

    counts: np.ndarray  # int64 [interval, outcome], weakest interval first
    silent: np.ndarray  # of contexts in which the feature is silent, int64 [outcome]
    unknown: int  # judged by both, but no activation is known
    failed: int  # asked by both, without a usable verdict of one or both
    alone: int  # asked about by one scorer only

    @property
    def n(self) -> int:
        """Contexts in the picture, silent ones included."""
        return int(self.counts.sum() + self.silent.sum())


def picture(rows: Sequence[Row]) -> Picture:
    """Sort counted contexts into the picture, or say why they are not in it.

    >>> rows = [{"interval": 19, "detection": 1, "fuzzing": 0, "n": 3}]
    >>> picture(rows).counts[19].tolist()  # right by detection only
    [0, 3, 0, 0]
    """
    counts = np.zeros((INTERVALS, len(OUTCOMES)), np.int64)
    silent = np.zeros(len(OUTCOMES), np.int64)
    unknown = failed = alone = 0
    for row in rows:
        detection, fuzzing, n = row["detection"], row["fuzzing"], row["n"]
        if detection is None or fuzzing is None:
            alone += n
        elif min(detection, fuzzing) < 0:
            failed += n
        elif row["interval"] is None:
            unknown += n
        else:
            outcome = 2 * (1 - detection) + (1 - fuzzing)
            interval = int(row["interval"])
            (silent if interval < 0 else counts[interval])[outcome] += n
    return Picture(counts, silent, unknown, failed, alone)

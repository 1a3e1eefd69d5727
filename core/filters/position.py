"""What each position adds to the information of the position (methods.md 7.1), for a chart."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.statistics import positional_terms
from data.flags import SEQUENCES


class Profile(NamedTuple):
    """One feature by position in the sequence; positions with too few sequences are left out."""

    position: np.ndarray  # int64 [p]
    share: np.ndarray  # f_p, of the sequences with an ordinary token there, 0..1
    term: np.ndarray  # what the position adds; the information is the mean, nats
    n_sequences: np.ndarray  # with an ordinary token there, int64 [p]


def profile(counts: Sequence[int], ordinary: np.ndarray) -> Profile:
    """Compute it from firings by position and sequences with an ordinary token there."""
    kept = np.flatnonzero(ordinary >= SEQUENCES)
    n = ordinary[kept]
    share = np.asarray(counts, np.float64)[kept] / n
    term = positional_terms(share[None, :])[0] if len(kept) else share
    return Profile(kept, share, term, n)

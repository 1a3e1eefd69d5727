"""Wilcoxon's signed-rank test of paired differences (1945), two-sided; equal pairs are left out.

Up to 50 differences the distribution is counted out, ties included; above, it is normal with the
variance that tied ranks have and no correction for continuity.
"""

import math

import numpy as np

COUNTED_OUT = 50  # differences; 2^50 sign patterns are held as float64 without a visible error


def signed_rank(difference: np.ndarray) -> float | None:
    """p of differences float [n] being centred on 0; None when all are 0.

    1, 2, 3, 4, -5 have ranks 1 to 5, negative sum 5: 10 of 32 sign patterns are as far or farther
    on one side, twice that is p = .625.
    """
    nonzero = difference[difference != 0]
    n = len(nonzero)
    if not n:
        return None
    rank = doubled_ranks(np.abs(nonzero))
    below = int(min(rank[nonzero > 0].sum(), rank[nonzero < 0].sum()))
    if n <= COUNTED_OUT:
        return min(1.0, 2 * _counted(rank, below))
    z = (below - rank.sum() / 2) / math.sqrt(float((rank.astype(float) ** 2).sum()) / 4)
    return min(1.0, math.erfc(-z / math.sqrt(2)))


def doubled_ranks(size: np.ndarray) -> np.ndarray:
    """Twice the rank of each, equal ones at their mean rank, so that all are whole numbers."""
    _, place, count = np.unique(size, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (2 * last - count + 1)[place]


def _counted(rank: np.ndarray, at_most: int) -> float:
    """Share of the 2^n sign patterns whose positive ranks sum up to so much or less."""
    ways = np.zeros(int(rank.sum()) + 1)
    ways[0] = 1
    for step in rank.tolist():
        ways[step:] = ways[step:] + ways[:-step]
    return float(ways[: at_most + 1].sum() / ways.sum())

"""One-to-one matching of two sets of features by their similarities.

In: similarities [n, m], as a matrix or made block by block. Out: pairs, min(n, m) of them, no
feature twice. Up to EXACT features a side the sum is the largest there can be (linear assignment);
beyond that pairs are taken greedily, largest first, which needs no whole matrix. EleutherAI's exact
assignment of 131k features took 8 h and more than 300 GB.
"""

from typing import Literal, NamedTuple, Protocol

import numpy as np

from core.similarity import largest

EXACT = 5_000  # features a side up to which the assignment is exact: 200 MB, seconds
CHUNK = 64 * 2**20  # bytes of similarities held at once
Method = Literal["exact", "greedy"]


class Similarities(Protocol):
    """Similarities of n features to m others, larger = more alike."""

    @property
    def shape(self) -> tuple[int, int]:
        """(n, m)."""
        ...

    def rows(self, which: np.ndarray) -> np.ndarray:
        """Some features' similarities to all others, float32 [which, m]."""
        ...

    def columns(self, which: np.ndarray) -> np.ndarray:
        """Some others' similarities to all features, float32 [which, n]."""
        ...


class Dense:
    """A matrix that is there as a whole."""

    def __init__(self, values: np.ndarray) -> None:
        """values: float [n, m]."""
        self.values = values.astype(np.float32, copy=False)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, m)."""
        return self.values.shape[0], self.values.shape[1]

    def rows(self, which: np.ndarray) -> np.ndarray:
        """Rows, float32 [which, m]; a copy."""
        return self.values[which]

    def columns(self, which: np.ndarray) -> np.ndarray:
        """Columns, float32 [which, n]; a copy."""
        return self.values[:, which].T.copy()


class Cosines:
    """Cosines between two sets of directions, made when they are asked for."""

    def __init__(self, first: np.ndarray, second: np.ndarray) -> None:
        """first: [n, d], second: [m, d]; a row of zeros has cosine 0 to all."""
        self.first, self.second = _unit(first), _unit(second)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, m)."""
        return len(self.first), len(self.second)

    def rows(self, which: np.ndarray) -> np.ndarray:
        """Some of the first to all of the second, float32 [which, m]."""
        return self.first[which] @ self.second.T

    def columns(self, which: np.ndarray) -> np.ndarray:
        """Some of the second to all of the first, float32 [which, n]."""
        return self.second[which] @ self.first.T


def _unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1, float32; without a second copy in double precision, for large SAEs."""
    rows = rows.astype(np.float32, copy=False)
    length = np.sqrt(np.einsum("nd,nd->n", rows, rows))[:, None]
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)


class Matching(NamedTuple):
    """Pairs, by the number of the first feature."""

    first: np.ndarray  # int64 [pairs], ascending
    second: np.ndarray  # int64 [pairs]
    method: Method


def matched(similarities: Similarities, exact: int = EXACT) -> Matching:
    """Give each feature of the smaller side a partner of its own.

    >>> matched(Dense(np.array([[0.9, 0.8], [0.8, 0.1]])))  # .8 + .8 is more than .9 + .1
    Matching(first=array([0, 1]), second=array([1, 0]), method='exact')
    """
    n, m = similarities.shape
    if max(n, m) > exact:
        return greedy(similarities)
    from scipy.optimize import linear_sum_assignment  # late: a page that looks needs none of it

    first, second = linear_sum_assignment(similarities.rows(np.arange(n)), maximize=True)
    return Matching(first.astype(np.int64), second.astype(np.int64), "exact")


def greedy(similarities: Similarities, budget: int = CHUNK) -> Matching:
    """Take the most similar pair, then the most similar of what is left, and so on.

    Two features that are each other's best among those left are a pair of that order whatever else
    there is, so a round takes all of these at once and then looks anew only for those whose best
    has gone: the same pairs as one by one. Of equals the lower number comes first.

    >>> greedy(Dense(np.array([[0.9, 0.8], [0.8, 0.1]])))
    Matching(first=array([0, 1]), second=array([0, 1]), method='greedy')
    """
    n, m = similarities.shape
    rows, columns = _Side(n), _Side(m)
    partner = np.full(n, -1, np.int64)
    while rows.free.any() and columns.free.any():
        rows.look(similarities.rows, columns.free, budget)
        columns.look(similarities.columns, rows.free, budget)
        left = np.flatnonzero(rows.free)
        chosen = left[columns.best[rows.best[left]] == left]
        if not len(chosen):  # rounding, in two products of the same numbers, can hide who is best
            chosen = left[[np.argmax(rows.value[left])]]
        partner[chosen] = rows.best[chosen]
        rows.free[chosen] = False
        columns.free[partner[chosen]] = False
    first = np.flatnonzero(partner >= 0)
    return Matching(first, partner[first], "greedy")


class _Side:
    """One side of a greedy matching: who is left, and whom each likes best."""

    def __init__(self, n: int) -> None:
        self.free = np.ones(n, bool)
        self.best = np.full(n, -1, np.int64)
        self.value = np.full(n, -np.inf, np.float32)

    def look(self, similar, others: np.ndarray, budget: int) -> None:
        """Find the best among the others left, for those whose best is unknown or gone."""
        gone = (self.best < 0) | ~others[np.maximum(self.best, 0)]
        which = np.flatnonzero(self.free & gone)
        step = max(1, budget // (4 * len(others)))
        for lo in range(0, len(which), step):
            part = which[lo : lo + step]
            values = similar(part)
            values[:, ~others] = -np.inf
            self.best[part] = values.argmax(axis=1)
            self.value[part] = values.max(axis=1)


def nearest(similarities: Similarities, k: int, budget: int = CHUNK) -> tuple["Nearest", "Nearest"]:
    """Find the k most similar of the other side for every feature of both sides."""
    n, m = similarities.shape
    return (
        _nearest(similarities.rows, n, min(k, m), max(1, budget // (4 * max(1, m)))),
        _nearest(similarities.columns, m, min(k, n), max(1, budget // (4 * max(1, n)))),
    )


class Nearest(NamedTuple):
    """The most similar others of every feature, most similar first."""

    other: np.ndarray  # int64 [features, k]
    value: np.ndarray  # float32 [features, k]


def _nearest(similar, n: int, k: int, step: int) -> Nearest:
    other, value = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
    for lo in range(0, n, step):
        part = similar(np.arange(lo, min(n, lo + step)))
        other[lo : lo + step] = order = largest(part, k)
        value[lo : lo + step] = np.take_along_axis(part, order, axis=1)
    return Nearest(other, value)

"""The nearest features of each feature: by decoder direction, and by firing together.

In: the decoder [features, d] as numpy, or the columns of a hookpoint. Out: ids and values, nearest
first. A feature is never its own neighbour: it is left out by its number, not by its value, since
duplicates have cosine 1 too.
"""

from typing import NamedTuple

import numpy as np

from data.activations import Columns
from data.strongest import TokenMajor

CHUNK = 64 * 2**20  # bytes of similarities held at once


class Neighbours(NamedTuple):
    """The k nearest features of every feature, nearest first; -1 where there are fewer."""

    other: np.ndarray  # int64 [features, k]
    value: np.ndarray  # float32 [features, k]


def decoder_neighbours(W_dec: np.ndarray, k: int = 10, *, budget: int = CHUNK) -> Neighbours:
    """Find the largest cosines between decoder directions; a zero row has cosine 0 to all."""
    n = len(W_dec)
    k = min(k, n - 1)
    norms = np.linalg.norm(W_dec, axis=1, keepdims=True)
    unit = (W_dec / np.where(norms > 0, norms, 1)).astype(np.float32)
    other, value = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
    step = max(1, budget // (4 * n))
    for lo in range(0, n, step):
        cosine = unit[lo : lo + step] @ unit.T
        rows = np.arange(len(cosine))
        cosine[rows, lo + rows] = -np.inf
        other[lo : lo + step] = found = _largest(cosine, k)
        value[lo : lo + step] = np.take_along_axis(cosine, found, axis=1)
    return Neighbours(other, value)


def _largest(values: np.ndarray, k: int) -> np.ndarray:
    """Name the k largest of each row, largest first, equal ones by lower number."""
    if k == 0:
        return np.empty((len(values), 0), np.int64)
    top = np.sort(np.argpartition(-values, k - 1, axis=1)[:, :k], axis=1)
    order = np.argsort(-np.take_along_axis(values, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1)


def jaccard(columns: Columns, pairs: np.ndarray, n_tokens: int) -> np.ndarray:
    """Measure how often the features of each pair [p, 2] fire together: float32 [p].

    Tokens at which both fire / tokens at which one fires; 0 when neither ever does. Exact, from
    the columns; each feature is read once for every first feature it is compared with.
    """
    out = np.zeros(len(pairs), np.float32)
    order = np.argsort(pairs[:, 0], kind="stable")
    fires = np.zeros(n_tokens, bool)
    counts = columns.counts()
    for group in np.split(order, np.flatnonzero(np.diff(pairs[order, 0])) + 1):
        if not len(group):
            continue
        one = int(pairs[group[0], 0])
        tokens = columns.slice(one).token
        fires[tokens] = True
        for row in group.tolist():
            other = int(pairs[row, 1])
            both = int(np.count_nonzero(fires[columns.slice(other).token]))
            either = counts[one] + counts[other] - both
            out[row] = both / either if either else 0.0
        fires[tokens] = False
    return out


def cofiring_neighbours(
    columns: Columns, strongest: TokenMajor, n_tokens: int, k: int = 10, *, sample: int = 200
) -> Neighbours:
    """Find the features that fire together most, as Jaccard over all tokens.

    Candidates are the 2k features of the largest Jaccard as estimated from `sample` tokens, spread
    evenly over the feature's firings; theirs is then exact.
    """
    n, counts = columns.n_features, columns.counts()
    pairs = []
    for feature in range(n):
        tokens = columns.slice(feature).token
        if len(tokens) < 2:
            continue
        chosen = tokens[np.linspace(0, len(tokens) - 1, min(sample, len(tokens))).astype(int)]
        seen = strongest.rows(chosen.astype(np.int64))
        share = np.bincount(seen.feature[seen.activation != 0], minlength=n) / len(chosen)
        share[feature] = 0
        both = share * counts[feature]
        likely = both / (counts[feature] + counts - both)
        found = _largest(likely[None], min(2 * k, n - 1))[0]
        pairs += [(feature, other) for other in found.tolist() if likely[other] > 0]
    if not pairs:
        return Neighbours(np.full((n, k), -1), np.zeros((n, k), np.float32))
    table = np.array(pairs)
    return _ranked(table, jaccard(columns, table, n_tokens), n, k)


def _ranked(pairs: np.ndarray, value: np.ndarray, n: int, k: int) -> Neighbours:
    """Keep the k best pairs of each first feature."""
    order = np.lexsort((pairs[:, 1], -value, pairs[:, 0]))
    feature, value = pairs[order], value[order]
    begin = np.searchsorted(feature[:, 0], np.arange(n))
    rank = np.arange(len(feature)) - begin[feature[:, 0]]
    keep = rank < k
    out = Neighbours(np.full((n, k), -1), np.zeros((n, k), np.float32))
    out.other[feature[keep, 0], rank[keep]] = feature[keep, 1]
    out.value[feature[keep, 0], rank[keep]] = value[keep]
    return out

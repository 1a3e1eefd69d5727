"""The nearest features of each feature: by decoder direction, and by firing together.

In: the decoder [features, d] as numpy, or the activations of a hookpoint. Out: ids and values,
nearest first. A feature is never its own neighbour: it is left out by its number, not by its value,
since duplicates have cosine 1 too.
"""

from typing import NamedTuple

import numpy as np

from data.activations import Columns
from data.strongest import TokenMajor

CHUNK = 64 * 2**20  # bytes of similarities held at once
FIRINGS = 8192  # looked up for one feature; its Jaccard indices are then right to about .01


class Neighbours(NamedTuple):
    """The k nearest features of every feature, nearest first."""

    other: np.ndarray  # int64 [features, k]
    value: np.ndarray  # float32 [features, k]


class Together(NamedTuple):
    """What fires together with one feature, most first."""

    other: np.ndarray  # int64 [at most k]
    value: np.ndarray  # Jaccard index, float32
    n_firings: int  # of the feature
    looked_at: int  # of them, looked up
    k: int  # strongest features stored for a token


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
        other[lo : lo + step] = found = largest(cosine, k)
        value[lo : lo + step] = np.take_along_axis(cosine, found, axis=1)
    return Neighbours(other, value)


def largest(values: np.ndarray, k: int) -> np.ndarray:
    """Name the k largest of each row, largest first, equal ones by lower number."""
    if k == 0:
        return np.empty((len(values), 0), np.int64)
    top = np.sort(np.argpartition(-values, k - 1, axis=1)[:, :k], axis=1)
    order = np.argsort(-np.take_along_axis(values, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1)


def cofiring(
    columns: Columns, strongest: TokenMajor, feature: int, k: int = 10, *, most: int = FIRINGS
) -> Together:
    """Find the features that fire on the same tokens as one feature most.

    Jaccard index over token positions (as EleutherAI's delphi measures co-occurrence): tokens on
    which both fire / tokens on which one does. Another feature is seen only where it is among the k
    strongest stored for a token, so the value is a lower bound where more than k fire at once.
    Beyond `most` firings, as many of them, spread evenly, stand for all.
    """
    tokens, counts = columns.slice(feature).token, columns.counts()
    if not len(tokens):
        return Together(np.empty(0, np.int64), np.empty(0, np.float32), 0, 0, 0)
    chosen = tokens[np.linspace(0, len(tokens) - 1, min(most, len(tokens))).astype(np.int64)]
    seen = strongest.rows(chosen)
    both = np.bincount(seen.feature[seen.activation != 0], minlength=len(counts))
    both[feature] = 0
    others = np.flatnonzero(both)
    shared = both[others] * (len(tokens) / len(chosen))
    shared = np.minimum(shared, counts[others])  # an estimate may exceed what there is
    value = (shared / (len(tokens) + counts[others] - shared)).astype(np.float32)
    order = np.argsort(-value, kind="stable")[:k]
    stored = seen.feature.shape[1]
    return Together(others[order], value[order], len(tokens), len(chosen), stored)

"""A cache in memory: tokens and activations from a seed, with what readers of `data` answer."""

from dataclasses import dataclass

import numpy as np

from core.examples import Contexts
from data.activations import FeatureActivations, FeatureBlock
from data.cachefiles import CacheMeta

BOS = 0
LENGTH = 128  # tokens a sequence


class MadeTokens:
    """Tokens from a matrix."""

    def __init__(self, matrix):
        self._matrix = np.asarray(matrix, np.int32)

    def matrix(self):
        return self._matrix

    def windows(self, first, width):
        return self._matrix.ravel()[np.asarray(first, np.int64)[:, None] + np.arange(width)]


class MadeColumns:
    """Activations from dense matrices [sequence, position], one a feature."""

    def __init__(self, dense):
        flat = [np.asarray(feature).ravel() for feature in dense]
        tokens = [np.flatnonzero(feature) for feature in flat]
        self.indptr = np.concatenate([[0], np.cumsum([len(token) for token in tokens])])
        self.token = np.concatenate(tokens).astype(np.uint32)
        kept = [feature[token] for feature, token in zip(flat, tokens, strict=True)]
        self.activation = np.concatenate(kept).astype(np.float16).astype(np.float32)
        self.n_features = len(flat)

    def counts(self):
        return np.diff(self.indptr)

    def slice(self, feature):
        part = slice(self.indptr[feature], self.indptr[feature + 1])
        return FeatureActivations(self.token[part], self.activation[part])

    def block(self, lo, hi):
        part = slice(self.indptr[lo], self.indptr[hi])
        indptr = self.indptr[lo : hi + 1] - self.indptr[lo]
        return FeatureBlock(indptr, self.token[part], self.activation[part])


@dataclass
class MadeFiles:
    """A cache's files."""

    tokens: MadeTokens
    meta: CacheMeta


def made_files(matrix, *, seed=0, special_ids=(BOS,), context_length=32):
    matrix = np.asarray(matrix, np.int32)
    meta = CacheMeta(
        sequence_length=matrix.shape[1],
        n_sequences=len(matrix),
        special_ids=special_ids,
        seed=seed,
        context_length=context_length,
    )
    return MadeFiles(MadeTokens(matrix), meta)


def made_matrix(n_sequences=240, length=LENGTH, *, seed=0, words=500):
    """Random text that begins with BOS, one tile in twenty a copy of the same boilerplate."""
    rng = np.random.default_rng(seed)
    matrix = rng.integers(1, words, (n_sequences, length)).astype(np.int32)
    matrix[:, 0] = BOS
    boilerplate = rng.integers(1, words, 32)
    for sequence, tile in np.argwhere(rng.random((n_sequences, length // 32)) < 0.05):
        if tile:
            matrix[sequence, 32 * tile : 32 * tile + 32] = boilerplate
    return matrix


def made_dense(matrix, rate, *, seed=1, burst=1, levels=None):
    """One feature, float32 like `matrix`: fires at a rate, in runs, never on BOS."""
    rng = np.random.default_rng(seed)
    begins = rng.random(matrix.shape) < rate
    fires = np.zeros(matrix.shape, dtype=bool)
    run = rng.integers(1, burst + 1, matrix.shape)
    for offset in range(burst):
        fires[:, offset:] |= (begins & (run > offset))[:, : matrix.shape[1] - offset]
    value = (
        rng.gamma(2, 1, matrix.shape) + 0.1 if levels is None else rng.choice(levels, matrix.shape)
    )
    return np.where(fires & (matrix != BOS), value, 0).astype(np.float32)


def made_cache(rates=(0.002, 0.01, 0.03), *, n_sequences=240, seed=0, burst=2):
    """Contexts and columns of a made cache, one feature for each rate."""
    matrix = made_matrix(n_sequences, seed=seed)
    dense = [made_dense(matrix, rate, seed=i, burst=burst) for i, rate in enumerate(rates, 1)]
    return Contexts.open(made_files(matrix, seed=seed)), MadeColumns(dense)

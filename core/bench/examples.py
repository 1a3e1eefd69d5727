"""How fast examples are drawn: every feature of a hookpoint, and one feature as a page wants it.

Made in memory: 1M tokens, 32 features active at each, 32,768 features whose frequencies are
log-normal (median about 130 activations); for single features 10M tokens, on a sample of the
features of such a cache. Reading from disk is in loading.py. One core; nothing here is threaded.
"""

from collections.abc import Iterator
from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np

from core.bench.figures import Figure, at_least, at_most, context
from core.examples import Contexts, draw, draw_all
from data.activations import FeatureActivations, FeatureBlock
from data.cachefiles import CacheMeta

LENGTH = 256  # tokens a sequence
ACTIVE = 32  # features a token
N_FEATURES = 32_768
SIGMA = 2.0  # of the logarithm of a feature's frequency: median 130 of a mean of 977 at 1M tokens
DENSEST = 0.5  # of all tokens
HOOKPOINT = "bench"


def figures(quick: bool = False) -> Iterator[Figure]:
    """Measure features a second over all features, and milliseconds for one feature."""
    share = 16 if quick else 1
    made = _made(1_000_000, N_FEATURES, sample=N_FEATURES // share)
    contexts = Contexts.cut(made.tokens, made.meta)
    start = process_time()
    rows = sum(len(b.kind) for b in draw_all(contexts, made.columns, hookpoint=HOOKPOINT))
    seconds = process_time() - start
    rate = made.columns.n_features / seconds
    yield at_least("examples for every feature, 1M tokens", rate, "features/s", 1000)
    yield context("contexts drawn", rows / made.columns.n_features, "a feature")
    yield from _single(200 if quick else 1000)


def _single(sample: int) -> Iterator[Figure]:
    """Draw single features of 10M tokens and gather their windows."""
    made = _made(10_000_000, N_FEATURES, sample=sample)
    start = perf_counter()
    contexts = Contexts.cut(made.tokens, made.meta)
    opened = perf_counter() - start
    seconds = [_one(contexts, made.columns, feature) for feature in range(sample)]
    middle, slow = 1000 * np.percentile(seconds, [50, 99])
    yield at_most("contexts of one feature, 10M tokens, median", float(middle), "ms", 10)
    yield at_most("contexts of one feature, 10M tokens, 99th percentile", float(slow), "ms", 60)
    yield context("contexts opened, 10M tokens, once a process", 1000 * opened, "ms")


def _one(contexts: Contexts, columns: "_Columns", feature: int) -> float:
    start = perf_counter()
    examples = draw(contexts, columns, feature, hookpoint=HOOKPOINT)
    contexts.window(examples.first_token, columns.slice(feature))
    return perf_counter() - start


class _Tokens(NamedTuple):
    ids: np.ndarray  # int32 [sequence, position]

    def matrix(self) -> np.ndarray:
        return self.ids

    def windows(self, first: np.ndarray, width: int) -> np.ndarray:
        return self.ids.ravel()[np.asarray(first, np.int64)[:, None] + np.arange(width)]


class _Columns(NamedTuple):
    indptr: np.ndarray
    token: np.ndarray
    activation: np.ndarray  # float16, as on disk

    @property
    def n_features(self) -> int:
        return len(self.indptr) - 1

    def counts(self) -> np.ndarray:
        return np.diff(self.indptr)

    def slice(self, feature: int) -> FeatureActivations:
        block = self.block(feature, feature + 1)
        return FeatureActivations(block.token, block.activation)

    def block(self, lo: int, hi: int) -> FeatureBlock:
        part = slice(self.indptr[lo], self.indptr[hi])
        indptr = self.indptr[lo : hi + 1] - self.indptr[lo]
        return FeatureBlock(indptr, self.token[part], self.activation[part].astype(np.float32))


class _Made(NamedTuple):
    meta: CacheMeta
    tokens: _Tokens
    columns: _Columns


def _made(n_tokens: int, n_features: int, *, sample: int) -> _Made:
    """Make a cache of which the first `sample` features exist."""
    rng = np.random.default_rng(0)
    n_sequences = n_tokens // LENGTH
    ids = np.minimum(rng.zipf(1.2, (n_sequences, LENGTH)), 50_000).astype(np.int32)
    ids[:, 0] = 0  # BOS
    # One tile in a hundred is the same boilerplate, so that folding has work to do.
    ids.reshape(-1, 32)[rng.random(ids.size // 32) < 0.01] = 7
    ids[:, 0] = 0
    frequency = rng.lognormal(0, SIGMA, n_features)
    count = np.minimum(frequency / frequency.sum() * ACTIVE, DENSEST) * ids.size
    tokens = [_places(rng, ids.size, int(n)) for n in count[:sample]]
    indptr = np.concatenate([[0], np.cumsum([len(token) for token in tokens])])
    activation = (rng.gamma(2, 1, indptr[-1]) + 0.1).astype(np.float16)
    meta = CacheMeta(sequence_length=LENGTH, n_sequences=n_sequences, special_ids=(0,))
    return _Made(meta, _Tokens(ids), _Columns(indptr, np.concatenate(tokens), activation))


def _places(rng: np.random.Generator, n_tokens: int, count: int) -> np.ndarray:
    """Draw distinct positions, never a BOS, ascending, uint32 [about count]."""
    drawn = np.unique(rng.integers(0, n_tokens, count, dtype=np.uint32))
    return drawn[drawn % LENGTH != 0]

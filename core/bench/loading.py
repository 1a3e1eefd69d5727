"""How long one feature's contexts take: its activations and the tokens around its peaks.

On a synthetic cache of 10 million tokens, made with the real writer: 4,096 features whose
frequencies are log-normal, 16 active a token, 256 tokens a sequence. Every feature's whole list is
read and up to 70 contexts are gathered, as for one page. Warm: the files were just written.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import numpy as np

from core.bench.figures import Figure, at_most, context
from data.activations import Columns, merge, write_shard
from data.cachefiles import CacheFiles, CacheMeta, write_meta
from data.tokens import write_documents, write_tokens
from data.vocabulary import Vocabulary

N_FEATURES, ACTIVE, LENGTH, CONTEXT, SHOWN = 4096, 16, 256, 32, 70
VOCABULARY = 50_000


def figures(quick: bool = False) -> Iterator[Figure]:
    """Measure latencies over features drawn evenly, each read once."""
    n_tokens = 1_048_576 if quick else 10_027_008
    with tempfile.TemporaryDirectory(prefix="gloss-bench-") as name:
        start = perf_counter()
        files = synthetic_cache(Path(name), n_tokens)
        yield context("writing and merging", n_tokens / (perf_counter() - start), "tokens/s")
        columns = files.columns(1)
        order = np.random.default_rng(1).permutation(N_FEATURES)[: 200 if quick else 1000]
        seconds = []
        for feature in order.tolist():
            start = perf_counter()
            contexts(files, columns, feature)
            seconds.append(perf_counter() - start)
        label = f"one feature's contexts at {n_tokens / 1e6:.0f}M tokens"
        median, slow = 1000 * np.quantile(seconds, [0.5, 0.99])
        yield at_most(f"{label}, median", float(median), "ms", 10)
        yield at_most(f"{label}, 99th percentile", float(slow), "ms", 60)


def contexts(files: CacheFiles, columns: Columns, feature: int) -> np.ndarray:
    """Read a feature, rank its contexts by peak and gather some over the whole range of peaks."""
    active = columns.slice(feature)
    if not len(active.token):
        return np.empty((0, CONTEXT), np.int32)
    tile = active.token // np.uint32(CONTEXT)
    starts = np.flatnonzero(np.concatenate([[True], tile[1:] != tile[:-1]]))
    peak = np.maximum.reduceat(active.activation, starts)
    order = np.argsort(peak)
    shown = order[np.linspace(0, len(order) - 1, min(SHOWN, len(order))).astype(int)]
    return files.tokens.windows(tile[starts][shown].astype(np.uint64) * CONTEXT, CONTEXT)


def synthetic_cache(folder: Path, n_tokens: int) -> CacheFiles:
    """Write a cache of random tokens and activations."""
    random = np.random.default_rng(0)
    n_sequences = n_tokens // LENGTH
    meta = CacheMeta(LENGTH, n_sequences, vocabulary_size=VOCABULARY)
    write_meta(folder, meta)
    Vocabulary([b"token"] * VOCABULARY).save(folder / "vocabulary.json")
    per_shard = meta.sequences_per_shard
    sizes = [min(per_shard, n_sequences - n) for n in range(0, n_sequences, per_shard)]
    blocks = (random.integers(0, VOCABULARY, (size, LENGTH)) for size in sizes)
    write_tokens(folder, blocks, meta.token_dtype)
    write_documents(folder, np.array([0], np.uint64))
    weight = random.lognormal(0.0, 1.5, N_FEATURES)
    edges = np.cumsum(weight / weight.sum())
    for number, size in enumerate(sizes):
        count = size * LENGTH
        feature = np.minimum(np.searchsorted(edges, random.random(count * ACTIVE)), N_FEATURES - 1)
        token = np.repeat(np.arange(count), ACTIVE) + number * per_shard * LENGTH
        # A feature fires once a token: repeated draws are dropped.
        _, first = np.unique(token * N_FEATURES + feature, return_index=True)
        write_shard(
            folder / "1",
            number,
            feature=feature[first],
            token=token[first],
            activation=random.exponential(1.0, len(first)).astype(np.float16),
            n_features=N_FEATURES,
        )
    merge(folder / "1")
    return CacheFiles.open(folder)

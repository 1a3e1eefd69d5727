"""What a large cache costs to write, to keep and to read: 10 million tokens, 32 features a token.

Made-up activations go through the real writer in a process of its own, whose peak memory counts
Python, numpy and torch too. Then every feature's whole list is read and up to 70 contexts are
gathered, as for one page. Warm: the files were just written.
"""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np

from core.bench.figures import Figure, at_most, context
from core.bench.synthetic import HOOKPOINT, made_apart
from data.activations import Columns
from data.cachefiles import CacheFiles

N_FEATURES, WIDE, ACTIVE, CONTEXT, SHOWN = 32_768, 131_072, 32, 32, 70
LARGE, SMALL = 10_027_008, 1_048_576  # tokens


def figures(quick: bool = False) -> Iterator[Figure]:
    """Measure memory, bytes and latencies; then the bytes of an SAE too wide for 16-bit ids."""
    with tempfile.TemporaryDirectory(prefix="gloss-bench-") as name:
        files, peak, tokens_per_second = _made(Path(name), SMALL if quick else LARGE, N_FEATURES)
        size = f"{files.meta.n_tokens / 1e6:.0f}M tokens"
        yield context("writing and merging made-up activations", tokens_per_second, "tokens/s")
        yield at_most(f"peak memory at {size}", peak / 1e9, "GB", 1.5)
        yield from disk(files, 11)
        yield from _latencies(files, size, 200 if quick else 1000)
    with tempfile.TemporaryDirectory(prefix="gloss-bench-") as name:
        files, _, _ = _made(Path(name), SMALL // 4 if quick else SMALL, WIDE)
        yield from disk(files, 12.5)


def _made(folder: Path, n_tokens: int, n_features: int) -> tuple[CacheFiles, float, float]:
    """Make a cache in a fresh process: the cache, peak memory in bytes, tokens a second."""
    start = perf_counter()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        peak = apart.submit(made_apart, str(folder), n_tokens, n_features, ACTIVE).result()
    return CacheFiles.open(folder), peak, n_tokens / (perf_counter() - start)


def disk(files: CacheFiles, most: float) -> Iterator[Figure]:
    """Measure the finished files of one hookpoint, per stored activation."""
    folder = files.hookpoint_folder(HOOKPOINT)
    columns, topk = (
        sum(path.stat().st_size for path in (folder / part).iterdir())
        for part in ("columns", "topk")
    )
    found = files.columns(HOOKPOINT)
    n = int(found.counts().sum())
    label = f"{found.n_features:,} features"
    yield at_most(f"on disk, merged, {label}", columns / n, "B/activation", 6.5)
    yield at_most(
        f"on disk, with the token-major copy, {label}", (columns + topk) / n, "B/activation", most
    )


def _latencies(files: CacheFiles, size: str, n_read: int) -> Iterator[Figure]:
    """Measure features drawn evenly, each read once."""
    columns = files.columns(HOOKPOINT)
    seconds = []
    for feature in np.random.default_rng(1).permutation(columns.n_features)[:n_read].tolist():
        start = perf_counter()
        contexts(files, columns, feature)
        seconds.append(perf_counter() - start)
    median, slow = 1000 * np.quantile(seconds, [0.5, 0.99])
    yield at_most(f"one feature's contexts at {size}, median", float(median), "ms", 10)
    yield at_most(f"one feature's contexts at {size}, 99th percentile", float(slow), "ms", 60)


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

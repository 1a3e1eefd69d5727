"""A cache of made-up tokens and activations, made by the writer of real ones.

Only what a subject and an SAE would compute is made up: frequencies of features are log-normal, k
of them fire at a token, strengths are exponential. Batches, shards, the token-major copy and the
merge are those of `core.cache`.
"""

import resource
from pathlib import Path

import numpy as np

from core.cache import fill, merge_all
from core.encoding import Found
from data.cachefiles import CacheFiles, CacheMeta, HookpointMeta, write_meta
from data.tokens import write_documents, write_tokens
from data.vocabulary import Vocabulary

LENGTH, VOCABULARY = 256, 50_000  # tokens a sequence; distinct tokens
SPREAD = 2.0  # of the logarithms of frequencies: the most common feature fires at one token in four
HOOKPOINT = 1


def make(folder: Path, n_tokens: int, *, n_features: int, k: int) -> CacheFiles:
    """Write the cache and merge it."""
    n_sequences = n_tokens // LENGTH
    hookpoint = HookpointMeta(HOOKPOINT, "made-up", "made-up", "topk", "0" * 64, n_features, k)
    meta = CacheMeta(
        LENGTH, n_sequences, vocabulary_size=VOCABULARY, hookpoints=(hookpoint,), subject="made-up"
    )
    write_meta(folder, meta)
    Vocabulary([b"token"] * VOCABULARY).save(folder / "vocabulary.json")
    random = np.random.default_rng(0)
    per_shard = meta.sequences_per_shard
    sizes = [min(per_shard, n_sequences - n) for n in range(0, n_sequences, per_shard)]
    blocks = (random.integers(0, VOCABULARY, (size, LENGTH)) for size in sizes)
    write_tokens(folder, blocks, meta.token_dtype)
    write_documents(folder, np.array([0], np.uint64))
    weight = random.lognormal(0.0, SPREAD, n_features)
    edges = np.cumsum(weight / weight.sum())

    def encode(ids: np.ndarray, first: int) -> dict[int, Found]:
        return {HOOKPOINT: _found(random, edges, ids.size, first, k)}

    for _ in fill(folder, meta, encode):
        pass
    for _ in merge_all(folder, meta):
        pass
    return CacheFiles.open(folder)


def _found(
    random: np.random.Generator, edges: np.ndarray, n_tokens: int, first: int, k: int
) -> Found:
    """Draw k features for every token; one that is drawn twice fires once."""
    drawn = np.searchsorted(edges, random.random((n_tokens, k)))
    drawn = np.sort(np.minimum(drawn, len(edges) - 1), axis=1)
    new = np.ones(drawn.shape, bool)
    new[:, 1:] = drawn[:, 1:] != drawn[:, :-1]
    token, _ = np.nonzero(new)
    return Found(
        token=(token + first).astype(np.uint32),
        feature=drawn[new].astype(np.int32),
        activation=random.exponential(1.0, len(token)).astype(np.float16),
    )


def made_apart(folder: str, n_tokens: int, n_features: int, k: int) -> float:
    """Make a cache in a process of its own: gives the process's peak memory, bytes."""
    make(Path(folder), n_tokens, n_features=n_features, k=k)
    return peak_memory()


def peak_memory() -> float:
    """Peak resident memory of this process, bytes.

    Linux lets a new process inherit the figure of getrusage, so its own is asked for first.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024.0 * int(line.split()[1])
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

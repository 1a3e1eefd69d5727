"""What caching costs beside its limit: the forward pass and the SAE alone.

The limit runs the same tokens in the same batches with a plain forward hook that ends the pass at
the hookpoint, and encodes without keeping anything dense. Caching is all of `core.cache.build`,
from text to merged files. Both in one process, in turns, on process CPU time.
"""

import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
import torch

from core.bench.figures import Figure, at_most, context
from core.bench.loading import disk
from core.bench.synthetic import peak_memory
from core.cache import CacheSettings, build
from core.demo import CORPUS, MODEL, SAE
from core.sae import Sae, load_sae
from core.subject import Subject
from data.cachefiles import CacheFiles
from data.corpus import documents

HOOKPOINT = "gpt_neox.layers.2"
DOCUMENTS = 1_000


class _Reached(Exception):
    """Ends a forward pass at the hook."""


def figures(quick: bool = False) -> Iterator[Figure]:
    """Measure the ratio of CPU times, memory a token and bytes an activation."""
    subject, sae = Subject.load(str(MODEL)), load_sae(SAE, HOOKPOINT)
    texts = list(islice(documents(CORPUS), DOCUMENTS))
    few, rounds = CacheSettings(CORPUS, tokens=131_072), 3 if quick else 5
    many = CacheSettings(CORPUS, tokens=327_680 if quick else 655_360)
    with tempfile.TemporaryDirectory(prefix="gloss-bench-") as name:
        grown = _growth(Path(name, "many"), subject, sae, texts, many)
        files = CacheFiles.open(Path(name, "many"))
        ids = files.tokens.matrix()[: few.tokens // files.meta.sequence_length]
        limits, whole = [], []
        for number in range(rounds):
            limits.append(_seconds(lambda: _limit(subject, sae, ids, few.batch_size)))
            folder = Path(name, f"round{number}")
            whole.append(_seconds(lambda at=folder: _build(at, subject, sae, texts, few)))
        ratio = median(w / limit for w, limit in zip(whole, limits, strict=True))
        yield at_most("caching, CPU time", ratio, "x the limit", 1.10)
        yield context("the limit", ids.size / median(limits), "tokens/CPU-s")
        yield at_most("caching, memory after warm-up", grown, "B/token", 50)
        yield from disk(files, 11)


def _build(
    folder: Path, subject: Subject, sae: Sae, texts: Sequence[str], settings: CacheSettings
) -> CacheFiles:
    for _ in build(folder, subject, {1: (HOOKPOINT, sae)}, texts, settings):
        pass
    return CacheFiles.open(folder)


def _growth(
    folder: Path, subject: Subject, sae: Sae, texts: Sequence[str], settings: CacheSettings
) -> float:
    """Build a cache and see by how much peak memory grows after four shards, bytes a token."""
    before, warm = 0.0, 4 * settings.shard_tokens
    for progress in build(folder, subject, {1: (HOOKPOINT, sae)}, texts, settings):
        if progress.stage == "caching" and progress.done <= warm:
            before = peak_memory()
    return (peak_memory() - before) / (settings.tokens - warm)


def _limit(subject: Subject, sae: Sae, ids: np.ndarray, batch_size: int) -> None:
    """Run up to the hookpoint and encode, keeping what is sparse."""

    def reached(_module: object, _args: object, output: torch.Tensor) -> None:
        raise _Reached(output)

    handle = subject.model.get_submodule(HOOKPOINT).register_forward_hook(reached)
    kept = []
    with torch.inference_mode():
        for first in range(0, len(ids), batch_size):
            try:
                subject.model(torch.from_numpy(ids[first : first + batch_size]).long())
            except _Reached as end:
                kept.append(sae.encode(end.args[0].flatten(0, 1)))
    handle.remove()


def _seconds(work) -> float:
    start = process_time()
    work()
    return process_time() - start

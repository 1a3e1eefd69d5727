"""How fast two subjects are compared: all features of 1,600 sequences, tests and intervals too.

Two made-up caches of 2,048 features at 16 and 17 active a token: nearly every feature differs, the
slowest case but for none being decided early. CPU time of all threads.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

from core.bench import synthetic
from core.bench.figures import Figure, at_least, context
from core.diffing.features import blocks, sequences
from core.diffing.settings import DiffSettings

N_FEATURES, SEQUENCES = 2_048, 1_600


def figures(quick: bool = False) -> Iterator[Figure]:
    """Measure features a second of CPU time, and what a person waits for 2,048 of them."""
    n = SEQUENCES // 4 if quick else SEQUENCES
    with TemporaryDirectory(prefix="gloss-bench-") as folder:
        first, second = (
            synthetic.make(Path(folder) / str(k), n * synthetic.LENGTH, n_features=N_FEATURES, k=k)
            for k in (16, 17)
        )
        settings, before, start = DiffSettings(), process_time(), perf_counter()
        columns = (first.columns(synthetic.HOOKPOINT), second.columns(synthetic.HOOKPOINT))
        units = sequences(first, settings.seed)
        done = sum(part.hi - part.lo for part in blocks(*columns, units, settings, "bench"))
        spent, waited = process_time() - before, perf_counter() - start
    yield at_least(f"two subjects compared, {n:,} sequences", done / spent, "features/s", 200)
    yield context(f"{done:,} features of two subjects", waited, "s")
    yield context("peak memory of the process", synthetic.peak_memory() / 1e6, "MB")

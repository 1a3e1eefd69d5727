"""How fast the filters measure every feature of a cache of the demo's size, without its subject.

4,096 features, 16 at a token, of which frequencies are log-normal. One core; the trial of unigram
features is the subject's speed and is not timed here.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

from core.bench.figures import Figure, at_least, context
from core.bench.synthetic import HOOKPOINT, make
from core.filters.measures import Corpus, measures

N_FEATURES, ACTIVE = 4096, 16


def figures(quick: bool = False) -> Iterator[Figure]:
    """Measure features a second."""
    n_tokens = 60_000 if quick else 300_000
    with TemporaryDirectory() as folder:
        files = make(Path(folder), n_tokens, n_features=N_FEATURES, k=ACTIVE)
        corpus, columns = Corpus.open(files), files.columns(HOOKPOINT)
        start = process_time()
        measured = sum(part.hi - part.lo for part in measures(columns, corpus, seed=0,
                                                              hookpoint="bench"))  # fmt: skip
        seconds = process_time() - start
        firings = int(columns.counts().sum())
    yield at_least(f"figures of the filters, {n_tokens:,} tokens", measured / seconds, "features/s",
                   800)  # fmt: skip
    yield context("firings looked at", firings / 1e6, "M")

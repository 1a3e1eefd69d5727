"""`gloss bench`: our own figures beside their limits, measured in one process.

A bar is a ratio to a limit or a peer measured in the same run, so that it holds on any machine;
latencies are what a person waits for and are measured on an otherwise idle machine. Each module
here has `figures(quick) -> Iterator[Figure]`; nothing in the tests is timed.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module

from core.bench.figures import Figure
from data.errors import BadInput

WORK = (
    "caching",
    "loading",
    "examples",
    "grammar",
    "judging",
    "filtering",
    "interventions",
    "diffing",
    "dashboard",
    "blog",
)


def run(work: Sequence[str], *, quick: bool = False) -> Iterator[Figure]:
    """Measure the named work in turn; "all" means everything."""
    chosen = list(WORK) if "all" in work else list(work)
    for name in chosen:
        if name not in WORK:
            raise BadInput(f"gloss bench {name}: there is {', '.join(WORK)} and all")
        yield from import_module(f"core.bench.{name}").figures(quick)

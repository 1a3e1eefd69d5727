"""Exporting the made-up store in tests, and reading what came of it."""

import gzip
import json
from pathlib import Path

from core.drawing.reader import FeatureReader
from core.pipeline.workbench import Workbench


def done(steps) -> None:
    """Run a stage to its end."""
    for _ in steps:
        pass


def lines(folder: Path, part: str) -> list[dict]:
    """All rows of a part of the one source below a folder, batch by batch."""
    (home,) = folder.glob(f"v1/*/*/{part}")
    batches = sorted(home.iterdir(), key=lambda path: int(path.name.split("-")[1].split(".")[0]))
    return [
        json.loads(raw)
        for path in batches
        for raw in gzip.decompress(path.read_bytes()).splitlines()
    ]


def reader_of(made, feature: int) -> FeatureReader:
    """The contexts of one feature of the made-up store."""
    bench = Workbench.open(made.catalogue, made.cache)
    return FeatureReader(bench, made.cache.hookpoints[0], feature)

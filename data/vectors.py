"""Vectors by id in one file: added at the end, never changed.

    u64 width | (u64 id, f16 [width]) ...

Half precision moves a cosine of unit vectors by less than 0.001. A record that a killed process
left half written is cut off by whoever adds the next one.
"""

import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from data.durable import Extent, read, reporting, sync, sync_folder
from data.errors import StoreTrouble

HEADER = 8  # bytes
BLOCK = 65_536  # records read at once: 50 MB at a width of 384


class Vectors(NamedTuple):
    """Some records of a file."""

    ids: np.ndarray  # uint64 [n]
    vectors: np.ndarray  # float16 [n, width]


def blocks(path: Path, size: int = BLOCK) -> Iterator[Vectors]:
    """All whole records, so many at a time; none when there is no file."""
    if not path.exists():
        return
    with reporting(path):
        n_bytes = path.stat().st_size
    if n_bytes < HEADER:
        return
    everything = Extent(path, 0, n_bytes, np.dtype(np.uint8))
    record = _record(int(read(everything, 0, HEADER).view("<u8")[0]))
    n = (n_bytes - HEADER) // record.itemsize
    for first in range(0, n, size):
        count = min(size, n - first) * record.itemsize
        found = read(everything, HEADER + first * record.itemsize, count).view(record)
        yield Vectors(found["id"], found["vector"])


def ids(path: Path) -> np.ndarray:
    """Which ids have a vector, uint64 [n]."""
    return np.concatenate([np.empty(0, np.uint64), *(block.ids for block in blocks(path))])


def append(path: Path, new: Vectors) -> None:
    """Add records; when this returns they are on the disk."""
    width = new.vectors.shape[1]
    rows = np.empty(len(new.ids), _record(width))
    rows["id"], rows["vector"] = new.ids, new.vectors
    with reporting(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed
            end = _end(file, width, path)
            file.truncate(end)
            head = b"" if end else np.uint64(width).tobytes()
            file.write(head + rows.tobytes())
            file.flush()
            sync(file.fileno())
        sync_folder(path.parent)


def _end(file: BinaryIO, width: int, path: Path) -> int:
    """Where the last whole record ends, in bytes; 0 for a new file."""
    n_bytes = file.seek(0, 2)
    if n_bytes < HEADER:
        return 0
    file.seek(0)
    known = int(np.frombuffer(file.read(HEADER), "<u8")[0])
    if known != width:
        raise StoreTrouble(
            f"{path} holds vectors of width {known}, not {width}: delete it, it is made again"
        )
    size = _record(width).itemsize
    return HEADER + (n_bytes - HEADER) // size * size


def _record(width: int) -> np.dtype:
    return np.dtype([("id", "<u8"), ("vector", "<f2", (width,))])

"""Writes that survive a crash, reads that do not map: the only file calls of a cache.

A file appears under its name only when it is complete: it is written as `NAME.tmp`, fsynced and
renamed, and then its folder is fsynced. Reads are `pread` into fresh arrays: a fault in a mapped
cold file reads megabytes ahead. Whatever the operating system refuses becomes one StoreTrouble.
"""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.errors import StoreTrouble

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Extent(NamedTuple):
    """Where one array lies on disk."""

    path: Path
    offset: int  # bytes from the start of the file
    size: int  # elements
    dtype: np.dtype


@contextmanager
def reporting(path: Path) -> Iterator[None]:
    """Turn an OSError into the one sentence that a user can act on."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise StoreTrouble(
                f"no room left on the disk while writing {path}: free some space and run the "
                "command again, finished parts are kept"
            ) from error
        reason = error.strerror or str(error)
        raise StoreTrouble(f"{path} cannot be used ({reason}): check the store's disk") from error


def write_file(path: Path, parts: Iterable[bytes | memoryview | np.ndarray]) -> None:
    """Write a whole file, or leave what was there."""
    temporary = path.with_name(path.name + ".tmp")
    with reporting(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                for part in parts:
                    is_array = isinstance(part, np.ndarray)
                    file.write(np.ascontiguousarray(part).data if is_array else part)
                file.flush()
                sync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)  # a full disk needs the room back
        sync_folder(path.parent)


def sync(descriptor: int) -> None:
    """Wait until a file's bytes are on the disk."""
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until a folder's names are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename_folder(source: Path, target: Path) -> None:
    """Give a finished folder its name, in one step."""
    with reporting(target):
        sync_folder(source)
        source.replace(target)
        sync_folder(target.parent)


def discard(path: Path) -> None:
    """Delete a file or folder, if it is there."""
    with reporting(path):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def discard_unfinished(folder: Path) -> None:
    """Delete what a killed process left behind: every `*.tmp` below the folder's top level."""
    for leftover in sorted(folder.glob("*.tmp")):
        discard(leftover)


def read(extent: Extent, first: int = 0, count: int | None = None) -> np.ndarray:
    """Read `count` elements from element `first` on; one pread unless the kernel splits it."""
    count = extent.size - first if count is None else count
    if first < 0 or count < 0 or first + count > extent.size:
        raise StoreTrouble(
            f"{extent.path} holds {extent.size} elements, {first} to {first + count} were asked "
            "for: the cache is damaged, make it again"
        )
    out = np.empty(count, extent.dtype)
    with extent.path.open("rb", buffering=0) as file:
        read_into(file.fileno(), out, extent.offset + first * extent.dtype.itemsize, extent.path)
    return out


def read_into(descriptor: int, out: np.ndarray, offset: int, path: Path) -> None:
    """Fill a contiguous array from a file; a file that ends early is damaged."""
    view = out.data.cast("B") if out.size else memoryview(b"")
    done = 0
    while done < len(view):
        got = os.preadv(descriptor, [view[done:]], offset + done)
        if not got:
            raise StoreTrouble(f"{path} ends too early: the cache is damaged, make it again")
        done += got

"""Arrays of a `.npz` file, without unpickling and without believing what the archive says.

The directory of the zip is read first. A member that inflates suspiciously is refused by what it
declares, and while it is read by what it is: never more is unpacked than the array's own header
asks for. Headers are matched, not evaluated. Knows nothing of SAEs.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from data.errors import BadInput
from data.imports.foreign import shown

MOST_INFLATED = 4 * 2**30  # bytes of a compressed member
SMALL, MOST_RATIO = 2**26, 100  # larger members may not inflate more than a hundredfold
DAMAGE = (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, KeyError, TypeError,
          IndexError, OverflowError, MemoryError, zipfile.BadZipFile, zlib.error)  # fmt: skip
MAGIC = b"\x93NUMPY"
LENGTH_BYTES = {1: 2, 2: 4, 3: 4}  # of the header's length, by major version of the format
LONGEST = 10_000  # bytes of a header
HEADER = re.compile(
    rb"\{'descr': '([<>|]?[fiub]\d{1,2})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,19},? ?)*)\), ?\}\s*"
)


class Member(NamedTuple):
    """One array of a file, not loaded."""

    dtype: np.dtype | None  # None: something else than plain numbers
    shape: tuple[int, ...] = ()
    in_columns: bool = False  # stored in the order of Fortran


def members(path: Path) -> dict[str, Member]:
    """Find the arrays of a file by name, without their ".npy"; names are never used as paths."""
    with _reported(path), zipfile.ZipFile(path) as archive:
        found = {}
        for info in archive.infolist():
            _require_harmless(path, info)
            if info.filename.endswith(".npy"):
                with archive.open(info) as file:
                    found[info.filename.removesuffix(".npy")] = _header(path, info, file)
        return found


def read(path: Path, name: str) -> np.ndarray:
    """Read one array of numbers, which its check sum has to agree with."""
    with _reported(path), zipfile.ZipFile(path) as archive:
        info = archive.getinfo(f"{name}.npy")
        _require_harmless(path, info)
        with archive.open(info) as file:
            dtype, shape, in_columns = _header(path, info, file)
            if dtype is None:
                raise BadInput(f"{shown(path)}: {name!r} does not hold plain numbers")
            out = np.empty(int(np.prod(shape)), dtype)
            _fill(path, file, out)
    return out.reshape(shape, order="F" if in_columns else "C")


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise BadInput(
            f"{shown(path)} is not a file of arrays, or is damaged: fetch it again"
        ) from error


def _require_harmless(path: Path, info: zipfile.ZipInfo) -> None:
    """Refuse what is not there, and what inflates to more than an array of an SAE would."""
    there = min(info.compress_size, path.stat().st_size)
    if info.compress_type != zipfile.ZIP_STORED:
        there = min(max(SMALL, MOST_RATIO * there), MOST_INFLATED)
    if info.file_size > there:
        raise BadInput(
            f"{shown(path)}: {info.filename!r} would inflate from {info.compress_size:,} to "
            f"{info.file_size:,} bytes: refused"
        )


def _header(path: Path, info: zipfile.ZipInfo, file: IO[bytes]) -> Member:
    """Read an array's header; its size must be what the directory says."""
    start = file.read(8)
    if not start.startswith(MAGIC):
        raise BadInput(f"{shown(path)}: {info.filename!r} is no array: fetch it again")
    length = int.from_bytes(file.read(LENGTH_BYTES[start[6]]), "little")
    found = HEADER.fullmatch(file.read(min(length, LONGEST)))
    if not found:
        return Member(None)
    dtype = np.dtype(found[1].decode())
    shape = tuple(int(n) for n in found[3].split(b",") if n.strip())
    size = dtype.itemsize
    for n in shape:
        size *= n
    if size != info.file_size - file.tell():
        raise BadInput(
            f"{shown(path)}: {info.filename!r} is not of the size that it says: fetch it again"
        )
    return Member(dtype, shape, found[2] == b"True")


def _fill(path: Path, file: IO[bytes], out: np.ndarray) -> None:
    view, done = out.view(np.uint8).data if out.size else memoryview(b""), 0
    while done < len(view):
        part = file.read(min(2**24, len(view) - done))
        if not part:
            raise BadInput(f"{shown(path)} is cut off: fetch it again")
        view[done : done + len(part)] = part
        done += len(part)
    if file.read(1):  # also compares the check sum
        raise BadInput(f"{shown(path)} holds more than it says: fetch it again")

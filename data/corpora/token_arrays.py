"""Arrays of token ids in `.npy`, `.npz`, `.safetensors` and `.pt` files, in bounded memory.

Nothing is unpickled. Shapes are compared with the file's size before anything is allocated; what is
compressed inflates as a stream, up to a limit.
"""

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from data import durable, tensorfile
from data.corpora.columns import TOKEN_COLUMNS
from data.corpora.streams import MOST_INFLATED, readable
from data.errors import BadInput, StoreTrouble

# What a damaged archive raises: a flipped bit may say that it is encrypted (RuntimeError).
DAMAGE = (
    ValueError, KeyError, EOFError, RuntimeError, NotImplementedError, zlib.error,
    zipfile.BadZipFile,
)  # fmt: skip
MAGIC = b"\x93NUMPY"
HEADER = re.compile(  # numpy's own reader parses this text as Python
    rb"\{'descr': '(?P<dtype>[<>|=][iu][1248])', 'fortran_order': False, "
    rb"'shape': \((?P<shape>[\d, ]{0,80})\),? *\} *\n?"
)


class TokenArray(NamedTuple):
    """Whole numbers of one or two dimensions, not loaded."""

    shape: tuple[int, ...]
    dtype: np.dtype
    flat: Callable[[int, int], Iterator[np.ndarray]]  # (step, end) -> int64 [step], in order

    @property
    def size(self) -> int:
        """Elements."""
        return prod(self.shape)


def open_array(path: Path) -> TokenArray:
    """Find the token ids of a file."""
    opened = {".npy": _npy, ".npz": _npz, ".safetensors": _safetensors, ".pt": _torch}
    with _described(path):
        found = opened[path.suffix.lower()](path)
    if len(found.shape) not in (1, 2) or found.dtype.kind not in "iu" or not found.size:
        shape = " x ".join(map(str, found.shape)) or "one number"
        raise BadInput(
            f"{path} holds {found.dtype} of {shape}: expected whole numbers, one sequence a row"
        )
    return found


def is_shard(path: Path) -> bool:
    """Say whether a file is a shard of a delphi run, which keeps the tokens beside activations."""
    with _described(path):
        return {"locations", "activations"} <= tensorfile.tensors(path).keys()


@contextmanager
def _described(path: Path) -> Iterator[None]:
    try:
        with readable(path):
            yield
    except StoreTrouble as error:
        raise BadInput(f"{path}: cannot be read, or is cut off: fetch it again") from error
    except DAMAGE as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise BadInput(f"{path}: cannot be read ({said[0][:200]}): fetch it again") from error


def _npy(path: Path) -> TokenArray:
    with path.open("rb") as file:
        shape, dtype = _header(file, path, path.stat().st_size)
        start = file.tell()

    def open_data() -> IO[bytes]:
        file = path.open("rb")
        file.seek(start)
        return file

    return _streamed(path, shape, dtype, open_data)


def _npz(path: Path) -> TokenArray:
    with zipfile.ZipFile(path) as archive:
        member = _member(path, archive)
        with archive.open(member) as file:
            shape, dtype = _header(file, path, member.file_size)
            start = file.tell()

    def open_data() -> IO[bytes]:
        with zipfile.ZipFile(path) as archive:
            file = archive.open(member.filename)  # keeps the archive open as long as itself
        file.read(start)
        return file

    return _streamed(path, shape, dtype, open_data)


def _member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    names = {one.filename.removesuffix(".npy"): one for one in archive.infolist()}
    chosen = [names[name] for name in TOKEN_COLUMNS if name in names] or list(names.values())
    if not chosen or (len(names) > 1 and chosen[0].filename[:-4] not in TOKEN_COLUMNS):
        raise BadInput(f"{path} holds {', '.join(names)[:80]}: expected an array tokens")
    if chosen[0].file_size > MOST_INFLATED:
        raise BadInput(f"{path} inflates to more than {MOST_INFLATED:,} bytes: save it as .npy")
    return chosen[0]


def _header(file: IO[bytes], path: Path, size: int) -> tuple[tuple[int, ...], np.dtype]:
    """Read the header of an array of whole numbers that is `size` bytes with it."""
    magic, version = file.read(6), file.read(2)
    length = int.from_bytes(file.read(2 if version == b"\1\0" else 4), "little")
    known = HEADER.fullmatch(file.read(length)) if magic == MAGIC and length < 10_000 else None
    if known is None:
        raise BadInput(f"{path} is no array of whole numbers in C order, or is damaged")
    shape = tuple(int(n) for n in known["shape"].replace(b",", b" ").split())
    dtype = np.dtype(known["dtype"].decode())
    if prod(shape) * dtype.itemsize > size - file.tell():
        raise BadInput(f"{path} claims to hold more than it does: fetch it again")
    return shape, dtype


def _streamed(
    path: Path, shape: tuple[int, ...], dtype: np.dtype, open_data: Callable[[], IO[bytes]]
) -> TokenArray:
    def flat(step: int, end: int) -> Iterator[np.ndarray]:
        with _described(path), open_data() as file:
            for first in range(0, end, step):
                wanted = min(step, end - first) * dtype.itemsize
                raw = file.read(wanted)
                if len(raw) < wanted:
                    raise BadInput(f"{path} ends too early: fetch it again")
                yield np.frombuffer(raw, dtype).astype(np.int64)

    return TokenArray(shape, dtype, flat)


def _safetensors(path: Path) -> TokenArray:
    found = tensorfile.tensors(path)
    name = next((name for name in reversed(TOKEN_COLUMNS) if name in found), None)
    if name is None:
        raise BadInput(f"{path} has no tensor tokens or input_ids: it holds {_few(found)}")
    extent = found[name].extent

    def flat(step: int, end: int) -> Iterator[np.ndarray]:
        with _described(path):
            for first in range(0, end, step):
                yield durable.read(extent, first, min(step, end - first)).astype(np.int64)

    dtype = np.dtype("f4") if found[name].dtype == "BF16" else extent.dtype
    return TokenArray(found[name].shape, dtype, flat)


def _torch(path: Path) -> TokenArray:
    """Load a tensor, or the one called tokens or input_ids; it stays in memory."""
    from data.imports.pickled import tensors_of

    found = {name: one for name, one in tensors_of(path).items() if isinstance(one, np.ndarray)}
    name = next((name for name in ("", *reversed(TOKEN_COLUMNS)) if name in found), None)
    if name is None:
        raise BadInput(f"{path} has no tensor tokens or input_ids: it holds {_few(found)}")
    ids = found[name]

    def flat(step: int, end: int) -> Iterator[np.ndarray]:
        for first in range(0, end, step):
            yield ids.reshape(-1)[first : min(first + step, end)].astype(np.int64)

    return TokenArray(ids.shape, ids.dtype, flat)


def _few(names) -> str:
    return (", ".join(str(name)[:40] for name in list(names)[:6])) or "nothing"

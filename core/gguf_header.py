"""Walks the header of a GGUF file and refuses one that promises more than the file holds.

The libraries that read GGUF loop over whatever counts the file states. Here every length is held
against the bytes that are left. A header is: "GGUF", version u32, tensors u64, entries u64; the
entries, each a key, a type u32 and a value; then each tensor's name, number of dimensions u32,
dimensions u64, type u32 and offset u64. Strings and arrays state their length as u64.
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO

from data.errors import BadInput

WIDTH = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # bytes by type
STRING, ARRAY = 8, 9
INTEGERS = {4: "<I", 5: "<i", 10: "<Q", 11: "<q"}
MOST_DIMENSIONS = 8
WIDTHS = (".embedding_length", ".feed_forward_length", ".vocab_size")


class _Cut(Exception):
    """The file ends before what it promises."""


def require_plausible(path: Path) -> None:
    """Refuse a file that is no GGUF, is cut off, or describes a model it has no room for."""
    try:
        with path.open("rb") as file:
            _walk(_Header(file, os.fstat(file.fileno()).st_size))
    except _Cut as error:
        raise BadInput(f"{path} is {error}: fetch it again") from None
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error


class _Header:
    """Reads onward through a file, never past its end."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self.size, self._left = file, size, size

    def take(self, count: int) -> bytes:
        self.skip(count, seek=False)
        return self._file.read(count)

    def skip(self, count: int, *, seek: bool = True) -> None:
        if count > self._left:
            raise _Cut("cut off or damaged")
        self._left -= count
        if seek:
            self._file.seek(count, os.SEEK_CUR)

    def number(self, form: str) -> int:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def string(self) -> bytes:
        return self.take(self.number("<Q"))


def _walk(header: _Header) -> None:
    if header.size < 24 or header.take(4) != b"GGUF":
        raise _Cut("not a GGUF file")
    if header.number("<I") not in (2, 3):
        raise _Cut("a GGUF file of a version that is not read, or damaged")
    n_tensors, n_entries = header.number("<Q"), header.number("<Q")
    for _ in range(n_entries):
        key = header.string().decode("utf-8", errors="replace")
        kind = header.number("<I")
        if kind in INTEGERS:
            most = n_tensors if key.endswith(".block_count") else 16 * header.size
            stated = header.number(INTEGERS[kind])
            if key.endswith((".block_count", *WIDTHS)) and not 0 < stated <= most:
                raise _Cut("damaged")
        else:
            _pass(header, kind)
    for _ in range(n_tensors):
        header.skip(header.number("<Q"))
        n_dimensions = header.number("<I")
        if n_dimensions > MOST_DIMENSIONS:
            raise _Cut("damaged")
        header.skip(8 * n_dimensions + 4)
        if header.number("<Q") > header.size:
            raise _Cut("cut off or damaged")


def _pass(header: _Header, kind: int) -> None:
    """Pass one value that is no size."""
    if kind in WIDTH:
        header.skip(WIDTH[kind])
    elif kind == STRING:
        header.skip(header.number("<Q"))
    elif kind == ARRAY:
        inner, count = header.number("<I"), header.number("<Q")
        if inner not in WIDTH and inner != STRING:
            raise _Cut("damaged")
        if inner in WIDTH:
            header.skip(count * WIDTH[inner])
            return
        for _ in range(count):
            header.skip(header.number("<Q"))
    else:
        raise _Cut("damaged")

"""Safetensors files without loading them: where each tensor lies, and a check sum over all.

A file is an 8-byte little-endian header length, that many bytes of JSON, then the data. Headers
of foreign files are not trusted: sizes are checked before anything is allocated.
"""

import json
import os
import zlib
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.durable import Extent, read, reporting, write_file
from data.errors import BadInput
from data.strict_json import RepeatedKey, loads

MAX_HEADER = 100_000_000  # bytes
NUMPY_NAMES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",  # numpy has no bfloat16: its bits
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}


class Tensor(NamedTuple):
    """One tensor of a file, not loaded."""

    dtype: str  # the format's own name: F32, BF16, ...
    shape: tuple[int, ...]
    extent: Extent


def tensors(path: Path) -> dict[str, Tensor]:
    """Find every tensor of a file, refusing a damaged or lying header."""
    header, start, size = _header(path)
    names = [name for name in header if name != "__metadata__"]
    found = {name: _tensor(path, name, header[name], start, size) for name in names}
    extents = sorted((tensor.extent for tensor in found.values()), key=lambda e: e.offset)
    for one, other in pairwise(extents):
        if one.offset + one.size * one.dtype.itemsize > other.offset:
            raise BadInput(f"{path} has tensors that overlap: fetch it again")
    return found


def _header(path: Path) -> tuple[dict, int, int]:
    with reporting(path), path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(MAX_HEADER, size - 8):
            raise BadInput(f"{path} is not a safetensors file, or is cut off: fetch it again")
        text = file.read(length)
    try:
        header = loads(text)
    except RepeatedKey as error:
        raise BadInput(f"{path} describes {str(error)!r} twice in its header: fetch it again"
                       ) from error  # fmt: skip
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} has a header that is not JSON: fetch it again") from error
    if not isinstance(header, dict):
        raise BadInput(f"{path} has a header that is not an object: fetch it again")
    return header, 8 + length, size


def _tensor(path: Path, name: str, entry: dict, start: int, size: int) -> Tensor:
    try:
        kind, shape = entry["dtype"], tuple(_whole(n) for n in entry["shape"])
        first, last = (_whole(n) for n in entry["data_offsets"])
        dtype = np.dtype(NUMPY_NAMES[kind])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadInput(f"{path}: tensor {name!r} has no usable description") from error
    count = 1
    for n in shape:
        count *= n
    inside = 0 <= first <= last <= size - start
    if not inside or min(shape, default=0) < 0 or last - first != count * dtype.itemsize:
        raise BadInput(f"{path}: tensor {name!r} does not fit into the file, which is cut off")
    return Tensor(kind, shape, Extent(path, start + first, count, dtype))


def _whole(value: object) -> int:
    """Take a whole number; 2.0, "2" and true are none."""
    if type(value) is not int:
        raise TypeError(value)
    return value


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays with a check sum, durably, with the same bytes each time and without a copy."""
    kinds = {np.dtype(dtype): kind for kind, dtype in NUMPY_NAMES.items() if kind != "BF16"}
    # Widest first, as the format's own writer does, so that every array is aligned.
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    header: dict[str, dict] = {"__metadata__": {"crc32": f"{_sum(arrays):08x}"}}
    end = 0
    for name in order:
        array, start = arrays[name], end
        end += array.nbytes
        header[name] = {
            "dtype": kinds[array.dtype],
            "shape": array.shape,
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    parts = (arrays[name] for name in order)
    write_file(path, [len(text).to_bytes(8, "little"), text, *parts])


def intact(path: Path) -> bool:
    """Say whether a file is complete and its data is what was written."""
    try:
        header, _, _ = _header(path)
        arrays = {name: read(tensor.extent) for name, tensor in tensors(path).items()}
    except BadInput:
        return False
    return header.get("__metadata__", {}).get("crc32") == f"{_sum(arrays):08x}"


def _sum(arrays: dict[str, np.ndarray]) -> int:
    total = 0
    for name in sorted(arrays):
        total = zlib.crc32(np.ascontiguousarray(arrays[name]).data, total)
    return total

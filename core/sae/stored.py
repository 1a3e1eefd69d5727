"""The tensors of one weights file by name, whatever container they lie in.

Shapes are looked at before anything is read, and only what is asked for is read. Weights are
widened to float32; the format they were stored in is remembered, for it decides close ties.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from data import durable, npzfile, tensorfile
from data.errors import BadInput, StoreTrouble
from data.imports.foreign import shown
from data.imports.pickled import load_checked

FLOATS = {"F64", "F32", "F16", "BF16"}
TORCH_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
}
NUMPY_NAMES = {"float64": "F64", "float32": "F32", "float16": "F16"}


class Entry(NamedTuple):
    """One tensor that was found, not read."""

    dtype: str  # F32, BF16, ...
    shape: tuple[int, ...]
    read: Callable[[], Tensor]


class Stored:
    """A weights file that is being read."""

    def __init__(self, path: Path, kind: str, entries: Mapping[str, Entry]) -> None:
        self.path = path
        self._kind = kind  # the format's name, for messages
        self._entries = entries
        self._taken: dict[str, str] = {}  # name -> number format

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    @property
    def dtype(self) -> str:
        """Number formats of what was read."""
        return ", ".join(sorted(set(self._taken.values()) & FLOATS))

    @property
    def left(self) -> list[str]:
        """Names of what was not asked for."""
        return sorted(self._entries.keys() - self._taken.keys())

    def shape(self, name: str) -> tuple[int, ...]:
        """Give the shape of a tensor that has to be there."""
        return self._entry(name).shape

    def length(self, name: str) -> int:
        """Give the length of a vector that has to be there."""
        shape = self.shape(name)
        if len(shape) != 1 or not shape[0]:
            raise BadInput(f"{shown(self.path)}: {name} is {list(shape)}, not a vector")
        return shape[0]

    def take(self, name: str, *shape: int) -> Tensor:
        """Read floating-point weights [shape] as float32."""
        entry = self._entry(name)
        if entry.shape != shape:
            raise BadInput(
                f"{shown(self.path)}: {name} is {list(entry.shape)}, not {list(shape)} as the "
                "configuration and the other tensors say"
            )
        if entry.dtype not in FLOATS:
            raise BadInput(f"{shown(self.path)}: {name} is stored as {entry.dtype}, not as floats")
        tensor = entry.read().to(torch.float32)
        self._taken[name] = entry.dtype
        if tensor.numel() and not torch.isfinite(torch.stack(tensor.aminmax())).all():
            raise BadInput(
                f"{shown(self.path)}: {name} holds infinite or undefined numbers: fetch it again"
            )
        return tensor

    def number(self, name: str) -> float:
        """Read a single number of any type."""
        entry = self._entry(name)
        if entry.shape not in ((), (1,)):
            raise BadInput(f"{shown(self.path)}: {name} is {list(entry.shape)}, not one number")
        self._taken[name] = entry.dtype
        value = float(entry.read().reshape(()).to(torch.float64))
        if not np.isfinite(value):
            raise BadInput(f"{shown(self.path)}: {name} = {value} is no number: fetch it again")
        return value

    def ignore(self, *names: str) -> None:
        """Leave out what is known and not needed, so that it is not reported as unknown."""
        self._entries = {name: e for name, e in self._entries.items() if name not in names}

    def _entry(self, name: str) -> Entry:
        if name not in self._entries:
            raise BadInput(
                f"{shown(self.path)} lacks the tensor {name}: it is not a {self._kind} SAE"
            )
        return self._entries[name]


def open_safetensors(path: Path, kind: str) -> Stored:
    """Find the tensors of a safetensors file."""
    _require_file(path)
    try:
        found = tensorfile.tensors(path)
    except StoreTrouble as error:
        raise BadInput(f"{shown(path)} cannot be read: check the file") from error
    entries = {
        name: Entry(tensor.dtype, tensor.shape, partial(_from_extent, tensor))
        for name, tensor in found.items()
    }
    return Stored(path, kind, entries)


def _from_extent(tensor: tensorfile.Tensor) -> Tensor:
    try:
        array = durable.read(tensor.extent).reshape(tensor.shape)
    except (StoreTrouble, OSError, MemoryError) as error:
        path = shown(tensor.extent.path)
        raise BadInput(f"{path} cannot be read to its end: fetch it again") from error
    if tensor.dtype == "BF16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def open_npz(path: Path, kind: str) -> Stored:
    """Find the arrays of a numpy archive."""
    _require_file(path)
    entries = {
        name: Entry(_numpy_name(member.dtype), member.shape, partial(_from_member, path, name))
        for name, member in npzfile.members(path).items()
    }
    return Stored(path, kind, entries)


def _numpy_name(dtype: np.dtype | None) -> str:
    name = "something else than numbers" if dtype is None else dtype.name
    return NUMPY_NAMES.get(name, name)


def _from_member(path: Path, name: str) -> Tensor:
    array = npzfile.read(path, name)
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    return torch.from_numpy(np.ascontiguousarray(native))


def _require_file(path: Path) -> None:
    """Refuse what is not there, and pipes and devices, which would be waited for."""
    if not path.is_file():
        raise BadInput(f"{shown(path)} is not there, or is no file: fetch it again")


class Pickled(NamedTuple):
    """What a state dictionary holds."""

    tensors: Stored
    plain: Mapping[str, Any]  # what is no tensor


def open_pt(path: Path, kind: str) -> Pickled:
    """Read a state dictionary that torch wrote; nothing in it can run."""
    _require_file(path)
    found = load_checked(path)
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise BadInput(f"{shown(path)} is no state dictionary: it is not a {kind} SAE")
    tensors = {n: t for n, t in found.items() if isinstance(t, Tensor) and _is_plain(path, n, t)}
    plain = {name: value for name, value in found.items() if name not in tensors}
    entries = {
        name: Entry(
            TORCH_NAMES.get(t.dtype, str(t.dtype).removeprefix("torch.")),
            tuple(t.shape),
            partial(Tensor.detach, t),
        )
        for name, t in tensors.items()
    }
    return Pickled(Stored(path, kind, entries), plain)


def _is_plain(path: Path, name: str, tensor: Tensor) -> bool:
    """Say yes; refuse views that claim more than is there, which would be spelled out later."""
    strided = tensor.layout is torch.strided and tensor.device.type == "cpu"
    if not strided or tensor.is_quantized:
        raise BadInput(f"{shown(path)}: {name!r} is no plain tensor")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise BadInput(f"{shown(path)}: {name!r} claims to be larger than what is stored")
    return True

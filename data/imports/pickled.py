"""Tensors out of a `.pt` file, never anything else: nothing in it is unpickled as code.

`torch.load(weights_only=True)` reads the file; before that the archive is looked at, so that
nothing inflates, and afterwards no tensor may be larger than the file that holds it (a view with
stride 0 can claim any size).
"""

import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np

from data.errors import BadInput
from data.imports.foreign import shown

# What torch raises on a damaged file, besides UnpicklingError: it depends on where it is damaged.
DAMAGE = (
    RuntimeError, ValueError, KeyError, IndexError, TypeError, AttributeError, EOFError, OSError,
    OverflowError, AssertionError, ImportError, MemoryError, struct.error,
)  # fmt: skip
MOST_BYTES = 32_000_000_000  # of one file
REFUSED = re.compile(r"(?:GLOBAL|global:?)\s+'?([\w.]+)")


def tensors_of(path: Path) -> dict[str, Any]:
    """What a `.pt` file holds by name: arrays, texts and numbers; a bare tensor is called "".

    Half precision stays, bfloat16 becomes float32.
    """
    found = load_checked(path)
    named = found if isinstance(found, Mapping) else {"": found}
    size = path.stat().st_size
    out: dict[str, Any] = {}
    for name, value in named.items():
        if hasattr(value, "numpy"):
            out[str(name)] = _array(path, str(name), value, size)
        elif isinstance(value, str | int | float | bool):
            out[str(name)] = value
    return out


def load_checked(path: Path) -> Any:
    """What torch reads from a `.pt` file that is no bomb and holds no code: torch's own tensors."""
    _check_archive(path)
    return _loaded(path)


def _check_archive(path: Path) -> None:
    """Refuse an archive that inflates, and a file that is too large."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadInput(f"{shown(path)} is larger than the {MOST_BYTES:,} bytes allowed")
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise BadInput(f"{shown(path)} is no archive of torch, or is cut off") from error
    if any(one.compress_type != zipfile.ZIP_STORED for one in members):
        raise BadInput(
            f"{shown(path)} is a compressed archive, which torch does not write: refused"
        )


def _loaded(path: Path) -> Any:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old files, about how they were written
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        what = REFUSED.search(str(error))
        named = f" ({what[1]})" if what else ""
        raise BadInput(
            f"{shown(path)} holds something else than tensors{named}: it is not loaded, for it "
            "could run code"
        ) from error
    except DAMAGE as error:
        raise BadInput(f"{shown(path)} cannot be read, or is cut off: fetch it again") from error


def _array(path: Path, name: str, value: Any, size: int) -> np.ndarray:
    import torch

    if value.is_sparse or value.layout != torch.strided or value.is_complex():
        raise BadInput(f"{shown(path)}: '{name}' is no plain tensor")
    if value.numel() * value.element_size() > size:
        raise BadInput(f"{shown(path)}: '{name}' claims to be larger than the file")
    if value.dtype is torch.bfloat16:
        value = value.float()
    try:
        return value.contiguous().numpy()
    except (TypeError, RuntimeError) as error:
        raise BadInput(f"{shown(path)}: '{name}' is of the unusable kind {value.dtype}") from error

"""In which number format a model runs, and where: on one device, or spread over the GPUs.

In: the words of --dtype and --device. Out: what `from_pretrained` is given. What was asked for
happens or is refused: nothing moves to a slower place by itself.
"""

from collections.abc import Collection
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch

from data.errors import BadInput

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
EIGHT_BIT = "8bit"
BALANCED = "balanced"  # layers shared out evenly over all GPUs


class Placement(NamedTuple):
    """Where a model goes and what `from_pretrained` is told."""

    device: torch.device | None  # None: the options say where every layer goes
    options: dict[str, Any]


def choose(dtype: str, device: str) -> Placement:
    """Decide, refusing what this machine cannot do."""
    if device == BALANCED:
        _require("--device balanced", "accelerate")
        place = choose_device("cuda")
    else:
        place = choose_device(device)
    options = _eight_bit(place) if dtype == EIGHT_BIT else {"dtype": choose_dtype(dtype, place)}
    if device == BALANCED:
        return Placement(None, options | {"device_map": BALANCED})
    return Placement(None if "device_map" in options else place, options)


def _eight_bit(place: torch.device) -> dict[str, Any]:
    """Ask for LLM.int8() (Dettmers et al. 2022): matrices in 8 bits, the rest in float16."""
    _require("--dtype 8bit", "bitsandbytes", "accelerate")
    if place.type != "cuda":
        raise BadInput("--dtype 8bit needs a CUDA device: use bfloat16 or float32 here")
    from transformers import BitsAndBytesConfig

    return {
        "dtype": torch.float16,
        "quantization_config": BitsAndBytesConfig(load_in_8bit=True),
        "device_map": {"": place},
    }


def _require(option: str, *packages: str) -> None:
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise BadInput(f"{option} needs the package {missing[0]}: pip install {' '.join(packages)}")


def require_gguf() -> None:
    """Refuse GGUF files where the packages that read them are missing."""
    _require("a GGUF file", "gguf", "accelerate")


def require_on_gpus(places: Collection[Any]) -> None:
    """Refuse a model of which a part was put on the CPU or the disk for want of room."""
    elsewhere = sorted({str(place) for place in places} & {"cpu", "disk"})
    if elsewhere:
        raise BadInput(
            f"the GPUs do not hold the model, a part would run from {' and '.join(elsewhere)}: "
            "try --dtype bfloat16 or 8bit, or --device cpu"
        )


def choose_device(device: str) -> torch.device:
    """Take the named device; "auto" takes a GPU when there is one."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise BadInput(
            f"no such device {device!r}: use cpu, cuda, cuda:1, balanced or auto"
        ) from error
    if place.type == "cuda" and not torch.cuda.is_available():
        raise BadInput("this machine has no usable CUDA device: use --device cpu or auto")
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        last = torch.cuda.device_count() - 1
        raise BadInput(f"no device {device}: the last GPU of this machine is cuda:{last}")
    return place


def choose_dtype(dtype: str, device: torch.device) -> Any:
    """Take the named format; "auto" is float32 on a CPU, where halves are slow, else the file's."""
    if dtype == "auto":
        return torch.float32 if device.type == "cpu" else "auto"
    if dtype not in DTYPES:
        raise BadInput(f"no such dtype {dtype!r}: use {', '.join(DTYPES)}, {EIGHT_BIT} or auto")
    return DTYPES[dtype]

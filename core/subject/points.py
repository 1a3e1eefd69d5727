"""Where a model can be read: its hookpoints, their widths, and their names.

Found by running six tokens and noting what passes by, so that only what really runs is offered.
A model without weights is run on tensors that have shapes and no numbers.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn

from data.errors import BadInput


class Points:
    """The hookpoints of a model in the order of execution, with their widths."""

    def __init__(self, model: Any, name: str) -> None:
        self._name = name or "the subject"
        self._widths = _trial(model)
        self._order = {point: place for place, point in enumerate(self._widths)}
        # Names of sparsify and delphi are relative to the base model, so a name is tried as it is,
        # then below the base model, then below every child of the model.
        base = getattr(model, "base_model_prefix", "")
        children = [child for child, _ in model.named_children() if child != base]
        self._below = [base, *children]

    def names(self) -> list[str]:
        """Name everything that can be read, in the order in which the model computes it."""
        return list(self._widths)

    def width(self, name: str) -> int:
        """Width of the vectors at a hookpoint."""
        return self._widths[self.resolve(name)]

    def resolve(self, name: str) -> str:
        """Find the full name of a hookpoint, exactly: `layers.1` is never `layers.10`."""
        for candidate in (name, *(f"{prefix}.{name}" for prefix in self._below)):
            if candidate in self._widths:
                return candidate
        raise BadInput(self._unknown(name))

    def in_order(self, names: Sequence[str]) -> list[str]:
        """Resolve names and sort them by the order of execution, each once."""
        return sorted({self.resolve(name) for name in names}, key=self._order.__getitem__)

    def _unknown(self, name: str) -> str:
        short = {p.removeprefix(f"{prefix}.") for p in self._widths for prefix in self._below}
        near = get_close_matches(name, sorted(short | set(self._widths)), n=4)
        hint = f"near it are {', '.join(near)}" if near else f"try {next(reversed(self._widths))}"
        return f"{self._name} has no hookpoint {name!r}: {hint}"


def _trial(model: Any) -> dict[str, int]:
    """Run six tokens, noting what passes by: hookpoint -> width, in order of execution.

    Only tensors [batch, sequence, width] can be explained; a module that runs twice is left out.
    """
    shape = (2, 3)
    seen: list[tuple[str, Any]] = []
    handles = []
    for name, module in model.named_modules():
        handles += _watch(name, module, seen)
    device = next(model.parameters()).device
    try:
        with torch.inference_mode(), _shapes_only() if device.type == "meta" else nullcontext():
            model(torch.zeros(shape, dtype=torch.long, device=device), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    names = [name for name, _ in seen]
    return {
        name: value.shape[-1]
        for name, value in seen
        if isinstance(value, Tensor) and value.shape[:-1] == shape and names.count(name) == 1
    }


def _shapes_only() -> Any:
    """Let models without weights run: on plain meta tensors they ask for numbers and fail."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    return FakeTensorMode(allow_non_fake_inputs=True)


def _watch(name: str, module: nn.Module, seen: list[tuple[str, Any]]) -> list[Any]:
    def before(_module: nn.Module, args: tuple, kwargs: dict) -> None:
        seen.append((f"{name}:in", next(iter([*args, *kwargs.values()]), None)))

    def after(_module: nn.Module, _args: tuple, output: Any) -> None:
        seen.append((name, output[0] if isinstance(output, tuple) and output else output))

    return [
        module.register_forward_pre_hook(before, with_kwargs=True),
        module.register_forward_hook(after),
    ]

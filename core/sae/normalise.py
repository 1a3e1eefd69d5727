"""What is done to an input vector before an SAE sees it, and how its output is brought back.

    layer_norm   m = mean(x); s = sqrt(sum (x - m)^2 / (d - 1))   z = (x - m) / (s + 1e-5)
    unit_norm    r = |x| / sqrt(d)                                z = x / r
    rms          r = sqrt(mean(x^2) + eps)                        z = x / r
    centre       m = mean(x)                                      z = x - m

All are y -> y * scale + shift backwards, one scale and one shift a vector: (s, m), (r, 0), (r, 0)
and (1, m). SAEs ask for the first two themselves; the others are places in a model that only
some libraries name. The deviation of layer_norm is the unbiased one, and its 1e-5 is not undone.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

Norm = Literal["layer_norm", "unit_norm", "rms", "centre"]
NORMS: dict[str, Norm] = {name: name for name in get_args(Norm)}
TINY = 1e-5  # of layer_norm


class Step(NamedTuple):
    """One transformation of the input."""

    norm: Norm
    eps: float = 0.0  # of rms


class Undo(NamedTuple):
    """What brings a vector back to the units of the input."""

    scale: Tensor | None  # [n, 1]
    shift: Tensor | None  # [n, 1]

    def __call__(self, y: Tensor) -> Tensor:
        """Bring vectors [n, d] back."""
        if self.scale is not None:
            y = y * self.scale
        return y if self.shift is None else y + self.shift


def normalise(steps: Sequence[Step], x: Tensor) -> Tensor:
    """Transform vectors [n, d] by one step after the other."""
    for step in steps:
        x = _applied(step, x)[0]
    return x


def undo(steps: Sequence[Step], x: Tensor, y: Tensor) -> Tensor:
    """Bring y [n, d] back to the units of x [n, d], which the steps were applied to."""
    undone = []
    for step in steps:
        x, back = _applied(step, x)
        undone.append(back)
    for back in reversed(undone):
        y = back(y)
    return y


def rescale(steps: Sequence[Step], x: Tensor, y: Tensor) -> Tensor:
    """Bring differences y [n, d] back to the units of x [n, d]: `undo` without its shifts."""
    for step in steps:
        x, back = _applied(step, x)
        y = y if back.scale is None else y * back.scale
    return y


def _applied(step: Step, x: Tensor) -> tuple[Tensor, Undo]:
    if step.norm == "rms":
        scale = torch.sqrt(x.pow(2).mean(-1, keepdim=True) + step.eps)
        return x / scale, Undo(scale, None)
    if step.norm == "unit_norm":
        # A vector of zeros has no direction: it becomes undefined here and activates nothing.
        scale = x.norm(dim=-1, keepdim=True) / x.shape[-1] ** 0.5
        return x / scale, Undo(scale, None)
    mean = x.mean(-1, keepdim=True)
    z = x - mean
    if step.norm == "centre":
        return z, Undo(None, mean)
    scale = z.norm(dim=-1, keepdim=True) / max(1, x.shape[-1] - 1) ** 0.5
    return z / (scale + TINY), Undo(scale, mean)

"""Checks of an SAE on loading, and of an SAE against the subject it is meant for."""

from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from core.sae.coder import Sae, Weights
from data.errors import BadInput, WrongSae


def require_shape(path: Path, name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse a tensor whose shape contradicts the configuration."""
    if tuple(tensor.shape) != shape:
        raise BadInput(f"{path}: {name} is {list(tensor.shape)}, the configuration says {shape}")


def require_finite(path: Path, weights: Weights) -> None:
    """Refuse weights that are not numbers."""
    for name in ("W_enc", "b_enc", "b_dec", "W_dec", "W_skip"):
        tensor = getattr(weights, name)
        if tensor is not None and not torch.isfinite(tensor).all():
            raise BadInput(f"{path}: {name} holds infinite or undefined numbers: fetch it again")


def decoder_notes(W_dec: Tensor) -> tuple[str, ...]:
    """Say what is unusual about decoder norms: not an error, but it matters for comparisons."""
    norms = W_dec.norm(dim=1)
    zero, off = int((norms == 0).sum()), float(((norms - 1).abs() > 0.01).float().mean())
    notes = []
    if off:
        notes.append(f"{off:.0%} of the decoder norms are outside of 1 ± 0.01")
    if zero:
        notes.append(f"{zero} features have an all-zero decoder row")
    return tuple(notes)


class Readable(Protocol):
    """What is asked of a subject."""

    name: str

    def width(self, hookpoint: str) -> int: ...


def require_fit(subject: Readable, hookpoint: str, sae: Sae) -> None:
    """Refuse an SAE whose width is not the hookpoint's, before any work."""
    width = subject.width(hookpoint)
    if sae.d_in != width:
        raise WrongSae(
            f"the SAE {sae.origin.source or 'in memory'} reads {sae.d_in} numbers a token, but "
            f"{hookpoint} of {subject.name or 'the subject'} gives {width}: give the SAE of this "
            "subject, or another --hookpoint"
        )

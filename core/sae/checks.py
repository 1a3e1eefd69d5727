"""Checks of an SAE on loading, and of an SAE against the subject it is meant for."""

from typing import Protocol

from torch import Tensor

from core.sae.coder import Sae, Weights
from core.sae.stored import Stored
from data.errors import WrongSae

NO_DECODER = "no decoder: no logit effects, decoder neighbours or reconstruction"
MOST_NAMES = 8  # unknown tensors that are named


def notes_of(weights: Weights, stored: Stored, threshold: Tensor | None = None) -> tuple[str, ...]:
    """Say what is unusual about weights: no error, but it matters for comparisons."""
    notes = list(decoder_notes(weights.W_dec)) if weights.W_dec is not None else [NO_DECODER]
    below = 0 if threshold is None else int((threshold < 0).sum())
    if below:
        notes.append(f"{below} thresholds are negative: these features fire at any positive value")
    if stored.left:
        names = ", ".join(name[:40] for name in stored.left[:MOST_NAMES])
        more = len(stored.left) - MOST_NAMES
        notes.append(f"tensors that were not used: {names}" + (f" and {more} more" * (more > 0)))
    return tuple(notes)


def decoder_notes(W_dec: Tensor) -> tuple[str, ...]:
    """Say what is unusual about decoder norms."""
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

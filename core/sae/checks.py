"""Checks of an SAE on loading, and of an SAE against the subject it is meant for."""

import hashlib
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from core.sae.coder import Sae, Weights
from core.sae.stored import Stored
from data.errors import WrongSae
from data.percents import percent

NO_DECODER = "no decoder: no logit effects, decoder neighbours or reconstruction"
OF_A_FEATURE = ("threshold", "b_gate", "r_mag")  # what some kinds have a number of for each
SKETCH = 8  # numbers of a feature's rows that are compared first
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
        notes.append(f"{percent(off)} of the decoder norms are outside of 1 ± 0.01")
    if zero:
        notes.append(f"{zero} features have an all-zero decoder row")
    return tuple(notes)


def n_copies(sae: Sae) -> int:
    """Count the features that equal an earlier one in every weight.

    A few numbers of each are compared first, so that only what may be a copy is read as a whole.
    """
    w, n = sae.weights, sae.n_features
    own = [getattr(sae, name, None) for name in OF_A_FEATURE]
    flat = [part.reshape(n, 1) for part in (w.b_enc, w.scaling_factor, *own)
            if part is not None and part.numel() == n]  # fmt: skip
    rows = [*flat, w.W_enc.T, *([] if w.W_dec is None else [w.W_dec])]  # each [features, ...]
    few = torch.cat([row[:, :SKETCH].float() for row in rows], dim=1)
    _, group, count = few.unique(dim=0, return_inverse=True, return_counts=True)
    alike = (count[group] > 1).nonzero()[:, 0].tolist()
    return len(alike) - len({_digest(rows, feature) for feature in alike})


def _digest(rows: Sequence[Tensor], feature: int) -> bytes:
    found = hashlib.blake2b(digest_size=16)
    for row in rows:
        found.update(row[feature].float().cpu().numpy().tobytes())
    return found.digest()


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

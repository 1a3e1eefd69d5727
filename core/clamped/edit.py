"""Hold a feature at a value at every token: h + (v - a_f) W_dec[f], another f in every row.

a_f is what the feature is there before the edit, so that its own activation is replaced (arXiv
2501.08319 clamps; core/steering.py calls this "set"). Only one direction is moved: the SAE's error
stays in h, where the paper runs the clean text through the SAE too.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from core.hookpoints import written
from core.sae import Sae
from core.subject import Edit
from data.errors import BadInput, NotFound


class Held(NamedTuple):
    """What one row of a batch is held at."""

    feature: int
    value: float  # raw activation; below 0 it is turned down further than silence


def require_decoder(sae: Sae, features: Sequence[int]) -> None:
    """Refuse an SAE that writes nothing, and features that it has not."""
    if sae.W_dec is None:
        raise BadInput(
            f"the SAE {sae.origin.source or 'in memory'} has no decoder: nothing says which "
            "direction a feature writes, so none can be held at a value"
        )
    for feature in features:
        if not 0 <= feature < sae.n_features:
            raise NotFound(f"the SAE has features 0 to {sae.n_features - 1}, not {feature}")


def holding(sae: Sae, hookpoint: str, rows: Sequence[Held], n_before: int) -> Edit:
    """Make the edit for a batch of as many texts as there are rows.

    n_before: special tokens at the beginning of the first block, BOS or nothing; they are not
    edited. A text after its first block goes on one token at a time.
    """
    feature = torch.tensor([row.feature for row in rows])
    value = torch.tensor([row.value for row in rows], dtype=torch.float32)

    def change(read: Tensor, old: Tensor) -> Tensor:
        first = n_before if read.shape[1] > 1 else 0
        seen = read[:, first:]
        step = value.to(seen.device)[:, None] - _own(sae, seen, feature.to(seen.device))
        out = old.clone()
        for one in feature.unique().tolist():
            here = (feature == one).nonzero()[:, 0].to(seen.device)
            unit = sae.effect(one, seen[here].flatten(0, 1)).float().to(old.device)
            unit = unit.unflatten(0, (len(here), -1))  # [rows, tokens, d_out]
            moved = step[here].to(old.device)[..., None] * unit
            out[here.to(old.device), first:] += moved.to(old.dtype)
        return out

    return Edit(hookpoint, written(sae, hookpoint), change)


def _own(sae: Sae, seen: Tensor, feature: Tensor) -> Tensor:
    """The activation of each row's feature at each token, raw, float32 [rows, tokens]."""
    n_rows, n_tokens, _ = seen.shape
    active = sae.encode(seen.reshape(n_rows * n_tokens, -1))
    own = torch.zeros(n_rows * n_tokens, device=seen.device)
    here = active.feature == feature[active.row // n_tokens]
    own[active.row[here]] = active.value[here].float()
    return own.reshape(n_rows, n_tokens)

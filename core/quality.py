"""Whether an SAE fits the place it is read at: reconstruction and number of active features.

    FVU = sum |x - xhat|^2 / sum |x - mean x|^2     over positions that are not special

0 is perfect; 1 or more means that the mean would do as well, which usually is the wrong side of a
module, the wrong layer, missing normalisation or a missing BOS.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from core.sae import Sae
from core.subject import Subject
from data.cachefiles import CacheFiles

SEQUENCES = 64  # looked at


class Quality(NamedTuple):
    """How well an SAE does on a small sample."""

    fvu: float | None  # fraction of variance unexplained; None without decoder or for transcoders
    l0: float  # active features a token, mean
    n_tokens: int  # looked at


def quality(
    subject: Subject,
    saes: Mapping[int, tuple[str, Sae]],
    files: CacheFiles,
    sequences: int = SEQUENCES,
) -> dict[int, Quality]:
    """Measure every SAE of a cache on its first sequences."""
    length = files.meta.sequence_length
    flat = files.tokens.flat(0, min(sequences, files.meta.n_sequences) * length)
    ids = torch.from_numpy(flat).long().reshape(-1, length)
    ordinary = ~torch.isin(ids, torch.tensor(files.meta.special_ids, dtype=torch.long)).reshape(-1)
    found = subject.activations(ids, [name for name, _ in saes.values()])
    return {
        number: of_vectors(sae, found[name].flatten(0, 1)[ordinary.to(found[name].device)])
        for number, (name, sae) in saes.items()
    }


def of_vectors(sae: Sae, x: Tensor) -> Quality:
    """Measure an SAE on vectors [n, d_in]."""
    with torch.inference_mode():
        active = sae.encode(x)
        l0 = len(active.value) / max(1, len(x))
        # A transcoder predicts the module's output, which is not at hand here.
        if sae.W_dec is None or not sae.centred or not len(x):
            return Quality(None, l0, len(x))
        wide = x.double()
        missed = (wide - sae.decode(active, x).double()).pow(2).sum()
        spread = (wide - wide.mean(0)).pow(2).sum()
        return Quality(float(missed / spread) if spread else None, l0, len(x))

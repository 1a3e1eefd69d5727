"""JumpReLU: a = relu(p) where p > threshold, strictly, else 0.

Rajamanoharan et al., 2407.14435. Batch-top-k SAEs are of this kind too, with one threshold for all.
"""

from typing import Self, Unpack

import torch
from torch import Tensor

from core.sae.coder import Sae, Switches, Weights


class JumpReLU(Sae):
    """Pre-activations above a threshold of each feature, or of all."""

    kind = "jumprelu"

    def __init__(self, weights: Weights, threshold: Tensor, **switches: Unpack[Switches]) -> None:
        super().__init__(weights, **switches)
        self.threshold = threshold  # [features] or a scalar, in units of p

    def to(self, device: torch.device | str) -> Self:
        """Move to a device; returns itself."""
        super().to(device)
        self.threshold = self.threshold.to(device)
        return self

    def activate(self, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Keep what is positive and above its threshold; no epsilon."""
        row, feature = (p > self.threshold.clamp(min=0)).nonzero(as_tuple=True)
        return row, feature, p[row, feature]

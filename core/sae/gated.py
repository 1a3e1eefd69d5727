"""Gated: a = [q + b_gate > 0] · relu(q ∘ exp(r_mag) + b_enc) with q = u W_enc.

One encoder decides whether a feature is on and, rescaled, how much (Rajamanoharan et al.,
2404.16014). b_enc is what the paper calls b_mag.
"""

from typing import Self, Unpack

import torch
from torch import Tensor

from core.sae.coder import Sae, Switches, Weights


class Gated(Sae):
    """Features whose gate is open, by their magnitude."""

    kind = "gated"

    def __init__(
        self, weights: Weights, b_gate: Tensor, r_mag: Tensor, **switches: Unpack[Switches]
    ) -> None:
        super().__init__(weights, **switches)
        self.b_gate = b_gate  # [features]
        self.r_mag = r_mag  # [features], logarithm of the rescaling

    def to(self, device: torch.device | str) -> Self:
        """Move to a device; returns itself."""
        super().to(device)
        self.b_gate, self.r_mag = self.b_gate.to(device), self.r_mag.to(device)
        return self

    def pre_activations(self, x: Tensor) -> Tensor:
        """Compute q [n, features], to which gate and magnitude add their own bias."""
        return self._input(x) @ self.weights.W_enc

    def activate(self, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Keep what is positive and has an open gate."""
        size = p * self.r_mag.exp() + self.weights.b_enc
        row, feature = ((p + self.b_gate > 0) & (size > 0)).nonzero(as_tuple=True)
        return row, feature, size[row, feature]

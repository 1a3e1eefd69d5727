"""TopK: a = relu of the k largest entries of p, 0 elsewhere (Gao et al., 2406.04093)."""

from typing import Unpack

import torch
from torch import Tensor

from core.sae.coder import Sae, Switches, Weights


class TopK(Sae):
    """The k largest pre-activations of each vector; fewer stay where some are not positive."""

    kind = "topk"

    def __init__(self, weights: Weights, k: int, **switches: Unpack[Switches]) -> None:
        super().__init__(weights, **switches)
        self.k = k  # features a vector

    def activate(self, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Keep the k largest of every row where they are positive, strongest first."""
        value, feature = torch.topk(p, self.k, dim=-1)
        row, place = (value > 0).nonzero(as_tuple=True)
        return row, feature[row, place], value[row, place]

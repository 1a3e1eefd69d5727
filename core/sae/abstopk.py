"""AbsTopK: a = the k entries of p that are largest without their sign, with it; 0 elsewhere.

Activations may be negative: a feature then stands for two opposite things.
"""

import torch
from torch import Tensor

from core.sae.topk import TopK


class AbsTopK(TopK):
    """The k pre-activations of each vector that are farthest from 0."""

    kind = "abs_topk"

    def activate(self, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Keep the k largest of |p| in every row, with their sign."""
        size, feature = torch.topk(p.abs(), self.k, dim=-1)
        row, place = (size > 0).nonzero(as_tuple=True)
        feature = feature[row, place]
        return row, feature, p[row, feature]

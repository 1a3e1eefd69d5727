"""GroupMax: a = in each of k consecutive groups of features the largest entry of relu(p).

Four features and k = 2: p = (1, 3, -1, -2) gives a = (0, 3, 0, 0), as the second group has none.
"""

from typing import Unpack

from torch import Tensor

from core.sae.coder import Switches, Weights
from core.sae.topk import TopK


class GroupMax(TopK):
    """The largest pre-activation of each group, where it is positive."""

    kind = "groupmax"

    def __init__(self, weights: Weights, k: int, **switches: Unpack[Switches]) -> None:
        super().__init__(weights, k, **switches)
        if self.n_features % k:
            raise ValueError(f"{self.n_features} features do not make {k} groups of one size")

    def activate(self, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Keep the largest of every group where it is positive, in the order of features."""
        size = self.n_features // self.k
        value, place = p.unflatten(-1, (self.k, size)).max(dim=-1)
        row, group = (value > 0).nonzero(as_tuple=True)
        return row, group * size + place[row, group], value[row, group]

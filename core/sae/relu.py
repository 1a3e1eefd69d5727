"""ReLU: a = max(p, 0) (the SAE of Bricken et al., 2023)."""

from torch import Tensor

from core.sae.coder import Sae


class ReLU(Sae):
    """Every positive pre-activation."""

    kind = "relu"

    def activate(self, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Keep what is positive."""
        row, feature = (p > 0).nonzero(as_tuple=True)
        return row, feature, p[row, feature]

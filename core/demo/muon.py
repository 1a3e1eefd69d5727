"""Muon: momentum whose update is made orthogonal (Jordan et al. 2024, "Muon: an optimizer for
hidden layers in neural networks"). For matrices only.

Five Newton-Schulz steps push all singular values of the update towards 1; we use the published
quintic coefficients. Written here because `torch.optim.Muon` is younger than the oldest torch
that Gloss accepts.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

QUINTIC = (3.4445, -4.7750, 2.0315)


class Muon:
    """Update = -rate * sqrt(max(1, rows / columns)) * orthogonal(momentum); decoupled decay."""

    def __init__(self, matrices: Iterable[Tensor], *, momentum: float = 0.95, decay: float = 0.01):
        alike: dict[torch.Size, list[Tensor]] = {}
        for matrix in matrices:
            alike.setdefault(matrix.shape, []).append(matrix)
        self._groups = list(alike.values())  # one shape each: orthogonalised together
        self._averages = [[torch.zeros_like(matrix) for matrix in group] for group in self._groups]
        self._momentum = momentum
        self._decay = decay

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move every matrix along its gradient."""
        for group, averages in zip(self._groups, self._averages, strict=True):
            rows, columns = group[0].shape
            length = rate * max(1.0, rows / columns) ** 0.5
            updates = orthogonal(torch.stack(list(map(self._direction, group, averages))))
            for matrix, update in zip(group, updates.unbind(), strict=True):
                matrix.mul_(1 - rate * self._decay).sub_(update, alpha=length)

    def _direction(self, matrix: Tensor, average: Tensor) -> Tensor:
        gradient = matrix.grad
        assert gradient is not None
        average.lerp_(gradient, 1 - self._momentum)
        return gradient.lerp(average, self._momentum)  # Nesterov's look ahead


def orthogonal(matrices: Tensor, steps: int = 5) -> Tensor:
    """Bring all singular values near 1 (0.7..1.2) without an SVD; [matrix, rows, columns].

    In bfloat16: the result need not be exact, and processors multiply it several times faster.
    """
    a, b, c = QUINTIC
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = (x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)).to(torch.bfloat16).contiguous()
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return (x.mT if tall else x).to(matrices.dtype)

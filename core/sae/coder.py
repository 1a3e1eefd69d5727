"""What every kind of SAE shares: weights, sparse encoding in bounded memory, decoding.

    u = x - b_dec (where the kind says so)        p = u W_enc + b_enc
    a = phi(p)                                    xhat = a W_dec + b_dec (+ x W_skip^T)

x: [n, d_in]; a: [n, n_features], never kept dense. phi is the only difference between the kinds,
and each has one file. Knows nothing of files, subjects or stores.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

BUDGET = 64 * 2**20  # bytes of pre-activations computed at once


class Sparse(NamedTuple):
    """The active features of n vectors, row by row."""

    row: Tensor  # int64 [m], ascending
    feature: Tensor  # int64 [m]
    value: Tensor  # [m], not 0
    shape: tuple[int, int]  # vectors, features

    def dense(self) -> Tensor:
        """Spell out all zeros, [vectors, features]: for tests and single contexts."""
        out = self.value.new_zeros(self.shape)
        out[self.row, self.feature] = self.value
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Tensors of an SAE, named as in the literature."""

    W_enc: Tensor  # [d_in, features]
    b_enc: Tensor  # [features]
    b_dec: Tensor  # [d_out]
    W_dec: Tensor | None = None  # [features, d_out]
    W_skip: Tensor | None = None  # [d_out, d_in]

    def to(self, device: torch.device) -> "Weights":
        """Copy to a device, where they are not there already."""
        return Weights(
            W_enc=self.W_enc.to(device),
            b_enc=self.b_enc.to(device),
            b_dec=self.b_dec.to(device),
            W_dec=None if self.W_dec is None else self.W_dec.to(device),
            W_skip=None if self.W_skip is None else self.W_skip.to(device),
        )


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an SAE came from."""

    source: str = ""  # path or repository
    sha256: str = ""  # of the weights file
    hookpoint: str | None = None  # as its folder names it; ends in ":in" for transcoders
    settings: Mapping[str, Any] = field(default_factory=dict)  # the file's own, and its dtype
    notes: tuple[str, ...] = ()  # what was noticed on loading


class Sae(ABC):
    """An SAE (or transcoder) of any kind."""

    kind: str

    def __init__(
        self, weights: Weights, *, centred: bool = True, origin: Origin | None = None
    ) -> None:
        self.weights = weights
        self.centred = centred  # whether b_dec is subtracted from the input
        self.origin = origin or Origin()

    @property
    def d_in(self) -> int:
        """Width of the vectors that it reads."""
        return self.weights.W_enc.shape[0]

    @property
    def n_features(self) -> int:
        """Units of its dictionary."""
        return self.weights.W_enc.shape[1]

    @property
    def W_dec(self) -> Tensor | None:
        """Decoder directions [features, d_out]; None when the file has none."""
        return self.weights.W_dec

    @property
    def sha256(self) -> str:
        """Hash of the weights file; of the encoder, when it was made in memory."""
        if self.origin.sha256:
            return self.origin.sha256
        return hashlib.sha256(self.weights.W_enc.cpu().float().numpy().tobytes()).hexdigest()

    @property
    def settings(self) -> Mapping[str, Any]:
        """What its file says of itself."""
        return self.origin.settings

    def to(self, device: torch.device | str) -> "Sae":
        """Move to a device; returns itself."""
        self.weights = self.weights.to(torch.device(device))
        return self

    def pre_activations(self, x: Tensor) -> Tensor:
        """Compute p [n, features] for vectors x [n, d_in]."""
        w = self.weights
        x = x.to(w.W_enc.dtype)
        return torch.addmm(w.b_enc, x - w.b_dec if self.centred else x, w.W_enc)

    @abstractmethod
    def activate(self, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Apply phi to p [n, features]: rows, features and values of what is not 0."""

    def encode(self, x: Tensor, *, budget: int = BUDGET) -> Sparse:
        """Encode vectors [n, d_in], so many rows at once that p stays within `budget` bytes."""
        parts = [self.activate(self.pre_activations(rows)) for rows in self._chunks(x, budget)]
        if len(parts) == 1:
            return Sparse(*parts[0], (len(x), self.n_features))
        step = self._step(budget)
        row = [rows + number * step for number, (rows, _, _) in enumerate(parts)]
        rest = [torch.cat([part[i] for part in parts]) for i in (1, 2)]
        return Sparse(torch.cat(row), rest[0], rest[1], (len(x), self.n_features))

    def _step(self, budget: int) -> int:
        return max(1, budget // (self.n_features * self.weights.W_enc.element_size()))

    def _chunks(self, x: Tensor, budget: int) -> Iterator[Tensor]:
        step = self._step(budget)
        for first in range(0, max(1, len(x)), step):
            yield x[first : first + step]

    def decode(self, active: Sparse, x: Tensor | None = None) -> Tensor:
        """Rebuild vectors [n, d_out]; a transcoder with a skip connection needs its input x."""
        w = self.weights
        if w.W_dec is None:
            raise ValueError("this SAE has no decoder")
        starts = torch.searchsorted(
            active.row, torch.arange(active.shape[0], device=w.b_dec.device)
        )
        total = torch.nn.functional.embedding_bag(
            active.feature, w.W_dec, starts, mode="sum", per_sample_weights=active.value
        )
        if w.W_skip is not None:
            if x is None:
                raise ValueError("the skip connection needs the input")
            total = total + x.to(w.W_skip.dtype) @ w.W_skip.T
        return total + w.b_dec

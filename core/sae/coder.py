"""What every kind of SAE shares: weights, sparse encoding in bounded memory, decoding.

    z, undo = N(x)     u = z - b_dec (where the kind says so)     p = u W_enc + b_enc
    a = phi(p)         xhat = undo(a W_dec + b_dec) (+ x W_skip^T)

x: [n, d_in]; a: [n, n_features], never kept dense. phi is the only difference between the kinds,
and each has one file; N is in normalise.py. Where `decoder_scaled`, p is multiplied by the norms of
the decoder before phi and a is divided by them again before W_dec. Knows nothing of files, subjects
or stores.
"""

import copy
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple, Self, TypedDict, Unpack

import torch
from torch import Tensor

from core.sae.hooks import Hook
from core.sae.normalise import Norm, Step, normalise, rescale, undo

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
    scaling_factor: Tensor | None = None  # [features], multiplies a before W_dec only

    def to(self, device: torch.device) -> "Weights":
        """Copy to a device, where they are not there already."""
        given = {part.name: getattr(self, part.name) for part in fields(self)}
        return replace(self, **{name: t.to(device) for name, t in given.items() if t is not None})


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an SAE came from."""

    source: str = ""  # path or repository
    sha256: str = ""  # of the weights file
    hookpoint: str | None = None  # as its folder names it; ends in ":in" for transcoders
    settings: Mapping[str, Any] = field(default_factory=dict)  # the file's own, and its dtype
    notes: tuple[str, ...] = ()  # what was noticed on loading
    hook: Hook | None = None  # where it reads, in its library's words; None: the files do not say
    read_as: str = ""  # TransformerLens's name of what is read, where only --hookpoint said it
    elsewhere: str = ""  # place that its files name and that --hookpoint overruled


class Switches(TypedDict, total=False):
    """What libraries do differently around the same equation."""

    centred: bool  # whether b_dec is subtracted from the input; true unless said
    norm: Norm | None  # N of the input; None unless said
    decoder_scaled: bool  # whether features compete by their effect; false unless said
    transcoder: bool  # whether it predicts another place than it reads; false unless said
    origin: Origin | None


class Sae(ABC):
    """An SAE (or transcoder) of any kind."""

    kind: str

    def __init__(self, weights: Weights, **switches: Unpack[Switches]) -> None:
        self.weights = weights
        self.centred = switches.get("centred", True)
        self.norm: Norm | None = switches.get("norm")
        self.decoder_scaled = switches.get("decoder_scaled", False)
        self.transcoder = switches.get("transcoder", False)
        self.origin = switches.get("origin") or Origin()
        self.transforms: tuple[Step, ...] = ()  # of the place that is read, before N
        self._gain = self._decoder_norms()

    @property
    def d_in(self) -> int:
        """Width of the vectors that it reads."""
        return self.weights.W_enc.shape[0]

    @property
    def d_out(self) -> int:
        """Width of the vectors that it rebuilds; another than d_in in some transcoders."""
        return self.weights.b_dec.shape[0]

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

    @property
    def input_norm(self) -> str:
        """What is done to its input first, e.g. "centre+unit_norm"; "" = nothing.

        Without the norm that the typed name of its place says already (`Origin.read_as`).
        """
        steps = self._steps()
        if self.origin.read_as and steps and steps[0].norm == "rms":
            steps = steps[1:]
        return "+".join(step.norm for step in steps)

    def to(self, device: torch.device | str) -> Self:
        """Move to a device; returns itself."""
        self.weights = self.weights.to(torch.device(device))
        self._gain = self._decoder_norms()
        return self

    def reading(self, transform: Norm, eps: float = 0.0) -> Self:
        """Give the same SAE for vectors that its place in the model still has to transform.

        "rms" is x / sqrt(mean(x^2) + eps), "centre" x - mean(x). Reconstructions are of the vector
        as given, except those of a transcoder, which are of another place.
        """
        other = copy.copy(self)
        other.transforms = (Step(transform, eps), *self.transforms)
        return other

    def pre_activations(self, x: Tensor) -> Tensor:
        """Compute p [n, features] for vectors x [n, d_in]."""
        p = torch.addmm(self.weights.b_enc, self._input(x), self.weights.W_enc)
        return p if self._gain is None else p.mul_(self._gain)

    def _input(self, x: Tensor) -> Tensor:
        """Compute u [n, d_in]."""
        x = x.to(self.weights.W_enc.dtype)
        if self.transforms or self.norm:
            x = normalise(self._steps(), x)
        return x - self.weights.b_dec if self.centred else x

    def _steps(self) -> tuple[Step, ...]:
        return (*self.transforms, Step(self.norm)) if self.norm else self.transforms

    def _decoder_norms(self) -> Tensor | None:
        if not self.decoder_scaled:
            return None
        if self.W_dec is None:
            raise ValueError("scaling by the decoder needs a decoder")
        return self.W_dec.norm(dim=1)

    @abstractmethod
    def activate(self, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Apply phi to p [n, features]: rows, features and values of what is not 0.

        Undefined entries of p are not active.
        """

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
        """Rebuild vectors [n, d_out]; skip connections and normalised inputs need the input x."""
        w = self.weights
        if w.W_dec is None:
            raise ValueError("this SAE has no decoder")
        starts = torch.searchsorted(
            active.row, torch.arange(active.shape[0], device=w.b_dec.device)
        )
        total = torch.nn.functional.embedding_bag(
            active.feature, w.W_dec, starts, mode="sum", per_sample_weights=self._weight(active)
        )
        total = total + w.b_dec
        undoes = not self.transcoder and bool(self._steps())
        if w.W_skip is None and not undoes:
            return total
        if x is None:
            raise ValueError("decoding needs the input: it has a skip connection or is normalised")
        return self._back(x.to(w.b_dec.dtype), total, undoes)

    def effect(self, feature: int, x: Tensor) -> Tensor:
        """What one unit of a feature's activation adds to the reconstruction of x, [n, d_out].

        The decoder's row, in the units of x [n, d_in] where the SAE normalises its inputs.
        """
        w = self.weights
        if w.W_dec is None:
            raise ValueError("this SAE has no decoder")
        row = w.W_dec[feature]
        if self._gain is not None:
            row = row / self._gain[feature]
        if w.scaling_factor is not None:
            row = row * w.scaling_factor[feature]
        added = row.expand(len(x), -1)
        if self.transcoder or not self._steps():
            return added
        return rescale(self._steps(), x.to(w.b_dec.dtype), added)

    def _weight(self, active: Sparse) -> Tensor:
        """Say by how much of its decoder direction each active feature counts."""
        value, factor = active.value, self.weights.scaling_factor
        if self._gain is not None:
            value = value / self._gain[active.feature]
        return value if factor is None else value * factor[active.feature]

    def _back(self, x: Tensor, y: Tensor, undoes: bool) -> Tensor:
        """Undo N, add the skip connection, and undo what the place in the model does."""
        read = normalise(self.transforms, x)  # what the files call x
        if undoes and self.norm:
            y = undo([Step(self.norm)], read, y)
        if self.weights.W_skip is not None:
            y = y + read @ self.weights.W_skip.T
        return undo(self.transforms, x, y) if undoes else y

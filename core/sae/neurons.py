"""Neurons as features, a baseline that nothing was trained for: `neurons:K`, or `neurons:K:both`.

    a = relu of the k largest entries of h          xhat = a W_down + b_down

h is what an MLP's projection back into the stream reads: one number a neuron (methods 8). A feature
is a neuron, and its decoder direction is what the neuron writes, so that the reconstruction is of
the MLP's output. Gated MLPs have neurons of either sign: only positive values are kept, unless with
`both`, where every neuron is two features, one a side: f fires where h_f > 0, and width + f
where h_f < 0. Random rotations of the neurons are not offered. Knows nothing of subjects.
"""

import hashlib
import re
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from core.sae.coder import Origin, Weights
from core.sae.hooks import Hook
from core.sae.topk import TopK
from data.errors import BadInput

PREFIX = "neurons:"
SPEC = re.compile(r"neurons:(\d{1,9})(:both)?")
NOTE = "neurons, positive values only: a baseline, nothing was trained"
NOTE_BOTH = "neurons, positive and negative values apart: a baseline, nothing was trained"
NO_DECODER = "the projection's weights cannot be read as numbers: no decoder"


class Kept(NamedTuple):
    """What a source of neurons says."""

    k: int  # neurons on at a token, at most
    both: bool  # whether negative values are features too


class Projection(NamedTuple):
    """What leads from the neurons back into the stream."""

    W_down: Tensor | None  # [neurons, d_model]; None where it cannot be read
    b_down: Tensor | None  # [d_model]


class Neurons(TopK):
    """TopK whose encoder is the identity, which is never written down."""

    kind = "neurons"

    def __init__(self, weights: Weights, kept: Kept, width: int, origin: Origin) -> None:
        super().__init__(weights, kept.k, centred=False, transcoder=True, origin=origin)
        self._both = kept.both
        self._width = width

    @property
    def d_in(self) -> int:
        """Neurons of the layer."""
        return self._width

    @property
    def n_features(self) -> int:
        """One a neuron, or one a side of it."""
        return 2 * self._width if self._both else self._width

    def pre_activations(self, x: Tensor) -> Tensor:
        """Give x [n, neurons] itself, and its negative beside it where both sides count."""
        x = x.to(self.weights.b_dec.dtype)
        return torch.cat([x, -x], dim=1) if self._both else x


def is_neurons(source: object) -> bool:
    """Say whether a source means neurons and no files."""
    return str(source).startswith(PREFIX)


def read_kept(source: str) -> Kept:
    """Read "neurons:32" as the 32 largest at a token."""
    found = SPEC.fullmatch(source)
    if not found or int(found[1]) < 1:
        raise BadInput(
            f"--sae {source} is no set of neurons: write neurons:K for the K largest at a token, "
            "e.g. neurons:32, or neurons:32:both to keep negative ones too"
        )
    return Kept(int(found[1]), found[2] is not None)


def neuron_sae(source: str, hookpoint: str, width: int, projection: Projection) -> Neurons:
    """Make the neurons of one layer an SAE; hookpoint: the projection's input, ends in ":in"."""
    kept = read_kept(source)
    if kept.k > width:
        raise BadInput(f"--sae {source}: {hookpoint} has {width:,} neurons, fewer than {kept.k:,}")
    module = hookpoint.removesuffix(":in")
    identity = f"{PREFIX}{kept.k}:{kept.both}|{hookpoint}|{width}"
    origin = Origin(
        source=source,
        sha256=hashlib.sha256(identity.encode()).hexdigest(),
        hookpoint=hookpoint,
        settings={"d_in": width, "k": kept.k, "both": kept.both},
        notes=(NOTE_BOTH if kept.both else NOTE,),
        hook=Hook("module", module, side="in", writes=module),
    )
    if projection.W_down is None:
        origin = replace(origin, notes=(*origin.notes, NO_DECODER))
    return Neurons(_weights(projection, kept, width), kept, width, origin)


def _weights(projection: Projection, kept: Kept, width: int) -> Weights:
    W_dec, b_dec = projection.W_down, projection.b_down
    if W_dec is not None:
        W_dec = W_dec.float()
        b_dec = torch.zeros(W_dec.shape[1]) if b_dec is None else b_dec.float()
        W_dec = torch.cat([W_dec, -W_dec]) if kept.both else W_dec.contiguous()
    empty = torch.empty(width, 0)
    return Weights(
        W_enc=empty,
        b_enc=empty.new_empty(0),
        b_dec=torch.zeros(width) if b_dec is None else b_dec,
        W_dec=W_dec,
    )

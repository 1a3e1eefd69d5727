"""One record of what a file says, whatever its format, and the SAE that it makes.

Loaders whose format knows several kinds fill this in; the equations are in the files of the kinds.
"""

from typing import Literal, NamedTuple, Unpack

from torch import Tensor

from core.sae.abstopk import AbsTopK
from core.sae.coder import Sae, Switches, Weights
from core.sae.gated import Gated
from core.sae.jumprelu import JumpReLU
from core.sae.relu import ReLU
from core.sae.topk import TopK

Kind = Literal["relu", "topk", "abs_topk", "jumprelu", "gated"]


class Parts(NamedTuple):
    """What a kind of SAE needs besides its weights."""

    kind: Kind
    weights: Weights
    k: int | None = None  # topk, abs_topk
    threshold: Tensor | None = None  # jumprelu: [features] or a scalar
    b_gate: Tensor | None = None  # gated: [features]
    r_mag: Tensor | None = None  # gated: [features]


def assemble(parts: Parts, **switches: Unpack[Switches]) -> Sae:
    """Make the SAE."""
    if parts.kind in ("topk", "abs_topk"):
        assert parts.k is not None
        return (TopK if parts.kind == "topk" else AbsTopK)(parts.weights, parts.k, **switches)
    if parts.kind == "jumprelu":
        assert parts.threshold is not None
        return JumpReLU(parts.weights, parts.threshold, **switches)
    if parts.kind == "gated":
        assert parts.b_gate is not None
        assert parts.r_mag is not None
        return Gated(parts.weights, parts.b_gate, parts.r_mag, **switches)
    return ReLU(parts.weights, **switches)

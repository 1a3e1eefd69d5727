"""Which of the subject's hookpoints a baseline reads, and the source of what it reads there.

Neurons of a hookpoint are those of the MLP in its block (methods 8): what its down projection
reads. MLPs with a gate have neurons of either sign, so there each sign is a feature of its own;
without a gate only positive values are kept (core/sae/neurons.py). Knows nothing of stores.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from core.baselines.kinds import Kind
from core.hookpoints.families import GPT2, NEOX, Family, family_of
from data.errors import BadInput

PLAIN = (*GPT2.classes, *NEOX.classes)  # MLPs without a gate: neurons below zero are hardly so

CHANGED = {
    "re-randomised": "every parameter drawn anew, normal with its own mean and deviation",
    "random-embeddings": "noise for embeddings, another draw at every place",
}


class Place(NamedTuple):
    """One hookpoint of a baseline."""

    hookpoint: str  # full module path, with its side
    source: str  # as for --sae; "" = an SAE is to be trained
    beside: tuple[str, ...]  # hookpoints of the cache that it stands beside


class Dictionary(NamedTuple):
    """The size of an SAE that a baseline stands beside."""

    hookpoint: str
    n_features: int
    k: int  # features on at a token, its mean rounded
    norm: str = ""  # what it does to its input first (core/sae/normalise.py)


class Mlp(NamedTuple):
    """What is known of the subject's MLPs."""

    architecture: str | None  # class of the model
    width: int | None  # neurons; None = not known before the subject is loaded


def places(kind: Kind, saes: Sequence[Dictionary], mlp: Mlp) -> list[Place]:
    """Where a baseline reads; BadInput where it cannot stand beside any of the SAEs.

    SAEs in one block share its neurons.
    """
    if kind.asked == "neurons":
        return _neurons(kind, saes, mlp)
    if kind.steps:
        for sae in saes:
            if sae.hookpoint.endswith(":in"):
                raise BadInput(
                    f"no SAE is trained at {sae.hookpoint}, on the input side of a module: give "
                    "--steps 0 for a random one there"
                )
        return [Place(sae.hookpoint, "", (sae.hookpoint,)) for sae in saes]
    return [Place(sae.hookpoint, _random(sae, kind.seed), (sae.hookpoint,)) for sae in saes]


def _random(sae: Dictionary, seed: int) -> str:
    """Name the random SAE that reads the same numbers."""
    tail = (f":{seed}" if seed else "") + (f":{sae.norm}" if sae.norm else "")
    return f"random:{sae.n_features}:{sae.k}{tail}"


def _neurons(kind: Kind, saes: Sequence[Dictionary], mlp: Mlp) -> list[Place]:
    family = family_of(mlp.architecture)
    if family is None:
        raise BadInput(f"where an MLP's neurons are is not known for {mlp.architecture}")
    if mlp.width is not None and kind.k is not None and mlp.width < kind.k:
        raise BadInput(f"an MLP of the subject has {mlp.width:,} neurons, fewer than {kind.k}")
    side = "" if mlp.architecture in PLAIN else ":both"
    beside: dict[str, list[str]] = {}
    for sae in saes:
        block = block_of(sae.hookpoint, family)
        if block is None:
            raise BadInput(f"{sae.hookpoint} is in no block, so no MLP belongs to it")
        beside.setdefault(f"{block}.{family.down}:in", []).append(sae.hookpoint)
    source = f"neurons:{kind.k}{side}"
    return [Place(own, source, tuple(others)) for own, others in beside.items()]


def block_of(hookpoint: str, family: Family) -> str | None:
    """The block that a hookpoint is in; None for embeddings and what follows the last block.

    >>> block_of("gpt_neox.layers.2.mlp:in", NEOX)
    'gpt_neox.layers.2'
    """
    head = f"{family.base}.{family.blocks}."
    if not hookpoint.startswith(head):
        return None
    number = hookpoint.removeprefix(head).removesuffix(":in").partition(".")[0]
    return f"{head}{number}" if number.isdecimal() else None


def how(kind: Kind, found: Sequence[Place], tokens: int) -> Mapping[str, object]:
    """How a baseline is made, as a person reads it; JSON-ready."""
    said: dict[str, object] = {"sae": sorted({place.source or "trained here" for place in found})}
    if kind.asked in CHANGED:
        said["subject"] = CHANGED[kind.asked]
    if kind.steps:
        said |= {"steps": kind.steps, "tokens": tokens}
    if kind.asked == "neurons":
        is_both = any(place.source.endswith(":both") for place in found)
        said["values"] = "each sign a feature of its own" if is_both else "positive values only"
    return said | {"seed": kind.seed}

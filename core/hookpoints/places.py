"""Where an SAE reads and writes in a subject, and what stands between the two.

In: a hook in the words of the SAE's library, and a subject. Out: a hookpoint of that subject, with
what has to be done to the numbers read there, because some libraries name tensors that no module
gives: a norm before its learned scale, a stream whose mean was taken away, an embedding before it
is scaled (formats 1.4).
"""

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from core.hookpoints.families import Family, family_of
from core.hookpoints.names import (
    Spot,
    dictionary_spot,
    from_gemma_scope,
    from_openai,
    spot,
    transformer_lens_name,
)
from data.errors import BadInput

if TYPE_CHECKING:
    from core.sae import Sae
    from core.sae.hooks import Hook
    from core.sae.neurons import Projection

SAY = "say with --hookpoint what the SAE reads"
INTO_THE_STREAM = ("hook_embed", "hook_resid", "hook_mlp_out", "hook_attn_out")


class Readable(Protocol):
    """What is asked of a subject."""

    name: str
    model: Any

    @property
    def architecture(self) -> str: ...

    @property
    def config(self) -> Any: ...

    def resolve(self, name: str) -> str: ...


class Absent(BadInput):
    """A hook that a subject does not have, or whose numbers nothing there gives."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason}: {advice}")
        self.reason = reason


class Place(NamedTuple):
    """Where an SAE reads in a subject."""

    reads: str  # hookpoint, its full name
    writes: str  # hookpoint that it rebuilds: `reads`, but a transcoder's is another; "" = unknown
    transform: Literal["none", "rms", "centre"] = "none"  # of what is read (core/sae/normalise)
    eps: float = 0.0  # of rms
    scale: float = 1.0  # of what is read, before anything else

    def as_hook(self, hook: "Hook | None", *, trained_on: str | None) -> "Hook":
        """Say the place in the subject's own words, keeping what else its files say."""
        from core.sae.hooks import Hook

        module = self.reads.removesuffix(":in")
        return (hook or Hook("module", module))._replace(
            world="module",
            name=module,
            side="out" if module == self.reads else "in",
            writes=None if self.writes in ("", self.reads) else self.writes,
            model=(hook and hook.model) or trained_on,
        )


def locate(hook: "Hook", subject: Readable) -> Place:
    """Find a hook in a subject; an error says why it is not there."""
    family = family_of(subject.architecture)
    here = _module(hook, subject, family) or _translated(hook, subject, family)
    here = centred(here, hook, subject)
    if hook.writes is None:
        return here
    there = hook._replace(name=hook.writes, side="out", writes=None)
    return here._replace(writes=locate(there, subject).reads)


def centred(place: Place, hook: "Hook", subject: Readable) -> Place:
    """Take the mean away where an SAE was trained on weights that had none."""
    is_due = hook.centred_weights and place.transform == "none"
    if is_due and _joins_the_stream(place.reads, subject):
        return place._replace(transform="centre")
    return place


def fitted(sae: "Sae", place: Place) -> "Sae":
    """Make an SAE read what its place gives.

    An input s times as large, of which nothing else is to be seen: W_enc s, W_dec / s, b_dec / s.
    """
    if place.transform != "none":
        sae = sae.reading(place.transform, place.eps)
    if place.scale == 1 or sae.norm is not None:  # which gives the same for any size
        return sae
    if sae.decoder_scaled or sae.weights.W_skip is not None:
        raise BadInput(f"the SAE {sae.origin.source} cannot read an embedding that is scaled")
    w, s = sae.weights, place.scale
    sae = copy(sae)
    sae.weights = replace(
        w, W_enc=w.W_enc * s, b_dec=w.b_dec / s, W_dec=None if w.W_dec is None else w.W_dec / s
    )
    return sae


def written(sae: "Sae", hookpoint: str) -> str:
    """Name the hookpoint that an SAE of a cache rebuilds: its own, or a transcoder's other end."""
    if not is_output_known(sae):
        raise BadInput(
            f"the transcoder {sae.origin.source or 'in memory'} does not say which place of this "
            "subject it writes to, so nothing can be changed there"
        )
    hook = sae.origin.hook
    return (hook and hook.writes) or hookpoint


def is_output_known(sae: "Sae") -> bool:
    """Say whether it is known what an SAE rebuilds; of a transcoder it need not be."""
    hook = sae.origin.hook
    return not sae.transcoder or bool(hook and hook.writes)


def projection(subject: Readable, hookpoint: str) -> "Projection | None":
    """Give the weights of the projection that reads an MLP's neurons; None at any other place."""
    from core.sae.neurons import Projection

    family, name = family_of(subject.architecture), hookpoint.removesuffix(":in")
    if name == hookpoint or (family and not name.endswith(f".{family.down}")):
        return None
    module = subject.model.get_submodule(name)
    weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
    if weight is None or weight.ndim != 2:
        return Projection(None, None) if family else None
    if not weight.dtype.is_floating_point or weight.device.type == "meta":
        return Projection(None, None)
    W_down = weight if type(module).__name__ == "Conv1D" else weight.T
    return Projection(W_down.detach(), None if bias is None else bias.detach())


def _module(hook: "Hook", subject: Readable, family: Family | None) -> Place | None:
    """Find a hook that names a module itself; None where it speaks another language."""
    side = ":in" if hook.side == "in" else ""
    if hook.world == "dictionary_learning" and family:
        found = dictionary_spot(family, hook.name, hook.side)
        if found is not None:
            return _at(subject, found.hookpoint)
    if hook.world not in ("module", "dictionary_learning"):
        return None
    return _at(subject, _below_base(hook.name + side, subject, family))


def _below_base(name: str, subject: Readable, family: Family | None) -> str:
    """Complete a module path that is relative to the base model, or to another model's base.

    `model.layers.3` of a text model is `model.language_model.layers.3` where it can see images.
    """
    try:
        return subject.resolve(name)
    except BadInput:
        if family is None or f"{family.blocks}." not in name:
            raise
        start = name.index(f"{family.blocks}.")
        if start and name[start - 1] != ".":
            raise
        return subject.resolve(f"{family.base}.{name[start:]}")


def _translated(hook: "Hook", subject: Readable, family: Family | None) -> Place:
    """Find a hook of TransformerLens, or of a library whose names translate to its."""
    read = {"gemma_scope": from_gemma_scope, "openai": from_openai}.get(hook.world)
    name = read(hook.name) if read else hook.name
    if name is None:
        raise Absent(f"no hook {hook.name} is known", SAY)
    if family is None:
        raise Absent(f"where {hook.name} is in a {subject.architecture} is not known", SAY)
    found = spot(family, name)
    if found is None:
        raise Absent(f"{hook.name} has no place in a {subject.architecture}", SAY)
    if name.endswith("hook_resid_mid") and getattr(subject.config, "use_parallel_residual", False):
        raise Absent(
            f"{hook.name} does not exist in {subject.name}, whose attention and MLP run side by "
            "side",
            "this SAE is for another subject",
        )
    return _read(hook, name, found, subject, family)


def _read(hook: "Hook", name: str, found: Spot, subject: Readable, family: Family) -> Place:
    """Say what has to be done to what the module gives."""
    place = _at(subject, found.hookpoint)
    if name.endswith("hook_normalized"):
        if not family.is_rms:
            raise Absent(
                f"{hook.name} of a {subject.architecture} depends on how its norm was folded into "
                "other weights",
                "this SAE cannot be read",
            )
        norm = subject.model.get_submodule(found.module)
        eps = getattr(norm, "eps", None) or norm.variance_epsilon
        return place._replace(transform="rms", eps=float(eps))
    if name == "hook_embed":
        return place._replace(scale=_embedding_scale(hook, found, subject, family))
    return place


def _joins_the_stream(reads: str, subject: Readable) -> bool:
    """Whether a shift of what is read there changes nothing later, as weights were centred."""
    family = family_of(subject.architecture)
    name = transformer_lens_name(reads, subject.architecture)
    return bool(
        family and name and not family.is_rms
        and name.rpartition(".")[2].startswith(INTO_THE_STREAM)
    )  # fmt: skip


def _embedding_scale(hook: "Hook", found: Spot, subject: Readable, family: Family) -> float:
    """By what the embedding has to be multiplied: modules of Gemma scale it, or the model after.

    Gemma Scope was trained on it unscaled, TransformerLens gives it scaled.
    """
    if not family.scales_embedding:
        return 1.0
    root = float(subject.config.hidden_size) ** 0.5
    is_scaled = hasattr(subject.model.get_submodule(found.module), "embed_scale")
    wants_scaled = hook.world == "transformer_lens"
    return 1.0 if is_scaled == wants_scaled else root if wants_scaled else 1 / root


def _at(subject: Readable, hookpoint: str) -> Place:
    name = subject.resolve(hookpoint)
    return Place(name, name)

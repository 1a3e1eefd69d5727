"""Reads the cfg.json of SAELens, of version 6 and of all before, into one record.

Before 6.0 everything stood at the top level, under other names and with other defaults.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from core.sae.assemble import Kind
from core.sae.gemma_scope import split_side
from core.sae.hooks import Hook
from core.sae.normalise import Norm
from core.sae.settings import choice, count, number, part, read_settings, said, switch, word
from data.errors import BadInput
from data.imports.foreign import shown

RENAMED = {
    "hook_point": "hook_name",
    "hook_point_head_index": "hook_head_index",
    "activation_fn_str": "activation_fn",
}
# What version 6 moved into an object of its own, as far as it is used here.
METADATA = (
    "model_name", "hook_name", "hook_name_out", "hf_hook_name", "hf_hook_name_out", "prepend_bos",
    "hook_head_index", "model_from_pretrained_kwargs", "norm_scaling_factor", "context_size",
    "dataset_path", "neuronpedia_id",
)  # fmt: skip
ARCHITECTURES: Mapping[str, Kind] = {
    "standard": "relu",
    "topk": "topk",
    "jumprelu": "jumprelu",
    "gated": "gated",
    "abstopk": "abs_topk",
    "transcoder": "relu",
    "skip_transcoder": "relu",
    "jumprelu_transcoder": "jumprelu",
    "jumprelu_skip_transcoder": "jumprelu",
    "batchtopk": "jumprelu",  # as training checkpoints; finished ones are saved as jumprelu
    "matryoshka_batchtopk": "jumprelu",
}
NORMS: Mapping[str, Norm | None] = {
    "none": None,
    "layer_norm": "layer_norm",
    "constant_norm_rescale": "unit_norm",
    "expected_average_only_in": None,  # a constant, folded into the weights
}
# Trained on a GPT-2 whose writing weights were centred, which their files do not say.
CENTRED = re.compile(
    r"\bjbloom(?:/|--)GPT2-Small-(?:SAEs-Reformatted|Feature-Splitting-Experiment-Layer-\d+)\b"
    r"|\btommmcgrath(?:/|--)gpt2-small-mlp-out-saes\b"
)


class Facts(NamedTuple):
    """What a configuration decides."""

    architecture: str
    kind: Kind
    d_in: int
    d_out: int
    d_sae: int
    k: int | None  # topk and abs_topk
    centred: bool
    norm: Norm | None
    scale: float | None  # that inputs are multiplied by, to be folded in
    decoder_scaled: bool
    skip: bool

    @property
    def transcoder(self) -> bool:
        """Whether it predicts another place than it reads."""
        return self.architecture.endswith("transcoder")

    @property
    def unfinished(self) -> bool:
        """Whether this is a training checkpoint, whose threshold has a name of its own."""
        return self.architecture.endswith("batchtopk")


def read(path: Path) -> dict[str, Any]:
    """Read cfg.json in the spelling of version 6, everything else as it stands there."""
    stored = read_settings(path)
    metadata = part(path, stored, "metadata")
    version = str(metadata.get("sae_lens_version") or stored.get("sae_lens_version") or "")
    older = re.match(r"\d+", version)
    if "metadata" in stored and not (older and int(older[0]) < 6):
        return stored
    return _modern(path, {RENAMED.get(key, key): value for key, value in stored.items()})


def _modern(path: Path, old: dict[str, Any]) -> dict[str, Any]:
    """Give settings from before 6.0 their later names and spell out their defaults."""
    hook_name = word(old, "hook_name") or ""
    normalised = old.get("normalize_activations")
    if normalised is None or isinstance(normalised, bool):
        normalised = "expected_average_only_in" if normalised else "none"
    new = old | {
        "architecture": old.get("architecture") or "standard",
        "apply_b_dec_to_input": old.get("apply_b_dec_to_input", True),
        "normalize_activations": normalised,
        "reshape_activations": old.get(
            "reshape_activations", "hook_z" if "hook_z" in hook_name else "none"
        ),
        "metadata": {"prepend_bos": True}
        | {key: old[key] for key in METADATA if key in old}
        | part(path, old, "metadata"),
    }
    known = ("relu", "topk")
    if choice(path, old, "activation_fn", known, "relu") == "topk":
        new |= {"architecture": "topk", "k": part(path, old, "activation_fn_kwargs").get("k")}
    return new


def facts(path: Path, settings: Mapping[str, Any]) -> Facts:
    """Decide what an SAE computes; what is not known is refused by its name."""
    name = choice(path, settings, "architecture", tuple(ARCHITECTURES))
    kind, d_in = ARCHITECTURES[name], count(path, settings, "d_in")
    transcoder = name.endswith("transcoder")
    features = count(path, settings, "d_sae")
    k = count(path, settings, "k") if kind in ("topk", "abs_topk") else None
    if k is not None and k > features:
        raise BadInput(f"{shown(path)}: k = {k} is more than its {features} features (d_sae)")
    choice(path, settings, "reshape_activations", ("none", "hook_z"), "none")
    head = part(path, settings, "metadata").get("hook_head_index")
    if head is not None:
        raise BadInput(
            f"{shown(path)}: hook_head_index = {said(head)}: SAEs of a single head are not read"
        )
    can_scale = k is not None or name.endswith("batchtopk")
    scaled = switch(path, settings, "rescale_acts_by_decoder_norm", k is None)
    return Facts(
        architecture=name,
        kind=kind,
        d_in=d_in,
        d_out=count(path, settings, "d_out") if transcoder else d_in,
        d_sae=features,
        k=k,
        centred=switch(path, settings, "apply_b_dec_to_input", True) and not transcoder,
        norm=NORMS[choice(path, settings, "normalize_activations", tuple(NORMS), "none")],
        scale=_scale(path, settings, transcoder),
        decoder_scaled=can_scale and scaled,
        skip="skip" in name,
    )


def _scale(path: Path, settings: Mapping[str, Any], transcoder: bool) -> float | None:
    """Find the constant of expected_average_only_in, which releases keep beside the files."""
    if settings.get("normalize_activations") != "expected_average_only_in":
        return None
    found = number(path, settings, "norm_scaling_factor")
    found = found or number(path, part(path, settings, "metadata"), "norm_scaling_factor")
    if found is not None and not transcoder:
        return found
    why = (
        "is not supported for transcoders"
        if transcoder
        else "needs a number that only the release names: write it into this file as "
        "norm_scaling_factor"
    )
    raise BadInput(
        f"{shown(path)} says normalize_activations = expected_average_only_in, which {why}"
    )


def hook_of(path: Path, settings: Mapping[str, Any], words: str) -> Hook | None:
    """Say what it reads: names of the Hugging Face model where there are some."""
    metadata = part(path, settings, "metadata")
    transcoder = str(settings.get("architecture")).endswith("transcoder")
    bos = metadata.get("prepend_bos")
    kwargs = part(path, metadata, "model_from_pretrained_kwargs")
    centred = kwargs.get("center_writing_weights") is True or bool(CENTRED.search(words))
    place = _module(metadata, transcoder) or _named(metadata, transcoder)
    return place and place._replace(
        bos=bos if isinstance(bos, bool) else None,
        model=word(metadata, "model_name"),
        centred_weights=centred,
    )


def _module(metadata: Mapping[str, Any], transcoder: bool) -> Hook | None:
    name, out = word(metadata, "hf_hook_name"), word(metadata, "hf_hook_name_out")
    if name is None or (transcoder and out is None):
        return None
    path, side = split_side(name)
    return Hook("module", path, side, split_side(out)[0] if transcoder and out else None)


def _named(metadata: Mapping[str, Any], transcoder: bool) -> Hook | None:
    name = word(metadata, "hook_name")
    out = word(metadata, "hook_name_out") if transcoder else None
    return Hook("transformer_lens", name, writes=out) if name else None

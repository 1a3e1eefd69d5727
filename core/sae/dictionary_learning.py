"""Loads SAEs of dictionary_learning: ae.pt and config.json in one folder.

What is computed follows `trainer.dict_class`. Batch-top-k SAEs use their threshold, not k, outside
of training; plain top-k ones do the opposite. Activations are those of the file as it lies there:
the library's own loader rescales the decoders of AutoEncoder, and so the features, to length 1.
Inputs are raw activations: `trainer.norm_factor` is a record, weights were scaled back already.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from core.sae.assemble import Kind, Parts, assemble
from core.sae.checks import notes_of
from core.sae.coder import Origin, Sae, Weights
from core.sae.hooks import Hook
from core.sae.places import Place
from core.sae.settings import choice, count, part, read_settings, word
from core.sae.stored import Stored, open_pt
from data.errors import BadInput
from data.imports.foreign import file_sha256, shown

NAME = "dictionary_learning"
SIDES = ("in", "out", "in_and_out")
KNOWN = ("k", "threshold", "group_sizes")  # read, or of no use outside of training


class Layout(NamedTuple):
    """What a dict_class computes, what it calls its tensors, and which way round they lie."""

    kind: Kind
    b_enc: str
    b_dec: str
    centred: bool
    linear: bool = True  # encoder.weight [F, d] and decoder.weight [d, F]; else W_enc and W_dec


CLASSES: Mapping[str, Layout] = {
    "AutoEncoder": Layout("relu", "encoder.bias", "bias", True),
    "AutoEncoderNew": Layout("relu", "encoder.bias", "decoder.bias", False),
    "GatedAutoEncoder": Layout("gated", "mag_bias", "decoder_bias", True),
    "JumpReluAutoEncoder": Layout("jumprelu", "b_enc", "b_dec", False, False),
    "AutoEncoderTopK": Layout("topk", "encoder.bias", "b_dec", True),
    "BatchTopKSAE": Layout("jumprelu", "encoder.bias", "b_dec", True),
    "MatryoshkaBatchTopKSAE": Layout("jumprelu", "b_enc", "b_dec", True, False),
}


def load(place: Place) -> Sae:
    """Load a trainer's SAE."""
    config = place.path / "config.json"
    settings = read_settings(config)
    trainer = _trainer(config, settings)
    dict_class = choice(config, trainer, "dict_class", tuple(CLASSES))
    hook = _hook(config, settings)
    path = _weights_file(place.path)
    tensors = open_pt(path, NAME).tensors
    parts = _parts(dict_class, config, trainer, tensors)
    tensors.ignore(*KNOWN)
    notes = notes_of(parts.weights, tensors, parts.threshold)
    if path.name != "ae.pt":
        notes += (f"there is no ae.pt: {path.name}, the last training checkpoint, was taken",)
    origin = Origin(
        source=place.source,
        sha256=file_sha256(path),
        settings={**settings, "format": NAME, "dtype": tensors.dtype},
        notes=notes,
        hook=hook,
    )
    transcoder = hook is not None and hook.writes is not None
    centred = CLASSES[dict_class].centred
    return assemble(parts, centred=centred, transcoder=transcoder, origin=origin)


def read_hook(place: Place) -> Hook | None:
    """Say which submodule it was trained on, and which side of it."""
    config = place.path / "config.json"
    return _hook(config, read_settings(config))


def _hook(config: Path, settings: Mapping[str, Any]) -> Hook | None:
    trainer = _trainer(config, settings)
    io = choice(config, part(config, settings, "buffer"), "io", SIDES, "out")
    name = word(trainer, "submodule_name")
    if name is None:
        return None
    side, writes = ("out", None) if io == "out" else ("in", name if io == "in_and_out" else None)
    return Hook("dictionary_learning", name, side, writes, model=word(trainer, "lm_name"))


def _trainer(config: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    trainer = part(config, settings, "trainer")
    if not trainer:
        raise BadInput(f"{shown(config)} has no trainer: it is no configuration of {NAME}")
    return trainer


def _weights_file(folder: Path) -> Path:
    """Give ae.pt, or the last of the training checkpoints."""
    if (folder / "ae.pt").exists():
        return folder / "ae.pt"
    steps = {int(n) if (n := path.stem.removeprefix("ae_")).isdecimal() else -1: path
             for path in (folder / "checkpoints").glob("ae_*.pt")}  # fmt: skip
    if not steps:
        raise BadInput(f"{shown(folder)} has neither ae.pt nor checkpoints/ae_*.pt")
    return steps[max(steps)]


def _parts(dict_class: str, config: Path, trainer: Mapping[str, Any], tensors: Stored) -> Parts:
    layout = CLASSES[dict_class]
    weights = _weights(tensors, layout)
    features, d = len(weights.b_enc), len(weights.b_dec)
    for key, there in (("activation_dim", d), ("dict_size", features)):
        said = count(config, trainer, key, there)
        if said != there:
            raise BadInput(f"{shown(config)}: {key} = {said}, but the tensors beside have {there}")
    if layout.kind == "topk":
        return Parts("topk", weights, k=_k(config, trainer, tensors, features))
    if layout.kind == "gated":
        b_gate, r_mag = tensors.take("gate_bias", features), tensors.take("r_mag", features)
        return Parts("gated", weights, b_gate=b_gate, r_mag=r_mag)
    if dict_class == "JumpReluAutoEncoder":
        return Parts("jumprelu", weights, threshold=tensors.take("threshold", features))
    if layout.kind == "jumprelu":
        return Parts("jumprelu", weights, threshold=_calibrated(tensors))
    return Parts("relu", weights)


def _weights(tensors: Stored, layout: Layout) -> Weights:
    d, n = tensors.length(layout.b_dec), tensors.length(layout.b_enc)
    if layout.linear:
        W_enc = tensors.take("encoder.weight", n, d).T
        W_dec = tensors.take("decoder.weight", d, n).T.contiguous()
    else:
        W_enc, W_dec = tensors.take("W_enc", d, n), tensors.take("W_dec", n, d)
    b_enc, b_dec = tensors.take(layout.b_enc, n), tensors.take(layout.b_dec, d)
    return Weights(W_enc=W_enc, b_enc=b_enc, b_dec=b_dec, W_dec=W_dec)


def _k(config: Path, trainer: Mapping[str, Any], tensors: Stored, features: int) -> int:
    """Read k from the tensors, where the library reads it, else from the configuration."""
    if "k" in tensors:
        k, path = count(tensors.path, {"k": tensors.number("k")}, "k"), tensors.path
    else:
        k, path = count(config, trainer, "k"), config
    if k > features:
        raise BadInput(f"{shown(path)}: k = {k} is more than its {features} features")
    return k


def _calibrated(tensors: Stored) -> torch.Tensor:
    threshold = tensors.number("threshold")
    if threshold < 0:
        raise BadInput(
            f"{shown(tensors.path)} has the threshold {threshold:g}: it was never calibrated, so "
            "that every positive value would count; train it further, or set its threshold"
        )
    return torch.tensor(threshold)

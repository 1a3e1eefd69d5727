"""Loads SAEs in the format of EleutherAI's sparsify: cfg.json and sae.safetensors in one folder.

Tensors: encoder.weight [F, d] (transposed here), encoder.bias [F], W_dec [F, d] (as it is), b_dec
[d], W_skip [d, d]. b_dec is subtracted from the input unless the file says `transcode`; SAELens'
converter for this format ties it to `normalize_decoder` and transposes W_dec, both wrongly.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from core.sae.checks import decoder_notes, require_finite, require_shape
from core.sae.coder import Origin, Sae, Weights
from core.sae.topk import TopK
from data import tensorfile
from data.errors import BadInput
from data.tokens import sha256

DEFAULTS = {"k": 32, "activation": "topk", "expansion_factor": 32, "num_latents": 0}
FLOATS = {"F32", "F16", "BF16"}
NEEDED = ("encoder.weight", "encoder.bias", "b_dec")


def load(folder: Path, *, dtype: torch.dtype = torch.float32, source: str = "") -> Sae:
    """Load one hookpoint's SAE; weights are widened to `dtype`."""
    settings = read_settings(folder / "cfg.json")
    path = folder / "sae.safetensors"
    tensors, stored = read_tensors(path, dtype)
    weights = Weights(
        W_enc=tensors["encoder.weight"].T,
        b_enc=tensors["encoder.bias"],
        b_dec=tensors["b_dec"],
        W_dec=tensors.get("W_dec"),
        W_skip=tensors.get("W_skip"),
    )
    notes = check(weights, settings, path)
    transcode = settings.get("transcode", False)
    origin = Origin(
        source=source or str(folder),
        sha256=sha256(path),
        hookpoint=folder.name + (":in" if transcode else ""),
        settings={**settings, "dtype": stored},
        notes=notes,
    )
    return TopK(weights, settings["k"], centred=not transcode, origin=origin)


def read_settings(path: Path) -> dict[str, Any]:
    """Read cfg.json, filling in the format's defaults and refusing what cannot be."""
    settings = DEFAULTS | _stored(path)
    if settings.get("d_in") is None:
        raise BadInput(f"{path} is not a sparsify configuration (d_in is required)")
    if settings["activation"] != "topk" or settings.get("signed"):
        kind = "signed" if settings.get("signed") else settings["activation"]
        raise BadInput(f"{path} says activation {kind!r}: only topk is supported so far")
    if not isinstance(settings.get("transcode", False), bool):
        raise BadInput(f"{path}: transcode = {_said(settings['transcode'])} is not true or false")
    width = settings["d_in"] = _count(path, settings, "d_in")
    features = _count(path, settings, "num_latents", least=0)
    features = features or width * _count(path, settings, "expansion_factor")
    k = _count(path, settings, "k")
    if k > features:
        raise BadInput(f"{path}: k = {k} is more than its {features} features (num_latents)")
    return settings | {"num_latents": features, "k": k}


def _stored(path: Path) -> dict[str, Any]:
    try:
        # JSON has no NaN, but Python's reader has, and the catalogue would refuse it later.
        stored = json.loads(path.read_text("utf-8"), parse_constant=str)
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not a sparsify configuration: {error}") from error
    if not isinstance(stored, dict):
        raise BadInput(f"{path} is not a sparsify configuration (d_in is required)")
    return stored


def _count(path: Path, settings: dict[str, Any], key: str, *, least: int = 1) -> int:
    """Read a whole number; 4.0 is 4, but "4", true and null are mistakes to be told."""
    value = settings[key]
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or value < least:
        raise BadInput(f"{path}: {key} = {_said(value)} is not a whole number from {least} on")
    return int(value)


def _said(value: Any) -> str:
    """Spell a value as in the file, cut where it is long."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def read_tensors(path: Path, dtype: torch.dtype) -> tuple[dict[str, Tensor], str]:
    """Read all tensors by name, and the number format they are stored in."""
    found = tensorfile.tensors(path)
    missing = [name for name in NEEDED if name not in found]
    if missing:
        raise BadInput(f"{path} lacks the tensor {missing[0]}: it is not a sparsify SAE")
    stored = {found[name].dtype for name in found}
    if not stored <= FLOATS:
        raise BadInput(f"{path} stores {', '.join(sorted(stored - FLOATS))}, not F32, F16 or BF16")
    tensors = {name: tensor.to(dtype) for name, tensor in load_file(path).items()}
    return tensors, ", ".join(sorted(stored))


def check(weights: Weights, settings: dict[str, Any], path: Path) -> tuple[str, ...]:
    """Refuse shapes and numbers that cannot be; note what is odd."""
    d, features = settings["d_in"], settings["num_latents"]
    require_shape(path, "encoder.weight", weights.W_enc.T, (features, d))
    require_shape(path, "encoder.bias", weights.b_enc, (features,))
    require_shape(path, "b_dec", weights.b_dec, (d,))
    require_finite(path, weights)
    if weights.W_dec is None:
        return ("no decoder: no logit effects, decoder neighbours or reconstruction",)
    require_shape(path, "W_dec", weights.W_dec, (features, d))
    return decoder_notes(weights.W_dec)

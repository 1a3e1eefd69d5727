"""Loads SAEs in the format of EleutherAI's sparsify: cfg.json and sae.safetensors in one folder.

Tensors: encoder.weight [F, d] (transposed here), encoder.bias [F], W_dec [F, d] (as it is), b_dec
[d], W_skip [d, d]. b_dec is subtracted from the input unless the file says `transcode`; SAELens'
converter for this format ties it to `normalize_decoder` and transposes W_dec, both wrongly.
"""

import re
from pathlib import Path
from typing import Any

from core.sae.abstopk import AbsTopK
from core.sae.checks import notes_of
from core.sae.coder import Origin, Sae, Switches, Weights
from core.sae.groupmax import GroupMax
from core.sae.hooks import Hook
from core.sae.places import Place
from core.sae.settings import choice, count, read_settings, switch, word
from core.sae.stored import Stored, open_safetensors
from core.sae.topk import TopK
from data.errors import BadInput
from data.imports.foreign import file_sha256, shown

NAME = "sparsify"
SEED = re.compile(r"seed\d+")  # folders of SAEs that differ in nothing else
KINDS = {"topk": TopK, "groupmax": GroupMax, "signed": AbsTopK}


def load(place: Place) -> Sae:
    """Load one hookpoint's SAE; weights are widened to float32."""
    settings = _settings(place)
    stored = open_safetensors(place.path / "sae.safetensors", NAME)
    weights = _weights(stored, settings)
    hook = _hook(place, settings)
    origin = Origin(
        source=place.source,
        sha256=file_sha256(stored.path),
        hookpoint=_folder(place) + (":in" if settings["transcode"] else ""),
        settings={**settings, "format": NAME, "dtype": stored.dtype},
        notes=notes_of(weights, stored),
        hook=hook,
    )
    switches = Switches(
        centred=not settings["transcode"], transcoder=settings["transcode"], origin=origin
    )
    kind = "signed" if settings["signed"] else settings["activation"]
    return KINDS[kind](weights, settings["k"], **switches)


def read_hook(place: Place) -> Hook | None:
    """Say what it reads: the module that its folder is named after, unless the file names it."""
    return _hook(place, _settings(place))


def _hook(place: Place, settings: dict[str, Any]) -> Hook:
    name = word(settings, "hookpoint") or _folder(place)
    if settings["transcode"]:
        return Hook("module", name.removesuffix(":in"), side="in", writes=name.removesuffix(":in"))
    return Hook("module", name)


def _folder(place: Place) -> str:
    if place.name == "." and not Path(place.source).expanduser().exists():
        return Path(place.source).name  # of a repository, whose folder here is called by a hash
    folder = place.path.parent if SEED.fullmatch(place.path.name) else place.path
    return folder.name


def _settings(place: Place) -> dict[str, Any]:
    """Read cfg.json, filling in the format's defaults and refusing what cannot be."""
    path = place.path / "cfg.json"
    stored = read_settings(path)
    if stored.get("d_in") is None:
        raise BadInput(f"{shown(path)} is not a sparsify configuration (d_in is required)")
    width = count(path, stored, "d_in")
    features = count(path, stored, "num_latents", 0, least=0)
    features = features or width * count(path, stored, "expansion_factor", 32)
    known = {
        "d_in": width,
        "num_latents": features,
        "k": count(path, stored, "k", 32),
        "activation": choice(path, stored, "activation", ("topk", "groupmax"), "topk"),
        "signed": switch(path, stored, "signed", False),
        "transcode": switch(path, stored, "transcode", False),
        "skip_connection": switch(path, stored, "skip_connection", False),
    }
    _require_sense(place, known)
    return stored | known


def _require_sense(place: Place, known: dict[str, Any]) -> None:
    """Refuse what contradicts itself."""
    path, k, features = shown(place.path / "cfg.json"), known["k"], known["num_latents"]
    if k > features:
        raise BadInput(f"{path}: k = {k} is more than its {features} features (num_latents)")
    if known["activation"] == "groupmax" and known["signed"]:
        raise BadInput(f"{path} says both groupmax and signed: no such SAE is known")
    if known["activation"] == "groupmax" and features % k:
        raise BadInput(f"{path}: {features} features do not make k = {k} groups of one size")


def _weights(stored: Stored, settings: dict[str, Any]) -> Weights:
    d, n = settings["d_in"], settings["num_latents"]
    has_skip = settings["skip_connection"] or "W_skip" in stored
    return Weights(
        W_enc=stored.take("encoder.weight", n, d).T,
        b_enc=stored.take("encoder.bias", n),
        b_dec=stored.take("b_dec", d),
        W_dec=stored.take("W_dec", n, d) if "W_dec" in stored else None,
        W_skip=stored.take("W_skip", d, d) if has_skip else None,
    )

"""Loads OpenAI's sparse_autoencoder files: one `.pt` a layer, without a configuration.

Tensors: pre_bias [d] (= b_dec), latent_bias [F], encoder.weight [F, d] and decoder.weight [d, F]
(both transposed here); without a decoder the encoder is used for both. The activation function is a
word inside the file. TopK files, and no others, normalise their input (layer_norm).
"""

import re
from collections.abc import Mapping
from typing import Any

from core.sae.checks import notes_of
from core.sae.coder import Origin, Sae, Switches, Weights
from core.sae.hooks import Hook
from core.sae.places import Place
from core.sae.relu import ReLU
from core.sae.settings import choice, count, part
from core.sae.stored import Pickled, Stored, open_pt
from core.sae.topk import TopK
from data.errors import BadInput
from data.imports.foreign import file_sha256, shown

NAME = "OpenAI sparse_autoencoder"
ADDRESS = re.compile(
    r"(mlp_post_act|resid_(?:delta|post)_(?:attn|mlp))(?:_v\d+(?:_\w+)?)?/(?:autoencoders/)?(\d+)\.pt\b"
)
STATISTICS = ("stats_last_nonzero", "latents_activation_frequency", "latents_mean_square")
NOWHERE = (
    "its address does not end like resid_post_mlp_v5_32k/autoencoders/8.pt, so nothing says what "
    "it reads"
)


def load(place: Place) -> Sae:
    """Load one layer's SAE."""
    found = open_pt(place.path, NAME)
    tensors, path = found.tensors, place.path
    kind = choice(path, found.plain, "activation", ("ReLU", "TopK"), "ReLU")
    k = _k(place, found) if kind == "TopK" else None
    tensors.ignore(*STATISTICS, *(name for name in tensors.left if name.startswith("activation.")))
    weights = _weights(tensors)
    features = len(weights.b_enc)
    if k is not None and k > features:
        raise BadInput(f"{shown(path)}: k = {k} is more than its {features} features")
    hook = read_hook(place)
    origin = Origin(
        source=place.source,
        sha256=file_sha256(path),
        settings={"format": NAME, "activation": kind, "dtype": tensors.dtype}
        | ({} if k is None else {"k": k, "normalize_activations": "layer_norm"}),
        notes=(() if hook else (NOWHERE,)) + notes_of(weights, tensors),
        hook=hook,
    )
    if k is None:
        return ReLU(weights, origin=origin)
    return TopK(weights, k, **Switches(norm="layer_norm", origin=origin))


def read_hook(place: Place) -> Hook | None:
    """Say location and layer; None where the address does not."""
    found = ADDRESS.findall(place.words)
    if not found:
        return None
    location, layer = found[-1]
    model = "gpt2" if "gpt2-small" in place.words else None
    return Hook("openai", f"{location}/{layer}", model=model)


def is_one(found: Pickled) -> bool:
    """Say whether a state dictionary is one of these."""
    return "pre_bias" in found.tensors and "latent_bias" in found.tensors


def _k(place: Place, found: Pickled) -> int:
    plain: Mapping[str, Any] = found.plain
    state = part(place.path, plain, "activation_state_dict")
    choice(place.path, state, "postact_fn", ("ReLU",), "ReLU")
    return count(place.path, state, "k")


def _weights(tensors: Stored) -> Weights:
    d, features = tensors.length("pre_bias"), tensors.length("latent_bias")
    rows = tensors.take("encoder.weight", features, d)
    tied = "decoder.weight" not in tensors
    return Weights(
        W_enc=rows.T,
        b_enc=tensors.take("latent_bias", features),
        b_dec=tensors.take("pre_bias", d),
        W_dec=rows if tied else tensors.take("decoder.weight", d, features).T.contiguous(),
    )

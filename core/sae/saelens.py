"""Loads SAEs and transcoders of SAELens: cfg.json and sae_weights.safetensors in one folder.

Tensors: W_enc [d, F], b_enc [F], W_dec [F, d_out], b_dec [d_out]; threshold [F] of jumprelu;
b_gate, b_mag (= b_enc) and r_mag [F] of gated; W_skip [d_out, d]. Runs of batch-top-k are saved as
jumprelu, with one number in all of threshold.
"""

from dataclasses import replace

import torch
from torch import Tensor

from core.sae.assemble import Parts, assemble
from core.sae.checks import notes_of
from core.sae.coder import Origin, Sae, Weights
from core.sae.hooks import Hook
from core.sae.places import Place
from core.sae.saelens_settings import Facts, facts, hook_of, read
from core.sae.stored import Stored, open_safetensors
from data.imports.foreign import file_sha256

NAME = "SAELens"
UNFINISHED = (
    "a training checkpoint: its running threshold is taken for a fixed one, as the library does "
    "when it saves the finished SAE"
)


def load(place: Place) -> Sae:
    """Load an SAE of any architecture that is known."""
    path = place.path / "cfg.json"
    settings = read(path)
    known, hook = facts(path, settings), hook_of(path, settings, place.words)
    stored = open_safetensors(place.path / "sae_weights.safetensors", NAME)
    parts = _parts(stored, known)
    notes = (UNFINISHED,) if known.unfinished else ()
    if known.scale is not None:
        notes += (f"inputs are multiplied by {known.scale:g} (norm_scaling_factor)",)
    origin = Origin(
        source=place.source,
        sha256=file_sha256(stored.path),
        settings={**settings, "format": NAME, "dtype": stored.dtype},
        notes=notes + notes_of(parts.weights, stored, parts.threshold),
        hook=hook,
    )
    return assemble(
        parts,
        centred=known.centred,
        norm=known.norm,
        decoder_scaled=known.decoder_scaled,
        transcoder=known.transcoder,
        origin=origin,
    )


def read_hook(place: Place) -> Hook | None:
    """Say what it reads, as its configuration does."""
    path = place.path / "cfg.json"
    return hook_of(path, read(path), place.words)


def _parts(stored: Stored, known: Facts) -> Parts:
    weights, n = _weights(stored, known), known.d_sae
    if known.kind == "gated":
        b_gate, r_mag = stored.take("b_gate", n), stored.take("r_mag", n)
        return Parts("gated", weights, b_gate=b_gate, r_mag=r_mag)
    threshold = _threshold(stored, known) if known.kind == "jumprelu" else None
    return Parts(known.kind, weights, k=known.k, threshold=threshold)


def _weights(stored: Stored, known: Facts) -> Weights:
    d, d_out, n = known.d_in, known.d_out, known.d_sae
    weights = Weights(
        W_enc=stored.take("W_enc", d, n),
        b_enc=stored.take("b_mag" if known.kind == "gated" else "b_enc", n),
        b_dec=stored.take("b_dec", d_out),
        W_dec=stored.take("W_dec", n, d_out),
        W_skip=stored.take("W_skip", d_out, d) if known.skip else None,
        scaling_factor=_scaling_factor(stored, n),
    )
    return weights if known.scale is None else _folded(weights, known.scale)


def _scaling_factor(stored: Stored, n: int) -> Tensor | None:
    """Read what old files multiply activations by before W_dec; all ones mean nothing."""
    if "scaling_factor" not in stored:
        return None
    factor = stored.take("scaling_factor", n)
    return None if torch.allclose(factor, torch.ones_like(factor)) else factor


def _folded(weights: Weights, scale: float) -> Weights:
    """Let the weights read inputs that were not multiplied by `scale`, as they expect."""
    assert weights.W_dec is not None
    return replace(
        weights,
        W_enc=weights.W_enc * scale,
        W_dec=weights.W_dec / scale,
        b_dec=weights.b_dec / scale,
    )


def _threshold(stored: Stored, known: Facts) -> Tensor:
    if not known.unfinished:
        return stored.take("threshold", known.d_sae)
    running = stored.number("topk_threshold")
    # It is in units of the scaled activations, which folding divides.
    return torch.tensor(running / known.scale if known.scale and known.decoder_scaled else running)

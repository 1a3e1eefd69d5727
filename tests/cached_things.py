"""Subjects, SAEs and texts to be cached in tests, and caching them."""

from pathlib import Path

import tiny

from core.pipeline.caching import CacheRequest, cache_stage
from data import caches


def make_things(folder: Path) -> Path:
    """A subject, SAEs in several arrangements and a text, in one folder."""
    tiny.save_subject(folder / "model")
    for number, name in enumerate(("set/layers.1", "set/gpt_neox.layers.2", "my_a", "my_b")):
        tiny.save_sae(folder / name, tiny.weights(seed=number))
    tiny.save_sae(folder / "coder" / "layers.1.mlp", tiny.weights(seed=8), transcode=True)
    tiny.save_sae(folder / "plain" / "layers.1.mlp", tiny.weights(seed=9))
    (folder / "text.txt").write_text("\n".join(tiny.texts(4)))
    return folder


def request(things: Path, *saes: str, at=(), **other) -> CacheRequest:
    return CacheRequest(
        subject=str(things / "model"),
        saes=tuple(str(things / sae) for sae in saes or ("set/layers.1",)),
        corpus=str(things / "text.txt"),
        name="small",
        n_tokens=other.pop("n_tokens", 200),
        hookpoints=at,
        sequence_length=other.pop("sequence_length", 32),
        anyway=other.pop("anyway", True),  # their weights are random
        **other,
    )


def cached(catalogue, asked):
    progress = list(cache_stage(catalogue, asked))
    record = caches.cache(catalogue, asked.name)
    return [(h.name, h.sae_source.rsplit("/", 1)[-1]) for h in record.hookpoints], progress

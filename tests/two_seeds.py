"""Two caches of one tiny subject: the second has the first's SAEs with their features shuffled."""

from dataclasses import replace
from pathlib import Path

import tiny
import torch

from core.pipeline.caching import CacheRequest, cache_stage
from core.sae import Weights
from data import caches, ledger
from data.catalogue import Catalogue
from data.ledger import NewExplanation
from data.runs import Plan, end_run, start_run

ORDER = torch.randperm(24, generator=torch.Generator().manual_seed(5))  # feature i is ORDER[i]'s
FIRST, SECOND = "gpt_neox.layers.1", "gpt_neox.layers.2"


def shuffled(w: Weights) -> Weights:
    """The same features under other numbers."""
    assert w.W_dec is not None
    return replace(w, W_enc=w.W_enc[:, ORDER], b_enc=w.b_enc[ORDER], W_dec=w.W_dec[ORDER])


def make_store(folder: Path) -> Catalogue:
    """Cache both, two hookpoints each, on the same text."""
    things = folder / "things"
    tiny.save_subject(things / "model")
    (things / "text.txt").write_text("\n".join(tiny.texts(8)))
    catalogue = Catalogue(folder / "store")
    for name, change in (("one", lambda w: w), ("two", shuffled)):
        for seed in (1, 2):
            tiny.save_sae(things / name / f"layers.{seed}", change(tiny.weights(seed=seed)))
        request = CacheRequest(
            subject=str(things / "model"), saes=(str(things / name),), name=name,
            corpus=str(things / "text.txt"), n_tokens=1_000, sequence_length=32, anyway=True,
        )  # fmt: skip
        list(cache_stage(catalogue, request))
    return catalogue


def explain(
    catalogue: Catalogue, cache: str, hookpoint: str, texts: dict[int, str], attempt: int = 0
) -> list[int]:
    """Store words about some features, as a person would write them; attempt: how often before."""
    record = caches.cache(catalogue, cache)
    place = caches.hookpoint(record, hookpoint).hookpoint_id
    who = ledger.method_id(catalogue, "explainer", "human", None, {"explainer": "human"})
    plan = Plan("explain", record.cache_id, place, who, {"features": str(sorted(texts))})
    run = start_run(catalogue, plan, len(texts))
    news = [
        NewExplanation(feature, text, None, "done", None, 0.0, 0, None, None, attempt)
        for feature, text in texts.items()
    ]
    ids = ledger.write_explanations(catalogue, place, who, None, run, news)
    end_run(catalogue, run, "done")
    return ids

"""Which train contexts an explainer sees.

    quantiles  an equal share of each decile (methods.md 1.1: best or equal in the paper's table A6)
    random     uniform
    top        the strongest
    mix        half from the strongest 200, half from all

A feature with too few contexts for a score (10 to 39) is explained from all of them, test included:
nothing is judged on them.
"""

from typing import Literal

import numpy as np

from core import seeds
from core.examples.activating import RARE, REASONS, Activating, Stream, activating
from core.examples.contexts import TRAIN, Contexts
from core.examples.draw import (
    ACTIVATING,
    NO_SOURCE,
    Columns,
    FeatureExamples,
    alone,
    quantiles,
)

Sampling = Literal["quantiles", "random", "top", "mix"]
Part = Literal["train", "fit", "selection"]  # fit and selection together are train
STRONGEST = 200  # contexts that half of a mix comes from


def explainer_contexts(
    contexts: Contexts,
    columns: Columns,
    feature: int,
    *,
    hookpoint: str,
    sampling: Sampling = "quantiles",
    size: int = 40,
    part: Part = "train",
    attempt: int = 0,
) -> FeatureExamples:
    """Draw up to `size` train contexts for an explainer; each attempt draws anew.

    Attempt 0 of `quantiles` over all of train is what draw() gives as the train sample.
    """
    stream = Stream(contexts.seed, hookpoint, np.array([feature]))
    one = alone(columns.slice(feature))
    found = activating(contexts, one, stream)
    seed = stream.seeds("train" if not attempt else f"train-{attempt}")
    usable = _usable(contexts, found, part)
    if sampling == "quantiles":
        everywhere = found._replace(split=np.full_like(found.split, TRAIN))
        entry = quantiles(everywhere, seed, TRAIN, size=size, among=usable)
    else:
        entry = _chosen(found, np.flatnonzero(usable), seed, sampling, size)
    return _only(contexts, found, entry, feature)


def _usable(contexts: Contexts, found: Activating, part: Part) -> np.ndarray:
    """Say which entries an explainer may see, bool [entries]."""
    if REASONS[found.reason[0]] in ("rare", "scarce"):
        return np.ones(len(found.tile), dtype=bool)
    train, kept = found.split == TRAIN, contexts.selection[found.tile]
    return {"train": train, "fit": train & ~kept, "selection": kept}[part]


def _chosen(
    found: Activating, entry: np.ndarray, seed: np.ndarray, sampling: Sampling, size: int
) -> np.ndarray:
    """Choose among entries that lie weakest first, int64 [n], weakest first."""
    if sampling == "top":
        return entry[max(0, len(entry) - size) :]
    half = size // 2 if sampling == "mix" else 0
    strong = _shuffled(found, entry[max(0, len(entry) - STRONGEST) :], seed)[:half]
    rest = _shuffled(found, np.setdiff1d(entry, strong), seed)[: size - half]
    return np.sort(np.concatenate([strong, rest]))


def _shuffled(found: Activating, entry: np.ndarray, seed: np.ndarray) -> np.ndarray:
    return entry[np.argsort(seeds.draws(seed[0], found.tile[entry]), kind="stable")]


def _only(
    contexts: Contexts, found: Activating, entry: np.ndarray, feature: int
) -> FeatureExamples:
    """Dress chosen entries of one feature as its examples."""
    n = len(entry)
    return FeatureExamples(
        feature=feature,
        kind=np.full(n, ACTIVATING, dtype=np.uint8),
        split=found.split[entry],
        decile=found.decile[entry],
        first_token=contexts.first_token(found.tile[entry]),
        peak=found.peak[entry],
        multiplicity=found.multiplicity[entry].astype(np.int32),
        source=np.full(n, NO_SOURCE, dtype=np.int32),
        decile_edges=found.edges[0] if found.n_contexts[0] >= RARE else None,
        n_contexts=int(found.n_contexts[0]),
        reason=REASONS[found.reason[0]],
        tied=bool(found.tied[0]),
        removed={},
    )

"""The contexts of a feature as the catalogue has them, instead of as they would be drawn.

Where a run was imported its contexts are what was judged; in a cache without activations they are
all there is. Contexts differ in length there.
"""

from collections.abc import Sequence

import numpy as np

from core import seeds
from core.examples.contexts import SPLITS, TEST
from core.examples.draw import ACTIVATING, KINDS, NO_SOURCE, FeatureExamples
from core.examples.sampling import STRONGEST, Sampling
from data.catalogue import Row

INTERVAL = ("low", "high", "share")  # of exports that group contexts so instead of by deciles
NO_CONTEXTS = "no-contexts"  # reason: none of a feature's imported contexts is left to be judged


def stored_contexts(rows: Sequence[Row], feature: int) -> FeatureExamples:
    """Contexts from rows of `example` (data.items.examples), in the order of their slots."""

    def column(name: str, kind: type, empty: float = 0) -> np.ndarray:
        return np.array([empty if row[name] is None else row[name] for row in rows], kind)

    kind = np.array([KINDS.index(row["kind"]) for row in rows], np.uint8)
    split = np.array([SPLITS.index(row["split"] or SPLITS[TEST]) for row in rows], np.uint8)
    found = FeatureExamples(
        feature=feature,
        kind=kind,
        split=split,
        decile=column("decile", np.uint8),
        first_token=column("first_token", np.uint64),
        peak=column("peak", np.float32),
        multiplicity=np.ones(len(rows), np.int32),
        source=column("source", np.int32, NO_SOURCE),
        decile_edges=None,
        n_contexts=int((kind == ACTIVATING).sum()),
        reason=None,
        tied=False,
        removed={},
        interval=np.stack([column(name, np.float32, np.nan) for name in INTERVAL], axis=1),
        length=column("length", np.int64),
    )
    return with_split(found, split)


def with_split(examples: FeatureExamples, split: np.ndarray) -> FeatureExamples:
    """Say which contexts are for explainers and which for judges, TRAIN or TEST [n]."""
    is_judged = ((examples.kind == ACTIVATING) & (split == TEST)).any()
    return examples._replace(
        split=split.astype(np.uint8), reason=None if is_judged else NO_CONTEXTS
    )


def shuffled(examples: FeatureExamples, seed: int) -> FeatureExamples:
    """Put stored contexts into the order of a draw: those of a kind and decile lie together, in
    random order, weakest decile first; what no decile is known of stands before all of them.
    """
    lot = seeds.draws(seed, examples.first_token.astype(np.int64))
    return examples.at(np.lexsort((lot, examples.decile, examples.kind)))


def sampled(peak: np.ndarray, seed: int, sampling: Sampling, size: int) -> np.ndarray:
    """Choose up to `size` train contexts of an import for an explainer, entries int64 [m].

    Deciles of a corpus are not known there: `quantiles` takes them at equal distances in the order
    of their peaks, which is what the import has of strong and weak ones.

    >>> sampled([5., 1., 3., 2., 4.], 0, "quantiles", 3)
    [1, 2, 0]
    """
    order = np.argsort(peak, kind="stable")
    n, strong = len(order), len(order) - STRONGEST
    if n <= size or sampling == "top":
        return order[max(0, n - size) :]
    if sampling == "quantiles":
        return order[np.linspace(0, n - 1, size).round().astype(np.int64)]
    lot = order[np.argsort(seeds.draws(seed, order), kind="stable")]
    if sampling == "random":
        return lot[:size]
    first = lot[np.isin(lot, order[max(0, strong) :])][: size // 2]
    return np.concatenate([first, lot[~np.isin(lot, first)][: size - len(first)]])

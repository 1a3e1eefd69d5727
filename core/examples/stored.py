"""The contexts of a feature as the catalogue has them, instead of as they would be drawn.

Where a run was imported its contexts are what was judged; in a cache without activations they are
all there is. Contexts differ in length there.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.examples.contexts import SPLITS, TEST
from core.examples.draw import ACTIVATING, KINDS, NO_SOURCE, FeatureExamples
from data.catalogue import Row

INTERVAL = ("low", "high", "share")  # of exports that group contexts so instead of by deciles


class StoredContexts(NamedTuple):
    """A feature's stored contexts, and the length of each."""

    examples: FeatureExamples
    length: np.ndarray  # tokens, int64 [n]


def stored_contexts(rows: Sequence[Row], feature: int) -> StoredContexts:
    """Contexts from rows of `example` (data.items.examples), in the order of their slots."""

    def column(name: str, kind: type, empty: float = 0) -> np.ndarray:
        return np.array([empty if row[name] is None else row[name] for row in rows], kind)

    kind = np.array([KINDS.index(row["kind"]) for row in rows], np.uint8)
    examples = FeatureExamples(
        feature=feature,
        kind=kind,
        split=np.array([SPLITS.index(row["split"] or SPLITS[TEST]) for row in rows], np.uint8),
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
    )
    return StoredContexts(examples, column("length", np.int64))

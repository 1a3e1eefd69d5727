"""Features of a cache for exports: block by block, in one visit of the catalogue each.

A visit is short, so that a long export keeps nobody from writing; what is read of a block is in
memory together, so a block is small.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from core.drawing.feature import open_reader, stored_examples
from core.drawing.reader import Reader
from core.pipeline import selection
from core.pipeline.workbench import Workbench
from data import caches, queries, results
from data.catalogue import Catalogue, Row
from data.errors import BadInput
from data.exports import queries as asked
from data.exports.queries import Making
from data.records import CacheRecord, ExplanationRecord, HookpointRecord

BLOCK = 16  # features; a thousand verdicts each are about a megabyte


class Known(NamedTuple):
    """What the catalogue has of one feature."""

    feature: int
    facts: Row  # columns of feature and feature_chart; {} where there is no row
    explanations: list[ExplanationRecord]  # oldest first, with all their scores
    neighbours: list[Row]  # by measure, nearest first
    verdicts: list[Row]
    makings: dict[int, Making]  # by explanation_id
    stored: list[Row]  # contexts of an import


class Bench:
    """A cache that is opened for an export."""

    def __init__(self, catalogue: Catalogue, name: str) -> None:
        self.catalogue = catalogue
        self.record: CacheRecord = caches.cache(catalogue, name)
        self.work = Workbench.open(catalogue, self.record)

    def hookpoints(self, names: Sequence[str]) -> list[HookpointRecord]:
        """The hookpoints that were asked for, all if none."""
        chosen = [caches.hookpoint(self.record, name) for name in names]
        return list(dict.fromkeys(chosen)) or list(self.record.hookpoints)

    def features(self, hookpoint: HookpointRecord, spec: str) -> list[int]:
        """Numbers of the features that were asked for, ascending."""
        with self.catalogue.reading() as con:
            live = queries.live_features(con, hookpoint.hookpoint_id)
        found = selection.features(
            spec, np.array(live, np.int64), hookpoint.n_features,
            seed=self.record.seed, name=hookpoint.name,
        ).tolist()  # fmt: skip
        if not found:
            raise BadInput(
                f"--features {spec} is none of {hookpoint.name} of cache '{self.record.name}': "
                "no feature of it ever fired"
            )
        return found

    def known(self, hookpoint: HookpointRecord, features: Sequence[int]) -> Iterator[Known]:
        """Everything of each feature, in the order given."""
        for low in range(0, len(features), BLOCK):
            yield from self._block(hookpoint, features[low : low + BLOCK])

    def _block(self, hookpoint: HookpointRecord, features: Sequence[int]) -> list[Known]:
        number = hookpoint.hookpoint_id
        with self.catalogue.reading() as con:
            return [
                Known(
                    feature=feature,
                    facts=queries.facts(con, number, feature) or {},
                    explanations=results.explanations(con, number, feature).get(feature, []),
                    neighbours=queries.neighbours(con, number, feature),
                    verdicts=asked.verdicts(con, number, feature),
                    makings=asked.makings(con, number, feature),
                    stored=stored_examples(con, self.work, hookpoint, feature),
                )
                for feature in features
            ]

    def contexts(
        self, hookpoint: HookpointRecord, features: Sequence[int]
    ) -> Iterator[tuple[int, Reader]]:
        """The reader of each feature's contexts, in the order given."""
        for low in range(0, len(features), BLOCK):
            block = features[low : low + BLOCK]
            with self.catalogue.reading() as con:
                stored = [stored_examples(con, self.work, hookpoint, one) for one in block]
            for feature, rows in zip(block, stored, strict=True):
                yield feature, open_reader(self.work, hookpoint, feature, rows)

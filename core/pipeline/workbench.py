"""One cache, opened for explaining and scoring: its files, contexts and grammar tables.

Opened once per process and shared by all features; everything in it is read-only and made when it
is first asked for. Loads no model.
"""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np

from core.examples import PRESETS, Contexts, FeatureExamples, Preset, draw
from core.examples.activating import REASONS, Stream, activating
from core.examples.contexts import FEWEST_SEQUENCES, TRAIN, spread
from core.examples.draw import ACTIVATING, alone
from core.grammar import Corpus
from core.pipeline import selection
from core.pipeline.stored import FEWEST_TAUGHT, UNTAUGHT, Stored
from data import caches
from data.activations import Columns, FeatureActivations
from data.cachefiles import CacheFiles
from data.catalogue import Catalogue
from data.errors import BadInput
from data.records import CacheRecord, HookpointRecord


class Workbench:
    """What explaining and scoring need of one cache."""

    def __init__(
        self,
        record: CacheRecord,
        folder: Path,
        context_length: int | None = None,
        stored: Stored | None = None,
    ) -> None:
        self.record = record
        self.stored = stored  # contexts to take as they are; None = contexts are drawn
        self.files = CacheFiles.open(folder)
        self.context_length = context_length or self.files.meta.context_length  # tokens
        self._columns: dict[int, Columns] = {}
        self._lock = Lock()  # the dashboard's sessions share one workbench

    @classmethod
    def open(
        cls, catalogue: Catalogue, record: CacheRecord, context_length: int | None = None
    ) -> "Workbench":
        """Open a finished cache of a store; context_length: a preset's, the cache's own if None.

        Contexts that were imported alone keep their length, whatever the preset's is.
        """
        caches.require_done(record)
        folder = catalogue.store / record.folder
        if not record.has_activations:
            return cls(record, folder, stored=Stored(catalogue, record.seed))
        return cls(record, folder, context_length)

    @cached_property
    def contexts(self) -> Contexts:
        """All contexts of the cache, split into train and test."""
        return Contexts.open(self.files, self.context_length)

    @cached_property
    def corpus(self) -> Corpus:
        """The grammar's tables over the tokens of the cache."""
        files, contexts = self.files, self.contexts
        return Corpus(
            files.tokens.matrix(),
            files.vocabulary.strings,
            files.meta.special_ids,
            files.tokens.documents(),
            contexts.train,
            contexts.selection_sequences,
        )

    def require_activations(self) -> None:
        """Refuse a cache that holds some contexts of an import and nothing else."""
        if not self.record.has_activations:
            raise BadInput(
                f"cache '{self.record.name}' was imported without activations, so nothing can be "
                "drawn from it; import a run that has them, or make a cache with gloss cache"
            )

    def require_split(self) -> None:
        """Refuse a cache too small for train and test to be apart."""
        self.require_activations()
        if self.contexts.split_by != "sequence":
            raise BadInput(
                f"cache '{self.record.name}' has {self.record.n_sequences} sequences, too few to "
                f"keep train and test apart; make one with at least {FEWEST_SEQUENCES}"
            )

    def columns(self, hookpoint: HookpointRecord) -> Columns:
        """The activations of one hookpoint."""
        with self._lock:
            if hookpoint.hookpoint_id not in self._columns:
                opened = self.files.columns(hookpoint.hookpoint_id)
                self._columns[hookpoint.hookpoint_id] = opened
            return self._columns[hookpoint.hookpoint_id]

    def slice(self, hookpoint: HookpointRecord, feature: int) -> FeatureActivations:
        """Every activation of one feature."""
        return self.columns(hookpoint).slice(feature)

    def draw(
        self, hookpoint: HookpointRecord, feature: int, preset: Preset | None = None
    ) -> FeatureExamples:
        """The contexts of one feature under a preset; those of an import as they came.

        Without a preset as many as gloss draws, of the length that the contexts here have.
        """
        preset = preset or replace(PRESETS["gloss"], context_length=self.contexts.length)
        if self.stored is not None:
            return self.stored.examples(hookpoint, feature)
        self.require_activations()
        return draw(
            self.contexts, self.columns(hookpoint), feature, preset, hookpoint=hookpoint.name
        )

    def taught(self, hookpoint: HookpointRecord, feature: int) -> FeatureExamples:
        """What explainers may be shown of an import's contexts: train ones with activations."""
        examples = self.draw(hookpoint, feature)
        found = self.slice(hookpoint, feature)
        valued = spread(found, examples.first_token, self.contexts.length).any(axis=1)
        shown = valued & (examples.kind == ACTIVATING) & (examples.split == TRAIN)
        return examples.at(np.flatnonzero(shown))

    def reason(
        self, hookpoint: HookpointRecord, feature: int, found: FeatureActivations
    ) -> str | None:
        """Why a feature gets less than the full protocol; None = it does not. Draws nothing."""
        if self.stored is not None:
            few = len(self.taught(hookpoint, feature).first_token) < FEWEST_TAUGHT
            return UNTAUGHT if few else None
        stream = Stream(self.contexts.seed, hookpoint.name, np.array([feature]))
        return REASONS[activating(self.contexts, alone(found), stream).reason[0]]

    def chosen(self, hookpoint: HookpointRecord, spec: str) -> list[int]:
        """Numbers of the features that were asked for (selection.py), ascending."""
        return selection.features(
            spec, self.live(hookpoint), hookpoint.n_features,
            seed=self.record.seed, name=hookpoint.name,
        ).tolist()  # fmt: skip

    def live(self, hookpoint: HookpointRecord) -> np.ndarray:
        """Numbers of the features that fired, or that an import is about, ascending, int64."""
        if self.stored is not None:
            return self.stored.features(hookpoint)
        return np.flatnonzero(self.columns(hookpoint).counts())

"""Judging one feature with the grammar: its explanations asked about the feature's items.

What a worker process of the scoring stage does, and a thread of the dashboard for one feature.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from core.examples import PRESETS, FeatureExamples, Neighbour, Preset, with_neighbours, with_token
from core.grammar import parse
from core.pipeline.explaining import shared_workbench
from core.pipeline.workbench import Workbench
from core.score.detection import score_detection
from core.score.fuzzing import fuzzing_items, score_fuzzing
from core.score.items import Items, detection_items
from core.score.judge import GrammarJudge
from core.score.metrics import METRIC, Setting
from core.seeds import seed_of
from data import ledger
from data.activations import FeatureActivations
from data.items import ItemTable
from data.records import CacheRecord, HookpointRecord, Score

SCORERS = ("detection", "fuzzing")
KINDS = ("token", "neighbour")
JUDGE = "grammar"


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """What `gloss score` was asked for."""

    cache: str
    hookpoints: tuple[str, ...] = ()  # () = all of the cache
    features: str = "all"
    scorers: tuple[str, ...] = SCORERS
    run_id: int | None = None  # only explanations of this run
    preset: str = "gloss"
    kinds: tuple[str, ...] = ()  # harder non-activating contexts, reported apart
    workers: int = 0

    @property
    def settings(self) -> dict[str, object]:
        """The settings as a person compares runs."""
        return {
            "features": self.features,
            "scorers": list(self.scorers),
            "preset": self.preset,
            "kinds": list(self.kinds),
            "judge": JUDGE,
        }

    @property
    def label(self) -> str:
        """The preset with what was asked for beyond it, e.g. "gloss+token"."""
        return "+".join((self.preset, *sorted(self.kinds)))


@dataclass(frozen=True, slots=True)
class Asked:
    """One feature's explanations that want a score."""

    feature: int
    rules: tuple[tuple[int, str], ...]  # explanation_id, canonical text of its rules
    nearest: tuple[Neighbour, ...] = ()  # nearest first; only where neighbours are asked for


@dataclass(frozen=True, slots=True)
class JudgeWork:
    """Judges a chunk of features with the grammar; pickled to the workers."""

    record: CacheRecord
    folder: Path
    hookpoint: HookpointRecord
    request: ScoreRequest
    scorer_ids: tuple[int, ...]  # as request.scorers

    def __call__(self, asked: list[Asked]) -> list[list[ledger.Judgement]]:
        """Judge each feature of the chunk."""
        bench = shared_workbench(
            self.record, self.folder, PRESETS[self.request.preset].context_length
        )
        return [self.one(bench, question) for question in asked]

    def one(self, bench: Workbench, asked: Asked) -> list[ledger.Judgement]:
        """Judge all explanations of one feature; a feature with too few contexts gets no score."""
        preset = PRESETS[self.request.preset]
        examples = bench.draw(self.hookpoint, asked.feature, preset)
        if examples.reason not in (None, "reduced"):
            return list(self._unscored(asked, examples.reason or ""))
        activations = bench.slice(self.hookpoint, asked.feature)
        examples = self._with_kinds(bench, asked, activations, examples, preset)
        made: list[ledger.Judgement] = []
        for scorer, scorer_id in zip(self.request.scorers, self.scorer_ids, strict=True):
            items = self._items(bench, scorer, asked, activations, examples, preset)
            made += self._judged(bench, scorer, scorer_id, items, asked, examples)
        return made

    def _unscored(self, asked: Asked, reason: str) -> Iterator[ledger.Judgement]:
        """Undefined scores, with the reason: the preset's contexts are too few."""
        nothing = ItemTable(
            kind=[],
            decile=np.empty(0, np.uint8),
            first_token=np.empty(0, np.uint64),
            peak=np.empty(0, np.float32),
            marks=[],
        )
        for scorer, scorer_id in zip(self.request.scorers, self.scorer_ids, strict=True):
            score = Score(
                scorer=scorer, metric=METRIC, value=None, low=None, high=None, tpr=None, tnr=None,
                n=0, failed=0, judge=JUDGE, preset=self.request.label, by_decile={},
                non_activating={}, detail={"reason": reason},
            )  # fmt: skip
            for explanation_id, _ in asked.rules:
                yield ledger.Judgement(
                    explanation_id, asked.feature, scorer_id, scorer, self.request.label, nothing,
                    np.empty(0, np.int8), None, score,
                )  # fmt: skip

    def _with_kinds(
        self,
        bench: Workbench,
        asked: Asked,
        activations: FeatureActivations,
        examples: FeatureExamples,
        preset: Preset,
    ) -> FeatureExamples:
        contexts, name, size = bench.contexts, self.hookpoint.name, preset.on_request
        if "token" in self.request.kinds:
            examples = with_token(contexts, activations, examples, hookpoint=name, size=size)
        if "neighbour" in self.request.kinds:
            columns, nearest = bench.columns(self.hookpoint), asked.nearest
            examples = with_neighbours(
                contexts, columns, activations, examples, nearest, hookpoint=name, size=size
            )
        return examples

    def _items(
        self,
        bench: Workbench,
        scorer: str,
        asked: Asked,
        activations: FeatureActivations,
        examples: FeatureExamples,
        preset: Preset,
    ) -> Items:
        name = self.hookpoint.name
        if scorer == "detection":
            return detection_items(bench.contexts, examples, preset, hookpoint=name)
        others = {near.feature: bench.slice(self.hookpoint, near.feature) for near in asked.nearest}
        return fuzzing_items(
            bench.contexts, activations, examples, preset, hookpoint=name, others=others or None
        )

    def _judged(
        self,
        bench: Workbench,
        scorer: str,
        scorer_id: int,
        items: Items,
        asked: Asked,
        examples: FeatureExamples,
    ) -> Iterator[ledger.Judgement]:
        tokens = bench.files.tokens.windows(items.first_token, bench.contexts.length)
        seed = seed_of(bench.record.seed, self.hookpoint.name, asked.feature, f"{scorer}-bootstrap")
        setting = Setting(scorer, JUDGE, self.request.label, seed)
        rate = examples.n_contexts / max(1, bench.contexts.n_distinct)
        table = item_table(items, scorer, bench.contexts.length)
        for explanation_id, rule in asked.rules:
            answers = GrammarJudge(parse(rule), bench.corpus.words).answer(scorer, items, tokens)
            score: Score = (
                score_detection(items, answers, setting, rate)
                if scorer == "detection"
                else score_fuzzing(items, answers, setting)
            )
            if examples.removed:
                score = replace(score, detail=score.detail | {"removed": examples.removed})
            yield ledger.Judgement(
                explanation_id=explanation_id,
                feature=asked.feature,
                scorer_id=scorer_id,
                scorer=scorer,
                preset=self.request.label,
                items=table,
                predicted=answers.verdict,
                probability=answers.probability,
                score=score,
            )


def item_table(items: Items, scorer: str, length: int) -> ItemTable:
    """Items as the catalogue keeps them; marks as offsets."""
    marks: Sequence[Sequence[int] | None] = [None] * len(items.kind)
    if scorer == "fuzzing":
        marks = [np.flatnonzero(row).tolist() for row in items.marks]
    return ItemTable(items.kinds, items.decile, items.first_token, items.peak, marks, length)

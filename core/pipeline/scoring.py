"""The stage that scores: explanations and test contexts in, verdicts and scores out.

Every explanation of a feature is asked about the same items. An explanation that has a score of
the same scorer, judge and preset is left alone, so that a second run adds nothing and a killed one
goes on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from core.examples import PRESETS, FeatureExamples, Neighbour, Preset, with_neighbours, with_token
from core.grammar import parse
from core.pipeline import selection
from core.pipeline.explaining import shared_workbench
from core.pipeline.running import Meter, running
from core.pipeline.workbench import Workbench
from core.pipeline.workers import default_workers, in_order
from core.score.detection import score_detection
from core.score.fuzzing import fuzzing_items, score_fuzzing
from core.score.items import Items, detection_items
from core.score.judge import GrammarJudge
from core.score.metrics import Setting
from core.seeds import seed_of
from data import caches, ledger
from data.activations import FeatureActivations
from data.catalogue import Catalogue
from data.errors import BadInput
from data.items import ItemTable
from data.records import CacheRecord, HookpointRecord, Progress, Score
from data.runs import Plan

CHUNK = 48  # features in one transaction
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
        return "+".join((self.preset, *self.kinds))


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
            return []
        activations = bench.slice(self.hookpoint, asked.feature)
        examples = self._with_kinds(bench, asked, activations, examples, preset)
        made: list[ledger.Judgement] = []
        for scorer, scorer_id in zip(self.request.scorers, self.scorer_ids, strict=True):
            items = self._items(bench, scorer, asked, activations, examples, preset)
            made += self._judged(bench, scorer, scorer_id, items, asked, examples)
        return made

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
        table = item_table(items, scorer)
        for explanation_id, rule in asked.rules:
            answers = GrammarJudge(parse(rule), bench.corpus.words).answer(scorer, items, tokens)
            score: Score = (
                score_detection(items, answers, setting, rate)
                if scorer == "detection"
                else score_fuzzing(items, answers, setting)
            )
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


def item_table(items: Items, scorer: str) -> ItemTable:
    """Items as the catalogue keeps them; marks as offsets."""
    marks: Sequence[Sequence[int] | None] = [None] * len(items.kind)
    if scorer == "fuzzing":
        marks = [np.flatnonzero(row).tolist() for row in items.marks]
    return ItemTable(items.kinds, items.decile, items.first_token, items.peak, marks)


def score_stage(catalogue: Catalogue, request: ScoreRequest) -> Iterator[Progress]:
    """Judge the explanations of a cache, one run a hookpoint."""
    _check(request)
    record = caches.cache(catalogue, request.cache)
    bench = Workbench.open(catalogue, record)
    named = [caches.hookpoint(record, name) for name in request.hookpoints]
    for hookpoint in named or record.hookpoints:
        yield from _score_hookpoint(catalogue, request, bench, hookpoint)


def _check(request: ScoreRequest) -> None:
    for name, known, flag in (
        *((scorer, SCORERS, "--scorers") for scorer in request.scorers),
        *((kind, KINDS, "--kinds") for kind in request.kinds),
        (request.preset, tuple(PRESETS), "--preset"),
    ):
        if name not in known:
            raise BadInput(f"{flag} {name}: there is {', '.join(known)}")


def _score_hookpoint(
    catalogue: Catalogue, request: ScoreRequest, bench: Workbench, hookpoint: HookpointRecord
) -> Iterator[Progress]:
    record = bench.record
    chosen = selection.features(
        request.features, bench.live(hookpoint), hookpoint.n_features,
        seed=record.seed, name=hookpoint.name,
    )  # fmt: skip
    scorer_ids = grammar_scorers(catalogue, request)
    asked = unscored_features(catalogue, request, hookpoint, scorer_ids, set(chosen.tolist()))
    if not asked:
        return
    meter = Meter(f"scoring {hookpoint.name}", len(asked))
    plan = Plan("score", record.cache_id, hookpoint.hookpoint_id, scorer_ids[0], request.settings)
    work = JudgeWork(record, bench.files.folder, hookpoint, request, scorer_ids)
    yield meter.now()
    with running(catalogue, plan, len(asked)) as run_id:
        pieces = [asked[i : i + CHUNK] for i in range(0, len(asked), CHUNK)]
        for made in in_order(work, pieces, request.workers or default_workers()):
            fresh = [judgement for feature in made for judgement in feature]
            ledger.write_judgements(
                catalogue, hookpoint.hookpoint_id, run_id, fresh, features_done=len(made)
            )
            yield meter.advance(len(made))
        ledger.summarise_deciles(catalogue, run_id)


def grammar_scorers(catalogue: Catalogue, request: ScoreRequest) -> tuple[int, ...]:
    """The scorer_id of each scorer with the grammar as judge."""
    settings = {"preset": request.label}
    return tuple(
        ledger.method_id(catalogue, "scorer", scorer, JUDGE, settings) for scorer in request.scorers
    )


RULES = """
select e.explanation_id, e.feature, e.rule
from explanation e
join feature f using (hookpoint_id, feature)
where e.hookpoint_id = ? and e.feature between ? and ? and e.rule is not null
    and (? is null or e.run_id = ?)
    and (f.reason is null or f.reason = 'reduced')
order by e.feature, e.explanation_id
"""
NEAREST = """
select feature, other, value
from neighbour
where hookpoint_id = ? and measure = 'cosine'
order by feature, rank
"""


def unscored_features(
    catalogue: Catalogue,
    request: ScoreRequest,
    hookpoint: HookpointRecord,
    scorer_ids: Sequence[int],
    chosen: set[int],
) -> list[Asked]:
    """The chosen features with explanations that lack a score; those with too few contexts go."""
    if not chosen:
        return []
    span = [min(chosen), max(chosen)]
    with catalogue.reading() as con:
        rows = con.rows(RULES, [hookpoint.hookpoint_id, *span, request.run_id, request.run_id])
    rows = [row for row in rows if row["feature"] in chosen]
    missing = ledger.unscored(
        catalogue, hookpoint.hookpoint_id, scorer_ids, [row["explanation_id"] for row in rows]
    )
    found: dict[int, list[tuple[int, str]]] = {}
    for row in rows:
        if row["explanation_id"] in missing:
            found.setdefault(row["feature"], []).append((row["explanation_id"], row["rule"]))
    asked = [Asked(feature, tuple(rules)) for feature, rules in found.items()]
    return _with_nearest(catalogue, hookpoint, asked) if "neighbour" in request.kinds else asked


def _with_nearest(
    catalogue: Catalogue, hookpoint: HookpointRecord, asked: list[Asked]
) -> list[Asked]:
    nearest: dict[int, list[Neighbour]] = {}
    with catalogue.reading() as con:
        for row in con.rows(NEAREST, [hookpoint.hookpoint_id]):
            nearest.setdefault(row["feature"], []).append(Neighbour(row["other"], row["value"]))
    return [replace(one, nearest=tuple(nearest.get(one.feature, ()))) for one in asked]

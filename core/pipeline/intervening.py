"""The stage of interventions: features pushed, explained and judged, beside their baselines.

Features with their ablations, then a random SAE, then explanations that are exchanged between
features, each a run of its own. What a study holds already is left alone: a killed stage goes on,
and a finished one does nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.intervening.prompts import Active, Text
from core.intervening.random_sae import RandomFeatures, run_random
from core.intervening.settings import KLS, Sizes
from core.intervening.spelling import spelling
from core.intervening.study import Study
from core.llm.settings import EndpointSettings
from core.pipeline.crowd import as_finished
from core.pipeline.explaining_model import traffic_note
from core.pipeline.intervening_rows import Series, row_of
from core.pipeline.intervening_shuffled import Exchange, exchanged, exchanges
from core.pipeline.intervening_tools import TEMPLATE, Tools, opened
from core.pipeline.running import Meter, running
from core.pipeline.workbench import Workbench
from data import caches, interventions, ledger
from data.catalogue import Catalogue
from data.errors import BadInput
from data.interventions import InterventionRow, Place
from data.records import HookpointRecord, Progress, total_usage
from data.runs import Plan

BASELINES = ("random-sae", "shuffled", "ablation")
EXPLAINER = "rising"
RANDOM_FEATURES = 200  # of the random SAE, at most; else as many as features are chosen


@dataclass(frozen=True, slots=True)
class InterveneRequest:
    """What `gloss intervene` was asked for."""

    cache: str
    hookpoints: tuple[str, ...] = ()  # () = all of the cache
    features: str = "random:50"
    kls: tuple[float, ...] = KLS  # nats
    sizes: Sizes = field(default_factory=Sizes)
    judge_model: str = ""  # folder or hub id of a local model
    judge: str = ""  # or a model of the endpoint
    endpoint: EndpointSettings | None = None
    explainer: str = TEMPLATE  # or a model of the endpoint
    baselines: tuple[str, ...] = BASELINES
    device: str = "auto"
    command: tuple[str, ...] = field(default=(), compare=False)  # as typed, to go on with

    def settings(self, arms: str) -> dict[str, object]:
        """The settings of a run, as a person compares them."""
        return {
            "features": self.features, "kl": list(self.kls), "explainer": self.explainer,
            "judge": self.judge_model or self.judge, "arms": arms,
        } | self.sizes.recorded()  # fmt: skip


def check(request: InterveneRequest) -> None:
    """Refuse what cannot be done, before anything is loaded."""
    for name in request.baselines:
        if name not in BASELINES:
            raise BadInput(f"--baselines {name}: there is {', '.join(BASELINES)}")
    if bool(request.judge_model) == bool(request.judge):
        raise BadInput(
            "one judge is needed: --judge-model FOLDER, a language model on this machine (gloss "
            "demo --judge-model DIR trains a small one), or --judge ID of a completions endpoint"
        )


def intervene_stage(
    catalogue: Catalogue,
    request: InterveneRequest,
    begun: Callable[[Place], object] = lambda _place: None,
) -> Iterator[Progress]:
    """Measure the features of a cache, hookpoint by hookpoint; `begun` hears of each one's study.

    Features are looked up before a model is loaded.
    """
    check(request)
    record = caches.cache(catalogue, request.cache)
    bench = Workbench.open(catalogue, record)
    bench.require_activations()
    named = [caches.hookpoint(record, name) for name in request.hookpoints]
    chosen = {one: bench.chosen(one, request.features) for one in named or record.hookpoints}
    with opened(catalogue, record, [one.name for one in chosen], request) as tools:
        if tools.notes:  # one step: of several at once a terminal shows the last, a log the first
            yield Progress("intervening", 0, 0, note="; ".join(tools.notes))
        for hookpoint, features in chosen.items():
            one = _Hookpoint(catalogue, request, bench, tools, hookpoint)
            begun(one.place)
            yield from one.measured(features)


class _Hookpoint:
    """One hookpoint's part of the stage."""

    def __init__(
        self, catalogue: Catalogue, request: InterveneRequest, bench: Workbench, tools: Tools,
        hookpoint: HookpointRecord,
    ) -> None:  # fmt: skip
        self.catalogue, self.request, self.bench = catalogue, request, bench
        self.tools, self.hookpoint = tools, hookpoint
        meta = bench.files.meta
        self.study = Study(
            tools.probe.subject, tools.probe.sae(hookpoint.name), hookpoint.name,
            Text(bench.files.tokens.matrix(), meta.bos_id, tuple(meta.special_ids)),
            tools.wording, tools.judge, tools.sizes, spelling(bench.files), bench.record.seed,
        )  # fmt: skip
        self.series = series_of(catalogue, request, tools, bench.record.seed)
        self.place = Place(self.series.study_id, hookpoint.hookpoint_id)

    def measured(self, chosen: Sequence[int]) -> Iterator[Progress]:
        """Features and ablations, then the random SAE, then exchanged explanations."""
        yield from self._features(chosen)
        if "random-sae" in self.request.baselines:
            yield from self._random(min(len(chosen), RANDOM_FEATURES))
        if "shuffled" in self.request.baselines:
            yield from self._shuffled(set(chosen))

    def _features(self, chosen: Sequence[int]) -> Iterator[Progress]:
        columns = self.bench.columns(self.hookpoint)
        arms = ["feature", *({"ablation"} & set(self.request.baselines))]
        tasks = self._missing(chosen, arms)
        if not tasks:
            note = f"all {len(chosen)} features are measured" if chosen else "no feature is chosen"
            yield Progress(f"interventions, {self.hookpoint.name}", 0, 0, note=note)
            return

        def one(feature: int) -> list[InterventionRow]:
            targets = [target for arm, target in tasks[feature] if arm == "feature"]
            ablate = ("ablation", None) in tasks[feature]
            active = columns.slice(feature)
            found = self.study.measured(
                feature, active, [t for t in targets if t is not None], arm="feature", ablate=ablate
            )
            return [row_of(each, self.series) for each in found]

        yield from self._run("interventions", ",".join(arms), one, list(tasks))

    def _missing(
        self, chosen: Sequence[int], arms: Sequence[str]
    ) -> dict[int, list[tuple[str, float | None]]]:
        with self.catalogue.reading() as con:
            there = interventions.stored(con, self.place)
        wanted: list[tuple[str, float | None]] = [
            (arm, kl) for arm in arms if arm != "ablation" for kl in self.request.kls
        ]
        if "ablation" in arms:
            wanted.append(("ablation", None))
        left = {
            feature: [one for one in wanted if (one[0], feature, one[1]) not in there]
            for feature in chosen
        }
        return {feature: some for feature, some in left.items() if some}

    def _random(self, n: int) -> Iterator[Progress]:
        """As many random directions as there are features; where enough are there, nothing."""
        with self.catalogue.reading() as con:
            there = interventions.stored(con, self.place)
        done = {
            kl: {f for arm, f, target in there if arm == "random-sae" and target == kl}
            for kl in self.request.kls
        }
        if all(len(found) >= n for found in done.values()):
            return
        made: RandomFeatures | None = None
        stage = f"random SAE, {self.hookpoint.name}"
        sae, seed = self.study.sae, self.bench.record.seed
        steps = run_random(self.study.subject, sae, self.hookpoint.name, self.study.text, seed)
        total = 0
        for at, total, found in steps:
            made = found
            yield Progress(stage, at, total, unit="sequences")
        assert made is not None
        drawn = made.chosen(n, seed)
        tasks = self._missing(drawn, ["random-sae"])
        if len(drawn) < n:
            note = f"only {len(drawn)} of {n} random directions fire often enough"
            yield Progress(stage, total, total, unit="sequences", note=note)
        study = replace(self.study, sae=made.sae, hookpoint=made.hookpoint)

        def one(feature: int) -> list[InterventionRow]:
            targets = [target for _, target in tasks[feature] if target is not None]
            active: Active = made.fired(feature)
            found = study.measured(feature, active, targets, arm="random-sae", ablate=False)
            return [row_of(each, self.series) for each in found]

        yield from self._run("random SAE", "random-sae", one, list(tasks))

    def _shuffled(self, chosen: set[int]) -> Iterator[Progress]:
        tasks = exchanges(self.catalogue, self.place, self.request.kls, chosen,
                          seed=self.bench.record.seed, hookpoint=self.hookpoint.name)  # fmt: skip

        def one(task: Exchange) -> list[InterventionRow]:
            return [exchanged(self.catalogue, self.place, self.study, task)]

        yield from self._run("exchanged explanations", "shuffled", one, tasks, unit="explanations")

    def _run(
        self, stage: str, arms: str, one: Any, tasks: Sequence[Any], unit: str = "features"
    ) -> Iterator[Progress]:
        """Do the tasks as a run, each stored as it is done."""
        if not tasks:
            return
        meter = Meter(f"{stage}, {self.hookpoint.name}", len(tasks), unit)
        plan = Plan(
            "intervene", self.bench.record.cache_id, self.hookpoint.hookpoint_id,
            None, self.request.settings(arms), self.request.command,
            paid=bool(self.tools.clients),
        )  # fmt: skip
        with running(self.catalogue, plan, len(tasks)) as run_id:
            yield meter.now()
            for made in as_finished(one, tasks, self.tools.threads):
                if made is None:
                    ledger.require_wanted(self.catalogue, run_id)
                    continue
                interventions.write(
                    self.catalogue, self.place, run_id, made, features_done=1,
                    failed=int(all(row.value is None for row in made)),
                    usage=total_usage(row.usage for row in made),
                    journal=self.tools.clients[0] if self.tools.clients else None,
                )  # fmt: skip
                meter.note = "; ".join(map(traffic_note, self.tools.clients))
                yield meter.advance(1)


def series_of(catalogue: Catalogue, request: InterveneRequest, tools: Tools, seed: int) -> Series:
    """Name the study, and the explainer and scorer of each target.

    The judge chooses among candidates, so it is a setting of the explainer too.
    """
    settings = tools.sizes.recorded() | tools.judge.described | {"seed": seed}
    if tools.judge_sha256 is not None:
        settings |= {"judge_weights": tools.judge_sha256}
    judge, model = tools.judge.name, tools.wording.model
    explainers = {
        kl: ledger.method_id(catalogue, "explainer", EXPLAINER, model,
                             settings | {"judge": judge, "kl": kl})
        for kl in request.kls
    }  # fmt: skip
    scorers = {
        kl: ledger.method_id(catalogue, "scorer", "intervention", judge,
                             settings | {"kl": kl, "preset": f"KL {kl:g}"})
        for kl in request.kls
    }  # fmt: skip
    study = interventions.study_id(catalogue, judge, model, settings)
    return Series(study, judge, seed, explainers, scorers)

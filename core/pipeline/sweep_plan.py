"""What a sweep would do and cost, setting by setting, before it is started.

Explanations that are there are counted, not asked for again. Those that are not are made up by the
client that only plans, and so are the questions about them; more features than a few are priced by
a sample. The grammar costs time alone, which is told from what it took before.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from core.examples import PRESETS, Neighbour
from core.explain.settings import ExplainerSettings
from core.llm.planning import Dollars, Plan, PlanningClient, Share
from core.llm.settings import EndpointSettings
from core.pipeline.evidence import Gatherer
from core.pipeline.explaining import missing_features
from core.pipeline.explaining_model import ModelMaker
from core.pipeline.judging import SIBLINGS, Asked, Bench
from core.pipeline.materials import Drawer, nearest_features
from core.pipeline.pricing import NO_METHOD, known_ids, planner
from core.pipeline.scorers import GRAMMAR, Tools, asks_model, groups
from core.pipeline.scoring import Work, controls, open_bench, unscored_features
from core.pipeline.sweep_time import grammar_seconds
from core.pipeline.sweeping import (
    Opened,
    SweepRequest,
    check,
    explain_request,
    explainer_of,
    explanations_of,
    open_sweep,
    score_request,
)
from core.pipeline.variations import AnySettings, described, differences, named
from core.pipeline.workbench import Workbench
from core.score.material import Claim
from core.seeds import draws, text_seed
from data.catalogue import Catalogue
from data.records import HookpointRecord

SAMPLE = 60  # features priced, over all settings
FEWEST = 3  # of each setting
# About as long as an explanation by the grammar, where a model is to judge those.
STAND_IN = "the tokens “ Monday”, “ Tuesday” or “ Friday”, most often after “ on” or “ every”"


class Part(NamedTuple):
    """One setting's share of a sweep."""

    explainer: str
    settings: Mapping[str, object]
    to_explain: int  # features without an answer by these settings
    explained: int  # features with one
    to_score: int  # explanations that lack a score of at least one scorer, those to come included
    plans: tuple[Plan, ...]  # of models that are asked

    def as_dict(self) -> dict[str, object]:
        """Write for scripts."""
        return {
            "explainer": self.explainer,
            "settings": dict(self.settings),
            "to_explain": self.to_explain,
            "explained": self.explained,
            "to_score": self.to_score,
            "plans": [plan.as_dict() for plan in self.plans],
        }


class SweepPlan(NamedTuple):
    """All of a sweep."""

    parts: tuple[Part, ...]
    features: int  # over all hookpoints
    seconds: float | None  # of the grammar's work; None = no such work was measured here yet

    @property
    def calls(self) -> int:
        """Calls of language models."""
        return self._total().calls

    @property
    def dollars(self) -> Dollars | None:
        """What all of it would cost; None where a price is unknown."""
        costs = [plan.dollars for part in self.parts for plan in part.plans]
        known = [cost for cost in costs if cost is not None]
        if len(known) < len(costs):
            return None
        return Dollars(sum(cost.low for cost in known), sum(cost.high for cost in known))

    def _total(self) -> Share:
        return sum((plan.total for part in self.parts for plan in part.plans), Share())

    def in_all(self) -> str:
        """One line about the whole."""
        to_explain = sum(part.to_explain for part in self.parts)
        to_score = sum(part.to_score for part in self.parts)
        words = [f"{_n(len(self.parts), 'setting')} × {_n(self.features, 'feature')}: "
                 f"{_n(to_explain, 'explanation')} to write, {to_score:,} to score"]  # fmt: skip
        if any(part.plans for part in self.parts):
            total, dollars = self._total(), self.dollars
            words.append(f"{total.calls:,} calls, {total.input_tokens:,} tokens in")
            words.append("price unknown" if dollars is None else f"cost {dollars}")
        else:
            words.append("no language model is asked, it costs nothing")
        if self.seconds is None:
            words.append("the grammar works some minutes: nothing like it was measured here yet")
        elif self.seconds:
            words.append(f"the grammar works about {_time(self.seconds)}, by runs of its kind here")
        return "; ".join(words)

    def lines(self) -> list[str]:
        """Write for people."""
        lines = [self.in_all()]
        apart = differences([(part.explainer, part.settings) for part in self.parts])
        for part, own in zip(self.parts, apart, strict=True):
            who = named(part.explainer, own)
            lines.append(f"{who}: {part.to_explain:,} to explain, {part.explained:,} there "
                        f"already, {part.to_score:,} to score")  # fmt: skip
            lines += [f"  {line}" for plan in part.plans for line in plan.lines()]
        return lines


def _n(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def plan_sweep(catalogue: Catalogue, request: SweepRequest) -> SweepPlan:
    """Plan all settings; nothing is asked, nothing is stored."""
    check(request)
    opened = open_sweep(catalogue, request)
    size = max(FEWEST, SAMPLE // len(request.settings))
    trial = Trial(catalogue, request, opened)
    parts = tuple(_part(trial, settings, size) for settings in request.settings)
    n_features = sum(len(features) for _, features in opened.chosen)
    return SweepPlan(parts, n_features, _seconds(catalogue, request, parts))


def _seconds(
    catalogue: Catalogue, request: SweepRequest, parts: Sequence[Part]
) -> float | None:  # fmt: skip
    """Seconds that the grammar's own work takes, by what it took in this store."""
    to_explain = dict.fromkeys((False, True), 0)
    for part in parts:
        if part.explainer == GRAMMAR:
            to_explain[part.settings.get("examples") is not None] += part.to_explain
    judges = request.means.judge == GRAMMAR
    to_score = sum(part.to_score for part in parts) if judges else 0
    return grammar_seconds(catalogue, to_explain, to_score)


def _part(trial: "Trial", settings: AnySettings, size: int) -> Part:
    """Plan one setting; size: features that are priced."""
    missing = trial.missing(settings)
    unscored = trial.unscored(settings)
    for hookpoint, names, asked in _sampled(unscored, size):
        trial.judge(hookpoint, names, asked)
    plans = trial.taken(len(unscored) / max(1, min(len(unscored), size)))
    for hookpoint, feature in _sampled(missing, size):
        trial.explain_and_judge(settings, hookpoint, feature)
    plans += trial.taken(len(missing) / max(1, min(len(missing), size)))
    n_chosen = sum(len(chosen) for _, chosen in trial.opened.chosen)
    return Part(
        *described(settings), len(missing), n_chosen - len(missing),
        len(missing) + len({(h.hookpoint_id, asked.feature) for h, _, asked in unscored}),
        tuple(_merged(plans)),
    )  # fmt: skip


def _sampled(asked: Sequence, size: int) -> list:
    """Choose what is priced, in its order; the choice depends on nothing but how much there is."""
    order = np.argsort(draws(text_seed("sweep"), np.arange(len(asked))), kind="stable")
    return [asked[i] for i in sorted(order[:size].tolist())]


def _merged(plans: Sequence[Plan]) -> list[Plan]:
    """Make one plan a model."""
    found: dict[str, Plan] = {}
    for plan in plans:
        known = found.setdefault(plan.model, plan)
        if known is not plan:
            purposes = dict(known.purposes)
            for name, share in plan.purposes.items():
                purposes[name] = purposes.get(name, Share()) + share
            factor = max(known.factor, plan.factor)
            found[plan.model] = replace(known, purposes=purposes, factor=factor)
    return list(found.values())


class Trial:
    """The stages' own code with clients that only plan; one client a model for all settings."""

    def __init__(self, catalogue: Catalogue, request: SweepRequest, opened: Opened) -> None:
        self.catalogue, self.request, self.opened = catalogue, request, opened
        self._clients: dict[str, PlanningClient] = {}
        self._before: dict[str, Mapping[str, Share]] = {}
        self._judges: dict[tuple[int, tuple[str, ...]], Bench] = {}
        self._gatherers: dict[tuple[int, str], Gatherer] = {}

    @cached_property
    def _bench(self) -> Workbench:
        """The cache with the contexts that the preset judges; explainers see the cache's own."""
        bench, preset = self.opened.bench, self.request.preset
        if bench.context_length == PRESETS[preset].context_length:
            return bench
        return open_bench(self.catalogue, self.opened.record, preset)

    def missing(self, settings: AnySettings) -> list[tuple[HookpointRecord, int]]:
        """Features that these settings have not answered."""
        one = explain_request(self.request, self.opened, settings)
        method = explainer_of(self.catalogue, self.request, settings) or NO_METHOD
        return [
            (hookpoint, feature)
            for hookpoint, chosen in self.opened.chosen
            for feature in missing_features(self.catalogue, one, hookpoint, method, chosen)
        ]

    def unscored(self, settings: AnySettings) -> list[tuple[HookpointRecord, tuple, Asked]]:
        """What is explained but lacks a score, with the names of its scorers."""
        written = explanations_of(self.catalogue, self.request, self.opened, settings)
        if not written:
            return []
        request, bench = score_request(self.request, self.opened, written), self.opened.bench
        tools = Tools(self.catalogue, bench, request.means, None, ExitStack(), planned=True)
        works = [
            Work(self.catalogue, request, bench, hookpoint, group, tools, None)
            for hookpoint, _ in self.opened.chosen
            for group in groups(request.scorers, request.means)
        ]
        return [
            (work.hookpoint, work.group.names, asked)
            for work in works
            for asked in unscored_features(work, known_ids(work))
        ]

    def explain_and_judge(
        self, settings: AnySettings, hookpoint: HookpointRecord, feature: int
    ) -> None:
        """Make up an explanation of one feature, and the questions about it."""
        number = self.request.settings.index(settings)  # else two settings would ask the same
        text: str | None = f"{STAND_IN} ({number})"
        if isinstance(settings, ExplainerSettings):
            assert self.request.endpoint is not None
            client = self._client(self.request.endpoint)
            maker = ModelMaker(self.catalogue, client, client, settings, self.request.seed, 1)
            text = maker.explained(self._gatherer(hookpoint, maker), feature).text
        bench = self.opened.bench
        few = bench.reason(hookpoint, feature, bench.slice(hookpoint, feature))
        if text is None or few not in (None, "reduced"):
            return
        nearest = self._nearest(hookpoint).get(feature, ())
        for group in groups(self.request.scorers, self.request.means):
            claims = ((Claim(0, text, None),),) * len(group.names)
            self.judge(hookpoint, group.names, Asked(feature, claims, nearest))

    def judge(self, hookpoint: HookpointRecord, names: tuple[str, ...], asked: Asked) -> None:
        """Ask about explanations of one feature, where a language model is asked at all."""
        if not asks_model(names, self.request.means):
            return
        key = hookpoint.hookpoint_id, names
        if key not in self._judges:
            self._judges[key] = self._judging(hookpoint, names)
        self._judges[key].judged(asked)

    def _judging(self, hookpoint: HookpointRecord, names: tuple[str, ...]) -> Bench:
        means, bench = self.request.means, self._bench
        endpoint = replace(means.endpoint or EndpointSettings(), model=means.judge)
        tools = Tools(self.catalogue, bench, means, self._client(endpoint), ExitStack(), True)
        others = partial(controls, self.catalogue, hookpoint)
        drawer = Drawer(bench, hookpoint, score_request(self.request, self.opened, ()).drawing)
        scorers = tuple(tools.scorer(name, others) for name in names)
        return Bench(drawer, scorers, (NO_METHOD,) * len(scorers))

    def _nearest(self, hookpoint: HookpointRecord) -> Mapping[int, tuple[Neighbour, ...]]:
        asks = set(SIBLINGS) & set(self.request.scorers)
        return nearest_features(self.catalogue, hookpoint) if asks else {}

    def _gatherer(self, hookpoint: HookpointRecord, maker: ModelMaker) -> Gatherer:
        key = hookpoint.hookpoint_id, maker.settings.evidence
        if key not in self._gatherers:
            features = next(f for one, f in self.opened.chosen if one is hookpoint)
            self._gatherers[key] = maker.gatherer(self.opened.bench, hookpoint, features)
        return self._gatherers[key]

    def _client(self, endpoint: EndpointSettings) -> PlanningClient:
        if endpoint.model not in self._clients:
            self._clients[endpoint.model] = planner(self.catalogue, endpoint.require_model())
        return self._clients[endpoint.model]

    def taken(self, factor: float) -> list[Plan]:
        """What was asked since this was called last, as a sample of `factor` times as much."""
        plans = []
        for model, client in self._clients.items():
            plan, before = client.plan(), self._before.get(model, {})
            fresh = {name: _less(share, before.get(name)) for name, share in plan.purposes.items()}
            self._before[model] = plan.purposes
            purposes = {name: share for name, share in fresh.items() if share != Share()}
            if purposes:
                plans.append(replace(plan, purposes=purposes).scaled(factor))
        return plans


def _less(share: Share, before: Share | None) -> Share:
    return share if before is None else share + before.scaled(-1)

"""Null scores beside a run: the same scorers asked with explanations that are not meant.

A sample of features is enough for a distribution; it is drawn by the cache's seed, so that more
nulls of another kind are for the same features.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from core.nulls import AlwaysYes, null_claims, null_score, null_scores, pairings
from core.nulls.pairs import Kind, Pairing
from core.pipeline.crowd import as_finished
from core.pipeline.explaining_model import traffic_note
from core.pipeline.judging import ScoreRequest, with_usage
from core.pipeline.materials import Drawer, nearest_features
from core.pipeline.running import Meter, running
from core.pipeline.scorers import Tools, asks_grammar
from core.score.classify import detection_scorer, fuzzing_scorer
from core.score.material import Claim, Material, Scorer
from core.seeds import draws, text_seed
from data import ledger, nulls
from data.catalogue import Catalogue
from data.nulls import Donor, NullScore, Series
from data.records import HookpointRecord, Progress
from data.runs import Plan

RANDOM_SAE = "random-sae"  # scores of another cache: nothing is asked, they have to be there
NULL_KINDS = ("shuffled", "neighbour", "always-yes", RANDOM_SAE)
SAMPLE = 100  # features that null scores are made for
ASKED = ("detection", "fuzzing", "simulation", "embedding", "surprisal", "generation",
         "output-side")  # fmt: skip
GATHERED = 16  # features in one transaction


class Exchange(NamedTuple):
    """One explainer's explanations, exchanged between features."""

    explainer_id: int
    donors: tuple[Donor, ...]
    features: tuple[int, ...]  # that null scores are for


class Task(NamedTuple):
    """What is asked about one feature."""

    feature: int
    pairs: tuple[Pairing, ...]
    always_yes: bool


def null_stage(
    catalogue: Catalogue, request: ScoreRequest, tools: Tools, hookpoint: HookpointRecord,
    chosen: Sequence[int], scorers: Sequence[tuple[Scorer, int]],
) -> Iterator[Progress]:  # fmt: skip
    """Ask each scorer about the sample, explainer by explainer; what is there is left alone.

    scorers: with their scorer_ids; those that look at no explanation have no null.
    """
    drawer = Drawer(tools.bench, hookpoint, request.drawing)
    plans = paired(catalogue, request, tools, hookpoint, chosen)
    for _, pairs in plans:
        found = {pair.kind for pair in pairs}
        for kind in {"shuffled", "neighbour"} & set(request.nulls) - found:
            note = f"no {kind} nulls: no other explained feature to take; explain more features"
            yield Progress(f"nulls of {hookpoint.name}", 0, 0, note=note)
    for scorer, series, tasks in null_tasks(catalogue, request, hookpoint, plans, scorers):
        yield from _asked(catalogue, request, tools, drawer, scorer, series, tasks)


def paired(
    catalogue: Catalogue, request: ScoreRequest, tools: Tools, hookpoint: HookpointRecord,
    chosen: Sequence[int],
) -> list[tuple[Exchange, list[Pairing]]]:  # fmt: skip
    """Pair the features of each explainer with the explanations of others."""
    return [
        (exchange, _pairs(catalogue, request, tools, hookpoint, exchange))
        for exchange in exchanges(catalogue, request, hookpoint, chosen)
    ]


def null_tasks(
    catalogue: Catalogue, request: ScoreRequest, hookpoint: HookpointRecord,
    plans: Sequence[tuple[Exchange, list[Pairing]]], scorers: Sequence[tuple[Scorer, int]],
) -> Iterator[tuple[Scorer, Series, list[Task]]]:  # fmt: skip
    """List what each scorer has still to be asked."""
    for exchange, pairs in plans:
        for scorer, scorer_id in scorers:
            if scorer.name not in ASKED:
                continue
            series = Series(hookpoint.hookpoint_id, scorer_id, exchange.explainer_id)
            if RANDOM_SAE in request.nulls:
                with catalogue.reading() as con:
                    nulls.random_distribution(con, series)  # says how to make it where it is not
            tasks = _missing(catalogue, request, series, scorer.name, exchange, pairs)
            if tasks:
                yield scorer, series, tasks


EXPLAINERS = """
select distinct explainer_id
from explanation
where hookpoint_id = ? and text is not null and (? is null or run_id = ?)
    and (len(?) = 0 or list_contains(?, explanation_id))
order by explainer_id
"""


def exchanges(
    catalogue: Catalogue, request: ScoreRequest, hookpoint: HookpointRecord, chosen: Sequence[int]
) -> list[Exchange]:
    """The explainers of the chosen features, each with its explanations and its sample."""
    with catalogue.reading() as con:
        named = [request.run_id, request.run_id, *[list(request.explanations)] * 2]
        rows = con.rows(EXPLAINERS, [hookpoint.hookpoint_id, *named])
        donors = {
            row["explainer_id"]: nulls.donors(con, hookpoint.hookpoint_id, row["explainer_id"])
            for row in rows
        }
    if any(asks_grammar((name,), request.means) for name in request.scorers):
        donors = {key: [d for d in found if d.rule is not None] for key, found in donors.items()}
    return [
        Exchange(explainer_id, tuple(found), sample({d.feature for d in found} & set(chosen),
                                                    tag=hookpoint.name))
        for explainer_id, found in donors.items()
        if len(found) > 1
    ]  # fmt: skip


def sample(features: set[int], *, tag: str) -> tuple[int, ...]:
    """Choose up to SAMPLE features, the same ones whatever else there is."""
    every = np.array(sorted(features), np.int64)
    order = np.argsort(draws(text_seed(f"{tag}|nulls"), every), kind="stable")
    return tuple(sorted(every[order[:SAMPLE]].tolist()))


def _pairs(
    catalogue: Catalogue, request: ScoreRequest, tools: Tools, hookpoint: HookpointRecord,
    exchange: Exchange,
) -> list[Pairing]:  # fmt: skip
    kinds: list[Kind] = [kind for kind in ("shuffled", "neighbour") if kind in request.nulls]
    nearest = {}
    if "neighbour" in kinds:
        found = nearest_features(catalogue, hookpoint)
        nearest = {f: [near.feature for near in others] for f, others in found.items()}
    return [
        pair
        for kind in kinds
        for pair in pairings(
            exchange.donors, kind, seed=tools.bench.record.seed, hookpoint=hookpoint.name,
            nearest=nearest, features=exchange.features,
        )
    ]  # fmt: skip


def _missing(
    catalogue: Catalogue, request: ScoreRequest, series: Series, scorer: str, exchange: Exchange,
    pairs: Sequence[Pairing],
) -> list[Task]:  # fmt: skip
    with catalogue.reading() as con:
        there = nulls.stored(con, series)
    constant = "always-yes" in request.nulls and scorer in ("detection", "fuzzing")
    tasks = []
    for feature in exchange.features:
        left = tuple(
            pair for pair in pairs
            if pair.feature == feature and (feature, pair.kind, pair.explanation_id) not in there
        )  # fmt: skip
        always = constant and (feature, "always-yes", None) not in there
        if left or always:
            tasks.append(Task(feature, left, always))
    return tasks


def _asked(
    catalogue: Catalogue, request: ScoreRequest, tools: Tools, drawer: Drawer, scorer: Scorer,
    series: Series, tasks: Sequence[Task],
) -> Iterator[Progress]:  # fmt: skip
    hookpoint = drawer.hookpoint
    meter = Meter(f"nulls of {scorer.name}, {hookpoint.name}", len(tasks))
    settings = request.settings((scorer.name,)) | {"nulls": list(request.nulls)}
    plan = Plan("score", tools.bench.record.cache_id, hookpoint.hookpoint_id, series.scorer_id,
                settings, request.command)  # fmt: skip
    group: list[list[NullScore]] = []

    def one(task: Task) -> list[NullScore]:
        return scored(scorer, drawer.material(task.feature), task)

    with running(catalogue, plan, len(tasks)) as run_id:
        yield meter.now()
        for made in as_finished(one, tasks, tools.threads(scorer.name)):
            if made is None:
                ledger.require_wanted(catalogue, run_id)
                continue
            group.append(made)
            if len(group) == GATHERED or meter.done + len(group) == len(tasks):
                nulls.write_nulls(
                    catalogue, series, run_id, [score for part in group for score in part],
                    features_done=len(group), journal=tools.journal,
                )  # fmt: skip
                meter.note = traffic_note(tools.client)
                yield meter.advance(len(group))
                group = []


def scored(scorer: Scorer, material: Material, task: Task) -> list[NullScore]:
    """Ask about one feature."""
    found: list[NullScore] = []
    for kind in ("shuffled", "neighbour"):
        pairs = [pair for pair in task.pairs if pair.kind == kind]
        if pairs:
            outcomes = scorer.score(material, null_claims(pairs)[task.feature])
            found += null_scores(pairs, [with_usage(one) for one in outcomes])
    if task.always_yes:
        make = {"detection": detection_scorer, "fuzzing": fuzzing_scorer}[scorer.name]
        (outcome,) = make("always-yes", lambda _claim: AlwaysYes()).score(
            material, [Claim(0, "", None)]
        )
        found.append(null_score(task.feature, "always-yes", outcome.score))
    return found

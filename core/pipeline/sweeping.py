"""A sweep: several explainer settings over the same features, each explained and then scored.

The work is that of the two stages, so every part is a run of the catalogue, nothing is done twice,
and the same sweep again goes on where it stopped.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import NamedTuple

import pyarrow as pa

from core.explain.settings import ExplainerSettings
from core.grammar.settings import Settings
from core.llm.settings import EndpointSettings
from core.pipeline.explaining import ExplainRequest, explain_stage, require_evidence
from core.pipeline.explaining_model import described
from core.pipeline.judging import DEFAULT, ScoreRequest
from core.pipeline.scorers import GRAMMAR, Means, asks_grammar
from core.pipeline.scoring import check as check_scoring
from core.pipeline.scoring import score_stage
from core.pipeline.variations import AnySettings
from core.pipeline.workbench import Workbench
from data import caches, ledger, run_figures
from data.catalogue import Catalogue
from data.errors import BadInput, BudgetReached
from data.records import CacheRecord, HookpointRecord, Progress

MOST = 5_000  # features a hookpoint: a run names the explanations that it scores
FEW = 200  # features a hookpoint up to which starting worker processes costs more than it saves


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """What `gloss sweep` was asked for."""

    cache: str
    settings: tuple[AnySettings, ...]  # of explainers, each once
    hookpoints: tuple[str, ...] = ()  # () = all of the cache
    features: str = "random:50"  # as in selection.py
    endpoint: EndpointSettings | None = None  # of the models; its budget is for the whole sweep
    means: Means = field(default_factory=Means)  # who judges
    scorers: tuple[str, ...] = DEFAULT
    preset: str = "gloss"
    seed: int = 0
    workers: int = 0  # 0 = as many as pay
    command: tuple[str, ...] = field(default=(), compare=False)  # as typed, to go on with


class Opened(NamedTuple):
    """The cache of a sweep and what was chosen of it."""

    record: CacheRecord
    bench: Workbench
    chosen: tuple[tuple[HookpointRecord, list[int]], ...]  # features of each hookpoint


def sweep_stage(catalogue: Catalogue, request: SweepRequest) -> Iterator[Progress]:
    """Explain and score setting by setting; an error or a reached budget ends all of it."""
    check(request)
    opened = open_sweep(catalogue, request)
    purse = Purse.of(catalogue, request)
    n = len(request.settings)
    for place, settings in enumerate(request.settings, 1):
        prefix = f"setting {place} of {n}: " if n > 1 else ""
        for stage in (explaining, scoring):
            limited = purse.limited(catalogue, request)
            for progress in stage(catalogue, limited, opened, settings):
                yield replace(progress, stage=prefix + progress.stage)


def explaining(
    catalogue: Catalogue, request: SweepRequest, opened: Opened, settings: AnySettings
) -> Iterator[Progress]:
    """Explain the chosen features with one of the settings."""
    yield from explain_stage(catalogue, explain_request(request, opened, settings))


def scoring(
    catalogue: Catalogue, request: SweepRequest, opened: Opened, settings: AnySettings
) -> Iterator[Progress]:
    """Score what was explained with one of the settings, and nothing else."""
    written = explanations_of(catalogue, request, opened, settings)
    if not written:
        yield Progress("scoring", 0, 0, note="there is no usable explanation to score")
        return
    yield from score_stage(catalogue, score_request(request, opened, written))


def check(request: SweepRequest) -> None:
    """Refuse what cannot be done, before anything is begun."""
    if not request.settings:
        raise BadInput("a sweep needs at least one setting of an explainer")
    asks = [s.explainer for s in request.settings if isinstance(s, ExplainerSettings)]
    if asks and request.endpoint is None:
        raise BadInput(f"the explainer {asks[0]} needs a language model: give --model ID")
    check_scoring(ScoreRequest(request.cache, scorers=request.scorers, preset=request.preset))
    judged = [name for name in request.scorers if asks_grammar((name,), request.means)]
    if asks and judged:
        raise BadInput(
            f"the grammar judges rules only, and explanations of {asks[0]} are words: "
            "give --judge MODEL"
        )


def open_sweep(catalogue: Catalogue, request: SweepRequest) -> Opened:
    """Open the cache and choose the features."""
    record = caches.cache(catalogue, request.cache)
    bench = Workbench.open(catalogue, record)
    for settings in request.settings:
        require_evidence(bench, settings)
    named = [caches.hookpoint(record, name) for name in request.hookpoints]
    chosen = [(one, bench.chosen(one, request.features)) for one in named or record.hookpoints]
    for hookpoint, features in chosen:
        if len(features) > MOST:
            raise BadInput(
                f"--features {request.features} are {len(features):,} of {hookpoint.name}: a sweep "
                f"is over a sample of at most {MOST:,}, e.g. random:200; gloss explain takes all"
            )
    return Opened(record, bench, tuple(chosen))


def explain_request(
    request: SweepRequest, opened: Opened, settings: AnySettings
) -> ExplainRequest:  # fmt: skip
    """One setting's request to the stage that explains."""
    return ExplainRequest(
        cache=request.cache, hookpoints=request.hookpoints, features=request.features,
        settings=settings, seed=request.seed, workers=_workers(request, opened),
        endpoint=None if isinstance(settings, Settings) else request.endpoint,
        command=request.command,
    )  # fmt: skip


def score_request(
    request: SweepRequest, opened: Opened, explanations: tuple[int, ...]
) -> ScoreRequest:  # fmt: skip
    """One setting's request to the stage that scores."""
    return ScoreRequest(
        cache=request.cache, hookpoints=request.hookpoints, features=request.features,
        scorers=request.scorers, explanations=explanations, preset=request.preset,
        workers=_workers(request, opened), means=request.means, command=request.command,
    ).fitted(opened.record)  # fmt: skip


def _workers(request: SweepRequest, opened: Opened) -> int:
    """One process while that is quicker: its tables then serve all settings."""
    largest = max((len(features) for _, features in opened.chosen), default=0)
    return request.workers or (1 if largest <= FEW else 0)


def explainer_of(
    catalogue: Catalogue, request: SweepRequest, settings: AnySettings
) -> int | None:  # fmt: skip
    """The explainer_id of one of the settings; None before it was first used."""
    if isinstance(settings, Settings):
        return ledger.known_method(catalogue, "explainer", GRAMMAR, None, asdict(settings))
    assert request.endpoint is not None
    return ledger.known_method(
        catalogue, "explainer", settings.explainer, request.endpoint.model, described(settings)
    )


def explanations_of(
    catalogue: Catalogue, request: SweepRequest, opened: Opened, settings: AnySettings
) -> tuple[int, ...]:
    """The newest usable explanation of every chosen feature by one of the settings, by id."""
    explainer_id = explainer_of(catalogue, request, settings)
    if explainer_id is None:
        return ()
    pairs = [(one.hookpoint_id, feature) for one, every in opened.chosen for feature in every]
    chosen = pa.table(
        {
            "hookpoint_id": pa.array([hookpoint for hookpoint, _ in pairs], pa.uint32()),
            "feature": pa.array([feature for _, feature in pairs], pa.uint32()),
        }
    )
    with catalogue.reading() as con, con.table("chosen", chosen):
        return run_figures.newest_explanations(con, explainer_id, request.seed)


class Purse(NamedTuple):
    """What a sweep may still spend: the stages open a client each, and each has its own budget."""

    budget: float | None  # dollars; None = no limit
    since: int  # the newest reply when the sweep began

    @classmethod
    def of(cls, catalogue: Catalogue, request: SweepRequest) -> "Purse":
        """Begin to count; what others spend meanwhile counts too, which is the safe side."""
        with catalogue.reading() as con:
            since = con.value("select coalesce(max(reply_id), 0) from reply")
        return cls(request.endpoint.budget if request.endpoint else None, since)

    def limited(self, catalogue: Catalogue, request: SweepRequest) -> SweepRequest:
        """The request with what is left."""
        if self.budget is None or request.endpoint is None:
            return request
        with catalogue.reading() as con:
            spent = con.value(
                "select coalesce(sum(cost_usd), 0) from reply where reply_id > ?", [self.since]
            )
        if spent >= self.budget > 0:
            raise BudgetReached(
                f"the budget of ${self.budget:g} is spent; what was answered is kept: the same "
                "command with a higher --budget goes on"
            )
        endpoint = replace(request.endpoint, budget=self.budget - spent)
        means = request.means
        if means.endpoint is not None:
            means = replace(means, endpoint=replace(means.endpoint, budget=self.budget - spent))
        return replace(request, endpoint=endpoint, means=means)

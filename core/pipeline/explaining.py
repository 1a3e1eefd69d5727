"""The stage that explains: train contexts in, explanations out.

Features that already have this explainer's answer are left alone, so that a second run adds
nothing and a killed one goes on. Who explains is a maker: the grammar over processes
(explaining_grammar.py), or a language model over threads (explaining_model.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any, Protocol

from core.explain.settings import ExplainerSettings
from core.grammar.settings import Settings
from core.llm.settings import EndpointSettings
from core.pipeline.explaining_grammar import GrammarMaker, exact_scorer
from core.pipeline.explaining_model import model_maker
from core.pipeline.explaining_output import OutputMaker
from core.pipeline.running import Meter, running
from core.pipeline.stored import require_explainer
from core.pipeline.workbench import Workbench
from data import caches, ledger
from data.catalogue import Catalogue
from data.records import CacheRecord, HookpointRecord, Progress
from data.runs import Plan

UNKNOWN = "unknown: the import says nothing of when it is active"


@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """What `gloss explain` was asked for."""

    cache: str
    hookpoints: tuple[str, ...]  # () = all of the cache
    features: str  # as in selection.py
    settings: Settings | ExplainerSettings  # the grammar's, or those of an explainer with a model
    seed: int = 0
    workers: int = 0  # 0 = as many as there are cores
    endpoint: EndpointSettings | None = None  # of the model
    judge: str | None = None  # another model at the same endpoint that chooses; None = the model
    retry_failed: bool = False  # ask again where the newest answer is a failure
    command: tuple[str, ...] = field(default=(), compare=False)  # as typed, to go on with


class Maker(Protocol):
    """Somebody who explains many features."""

    @property
    def name(self) -> str:
        """The explainer, as in EXPLAINERS."""
        ...

    @property
    def model(self) -> str | None:
        """The model's name; None for the grammar."""
        ...

    @property
    def described(self) -> dict[str, Any]:
        """The settings, JSON-ready."""
        ...

    @property
    def journal(self) -> ledger.Journal | None:
        """Replies to be stored with the explanations."""
        ...

    @property
    def note(self) -> str:
        """How it is going, in a few words; "" = nothing to say."""
        ...

    def made(
        self, bench: Workbench, hookpoint: HookpointRecord, features: Sequence[int]
    ) -> Iterator[list[ledger.NewExplanation]]:
        """Explain; an empty list is a sign of life."""
        ...


def explain_stage(catalogue: Catalogue, request: ExplainRequest) -> Iterator[Progress]:
    """Explain the features of a cache, one run a hookpoint."""
    record = caches.cache(catalogue, request.cache)
    bench = open_bench(catalogue, record, request.settings)
    named = [caches.hookpoint(record, name) for name in request.hookpoints]
    if isinstance(request.settings, Settings):
        maker = GrammarMaker(request.settings, request.seed, request.workers)
        for hookpoint in named or record.hookpoints:
            yield from _explain_hookpoint(catalogue, request, bench, hookpoint, maker)
        return
    if request.endpoint is None and request.settings.explainer == "output":
        maker = OutputMaker(catalogue, request.settings, request.seed)
        for hookpoint in named or record.hookpoints:
            yield from _explain_hookpoint(catalogue, request, bench, hookpoint, maker)
        return
    with model_maker(catalogue, request) as maker:
        for hookpoint in named or record.hookpoints:
            yield from _explain_hookpoint(catalogue, request, bench, hookpoint, maker)


def open_bench(
    catalogue: Catalogue, record: CacheRecord, settings: Settings | ExplainerSettings
) -> Workbench:
    """Open a cache for an explainer that it has all for."""
    bench = Workbench.open(catalogue, record)
    require_evidence(bench, settings)
    return bench


def require_evidence(bench: Workbench, settings: Settings | ExplainerSettings) -> None:
    """Refuse a cache that has not all that an explainer needs."""
    if bench.record.has_activations:
        bench.require_split()
    else:
        require_explainer(bench.record, settings)


def _explain_hookpoint(
    catalogue: Catalogue,
    request: ExplainRequest,
    bench: Workbench,
    hookpoint: HookpointRecord,
    maker: Maker,
) -> Iterator[Progress]:
    chosen = bench.chosen(hookpoint, request.features)
    explainer_id = explainer_of(catalogue, maker)
    missing = missing_features(catalogue, request, hookpoint, explainer_id, chosen)
    if not missing:
        note = why_nothing(catalogue, request, hookpoint, explainer_id, chosen)
        yield Progress(f"explaining {hookpoint.name}", 0, 0, note=note)
        return
    meter = Meter(f"explaining {hookpoint.name}", len(missing))
    if len(missing) < len(chosen):
        meter.note = f"{len(chosen) - len(missing):,} are there already"
    plan = plan_of(request, bench, hookpoint, maker, explainer_id)
    exact_id = exact_scorer(catalogue)
    yield meter.now()
    known, unknown = told_apart(catalogue, bench, hookpoint, missing, request.seed)
    with running(catalogue, plan, len(chosen), len(chosen) - len(missing)) as run_id:
        for made in chain([unknown], maker.made(bench, hookpoint, known) if known else ()):
            if made:
                ledger.write_explanations(
                    catalogue, hookpoint.hookpoint_id, explainer_id, exact_id, run_id, made,
                    maker.journal,
                )  # fmt: skip
            else:
                ledger.require_wanted(catalogue, run_id)
            meter.note = maker.note or meter.note
            yield meter.advance(len(made))


KNOWN = """
select feature
from feature
where hookpoint_id = ? and feature between ? and ? and reason is distinct from 'unknown'
"""


def told_apart(
    catalogue: Catalogue, bench: Workbench, hookpoint: HookpointRecord, features: Sequence[int],
    seed: int,
) -> tuple[list[int], list[ledger.NewExplanation]]:  # fmt: skip
    """Features that something is known of, and rows that say so of the others of an import.

    These may fire as any other: in the files they look as if they never did.
    """
    if not bench.record.origin:
        return list(features), []
    with catalogue.reading() as con:
        rows = con.rows(KNOWN, [hookpoint.hookpoint_id, min(features), max(features)])
    there = {row["feature"] for row in rows}
    unknown = [
        ledger.NewExplanation(
            feature=feature, text=None, rule=None, status="skipped", error=UNKNOWN, seconds=None,
            seed=seed, example_tokens=None, exact=None,
        )
        for feature in features if feature not in there
    ]  # fmt: skip
    return [feature for feature in features if feature in there], unknown


def explainer_of(catalogue: Catalogue, maker: Maker) -> int:
    """The explainer_id of a maker with its settings; added where it is new."""
    return ledger.method_id(catalogue, "explainer", maker.name, maker.model, maker.described)


def plan_of(
    request: ExplainRequest, bench: Workbench, hookpoint: HookpointRecord, maker: Maker,
    explainer_id: int,
) -> Plan:  # fmt: skip
    """The run that stores the explanations."""
    return Plan("explain", bench.record.cache_id, hookpoint.hookpoint_id, explainer_id,
                run_settings(request, maker), request.command,
                paid=maker.model is not None)  # fmt: skip


def missing_features(
    catalogue: Catalogue, request: ExplainRequest, hookpoint: HookpointRecord, explainer_id: int,
    chosen: Sequence[int],
) -> list[int]:  # fmt: skip
    """Those that this explainer has not answered yet, or not with success if that is asked."""
    there = ledger.explained(
        catalogue, hookpoint.hookpoint_id, explainer_id, request.seed,
        failures=not request.retry_failed,
    )  # fmt: skip
    return [feature for feature in chosen if feature not in there]


def why_nothing(
    catalogue: Catalogue, request: ExplainRequest, hookpoint: HookpointRecord, explainer_id: int,
    chosen: Sequence[int],
) -> str:  # fmt: skip
    """Say that everything is there, and how much of it is a failure."""
    good = ledger.explained(
        catalogue, hookpoint.hookpoint_id, explainer_id, request.seed, failures=False
    )
    failed = len(set(chosen) - good)
    said = "the chosen features have this explanation"
    return said + (f"; {failed:,} of them failed, --retry-failed asks again" if failed else "")


def run_settings(request: ExplainRequest, maker: Maker) -> dict[str, object]:
    """The run's settings as a person compares them."""
    chosen = {"features": request.features, "seed": request.seed, "explainer": maker.name}
    if maker.model is not None:
        chosen["model"] = maker.model
    return asdict(request.settings) | chosen

"""The stage that explains: train contexts in, explanations with their exact check out.

Features that already have this explainer's answer are left alone, so that a second run adds
nothing and a killed one goes on. Dead and rare features get a row that says why there is no text.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from time import perf_counter

import numpy as np

from core.examples import explainer_contexts
from core.examples.contexts import TRAIN
from core.explain import grammar
from core.grammar.settings import Settings
from core.pipeline import selection
from core.pipeline.running import Meter, running
from core.pipeline.workbench import Workbench
from core.pipeline.workers import chunks, default_workers, in_order
from core.seeds import seed_of
from data import caches, ledger
from data.catalogue import Catalogue
from data.records import CacheRecord, HookpointRecord, Progress
from data.runs import Plan

CHUNK = 24  # features in one transaction: a second or two of work
EXACT = {"preset": "exact"}
CONTEXT = 32  # tokens
UNEXPLAINED = {
    "dead": "dead: never active",
    "rare": "rare: active in fewer than 10 contexts, too few to explain",
}  # methods: listed, not explained


@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """What `gloss explain` was asked for."""

    cache: str
    hookpoints: tuple[str, ...]  # () = all of the cache
    features: str  # as in selection.py
    settings: Settings
    seed: int = 0
    workers: int = 0  # 0 = as many as there are cores


@dataclass(frozen=True, slots=True)
class GrammarWork:
    """Explains a chunk of features; pickled to the workers."""

    record: CacheRecord
    folder: Path
    hookpoint: HookpointRecord
    settings: Settings
    seed: int

    def __call__(self, features: list[int]) -> list[ledger.NewExplanation]:
        """Explain each feature of the chunk."""
        bench = shared_workbench(self.record, self.folder, CONTEXT)
        return [self.one(bench, feature) for feature in features]

    def one(self, bench: Workbench, feature: int) -> ledger.NewExplanation:
        """Explain one feature, or say why not."""
        start = perf_counter()
        found = bench.slice(self.hookpoint, feature)
        reason = bench.reason(self.hookpoint, feature, found)
        if reason in UNEXPLAINED:
            return self._skipped(feature, UNEXPLAINED[reason])
        purpose = seed_of(self.seed, self.hookpoint.name, feature, "grammar")
        made = grammar.explain(
            bench.corpus, found.token, found.activation, self.settings, purpose,
            contexts=self.contexts(bench, feature),
        )  # fmt: skip
        return ledger.NewExplanation(
            feature=feature,
            text=made.text,
            rule=made.rule,
            status="done" if made.text is not None else "skipped",
            error=made.reason,
            seconds=perf_counter() - start,
            seed=self.seed,
            example_slots=None,
            exact=made.exact,
        )

    def contexts(self, bench: Workbench, feature: int) -> np.ndarray | None:
        """First tokens of the train contexts to learn from; None = every train token."""
        if self.settings.examples is None:
            return None
        chosen = explainer_contexts(
            bench.contexts,
            bench.columns(self.hookpoint),
            feature,
            hookpoint=self.hookpoint.name,
            sampling=self.settings.sampling,
            size=self.settings.examples,
        )
        # A scarce feature's sample holds test contexts too; the exact check wants none of them.
        return chosen.first_token[chosen.split == TRAIN].astype(np.int64)

    def _skipped(self, feature: int, why: str) -> ledger.NewExplanation:
        return ledger.NewExplanation(
            feature=feature, text=None, rule=None, status="skipped", error=why, seconds=0.0,
            seed=self.seed, example_slots=None, exact=None,
        )  # fmt: skip


@lru_cache(maxsize=2)
def shared_workbench(record: CacheRecord, folder: Path, context_length: int) -> Workbench:
    """The cache as opened by this process."""
    return Workbench(record, folder, context_length)


def explain_stage(catalogue: Catalogue, request: ExplainRequest) -> Iterator[Progress]:
    """Explain the features of a cache, one run a hookpoint."""
    record = caches.cache(catalogue, request.cache)
    bench = Workbench.open(catalogue, record)
    bench.require_split()
    named = [caches.hookpoint(record, name) for name in request.hookpoints]
    for hookpoint in named or record.hookpoints:
        yield from _explain_hookpoint(catalogue, request, bench, hookpoint)


def _explain_hookpoint(
    catalogue: Catalogue, request: ExplainRequest, bench: Workbench, hookpoint: HookpointRecord
) -> Iterator[Progress]:
    record = bench.record
    chosen = selection.features(
        request.features, bench.live(hookpoint), hookpoint.n_features,
        seed=record.seed, name=hookpoint.name,
    )  # fmt: skip
    explainer_id, exact_id = grammar_methods(catalogue, request.settings)
    there = ledger.explained(catalogue, hookpoint.hookpoint_id, explainer_id, request.seed)
    missing = [feature for feature in chosen.tolist() if feature not in there]
    meter = Meter(f"explaining {hookpoint.name}", len(missing))
    if not missing:
        return
    if len(missing) < len(chosen):
        meter.note = f"{len(chosen) - len(missing):,} are there already"
    plan = Plan("explain", record.cache_id, hookpoint.hookpoint_id, explainer_id,
                _settings(request))  # fmt: skip
    work = GrammarWork(record, bench.files.folder, hookpoint, request.settings, request.seed)
    workers = request.workers or default_workers()
    yield meter.now()
    with running(catalogue, plan, len(chosen), len(chosen) - len(missing)) as run_id:
        for made in in_order(work, chunks(missing, CHUNK), workers):
            ledger.write_explanations(
                catalogue, hookpoint.hookpoint_id, explainer_id, exact_id, run_id, made
            )
            yield meter.advance(len(made))


def grammar_methods(catalogue: Catalogue, settings: Settings) -> tuple[int, int]:
    """The explainer_id of these settings, and the scorer_id of the exact check."""
    explainer_id = ledger.method_id(catalogue, "explainer", "grammar", None, asdict(settings))
    return explainer_id, ledger.method_id(catalogue, "scorer", "exact", "grammar", EXACT)


def _settings(request: ExplainRequest) -> dict[str, object]:
    """The run's settings as a person compares them."""
    chosen = {"features": request.features, "seed": request.seed, "explainer": "grammar"}
    return chosen | asdict(request.settings)

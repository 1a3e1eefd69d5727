"""Explaining with the grammar: what a worker process of the stage does, or one thread.

Rules are learnt from train tokens and checked exactly at once; dead and rare features get a row
that says why there is no text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from core.examples import explainer_contexts
from core.examples.contexts import TRAIN
from core.explain import grammar
from core.grammar.settings import Settings
from core.pipeline.stored import FEWEST_TAUGHT, UNTAUGHT
from core.pipeline.workbench import Workbench
from core.pipeline.workers import chunks, default_workers, in_order
from core.seeds import seed_of
from data import ledger
from data.catalogue import Catalogue
from data.records import CacheRecord, HookpointRecord

CHUNK = 24  # features in one transaction: a second or two of work
EXACT = {"preset": "exact"}
CONTEXT = 32  # tokens
UNEXPLAINED = {
    "dead": "dead: never active",
    "rare": "rare: active in fewer than 10 contexts, too few to explain",
    UNTAUGHT: f"fewer than {FEWEST_TAUGHT} of its imported contexts are kept for an explainer",
}  # methods: listed, not explained


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
            example_tokens=None,
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
            seed=self.seed, example_tokens=None, exact=None,
        )  # fmt: skip


@lru_cache(maxsize=2)
def shared_workbench(record: CacheRecord, folder: Path, context_length: int) -> Workbench:
    """The cache as opened by this process."""
    return Workbench(record, folder, context_length)


@dataclass(frozen=True)
class GrammarMaker:
    """Explains with the grammar over worker processes."""

    settings: Settings
    seed: int
    workers: int  # 0 = as many as there are cores
    name = "grammar"
    model = None
    journal = None
    note = ""

    @property
    def described(self) -> dict[str, Any]:
        """The settings, JSON-ready."""
        return asdict(self.settings)

    def made(
        self, bench: Workbench, hookpoint: HookpointRecord, features: Sequence[int]
    ) -> Iterator[list[ledger.NewExplanation]]:
        """Explain chunk by chunk, in order."""
        work = GrammarWork(bench.record, bench.files.folder, hookpoint, self.settings, self.seed)
        yield from in_order(work, chunks(features, CHUNK), self.workers or default_workers())


def exact_scorer(catalogue: Catalogue) -> int:
    """The scorer_id of the exact check of a grammar explanation."""
    return ledger.method_id(catalogue, "scorer", "exact", "grammar", EXACT)

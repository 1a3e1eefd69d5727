"""Explaining by what a feature promotes, without a language model: a sentence from a template."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from core.explain.promoted import promoted, sentence
from core.explain.settings import ExplainerSettings
from core.pipeline.explaining_grammar import UNEXPLAINED
from core.pipeline.output_tokens import OutputSource, TokensOf
from core.pipeline.workbench import Workbench
from data import ledger
from data.catalogue import Catalogue
from data.records import HookpointRecord

CHUNK = 24  # features in one transaction
NO_EFFECT = "the feature's effect on the next token is not known"


@dataclass(frozen=True)
class OutputMaker:
    """Names the tokens that a feature makes likelier."""

    catalogue: Catalogue
    settings: ExplainerSettings
    seed: int
    name = "output"
    model = None
    journal = None
    note = ""

    @property
    def described(self) -> dict[str, Any]:
        """The settings that matter, JSON-ready."""
        return {"explainer": self.name, "evidence": self.settings.evidence}

    def made(
        self, bench: Workbench, hookpoint: HookpointRecord, features: Sequence[int]
    ) -> Iterator[list[ledger.NewExplanation]]:
        """Explain chunk by chunk, in order."""
        tokens = OutputSource(self.catalogue, bench, self.settings).of(hookpoint, features)
        for first in range(0, len(features), CHUNK):
            chunk = features[first : first + CHUNK]
            yield [self._explained(bench, hookpoint, tokens, feature) for feature in chunk]

    def _explained(
        self, bench: Workbench, hookpoint: HookpointRecord, tokens: TokensOf, feature: int
    ) -> ledger.NewExplanation:
        start = perf_counter()
        reason = bench.reason(hookpoint, feature, bench.slice(hookpoint, feature))
        named = () if reason in UNEXPLAINED else promoted(tokens(feature))
        text = sentence(named)
        lacking = UNEXPLAINED.get(reason or "", NO_EFFECT)
        return ledger.NewExplanation(
            feature=feature, text=text, rule=None, status="done" if text else "skipped",
            error=None if text else lacking, seconds=perf_counter() - start, seed=self.seed,
            example_tokens=(), exact=None,
            detail={"promoted": [[one.piece, one.value] for one in named]} if named else None,
        )  # fmt: skip

"""Scorers that ask for a verdict on every context: detection, fuzzing, and what is built like them.

In: a feature's material and a judge for each explanation, a program or a language model. Out: items
with verdicts, and the score. All judges and all explanations answer the same items in the same
order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from core.score.detection import score_detection
from core.score.fuzzing import fuzzing_items, score_fuzzing
from core.score.items import Items, detection_items
from core.score.judge import Answers, Judge
from core.score.material import Claim, Material, Outcomes
from core.score.metrics import METRIC, Setting
from core.score.undefined import one_sided, too_few, undefined, unmarkable
from data.items import ItemTable
from data.records import Score

JudgeFor = Callable[[Claim], Judge]


@dataclass(frozen=True, slots=True)
class Classifier:
    """One question about every item, answered yes or no."""

    name: str  # as in METHODS
    judge: str  # who answers
    judge_for: JudgeFor
    asks: Literal["detection", "fuzzing"]  # the question that the judge knows
    items: Callable[[Material], Items]
    rate: Callable[[Material, Items, Answers, Setting], Score]
    lacks: Callable[[Material], str | None] = too_few  # why nothing can be asked

    def score(self, material: Material, claims: Sequence[Claim]) -> list[Outcomes]:
        """Score the explanations of one feature, in their order."""
        reason = self.lacks(material)
        if reason is not None:
            return undefined(
                material, claims, scorer=self.name, metric=METRIC, judge=self.judge, reason=reason
            )
        items = self.items(material)
        tokens = material.tokens(items.first_token)
        table = item_table(items, marked=self.asks == "fuzzing")
        return [self._outcome(material, claim, items, tokens, table) for claim in claims]

    def _outcome(
        self,
        material: Material,
        claim: Claim,
        items: Items,
        tokens: np.ndarray,
        table: ItemTable,
    ) -> Outcomes:
        answers = self.judge_for(claim).answer(self.asks, items, tokens)
        seed = material.seed(f"{self.name}-bootstrap")
        setting = Setting(self.name, self.judge, material.label, seed)
        score = self.rate(material, items, answers, setting)
        if material.examples.removed:
            score = replace(score, detail=score.detail | {"removed": material.examples.removed})
        return Outcomes(
            explanation_id=claim.explanation_id,
            items=table,
            predicted=answers.verdict,
            score=score,
            probability=answers.probability,
            keys=answers.keys,
            asked=answers.outcomes,
        )


def detection_scorer(judge: str, judge_for: JudgeFor) -> Classifier:
    """Ask whether the feature is active in whole contexts (methods.md 5.1)."""
    return Classifier(
        name="detection",
        judge=judge,
        judge_for=judge_for,
        asks="detection",
        items=lambda material: detection_items(
            material.contexts, material.examples, material.preset, hookpoint=material.hookpoint
        ),
        rate=lambda material, items, answers, setting: score_detection(
            items, answers, setting, material.base_rate
        ),
        lacks=lambda material: too_few(material) or one_sided(material),
    )


def fuzzing_scorer(judge: str, judge_for: JudgeFor) -> Classifier:
    """Ask whether the right tokens are marked (methods.md 5.2)."""
    return Classifier(
        name="fuzzing",
        judge=judge,
        judge_for=judge_for,
        asks="fuzzing",
        items=lambda material: fuzzing_items(
            material.contexts,
            material.activations,
            material.examples,
            material.preset,
            hookpoint=material.hookpoint,
            others=material.others or None,
        ),
        rate=lambda _material, items, answers, setting: score_fuzzing(items, answers, setting),
        lacks=lambda material: too_few(material) or unmarkable(material),
    )


def item_table(items: Items, *, marked: bool) -> ItemTable:
    """Items as the catalogue keeps them; marks as offsets, None where the question has none."""
    marks: Sequence[Sequence[int] | None] = [None] * len(items.kind)
    if marked:
        marks = [np.flatnonzero(row).tolist() for row in items.marks]
    return ItemTable(items.kinds, items.decile, items.first_token, items.peak, marks, items.length)

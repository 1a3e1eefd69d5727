"""Neighbour: detection against strong contexts of the nearest features (methods.md 5.6).

Does the explanation tell the feature from its siblings? EleutherAI's blog of July 2024 took the 10
strongest contexts of the 10 nearest features by decoder cosine and saw scores fall from above .8 to
about chance; without a filter, the contexts left over from features that fire together mislead. We
filter (core/examples/harder.py), so fewer contexts remain, and we report accuracy for each
neighbour with its rank and cosine.

Needs material with `neighbour` contexts drawn (with_neighbours, size WANTED) and `nearest`.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from core.examples.draw import ACTIVATING, NEIGHBOUR
from core.score import metrics
from core.score.classify import Classifier, JudgeFor
from core.score.items import Items, activating_slots, arranged, unmarked
from core.score.judge import NO_ANSWER, Answers
from core.score.material import Material
from core.score.metrics import Setting
from core.score.undefined import FEW_NEIGHBOURS, too_few
from data.records import Score

WANTED = 100  # neighbour contexts: ten features with ten each
FEWEST = 10  # below it there is nothing to be told of the siblings


def neighbour_scorer(judge: str, judge_for: JudgeFor) -> Classifier:
    """Ask the question of detection about activating and neighbour contexts."""
    return Classifier(
        name="neighbour",
        judge=judge,
        judge_for=judge_for,
        asks="detection",
        items=neighbour_items,
        rate=score_neighbour,
        lacks=lambda material: too_few(material) or _few_neighbours(material),
    )


def _few_neighbours(material: Material) -> str | None:
    return FEW_NEIGHBOURS if len(material.examples.rows("neighbour", "test")) < FEWEST else None


def neighbour_items(material: Material) -> Items:
    """Ask about activating contexts, ten a decile, and up to 100 neighbour contexts."""
    contexts, examples, preset = material.contexts, material.examples, material.preset
    active = activating_slots(examples, preset.detection.activating)
    silent = examples.rows("neighbour", "test")[:WANTED]
    return arranged(
        contexts,
        examples,
        [unmarked(contexts, ACTIVATING, active), unmarked(contexts, NEIGHBOUR, silent)],
        [],
        seed=material.seed("batches-neighbour"),
        batch=preset.batch,
        skipped={},
    )


def score_neighbour(material: Material, items: Items, answers: Answers, setting: Setting) -> Score:
    """Score the verdicts, neighbour by neighbour in `detail["neighbours"]`.

    Neighbour contexts are no sample of the silent ones: there is no base rate to correct for.
    """
    score = metrics.score(items, answers, setting)
    return replace(
        score, detail=score.detail | {"neighbours": by_neighbour(material, items, answers)}
    )


def by_neighbour(material: Material, items: Items, answers: Answers) -> list[dict[str, Any]]:
    """Count the verdicts on each neighbour's contexts, nearest first; rank 1 is the nearest."""
    usable = answers.verdict != NO_ANSWER
    correct = usable & ((answers.verdict == 1) == items.expected)
    source = np.where(items.kind == NEIGHBOUR, material.examples.source[items.slot], -1)
    others = [near for near in material.nearest if near.feature != material.feature]
    found = []
    for rank, near in enumerate(others, 1):
        here = source == near.feature
        if here.any():
            counted = metrics.tally(correct, usable, here)
            found.append(
                {
                    "feature": near.feature,
                    "rank": rank,
                    "similarity": near.similarity,
                    "n": counted.n,
                    "correct": counted.correct,
                    "failed": counted.failed,
                }
            )
    return found

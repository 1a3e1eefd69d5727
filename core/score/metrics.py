"""From verdicts to a score: counts first, everything else from the counts (methods.md 6.1, 6.2).

A failed verdict leaves every denominator and is counted beside it. The headline is balanced
accuracy, (TPR + TNR) / 2, the TNR being the mean over the kinds that the preset asks about; kinds
on request are tallied apart and change nothing in it.
"""

from typing import Any, NamedTuple

import numpy as np

from core.examples.draw import ACTIVATING, KINDS
from core.score import statistics
from core.score.items import Items
from core.score.judge import NO_ANSWER, Answers
from data.records import Score, Tally

METRIC = "balanced_accuracy"


class Setting(NamedTuple):
    """What a score says of itself besides its figures."""

    scorer: str  # detection or fuzzing
    judge: str
    preset: str
    seed: int  # of the bootstrap


def score(items: Items, answers: Answers, setting: Setting) -> Score:
    """Turn one scorer's verdicts on one explanation into its score."""
    usable = answers.verdict != NO_ANSWER
    correct = usable & ((answers.verdict == 1) == items.expected)
    weight = kind_weights(items)
    right = np.bincount(items.kind[correct & items.base], minlength=len(KINDS))
    n = np.bincount(items.kind[usable & items.base], minlength=len(KINDS))
    value = statistics.weighted_rate(right, n, weight)
    low, high = _interval(items, answers, correct, usable, weight, setting.seed) or (None, None)
    return Score(
        scorer=setting.scorer,
        metric=METRIC,
        value=value,
        low=low,
        high=high,
        tpr=statistics.weighted_rate(right, n, _class_weight(weight, activating=True)),
        tnr=statistics.weighted_rate(right, n, _class_weight(weight, activating=False)),
        n=int(n.sum()),
        failed=int((~usable & items.base).sum()),
        judge=setting.judge,
        preset=setting.preset,
        by_decile=_by_decile(items, correct, usable),
        non_activating=_by_kind(items, correct, usable),
        detail=_detail(items, answers, correct, usable),
    )


def kind_weights(items: Items) -> np.ndarray:
    """Weight of each kind in balanced accuracy, float64 [kinds]: half to either class.

    A class of which nothing could be asked leaves the score undefined, so its half goes to all of
    its kinds and no verdict stands against it.
    """
    asked = np.bincount(items.kind[items.base], minlength=len(KINDS)) > 0
    weight = np.zeros(len(KINDS))
    weight[ACTIVATING] = 0.5
    others = np.flatnonzero(asked & (np.arange(len(KINDS)) != ACTIVATING))
    if not len(others):
        others = np.delete(np.arange(len(KINDS)), ACTIVATING)
    weight[others] = 0.5 / len(others)
    return weight


def tally(correct: np.ndarray, usable: np.ndarray, which: np.ndarray) -> Tally:
    """Count the verdicts on some of the items."""
    return Tally(
        n=int((usable & which).sum()),
        correct=int((correct & which).sum()),
        failed=int((~usable & which).sum()),
    )


def _interval(
    items: Items,
    answers: Answers,
    correct: np.ndarray,
    usable: np.ndarray,
    weight: np.ndarray,
    seed: int,
) -> tuple[float, float] | None:
    """Bootstrap over calls where verdicts come in calls, else over items within kinds."""
    used = items.base & usable
    if answers.call is None:
        right = np.bincount(items.kind[used & correct], minlength=len(KINDS))
        n = np.bincount(items.kind[used], minlength=len(KINDS))
        return statistics.bootstrap_items(right, n, weight, seed)
    _, call = np.unique(answers.call, return_inverse=True)
    n = np.zeros((int(call.max(initial=-1)) + 1, len(KINDS)), dtype=np.int64)
    right = np.zeros_like(n)
    np.add.at(n, (call[used], items.kind[used]), 1)
    np.add.at(right, (call[used & correct], items.kind[used & correct]), 1)
    return statistics.bootstrap_calls(right, n, weight, seed)


def _class_weight(weight: np.ndarray, *, activating: bool) -> np.ndarray:
    """Weights of the kinds within one class, adding up to 1."""
    inside = (np.arange(len(weight)) == ACTIVATING) == activating
    return np.where(inside, 2 * weight, 0.0)


def _by_decile(items: Items, correct: np.ndarray, usable: np.ndarray) -> dict[int, Tally]:
    """Count rightly marked and activating items by decile; one without items is left out.

    Contexts of an import may have no decile: these are counted in none.
    """
    right = (items.kind == ACTIVATING) & (items.decile > 0)
    return {
        decile: tally(correct, usable, right & (items.decile == decile))
        for decile in np.unique(items.decile[right]).tolist()
    }


def _by_kind(items: Items, correct: np.ndarray, usable: np.ndarray) -> dict[str, Tally]:
    """Count the other items by kind, those on request included."""
    return {
        KINDS[kind]: tally(correct, usable, items.kind == kind)
        for kind in np.unique(items.kind[items.kind != ACTIVATING]).tolist()
    }


def _detail(
    items: Items, answers: Answers, correct: np.ndarray, usable: np.ndarray
) -> dict[str, Any]:
    """Failure rate with its bounds, AUROC of the probabilities, and items that were not made."""
    base = items.base
    asked = int(base.sum())
    failed = int((~usable & base).sum())
    detail: dict[str, Any] = {
        "asked": asked,
        "failure_rate": failed / asked if asked else None,
        "bounds": [_with_failures(items, correct, usable, right) for right in (False, True)],
        "skipped": items.skipped,
    }
    if answers.probability is not None:
        use = base & usable & ~np.isnan(answers.probability)
        detail["auroc"] = statistics.auroc(answers.probability[use], items.expected[use])
    return detail


def _with_failures(
    items: Items, correct: np.ndarray, usable: np.ndarray, right: bool
) -> float | None:
    """Balanced accuracy if every failed verdict had been right, or wrong."""
    lucky = correct | (~usable & right)
    hits = np.bincount(items.kind[lucky & items.base], minlength=len(KINDS))
    n = np.bincount(items.kind[items.base], minlength=len(KINDS))
    return statistics.weighted_rate(hits, n, kind_weights(items))

"""Detection: does this whole context, unmarked, contain the concept? (methods.md 5.1)

Forgiving: it does not ask which token fires. Its verdicts are on contexts as they come, so they can
be corrected to the rate at which the feature is active: precision, F1 and AUPRC at that base rate
stand beside balanced accuracy, which knows nothing of it.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from core.examples.draw import ACTIVATING, RANDOM
from core.score import metrics, statistics
from core.score.items import Items
from core.score.judge import NO_ANSWER, Answers
from core.score.metrics import Setting
from data.records import Score


def score_detection(
    items: Items, answers: Answers, setting: Setting, base_rate: float | None = None
) -> Score:
    """Score detection verdicts; base_rate: share of distinct contexts with the feature, 0..1."""
    score = metrics.score(items, answers, setting)
    if base_rate is None:
        return score
    return replace(score, detail=score.detail | at_base_rate(items, answers, base_rate))


def at_base_rate(items: Items, answers: Answers, base_rate: float) -> dict[str, Any]:
    """Precision, F1 and AUPRC over activating and random contexts at their true rates.

    With no false alarm among n random contexts the false-alarm rate is only known to be below
    about 3 / n: `precision_low` takes Wilson's upper bound of it.
    """
    used = items.base & (answers.verdict != NO_ANSWER)
    said = answers.verdict == 1
    active, silent = used & (items.kind == ACTIVATING), used & (items.kind == RANDOM)
    hits = statistics.wilson(int((said & active).sum()), int(active.sum()))
    alarms = statistics.wilson(int((said & silent).sum()), int(silent.sum()))
    if hits is None or alarms is None:
        return {"base_rate": base_rate, "precision": None, "f1": None, "auprc": None}
    precision = statistics.precision_at(hits.value, alarms.value, base_rate)
    return {
        "base_rate": base_rate,
        "precision": precision,
        "precision_low": statistics.precision_at(hits.low, alarms.high, base_rate),
        "f1": statistics.f1(precision, hits.value),
        "auprc": _auprc(items, answers, active, silent, base_rate),
    }


def _auprc(
    items: Items, answers: Answers, active: np.ndarray, silent: np.ndarray, base_rate: float
) -> float | None:
    """Rank by probability, over the items that have one, or by verdict where none has."""
    value: np.ndarray = answers.verdict
    if answers.probability is not None:
        value = answers.probability
        active, silent = active & ~np.isnan(value), silent & ~np.isnan(value)
    if not active.any() or not silent.any():
        return None
    both = active | silent
    weight = stratum_weights(items, active, silent, base_rate)
    return statistics.auprc(value[both], active[both], weight[both])


def stratum_weights(
    items: Items, active: np.ndarray, silent: np.ndarray, base_rate: float
) -> np.ndarray:
    """Share of the corpus each item stands for: deciles are equal shares of the activating ones."""
    per_decile = np.bincount(items.decile[active], minlength=11)
    weight = np.zeros(len(active))
    n_deciles = np.count_nonzero(per_decile)
    weight[active] = base_rate / n_deciles / per_decile[items.decile[active]]
    weight[silent] = (1 - base_rate) / silent.sum()
    return weight

"""Scores of methods that rank: a number for every context, no yes or no (methods.md 5.7, 5.8, 6.1).

The headline is the AUROC, the chance that an activating context is ranked above a random silent
one. Which is which follows from the kind of a context, never from the number. Kinds on request are
compared apart and change nothing in it. A context without a number is a failure, and counted.
"""

from typing import Any, NamedTuple

import numpy as np

from core.examples.draw import ACTIVATING, KINDS, RANDOM
from core.score import statistics
from core.score.detection import stratum_weights
from core.score.items import Items, arranged, extra_slots, silent_slots, unmarked
from core.score.material import Claim, Material, Outcomes
from data.items import ItemTable
from data.records import Score

METRIC = "auroc"
RANKED, FAILED = 2, -1  # in Outcomes.predicted: there is no yes or no


class Setting(NamedTuple):
    """What a score says of itself besides its figures."""

    scorer: str
    judge: str


def ranked_items(material: Material, scorer: str) -> Items:
    """Take all test contexts of the draw: ranking needs no judge, more of them cost little."""
    contexts, examples = material.contexts, material.examples
    base = [
        unmarked(contexts, ACTIVATING, examples.rows("activating", "test")),
        *(unmarked(contexts, kind, slot) for kind, slot in silent_slots(examples)),
    ]
    extra = [
        unmarked(contexts, kind, slot)
        for kind, slot in extra_slots(examples, material.preset.on_request)
    ]
    seed = material.seed(f"order-{scorer}")
    return arranged(contexts, examples, base, extra, seed=seed, batch=1, skipped={})


def outcomes(
    material: Material,
    items: Items,
    claim: Claim,
    value: np.ndarray,
    setting: Setting,
    detail: dict[str, Any],
) -> Outcomes:
    """Turn one explanation's numbers, float [n], NaN where there is none, into its outcomes."""
    table = ItemTable(
        kind=items.kinds,
        decile=items.decile,
        first_token=items.first_token,
        peak=items.peak,
        marks=[None] * len(items.slot),
        length=items.length,
    )
    made = score(items, value, setting, preset=material.label, base_rate=material.base_rate)
    made.detail.update(detail)
    if material.examples.removed:
        made.detail["removed"] = material.examples.removed
    return Outcomes(
        explanation_id=claim.explanation_id,
        items=table,
        predicted=np.where(np.isfinite(value), RANKED, FAILED).astype(np.int8),
        score=made,
        value=value.astype(np.float32),
    )


def score(
    items: Items, value: np.ndarray, setting: Setting, *, preset: str, base_rate: float | None
) -> Score:
    """AUROC of activating against random contexts, with what stands beside it.

    Of an import, which need not have random ones, against all silent ones.
    """
    usable = np.isfinite(value)
    used = items.base & usable
    found = statistics.auroc_interval(value[used], items.expected[used])
    asked, failed = int(items.base.sum()), int((items.base & ~usable).sum())
    detail: dict[str, Any] = {
        "asked": asked,
        "failure_rate": failed / asked if asked else None,
        "bounds": [_with_failures(items, value, first) for first in (False, True)],
        "base_rate": base_rate,
        "auprc": None if base_rate is None else _auprc(items, value, used, base_rate),
        "deciles": _by_decile(items, value, usable),
        "kinds": _by_kind(items, value, usable),
    }
    if found is None:
        lacks = [
            name
            for name, kind in (("activating", ACTIVATING), ("random", RANDOM))
            if not (used & (items.kind == kind)).any()
        ]
        detail["reason"] = f"no usable {' and no usable '.join(lacks)} contexts"
    return Score(
        scorer=setting.scorer,
        metric=METRIC,
        value=found.value if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
        tpr=None,
        tnr=None,
        n=int(used.sum()),
        failed=failed,
        judge=setting.judge,
        preset=preset,
        by_decile={},  # counts of right answers, of which a ranking has none
        non_activating={},
        detail=detail,
    )


def _with_failures(items: Items, value: np.ndarray, activating_first: bool) -> float | None:
    """AUROC if every failure had been ranked first in its right place, or in its wrong one."""
    at_top = items.expected == activating_first
    filled = np.where(np.isfinite(value), value, np.where(at_top, np.inf, -np.inf))
    return statistics.auroc(filled[items.base], items.expected[items.base])


def _auprc(items: Items, value: np.ndarray, used: np.ndarray, base_rate: float) -> float | None:
    """Average precision at the rate at which the feature is active, which is also its chance."""
    active, silent = used & (items.kind == ACTIVATING), used & (items.kind == RANDOM)
    if not active.any() or not silent.any():
        return None
    both = active | silent
    weight = stratum_weights(items, active, silent, base_rate)
    return statistics.auprc(value[both], active[both], weight[both])


def _by_decile(items: Items, value: np.ndarray, usable: np.ndarray) -> list[dict[str, Any]]:
    """Compare each decile with all silent contexts that the preset asks about."""
    active = items.kind == ACTIVATING
    silent = items.base & ~active
    return [
        {"decile": decile, **_compared(value, usable, active & (items.decile == decile), silent)}
        for decile in np.unique(items.decile[active & (items.decile > 0)]).tolist()
    ]


def _by_kind(items: Items, value: np.ndarray, usable: np.ndarray) -> dict[str, dict[str, Any]]:
    """Compare all activating contexts with each kind of silent ones."""
    active = items.kind == ACTIVATING
    return {
        KINDS[kind]: _compared(value, usable, items.kind == kind, active, turned=True)
        for kind in np.unique(items.kind[~active]).tolist()
    }


def _compared(
    value: np.ndarray,
    usable: np.ndarray,
    which: np.ndarray,
    others: np.ndarray,
    *,
    turned: bool = False,
) -> dict[str, Any]:
    """AUROC of some contexts against others, with n and failed of the former."""
    used = usable & (which | others)
    positive = (others if turned else which)[used]
    found = statistics.auroc_interval(value[used], positive)
    return {
        "n": int((usable & which).sum()),
        "failed": int((~usable & which).sum()),
        "auroc": found.value if found else None,
        "low": found.low if found else None,
        "high": found.high if found else None,
    }

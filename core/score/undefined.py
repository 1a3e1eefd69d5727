"""The outcome of a scorer that has too little to ask about: no value, and the reason."""

from collections.abc import Sequence

import numpy as np

from core.score.material import Claim, Material, Outcomes
from data.items import ItemTable
from data.records import Score

FEW_NEIGHBOURS = "few-neighbours"  # too few contexts of near features are left by the filter

NO_ITEMS = ItemTable(
    kind=[],
    decile=np.empty(0, np.uint8),
    first_token=np.empty(0, np.uint64),
    peak=np.empty(0, np.float32),
    marks=[],
)


def too_few(material: Material) -> str | None:
    """Say why a feature gets no score of any kind (methods.md 2.3); None = it gets one."""
    reason = material.examples.reason
    return None if reason == "reduced" else reason


def undefined(
    material: Material,
    claims: Sequence[Claim],
    *,
    scorer: str,
    metric: str,
    judge: str,
    reason: str,
) -> list[Outcomes]:
    """Give every explanation a score without a value; nothing was asked."""
    score = Score(
        scorer=scorer, metric=metric, value=None, low=None, high=None, tpr=None, tnr=None,
        n=0, failed=0, judge=judge, preset=material.label, by_decile={}, non_activating={},
        detail={"reason": reason},
    )  # fmt: skip
    nothing = np.empty(0, np.int8)
    return [Outcomes(claim.explanation_id, NO_ITEMS, nothing, score) for claim in claims]

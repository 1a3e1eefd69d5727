"""The outcome of a scorer that has too little to ask about: no value, and the reason."""

from collections.abc import Sequence

import numpy as np

from core.examples.contexts import TEST
from core.examples.draw import ACTIVATING
from core.score.items import valued
from core.score.material import Claim, Material, Outcomes
from data.items import ItemTable
from data.records import Score

NO_SILENT = "no-silent"  # an import has no silent contexts of the feature
NO_ACTIVATIONS = "no-activations"  # of no token of an import's contexts: nothing can be marked
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


def one_sided(material: Material) -> str | None:
    """Say so where an import has no silent contexts to judge; None = there are some."""
    examples = material.examples
    silent = (examples.split == TEST) & (examples.kind != ACTIVATING)
    return NO_SILENT if examples.is_stored and not silent.any() else None


def unmarkable(material: Material) -> str | None:
    """Say why no token can be marked: an import need not have its contexts' activations."""
    known = valued(material.contexts, material.activations, material.examples)
    active = material.examples.rows("activating", "test")
    return None if known is None or known[active].any() else NO_ACTIVATIONS


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

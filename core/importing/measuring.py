"""Foreign scores that are no yes or no to a context: ranked, averaged, or published as a figure.

Their rows are not kept: what they were about is not among the contexts of the run.
"""

from collections.abc import Sequence

import numpy as np

from core.importing.judging import PRESET, UNKNOWN_USAGE, Judging
from core.score.statistics import auroc_interval, wilson
from data.imports.delphi_run import Address
from data.imports.delphi_scorers import Measured
from data.items import ItemTable
from data.judgements import Judgement
from data.records import Interval, Score

PUBLISHED = "as published"  # metric of figures whose verdicts are not known


def bare_judgement(
    address: Address, explanation_id: int, scorer_id: int, score: Score
) -> Judgement:
    """A score without items."""
    none = np.empty(0, np.int64)
    items = ItemTable([], none, none, none, [], length=none)
    return Judgement(explanation_id, address.feature, scorer_id, score.scorer, score.preset, items,
                     none.astype(np.int8), None, score)  # fmt: skip


def published_score(judging: Judging, scorer: str, value: float) -> Score:
    """A figure as it was published: how it was computed is not known."""
    flags = [*judging.flags, "verdicts_unknown"]
    return _score(judging, scorer, PUBLISHED, value, None, n=0, failed=0, flags=flags)


def measured_score(judging: Judging, scorer: str, found: Measured, *, has_text: bool) -> Score:
    """The figure of a file, with its interval where there is a formula for one."""
    value, interval = _figure(found)
    flags = [*judging.flags, *["of_failed_explanation"] * (not has_text)]
    return _score(judging, scorer, found.metric, value, interval, n=len(found.values),
                  failed=found.n_failed, flags=flags)  # fmt: skip


def _figure(found: Measured) -> tuple[float | None, Interval | None]:
    values = np.array(found.values, np.float64)
    if found.metric == "auroc":
        interval = auroc_interval(values, np.array(found.positive, bool))
        return interval and interval.value, interval
    if not len(values):
        return None, None
    share = wilson(int(values.sum()), len(values)) if found.metric == "accuracy" else None
    return float(values.mean()), share


def _score(
    judging: Judging, scorer: str, metric: str, value: float | None, interval: Interval | None,
    *, n: int, failed: int, flags: Sequence[str],
) -> Score:  # fmt: skip
    return Score(
        scorer=scorer, metric=metric, value=value, low=interval and interval.low,
        high=interval and interval.high, tpr=None, tnr=None, n=n, failed=failed,
        judge=judging.judge, preset=PRESET, by_decile={}, non_activating={},
        detail={"flags": list(flags)}, usage=UNKNOWN_USAGE,
    )  # fmt: skip

"""What of a cache is still to be explained, scored or judged as a null, by one setting."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from core.pipeline import sweeping
from core.pipeline.nulls import null_tasks, paired
from core.pipeline.pricing import NO_METHOD
from core.pipeline.scorers import Tools, scorer_settings
from core.pipeline.scoring import controls, open_bench
from core.pipeline.sweep_plan import Trial
from core.pipeline.sweeping import Opened
from data import ledger
from data.catalogue import Catalogue

if TYPE_CHECKING:
    from core.pipeline.baselines import BaselineRequest


class Left(NamedTuple):
    """Work that is left; false where there is none."""

    explanations: int = 0  # features without an answer
    scores: int = 0  # features with an explanation that lacks a score

    def __bool__(self) -> bool:
        return self.explanations > 0 or self.scores > 0


def left_of(catalogue: Catalogue, request: "BaselineRequest", at: Opened) -> Left:
    """Count what is missing of a cache that is there."""
    names = [hookpoint.name for hookpoint, _ in at.chosen]
    trial = Trial(catalogue, request.sweep(at.record.name, names), at)
    missing = trial.missing(request.settings)
    unscored = trial.unscored(request.settings)
    return Left(len(missing), len({(h.hookpoint_id, asked.feature) for h, _, asked in unscored}))


def nulls_left(
    catalogue: Catalogue, request: "BaselineRequest", at: Opened, wanted: Sequence[str]
) -> int:
    """Count features of the cache that lack null scores."""
    names = [hookpoint.name for hookpoint, _ in at.chosen]
    sweep = request.sweep(at.record.name, names)
    written = sweeping.explanations_of(catalogue, sweep, at, request.settings)
    if not wanted or not written:
        return 0
    asked = replace(sweeping.score_request(sweep, at, written), nulls=tuple(wanted))
    bench = open_bench(catalogue, at.record, request.preset)
    tools = Tools(catalogue, bench, request.means, None, ExitStack(), planned=True)
    n = 0
    for hookpoint, chosen in at.chosen:
        others = partial(controls, catalogue, hookpoint)
        made = [
            (
                tools.scorer(name, others),
                ledger.known_method(
                    catalogue, "scorer", name, request.means.judge,
                    scorer_settings(name, request.means, asked.label),
                ) or NO_METHOD,
            )
            for name in asked.scorers
        ]  # fmt: skip
        plans = paired(catalogue, asked, tools, hookpoint, chosen)
        tasks = null_tasks(catalogue, asked, hookpoint, plans, made)
        n += sum(len(some) for _, _, some in tasks)
    return n

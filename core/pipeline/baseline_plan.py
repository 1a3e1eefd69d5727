"""What a request for baselines would still do and ask, and the table of what it has done."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from core.baselines.kinds import title
from core.baselines.table import Question, Table, question_of, table
from core.pipeline.baselines import (
    BaselineRequest,
    Opened,
    Part,
    explainer_id,
    open_baselines,
    run_settings,
)
from core.pipeline.scorers import GRAMMAR
from core.pipeline.sweep_plan import SweepPlan, plan_sweep
from data.baselines import Study
from data.catalogue import Catalogue


class PartPlan(NamedTuple):
    """One row's share of the work."""

    part: Part
    priced: SweepPlan | None  # None: nobody is paid, or it is not cached yet

    def line(self) -> str:
        """Write for people."""
        name, part = title(self.part.name), self.part
        if part.target and part.target.problem:
            return f"{name}: not possible here: {part.target.problem}"
        if not part.is_cached:
            return f"{name}: cache {part.cache} is to be made; then it is explained and scored"
        if not part.left:
            return f"{name}: nothing to do ({part.cache})"
        to_score = part.left.scores + part.left.explanations
        said = (
            f"{name}: {part.left.explanations:,} to explain, {to_score:,} to score ({part.cache})"
        )
        return said if self.priced is None else f"{said}; {self.priced.in_all()}"

    def as_dict(self) -> dict[str, Any]:
        """Write for scripts."""
        part = self.part
        return {
            "row": part.name,
            "cache": part.cache,
            "problem": (part.target and part.target.problem) or None,
            "cached": part.is_cached,
            "to_explain": part.left.explanations if part.is_cached else None,
            "to_score": part.left.scores if part.is_cached else None,
            "plans": [plan.as_dict() for one in (self.priced.parts if self.priced else ())
                      for plan in one.plans],
        }  # fmt: skip


class BaselinePlan(NamedTuple):
    """All of a request."""

    parts: tuple[PartPlan, ...]
    nulls: int  # features that lack null scores
    asks_a_model: bool

    def lines(self) -> Iterator[str]:
        """Write for people."""
        yield from (one.line() for one in self.parts)
        if self.nulls:
            yield f"null scores: {self.nulls:,} features and scorers to go"
        unpriced = sum(not one.part.is_cached for one in self.parts)
        if self.asks_a_model and unpriced:
            yield (f"{unpriced} baselines can be priced when they are cached; each takes about as "
                   "many calls as the SAE's own features from nothing")  # fmt: skip

    def objects(self) -> Iterator[dict[str, Any]]:
        """One object a row."""
        for one in self.parts:
            yield one.as_dict()
        yield {"row": "nulls", "to_score": self.nulls}


def plan_baselines(catalogue: Catalogue, request: BaselineRequest) -> BaselinePlan:
    """Plan everything; nothing is asked, nothing is stored."""
    found = open_baselines(catalogue, request)
    asks = request.means.judge != GRAMMAR or request.endpoint is not None
    parts = [
        PartPlan(
            part,
            plan_sweep(catalogue, request.sweep(part.cache, part.hookpoints))
            if asks and part.is_cached and part.left else None,
        )
        for part in found.parts
    ]  # fmt: skip
    return BaselinePlan(tuple(parts), found.nulls_left, asks)


def table_of(
    catalogue: Catalogue, request: BaselineRequest
) -> tuple[Table, Mapping[str, str]]:  # fmt: skip
    """The table of a request as it stands, and why rows cannot be made."""
    found = open_baselines(catalogue, request)
    return table(catalogue, question(catalogue, request, found)), problems(found)


def question(catalogue: Catalogue, request: BaselineRequest, found: Opened) -> Question:
    """What a request compares, in the words of its run."""
    study = Study(0, explainer_id(catalogue, request), run_settings(request, found), "")
    return question_of(request.cache, study)


def problems(found: Opened) -> dict[str, str]:
    """Why rows cannot be made, by kind."""
    return {
        part.name: part.target.problem
        for part in found.parts
        if part.target and part.target.problem
    }

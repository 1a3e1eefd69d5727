"""Pairs: every feature that was scored under both sides, and why the others are left out.

In: two sides, a scorer, possibly one hookpoint. Out: arrays by feature. Features of two caches are
paired by the hookpoint's name and the feature's number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from core.comparing.sides import Side
from data import comparing
from data.catalogue import Connection
from data.comparing import PLACES, Wanted
from data.feature_filter import MANY_FAILED

FEATURE_BITS = 40  # of a key; the hookpoint's place among the names stands above
SCORED = "scored"
REASONS = (SCORED, "not explained", "explanation failed", "not scored", "score undefined")


@dataclass(frozen=True, slots=True)
class Judge:
    """Who answered and about which questions."""

    scorer_id: int
    judge: str  # grammar or a model's name
    preset: str
    n: int  # features paired by it


class SideScores(NamedTuple):
    """What one side scored on every feature that it tried; columns by ascending key."""

    key: np.ndarray  # int64 [f], hookpoint's place << 40 | feature
    status: np.ndarray  # int8 [f], place in REASONS
    explanation_id: np.ndarray  # int64 [f], 0 = none usable
    value: np.ndarray  # float64 [f], NaN = no score
    failed: np.ndarray  # float64 [f], share of replies that were not usable
    density: np.ndarray  # float32 [f], share of tokens on which the feature fires
    right: np.ndarray  # float32 [f, place], verdicts that were right
    n: np.ndarray  # float32 [f, place], usable verdicts
    scorer_ids: tuple[int, ...]  # that the values come from


@dataclass(frozen=True, slots=True)
class Question:
    """What two sides are compared by."""

    first: Side
    second: Side
    scorer: str = "detection"
    judge: int | None = None  # scorer_id; None = the common one that pairs most features
    hookpoint: str | None = None  # None = all


class Found(NamedTuple):
    """What the catalogue holds of a question, read in one visit."""

    question: Question
    names: tuple[str, ...]  # of hookpoints, by place
    first: SideScores
    second: SideScores
    choices: tuple[Judge, ...]  # judges that scored both, the one with most features first
    judge: Judge | None  # the one compared by; None = the headline score of each explanation
    said_by: tuple[tuple[str, ...], tuple[str, ...]]  # "judge, preset" behind the values


def read(con: Connection, question: Question) -> Found:
    """The scores of both sides, by the judge that scored both where there is one."""
    first, second = (_wanted(question, side) for side in (question.first, question.second))
    choices = tuple(Judge(**row) for row in comparing.common_judges(con, first, second))
    asked = next((j for j in choices if j.scorer_id == question.judge), None)
    judge = asked or next(iter(choices), None)
    chosen = judge.scorer_id if judge else None
    known = [comparing.hookpoints(con, side.cache) for side in (first, second)]
    names = tuple(dict.fromkeys(name for found in known for name in found.values()))
    a, b = (
        _scores(comparing.scores(con, side._replace(judge=chosen)), hookpoints, names)
        for side, hookpoints in zip((first, second), known, strict=True)
    )
    return Found(question, names, a, b, choices, judge, _said_by(con, (a, b)))


def _wanted(question: Question, side: Side) -> Wanted:
    return Wanted(side.cache, side.explainer_id, question.scorer, None, question.hookpoint)


def _scores(frame: pd.DataFrame, hookpoints: dict[int, str], names: Sequence[str]) -> SideScores:
    place = np.zeros(max(hookpoints, default=0) + 1, np.int64)
    for number, name in hookpoints.items():
        place[number] = names.index(name)
    at = place[frame["hookpoint_id"].to_numpy()]
    key = at << FEATURE_BITS | frame["feature"].to_numpy(np.int64)
    order = np.argsort(key, kind="stable")
    column = {name: frame[name].to_numpy()[order] for name in frame.columns}
    judged, failed = column["n_judged"].astype(float), column["n_failed"].astype(float)
    return SideScores(
        key=key[order],
        status=_status(column),
        explanation_id=column["explanation_id"].astype(np.int64),
        value=column["value"].astype(float),
        failed=failed / np.maximum(judged + failed, 1),
        density=column["density"].astype(np.float32),
        right=np.stack([column[f"right_{place}"] for place in PLACES], axis=1),
        n=np.stack([column[f"n_{place}"] for place in PLACES], axis=1),
        scorer_ids=tuple(int(i) for i in np.unique(column["scorer_id"]) if i),
    )


def _status(column: dict[str, np.ndarray]) -> np.ndarray:
    undefined = np.where(np.isnan(column["value"].astype(float)), 4, 0)
    unscored = np.where(column["scorer_id"] == 0, 3, undefined)
    return np.where(column["explanation_id"] == 0, 2, unscored).astype(np.int8)


def _said_by(
    con: Connection, sides: Sequence[SideScores]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    ids = sorted({i for side in sides for i in side.scorer_ids})
    words = {
        row["scorer_id"]: f"{row['judge']}, preset {row['preset']}"
        for row in comparing.scorers(con, ids)
    }
    first, second = (tuple(words[i] for i in side.scorer_ids) for side in sides)
    return first, second


class Pairs(NamedTuple):
    """Features scored under both sides, in the order of hookpoints and numbers."""

    place: np.ndarray  # int64 [n], of the hookpoint among the names
    feature: np.ndarray  # int64 [n]
    first: np.ndarray  # float64 [n], score under the first side
    second: np.ndarray  # float64 [n]
    explanations: np.ndarray  # int64 [n, side]
    density: np.ndarray  # float32 [n], under the first side
    is_ranked: np.ndarray  # bool [n], few enough failed replies on both sides

    @property
    def difference(self) -> np.ndarray:
        """Second minus first, float64 [n]; equal up to rounding is 0."""
        found = self.second - self.first
        return np.where(np.abs(found) < 1e-9, 0.0, found)


class LeftOut(NamedTuple):
    """Features that a side tried to explain and that are not compared."""

    n: int
    first: dict[str, int]  # of those, by what the first side lacks
    second: dict[str, int]


class Paired(NamedTuple):
    """The pairs, their verdict counts on both sides, and who is left out."""

    pairs: Pairs
    right: tuple[np.ndarray, np.ndarray]  # float32 [n, place] of either side
    n: tuple[np.ndarray, np.ndarray]
    left_out: LeftOut


def pair(first: SideScores, second: SideScores) -> Paired:
    """Bring the features of two sides together."""
    every = np.union1d(first.key, second.key)
    status = [_status_of(side, every) for side in (first, second)]
    is_paired = (status[0] == 0) & (status[1] == 0)
    kept = every[is_paired]
    a, b = (np.searchsorted(side.key, kept) for side in (first, second))
    pairs = Pairs(
        place=kept >> FEATURE_BITS,
        feature=kept & ((1 << FEATURE_BITS) - 1),
        first=first.value[a],
        second=second.value[b],
        explanations=np.stack([first.explanation_id[a], second.explanation_id[b]], axis=1),
        density=first.density[a],
        is_ranked=(first.failed[a] <= MANY_FAILED) & (second.failed[b] <= MANY_FAILED),
    )
    lacking = [_reasons(one[~is_paired]) for one in status]
    left_out = LeftOut(int((~is_paired).sum()), *lacking)
    return Paired(pairs, (first.right[a], second.right[b]), (first.n[a], second.n[b]), left_out)


def _status_of(side: SideScores, keys: np.ndarray) -> np.ndarray:
    """Status by key; a feature that the side never tried is "not explained"."""
    found = np.ones(len(keys), np.int8)
    found[np.searchsorted(keys, side.key)] = side.status
    return found


def _reasons(status: np.ndarray) -> dict[str, int]:
    counts = np.bincount(status, minlength=len(REASONS)).tolist()
    return {reason: n for reason, n in zip(REASONS, counts, strict=True) if n and reason != SCORED}

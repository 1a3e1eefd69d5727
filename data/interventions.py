"""Figures of interventions: written by their stage feature by feature, read back for pages.

A study is what makes figures comparable: judge, explainer, sizes. One transaction holds everything
of one feature: explanations, scores, prompts with their continuations, and the run's progress; a
killed run has all of a feature or nothing. What is there is never written again, but for a row
that an endpoint left without an answer: the next run's takes its place.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pyarrow as pa

from data.caches import digest
from data.catalogue import Catalogue, Connection, Row, as_json
from data.ledger import Cancelled, Journal, NewExplanation, add_explanations
from data.records import Score, Usage
from data.runs import beat, is_cancelled
from data.score_rows import now, score_rows
from data.summaries import refresh

ARMS = ("feature", "ablation", "random-sae", "shuffled")
UNANSWERED = "no answer:"  # how the reason of a row begins that the next run tries again


class Place(NamedTuple):
    """A study at a hookpoint."""

    study_id: int
    hookpoint_id: int


@dataclass(frozen=True, slots=True)
class PromptRow:
    """What one prompt showed; columns as in schema.sql."""

    role: str
    first_token: int
    length: int
    quintile: int
    clean: tuple[int, ...] | None
    steered: tuple[int, ...] | None
    kl: float | None
    rising: tuple[tuple[int, float, float], ...] | None  # token, probability before and after
    difference: float | None


@dataclass(frozen=True, slots=True)
class InterventionRow:
    """One feature in one arm at one target; columns as in schema.sql."""

    arm: str
    feature: int
    target: float | None
    prompts: tuple[PromptRow, ...]
    other: int | None = None
    text: str | None = None
    candidates: tuple[tuple[str, float | None], ...] = ()
    strength: float | None = None
    kl: float | None = None
    reason: str | None = None
    note: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    error: float | None = None
    per_token: float | None = None
    n_tokens: int | None = None
    n_prompts: int = 0
    n_failed: int = 0
    tried: tuple[tuple[float, float], ...] = ()
    explained: "Explained | None" = None  # arm feature, where there is an explanation
    usage: Usage | None = None  # None = no endpoint was asked


@dataclass(frozen=True, slots=True)
class Explained:
    """An explanation as others are browsed, with its score."""

    explainer_id: int
    scorer_id: int
    explanation: NewExplanation
    score: Score


def study_id(
    catalogue: Catalogue, judge: str, explainer: str | None, settings: Mapping[str, Any]
) -> int:
    """The study with these settings, added when new."""
    key = digest("intervention", judge, explainer, dict(settings))
    with catalogue.writing() as con:
        sql = "select study_id from intervention_study where settings_hash = ?"
        found = con.value(sql, [key])
        if found is None:
            con.run(
                "insert into intervention_study (judge, explainer, settings, settings_hash) "
                "values (?, ?, ?, ?)",
                [judge, explainer, as_json(settings), key],
            )
            found = con.value(sql, [key])
    return found


STORED = """
select arm, feature, target, coalesce(starts_with(reason, ?), false) as is_open
from intervention
where study_id = ? and hookpoint_id = ?
"""
SAME = """
study_id = ? and hookpoint_id = ? and arm = ? and feature = ? and target is not distinct from ?
"""


def stored(
    con: Connection, place: Place, *, is_open: bool = False
) -> set[tuple[str, int, float | None]]:
    """Arm, feature and target of everything that is measured already; is_open: of what is not."""
    rows = con.rows(STORED, [UNANSWERED, *place])
    return {(r["arm"], r["feature"], r["target"]) for r in rows if r["is_open"] == is_open}


def write(
    catalogue: Catalogue, place: Place, run_id: int, fresh: Sequence[InterventionRow], *,
    features_done: int, failed: int = 0, usage: Usage | None = None,
    journal: Journal | None = None,
) -> None:  # fmt: skip
    """Store everything of some features in one transaction."""
    with catalogue.writing() as con:
        if is_cancelled(con, run_id):
            raise Cancelled
        if journal is not None:
            journal.fold(con)
        known = stored(con, place)
        fresh = [new for new in fresh if (new.arm, new.feature, new.target) not in known]
        _make_room(con, place, fresh)
        explanation_ids = [_explain(con, place, run_id, new) for new in fresh]
        con.append("intervention", _rows(place, run_id, fresh, explanation_ids))
        con.append("intervention_prompt", _prompt_rows(place, fresh))
        refresh(con, place.hookpoint_id, {new.feature for new in fresh if new.explained})
        given = {} if usage is None else {"usage": usage}
        beat(con, run_id, done=features_done, failed=failed, **given)


def _make_room(con: Connection, place: Place, fresh: Sequence[InterventionRow]) -> None:
    """Take away what an earlier run was left without an answer for."""
    left = stored(con, place, is_open=True)
    for new in fresh:
        if (new.arm, new.feature, new.target) in left:
            for table in ("intervention", "intervention_prompt"):
                con.run(f"delete from {table} where {SAME}",
                        [*place, new.arm, new.feature, new.target])  # fmt: skip


FOUND = """
select explanation_id, text
from explanation
where hookpoint_id = ? and feature = ? and explainer_id = ? and seed = ?
order by explanation_id
"""


def _explain(con: Connection, place: Place, run_id: int, new: InterventionRow) -> int | None:
    """Store an explanation with its score; gives its explanation_id.

    A score belongs to its own text alone: another text is another attempt of the explainer.
    """
    made = new.explained
    if made is None:
        return None
    text, key = made.explanation.text, [place.hookpoint_id, new.feature, made.explainer_id,
                                        made.explanation.seed]  # fmt: skip
    before = con.rows(FOUND, key)
    if all(row["text"] != text for row in before):
        attempt = replace(made.explanation, attempt=len(before))
        add_explanations(con, place.hookpoint_id, made.explainer_id, None, run_id, [attempt])
    number = next(row["explanation_id"] for row in con.rows(FOUND, key) if row["text"] == text)
    there = con.value(
        "select count(*) from score where explanation_id = ? and scorer_id = ?",
        [number, made.scorer_id],
    )
    if not there:
        con.append("score", score_rows(run_id, [(number, made.scorer_id, made.score)]))
    return number


def _rows(
    place: Place,
    run_id: int,
    fresh: Sequence[InterventionRow],
    explanation_ids: Sequence[int | None],
) -> pa.Table:
    n = len(fresh)

    def column(name: str, kind: pa.DataType) -> pa.Array:
        return pa.array([getattr(new, name) for new in fresh], kind)

    floats = ("target", "strength", "kl", "value", "low", "high", "error", "per_token")
    numbers = ("feature", "other", "n_tokens", "n_prompts", "n_failed")
    return pa.table(
        {
            "study_id": pa.array([place.study_id] * n, pa.uint32()),
            "hookpoint_id": pa.array([place.hookpoint_id] * n, pa.uint32()),
            "run_id": pa.array([run_id] * n, pa.uint64()),
            "explanation_id": pa.array(explanation_ids, pa.uint64()),
            "scorer_id": pa.array(
                [new.explained and new.explained.scorer_id for new in fresh], pa.uint32()
            ),
            "candidates": pa.array([as_json([*map(list, f.candidates)]) for f in fresh]),
            "tried": pa.array([as_json([*map(list, new.tried)]) for new in fresh], pa.string()),
            "created_at": now(n),
        }
        | {name: column(name, pa.float64()) for name in floats}
        | {name: column(name, pa.uint32()) for name in numbers}
        | {name: column(name, pa.string()) for name in ("arm", "text", "reason", "note")}
    )


RISING = pa.list_(pa.struct([("token", pa.uint32()), ("before", pa.float32()),
                             ("after", pa.float32())]))  # fmt: skip


def _prompt_rows(place: Place, fresh: Sequence[InterventionRow]) -> pa.Table:
    every = [(new, i, prompt) for new in fresh for i, prompt in enumerate(new.prompts)]
    rising = [
        p.rising and [dict(zip(("token", "before", "after"), one, strict=True)) for one in p.rising]
        for _, _, p in every
    ]

    def column(name: str, kind: pa.DataType) -> pa.Array:
        return pa.array([getattr(prompt, name) for _, _, prompt in every], kind)

    tokens = pa.list_(pa.uint32())
    return pa.table(
        {
            "study_id": pa.array([place.study_id] * len(every), pa.uint32()),
            "hookpoint_id": pa.array([place.hookpoint_id] * len(every), pa.uint32()),
            "arm": pa.array([new.arm for new, _, _ in every], pa.string()),
            "feature": pa.array([new.feature for new, _, _ in every], pa.uint32()),
            "target": pa.array([new.target for new, _, _ in every], pa.float64()),
            "place": pa.array([i for _, i, _ in every], pa.uint16()),
            "role": column("role", pa.string()),
            "first_token": column("first_token", pa.uint64()),
            "length": column("length", pa.uint16()),
            "quintile": column("quintile", pa.uint8()),
            "clean": column("clean", tokens),
            "steered": column("steered", tokens),
            "kl": column("kl", pa.float64()),
            "rising": pa.array(rising, RISING),
            "difference": column("difference", pa.float64()),
        }
    )


STUDIES = """
select s.study_id, s.judge, s.explainer, s.settings, count(distinct i.feature) as n_features
from intervention_study s
join intervention i using (study_id)
where i.hookpoint_id = ? and i.arm = 'feature'
group by all
order by s.study_id desc
"""


def studies(con: Connection, hookpoint_id: int) -> list[Row]:
    """What was measured at a hookpoint, newest first; settings as a mapping."""
    return [row | {"settings": json.loads(row["settings"])} for row in con.rows(STUDIES,
            [hookpoint_id])]  # fmt: skip


FIGURES = """
select *
from intervention
where study_id = ? and hookpoint_id = ?
order by arm, feature, target
"""


def figures(con: Connection, place: Place) -> list[Row]:
    """Everything measured in a study at a hookpoint, one row a feature, arm and target."""
    return [_read(row) for row in con.rows(FIGURES, list(place))]


OF_FEATURE = """
select i.*, s.judge, s.explainer
from intervention i
join intervention_study s using (study_id)
where i.hookpoint_id = ? and i.feature = ? and i.arm <> 'random-sae'
order by i.study_id desc, i.arm, i.target
"""


def of_feature(con: Connection, hookpoint_id: int, feature: int) -> list[Row]:
    """What was measured of one feature, newest study first; its random namesake is left out."""
    return [_read(row) for row in con.rows(OF_FEATURE, [hookpoint_id, feature])]


def _read(row: Row) -> Row:
    return row | {name: json.loads(row[name] or "[]") for name in ("candidates", "tried")}


PROMPTS = """
select *
from intervention_prompt
where study_id = ? and hookpoint_id = ? and arm = ? and feature = ?
    and target is not distinct from ?
order by place
"""


def prompts(
    con: Connection, place: Place, arm: str, feature: int, target: float | None
) -> list[Row]:
    """The prompts of one feature at one target, in the order in which they were drawn."""
    return con.rows(PROMPTS, [*place, arm, feature, target])

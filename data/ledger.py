"""Explanations, verdicts and scores as the stages write them; `data/results.py` reads them back.

One transaction holds the work of a chunk of features together with the run's progress, so a killed
run has either all of a chunk or nothing of it. Rows carry natural keys: writing the same work again
changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from data.caches import digest
from data.catalogue import Catalogue, Connection, as_json
from data.items import ItemTable, item_ids
from data.records import Score
from data.runs import beat, is_cancelled


class Cancelled(Exception):
    """The run was asked to stop; nothing of the present chunk was stored."""


@dataclass(frozen=True, slots=True)
class NewExplanation:
    """What an explainer made of one feature."""

    feature: int
    text: str | None  # None = no usable explanation
    rule: str | None
    status: str  # done, failed, skipped
    error: str | None
    seconds: float
    seed: int
    example_slots: tuple[int, ...] | None  # None = all train tokens
    exact: Score | None  # grammar explanations are checked at once


@dataclass(frozen=True, slots=True)
class Judgement:
    """One explanation judged by one scorer: its verdicts in item order, and the score."""

    explanation_id: int
    feature: int
    scorer_id: int
    scorer: str  # detection or fuzzing
    preset: str
    items: ItemTable
    predicted: np.ndarray  # int8 [n]: 1 yes, 0 no, -1 no usable reply
    probability: np.ndarray | None  # float32 [n]
    score: Score


def method_id(
    catalogue: Catalogue, table: str, name: str, model: str | None, settings: Mapping[str, Any]
) -> int:
    """The explainer_id or scorer_id of a method with these settings, adding it when new.

    table: "explainer" or "scorer"; model: the explainer's model or the scorer's judge.
    """
    key = digest(name, model, dict(settings))
    who = "model" if table == "explainer" else "judge"
    with catalogue.writing() as con:
        found = con.value(f"select {table}_id from {table} where settings_hash = ?", [key])
        if found is None:
            preset = {"preset": settings["preset"]} if table == "scorer" else {}
            row = {"name": name, who: model, "settings": as_json(settings), "settings_hash": key}
            row |= preset
            con.run(
                f"insert into {table} ({', '.join(row)}) values ({', '.join('?' * len(row))})",
                list(row.values()),
            )
            found = con.value(f"select {table}_id from {table} where settings_hash = ?", [key])
    return found


def explained(catalogue: Catalogue, hookpoint_id: int, explainer_id: int, seed: int) -> set[int]:
    """Features that already have this explainer's answer (usable, failed or skipped)."""
    with catalogue.reading() as con:
        found = con.rows(
            "select distinct feature from explanation "
            "where hookpoint_id = ? and explainer_id = ? and seed = ?",
            [hookpoint_id, explainer_id, seed],
        )
    return {row["feature"] for row in found}


def write_explanations(
    catalogue: Catalogue,
    hookpoint_id: int,
    explainer_id: int,
    exact_scorer_id: int | None,
    run_id: int,
    fresh: Sequence[NewExplanation],
) -> list[int]:
    """Store a chunk of explanations and their exact scores; gives the new ids in order."""
    with catalogue.writing() as con:
        if is_cancelled(con, run_id):
            raise Cancelled
        keys = [digest(hookpoint_id, new.feature, explainer_id, new.seed) for new in fresh]
        known = _known_keys(con, keys)
        fresh = [new for new, key in zip(fresh, keys, strict=True) if key not in known]
        keys = [key for key in keys if key not in known]
        ids = con.ids("explanation_ids", len(fresh))
        con.append("explanation", _explanation_rows(hookpoint_id, explainer_id, run_id, fresh,
                                                    keys, ids))  # fmt: skip
        scores = [
            (explanation_id, exact_scorer_id, new.exact)
            for explanation_id, new in zip(ids, fresh, strict=True)
            if new.exact is not None
        ]
        con.append("score", _score_rows(run_id, scores))
        beat(con, run_id, done=len(keys), failed=sum(new.status == "failed" for new in fresh))
    return ids


def _known_keys(con: Connection, keys: Sequence[str]) -> set[str]:
    with con.table("wanted", pa.table({"natural_key": pa.array(keys, pa.string())})):
        rows = con.rows("select natural_key from explanation semi join wanted using (natural_key)")
    return {row["natural_key"] for row in rows}


def _explanation_rows(
    hookpoint_id: int,
    explainer_id: int,
    run_id: int,
    fresh: Sequence[NewExplanation],
    keys: Sequence[str],
    ids: Sequence[int],
) -> pa.Table:
    return pa.table(
        {
            "explanation_id": pa.array(ids, pa.uint64()),
            "natural_key": pa.array(keys, pa.string()),
            "hookpoint_id": pa.array([hookpoint_id] * len(ids), pa.uint32()),
            "feature": pa.array([new.feature for new in fresh], pa.uint32()),
            "explainer_id": pa.array([explainer_id] * len(ids), pa.uint32()),
            "run_id": pa.array([run_id] * len(ids), pa.uint64()),
            "seed": pa.array([new.seed for new in fresh], pa.int64()),
            "text": pa.array([new.text for new in fresh], pa.string()),
            "rule": pa.array([new.rule for new in fresh], pa.string()),
            "status": pa.array([new.status for new in fresh], pa.string()),
            "error": pa.array([new.error for new in fresh], pa.string()),
            "example_slots": pa.array([new.example_slots for new in fresh], pa.list_(pa.uint16())),
            "cost_usd": pa.array([0.0] * len(ids), pa.float64()),
            "seconds": pa.array([new.seconds for new in fresh], pa.float32()),
            "created_at": _now(len(ids)),
        }
    )


def _now(n: int) -> pa.Array:
    now = np.datetime64("now", "us")
    return pa.array(np.full(n, now), pa.timestamp("us"))


def _score_rows(run_id: int, scores: Sequence[tuple[int, int | None, Score]]) -> pa.Table:
    found = [score for _, _, score in scores]
    return pa.table(
        {
            "explanation_id": pa.array([e for e, _, _ in scores], pa.uint64()),
            "scorer_id": pa.array([s for _, s, _ in scores], pa.uint32()),
            "run_id": pa.array([run_id] * len(scores), pa.uint64()),
            "metric": pa.array([s.metric for s in found], pa.string()),
            "value": pa.array([s.value for s in found], pa.float64()),
            "low": pa.array([s.low for s in found], pa.float64()),
            "high": pa.array([s.high for s in found], pa.float64()),
            "tpr": pa.array([s.tpr for s in found], pa.float64()),
            "tnr": pa.array([s.tnr for s in found], pa.float64()),
            "n_judged": pa.array([s.n for s in found], pa.uint32()),
            "n_failed": pa.array([s.failed for s in found], pa.uint32()),
            "detail": pa.array([as_json(_detail(s)) for s in found], pa.string()),
            "created_at": _now(len(scores)),
        }
    )


def _detail(score: Score) -> dict[str, Any]:
    return {
        "by_decile": {str(decile): asdict(tally) for decile, tally in score.by_decile.items()},
        "non_activating": {kind: asdict(tally) for kind, tally in score.non_activating.items()},
        "detail": score.detail,
    }


SCORED = """
select e.explanation_id, e.feature
from explanation e
join score s using (explanation_id)
where e.hookpoint_id = ? and s.scorer_id = ?
"""


def unscored(
    catalogue: Catalogue, hookpoint_id: int, scorer_ids: Iterable[int], explanations: Sequence[int]
) -> set[int]:
    """Those of the given explanations that lack a score of any of the scorers."""
    missing: set[int] = set()
    with catalogue.reading() as con:
        for scorer_id in scorer_ids:
            found = {row["explanation_id"] for row in con.rows(SCORED, [hookpoint_id, scorer_id])}
            missing |= set(explanations) - found
    return missing


def write_judgements(
    catalogue: Catalogue, hookpoint_id: int, run_id: int, fresh: Sequence[Judgement], *,
    features_done: int, failed: int = 0,
) -> None:  # fmt: skip
    """Store a chunk of verdicts and scores, adding the items that are not there yet."""
    with catalogue.writing() as con:
        if is_cancelled(con, run_id):
            raise Cancelled
        known = _scored_pairs(con, fresh)
        fresh = [new for new in fresh if (new.explanation_id, new.scorer_id) not in known]
        tables = {(new.feature, new.scorer, new.preset): new.items for new in fresh}
        items = item_ids(con, hookpoint_id, tables)
        verdicts = [_verdict_rows(new, items[new.feature, new.scorer, new.preset]) for new in fresh]
        if verdicts:
            con.append("verdict", pa.concat_tables(verdicts))
        scores = [(new.explanation_id, new.scorer_id, new.score) for new in fresh]
        con.append("score", _score_rows(run_id, scores))
        beat(con, run_id, done=features_done, failed=failed)


def _scored_pairs(con: Connection, fresh: Sequence[Judgement]) -> set[tuple[int, int]]:
    pairs = pa.table(
        {
            "explanation_id": pa.array([new.explanation_id for new in fresh], pa.uint64()),
            "scorer_id": pa.array([new.scorer_id for new in fresh], pa.uint32()),
        }
    )
    with con.table("wanted", pairs):
        rows = con.rows(
            "select explanation_id, scorer_id from score "
            "semi join wanted using (explanation_id, scorer_id)"
        )
    return {(row["explanation_id"], row["scorer_id"]) for row in rows}


def _verdict_rows(new: Judgement, items: np.ndarray) -> pa.Table:
    n = len(items)
    if n != len(new.predicted):
        raise AssertionError(f"{len(new.predicted)} verdicts for {n} items of {new.feature}")
    expected = np.array([kind == "activating" for kind in new.items.kind], bool)
    probability = np.zeros(n, np.float32) if new.probability is None else new.probability
    return pa.table(
        {
            "explanation_id": pa.array(np.full(n, new.explanation_id, np.uint64)),
            "scorer_id": pa.array(np.full(n, new.scorer_id, np.uint32)),
            "item_id": pa.array(items),
            "expected": pa.array(expected),
            "predicted": pa.array(new.predicted == 1, mask=new.predicted < 0),
            "probability": pa.array(probability, mask=np.full(n, new.probability is None)),
        }
    )


def summarise_deciles(catalogue: Catalogue, run_id: int) -> None:
    """Store a scoring run's counts by decile, so that pages need not scan its verdicts."""
    with catalogue.writing() as con:
        con.run("delete from decile_summary where run_id = ?", [run_id])
        con.run(SUMMARISE, [run_id])


SUMMARISE = """
insert into decile_summary
select s.run_id, e.hookpoint_id, e.explainer_id, s.scorer_id, i.decile,
       count(v.predicted), count(*) filter (v.predicted = v.expected),
       count(*) - count(v.predicted)
from score s
join explanation e using (explanation_id)
join verdict v using (explanation_id, scorer_id)
join item i using (item_id)
where s.run_id = ?
group by all
"""

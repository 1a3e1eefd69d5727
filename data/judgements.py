"""Verdicts and scores as the scoring stage writes them; `data/results.py` reads them back.

One transaction holds the replies, items, verdicts and scores of a chunk of features together with
the run's progress. An explanation that has a score of a scorer keeps it: writing again adds
nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from data.catalogue import Catalogue, Connection
from data.items import ItemTable, Key, item_ids
from data.ledger import Cancelled, Journal
from data.records import Score, total_usage
from data.replies import reply_ids
from data.runs import beat, is_cancelled
from data.score_rows import score_rows
from data.summaries import refresh

RANKED = 2  # in `predicted`: measured, but with a value instead of a yes or no
CHOICES = ("intruder", "discrimination", "output-side")  # the right answer is a place, not "no"


class WrittenText(NamedTuple):
    """A text that was written for an explanation and run through the subject."""

    text: str
    max_activation: float | None  # raw; None = could not be run
    key: str | None  # hash of the request that it came from


@dataclass(frozen=True, slots=True)
class Judgement:
    """One explanation judged by one scorer: its verdicts in item order, and the score."""

    explanation_id: int
    feature: int
    scorer_id: int
    scorer: str  # as in core.score.METHODS
    preset: str
    items: ItemTable
    predicted: np.ndarray  # int8 [n]: 1 yes, 0 no, -1 no usable reply, 2 ranked
    probability: np.ndarray | None  # float32 [n], NaN = not given
    score: Score
    value: np.ndarray | None = None  # what is ranked, float32 [n]
    answer: np.ndarray | None = None  # place chosen, 0 = none, uint8 [n]
    keys: Sequence[str | None] | None = None  # hash of the request that each verdict came from
    simulated: Sequence[Sequence[float] | None] | None = None  # 0..10 by token, in item order
    written: Sequence[WrittenText] = ()


SCORED = """
select e.explanation_id
from explanation e
join score s using (explanation_id)
where e.hookpoint_id = ? and s.scorer_id = ?
"""


def unscored(
    catalogue: Catalogue, hookpoint_id: int, scorer_ids: Iterable[int], explanations: Sequence[int]
) -> dict[int, set[int]]:
    """By scorer_id, those of the given explanations that lack its score."""
    missing: dict[int, set[int]] = {}
    with catalogue.reading() as con:
        for scorer_id in scorer_ids:
            found = {row["explanation_id"] for row in con.rows(SCORED, [hookpoint_id, scorer_id])}
            missing[scorer_id] = set(explanations) - found
    return missing


def write_judgements(
    catalogue: Catalogue, hookpoint_id: int, run_id: int, fresh: Sequence[Judgement], *,
    features_done: int, failed: int = 0, journal: Journal | None = None,
) -> None:  # fmt: skip
    """Store a chunk of verdicts and scores, adding the items that are not there yet.

    journal: replies that the verdicts were read from, stored in the same transaction.
    """
    with catalogue.writing() as con:
        if is_cancelled(con, run_id):
            raise Cancelled
        if journal is not None:
            journal.fold(con)
        known = _scored_pairs(con, fresh)
        fresh = [new for new in fresh if (new.explanation_id, new.scorer_id) not in known]
        _write_evidence(con, hookpoint_id, fresh)
        scores = [(new.explanation_id, new.scorer_id, new.score) for new in fresh]
        con.append("score", score_rows(run_id, scores))
        refresh(con, hookpoint_id, {new.feature for new in fresh})
        usage = total_usage(new.score.usage for new in fresh)
        beat(con, run_id, done=features_done, failed=failed, usage=usage)


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


def _write_evidence(con: Connection, hookpoint_id: int, fresh: Sequence[Judgement]) -> None:
    """Store what the scores were computed from."""
    if not fresh:
        return
    tables = {
        (new.feature, new.scorer, new.preset): new.items for new in fresh if len(new.items.kind)
    }
    items = item_ids(con, hookpoint_id, tables)
    replies = reply_ids(con, sorted({key for new in fresh for key in _keys(new)}))
    for table, rows in (
        ("verdict", _verdict_rows),
        ("simulated", _simulated_rows),
        ("generated", _generated_rows),
    ):
        made = [rows(new, _own(items, new), replies) for new in fresh]
        con.append(table, pa.concat_tables(made))


def _own(items: Mapping[Key, np.ndarray], new: Judgement) -> np.ndarray:
    """The items that an explanation was asked about: none, or all that its feature has."""
    asked = items.get((new.feature, new.scorer, new.preset)) if len(new.items.kind) else None
    return np.empty(0, np.uint64) if asked is None else asked


def _keys(new: Judgement) -> set[str]:
    return {key for key in (*(new.keys or ()), *(text.key for text in new.written)) if key}


def _verdict_rows(new: Judgement, items: np.ndarray, replies: Mapping[str, int]) -> pa.Table:
    """One row an item; a simulated context has its row in `simulated` instead."""
    n = len(items)
    if n != len(new.predicted):
        raise AssertionError(f"{len(new.predicted)} verdicts for {n} items of {new.feature}")
    if new.simulated is not None:
        n = 0
    expected = [kind in ("activating", *CHOICES) for kind in new.items.kind[:n]]
    predicted = new.predicted[:n]
    return pa.table(
        {
            **_owner(new, n),
            "item_id": pa.array(items[:n]),
            "expected": pa.array(expected, pa.bool_()),
            "predicted": pa.array(predicted == 1, mask=(predicted < 0) | (predicted == RANKED)),
            "probability": _optional(new.probability, n, np.float32),
            "value": _optional(new.value, n, np.float32),
            "answer": _optional(new.answer, n, np.uint8),
            "reply_id": _reply_column(new.keys, n, replies),
        }
    )


def _owner(new: Judgement, n: int) -> dict[str, pa.Array]:
    return {
        "explanation_id": pa.array(np.full(n, new.explanation_id, np.uint64)),
        "scorer_id": pa.array(np.full(n, new.scorer_id, np.uint32)),
    }


def _optional(values: np.ndarray | None, n: int, kind: type[np.generic]) -> pa.Array:
    """A column that is null where there is nothing: no array, NaN, or place 0."""
    if values is None:
        return pa.array(np.zeros(n, kind), mask=np.ones(n, bool))
    nothing = values[:n] == 0 if kind is np.uint8 else np.isnan(values[:n])
    return pa.array(values[:n].astype(kind), mask=nothing)


def _reply_column(
    keys: Sequence[str | None] | None, n: int, replies: Mapping[str, int]
) -> pa.Array:
    found = [replies.get(key) if key else None for key in (keys or [None] * n)[:n]]
    return pa.array(found, pa.uint64())


def _simulated_rows(new: Judgement, items: np.ndarray, replies: Mapping[str, int]) -> pa.Table:
    n = len(new.simulated) if new.simulated is not None else 0
    return pa.table(
        {
            **_owner(new, n),
            "item_id": pa.array(items[:n]),
            "predicted": pa.array(list(new.simulated or ()), pa.list_(pa.float32())),
            "reply_id": _reply_column(new.keys, n, replies),
        }
    )


def _generated_rows(new: Judgement, _items: np.ndarray, replies: Mapping[str, int]) -> pa.Table:
    n = len(new.written)
    return pa.table(
        {
            **_owner(new, n),
            "place": pa.array(range(n), pa.uint16()),
            "text": pa.array([text.text for text in new.written], pa.string()),
            "max_activation": pa.array([t.max_activation for t in new.written], pa.float32()),
            "reply_id": _reply_column([text.key for text in new.written], n, replies),
        }
    )


def summarise_deciles(catalogue: Catalogue, run_id: int) -> None:
    """Store a scoring run's counts by decile, so that pages need not scan its verdicts."""
    with catalogue.writing() as con:
        con.run("delete from decile_summary where run_id = ?", [run_id])
        con.run(SUMMARISE, [run_id])


# A ranked verdict has a value and no yes or no: it is neither right nor failed.
SUMMARISE = """
insert into decile_summary
select s.run_id, e.hookpoint_id, e.explainer_id, s.scorer_id, i.decile,
       count(v.predicted), count(*) filter (v.predicted = v.expected),
       count(*) filter (v.predicted is null and v.value is null)
from score s
join explanation e using (explanation_id)
join verdict v using (explanation_id, scorer_id)
join item i using (item_id)
where s.run_id = ?
group by all
"""

"""Explanations as the stages write them; `data/results.py` reads them back.

One transaction holds the work of a chunk of features together with the run's progress, so a killed
run has either all of a chunk or nothing of it. Rows carry natural keys: writing the same work again
changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from data.caches import digest
from data.catalogue import Catalogue, Connection, as_json
from data.records import Score, Usage, total_usage
from data.replies import reply_ids
from data.runs import beat, is_cancelled
from data.score_rows import now, score_rows
from data.summaries import refresh


class Journal(Protocol):
    """Replies that are on disk already and wait for their rows."""

    def fold(self, con: Connection) -> None:
        """Write their rows inside an open transaction."""
        ...


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
    seconds: float | None  # None = not known
    seed: int
    example_tokens: tuple[int, ...] | None  # first tokens of the contexts seen; None = all train
    exact: Score | None  # grammar explanations are checked at once
    attempt: int = 0  # earlier answers of the same explainer and seed
    prompt: str | None = None  # as sent; None for the grammar
    reply: str | None = None  # as received
    calls: tuple[str, ...] = ()  # hashes of all requests made for it, in order
    detail: Mapping[str, Any] | None = None  # candidates, rounds, quotes
    usage: Usage | None = None  # None = no language model was asked


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


def known_method(
    catalogue: Catalogue, table: str, name: str, model: str | None, settings: Mapping[str, Any]
) -> int | None:
    """The id that method_id would give, or None where it would have to add one."""
    key = digest(name, model, dict(settings))
    with catalogue.reading() as con:
        return con.value(f"select {table}_id from {table} where settings_hash = ?", [key])


def explained(
    catalogue: Catalogue, hookpoint_id: int, explainer_id: int, seed: int, *, failures: bool = True
) -> set[int]:
    """Features that already have this explainer's answer (usable, failed or skipped).

    failures: a newest answer that is a failure counts too.
    """
    with catalogue.reading() as con:
        found = con.rows(EXPLAINED, [hookpoint_id, explainer_id, seed])
    return {row["feature"] for row in found if failures or row["status"] != "failed"}


EXPLAINED = """
select feature, arg_max(status, explanation_id) as status
from explanation
where hookpoint_id = ? and explainer_id = ? and seed = ?
group by feature
"""
ATTEMPTS = """
select feature, count(*) as n
from explanation
where hookpoint_id = ? and explainer_id = ? and seed = ?
group by feature
"""


def attempts(
    catalogue: Catalogue, hookpoint_id: int, explainer_id: int, seed: int
) -> dict[int, int]:
    """Answers that each feature has of this explainer."""
    with catalogue.reading() as con:
        found = con.rows(ATTEMPTS, [hookpoint_id, explainer_id, seed])
    return {row["feature"]: row["n"] for row in found}


def require_wanted(catalogue: Catalogue, run_id: int) -> None:
    """Raise Cancelled where somebody asked the run to stop."""
    with catalogue.reading() as con:
        if is_cancelled(con, run_id):
            raise Cancelled


def write_explanations(
    catalogue: Catalogue,
    hookpoint_id: int,
    explainer_id: int,
    exact_scorer_id: int | None,
    run_id: int,
    fresh: Sequence[NewExplanation],
    journal: Journal | None = None,
) -> list[int]:
    """Store a chunk of explanations and their exact scores; gives the new ids in order.

    journal: replies that the explanations were read from, stored in the same transaction.
    """
    with catalogue.writing() as con:
        if is_cancelled(con, run_id):
            raise Cancelled
        if journal is not None:
            journal.fold(con)
        ids, fresh = add_explanations(
            con, hookpoint_id, explainer_id, exact_scorer_id, run_id, fresh
        )
        beat(
            con, run_id, done=len(ids), failed=sum(new.status == "failed" for new in fresh),
            usage=total_usage(new.usage for new in fresh),
        )  # fmt: skip
    return ids


class Added(NamedTuple):
    """What was not there before."""

    ids: list[int]  # explanation_id of each
    fresh: list[NewExplanation]


def add_explanations(
    con: Connection,
    hookpoint_id: int,
    explainer_id: int,
    exact_scorer_id: int | None,
    run_id: int,
    fresh: Sequence[NewExplanation],
) -> Added:
    """Store explanations inside an open writing transaction; those that are there are left out."""
    keys = [_natural_key(hookpoint_id, explainer_id, new) for new in fresh]
    known = _known_keys(con, keys)
    fresh = [new for new, key in zip(fresh, keys, strict=True) if key not in known]
    keys = [key for key in keys if key not in known]
    ids = con.ids("explanation_ids", len(fresh))
    rows = _explanation_rows(hookpoint_id, explainer_id, run_id, fresh, keys, ids)
    calls = reply_ids(con, sorted({key for new in fresh for key in new.calls}))
    con.append("explanation", rows.append_column("calls", _call_column(fresh, calls)))
    scores = [
        (explanation_id, exact_scorer_id, new.exact)
        for explanation_id, new in zip(ids, fresh, strict=True)
        if new.exact is not None and exact_scorer_id is not None
    ]
    con.append("score", score_rows(run_id, scores))
    refresh(con, hookpoint_id, {new.feature for new in fresh})
    return Added(ids, fresh)


def _natural_key(hookpoint_id: int, explainer_id: int, new: NewExplanation) -> str:
    """What makes an explanation the same; a later attempt is another one."""
    again = (new.attempt,) if new.attempt else ()
    return digest(hookpoint_id, new.feature, explainer_id, new.seed, *again)


def _call_column(fresh: Sequence[NewExplanation], ids: Mapping[str, int]) -> pa.Array:
    calls = [[ids[key] for key in new.calls if key in ids] or None for new in fresh]
    return pa.array(calls, pa.list_(pa.uint64()))


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
    usage = [new.usage for new in fresh]
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
            "prompt": pa.array([new.prompt for new in fresh], pa.string()),
            "reply": pa.array([new.reply for new in fresh], pa.string()),
            "example_tokens": pa.array([n.example_tokens for n in fresh], pa.list_(pa.uint64())),
            "detail": pa.array([n.detail and as_json(n.detail) for n in fresh], pa.string()),
            "input_tokens": pa.array([u and u.input_tokens for u in usage], pa.uint32()),
            "output_tokens": pa.array([u and u.output_tokens for u in usage], pa.uint32()),
            "cost_usd": pa.array([u.cost_usd if u else 0.0 for u in usage], pa.float64()),
            "seconds": pa.array([new.seconds for new in fresh], pa.float32()),
            "created_at": now(len(ids)),
        }
    )

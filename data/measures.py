"""What the filters found, as the stage writes it; `data/flags.py` reads it back as flags.

Features are measured in the order of their numbers, so what is missing is what follows the last
one. Every function that writes does so in one transaction together with the run's progress, and
leaves alone what another process has written in the meantime.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from data.catalogue import Catalogue, Connection
from data.flags import UNIGRAM
from data.ledger import Cancelled
from data.runs import beat, is_cancelled

LISTS = pa.list_(pa.uint32())


class Standing(NamedTuple):
    """How far the filters are with a hookpoint."""

    n_measured: int  # features 0 .. n_measured - 1
    n_unchecked: int  # of them unigram, and not tried on all of their tokens


def standing(con: Connection, hookpoint_id: int) -> Standing:
    """What is done of a hookpoint."""
    n = con.value("select count(*) from feature_measure where hookpoint_id = ?", [hookpoint_id])
    features, _ = unchecked(con, hookpoint_id)
    return Standing(n, len(np.unique(features)))


UNCHECKED = f"""
select feature, token
from (
    select g.feature, unnest(g.tokens) as token
    from feature_measure g
    where g.hookpoint_id = $1 and {UNIGRAM}
)
anti join (
    select feature, token from scrambled where hookpoint_id = $1 and token is not null
) using (feature, token)
order by token, feature
"""


def unchecked(con: Connection, hookpoint_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Unigram features with the tokens that they were not tried on, int64 [n] each."""
    found = con.frame(UNCHECKED, [hookpoint_id])
    return found["feature"].to_numpy(np.int64), found["token"].to_numpy(np.int64)


def write_measures(
    catalogue: Catalogue, hookpoint_id: int, run_id: int, rows: pa.Table, *, done: int
) -> None:
    """Store the figures of consecutive features; done: of them, with nothing left to do.

    rows: the columns of feature_measure without hookpoint_id and run_id.
    """
    with catalogue.writing() as con:
        _require_wanted(con, run_id)
        n = con.value("select count(*) from feature_measure where hookpoint_id = ?",
                      [hookpoint_id])  # fmt: skip
        if rows["feature"][0].as_py() == n:
            con.append("feature_measure", _about(rows, hookpoint_id, run_id))
        beat(con, run_id, done=done)


class Tried(NamedTuple):
    """Unigram features of a hookpoint on random tokens that end in one of theirs."""

    hookpoint_id: int
    feature: np.ndarray  # int64 [n]
    token: np.ndarray  # id, int64 [n]
    n_fired: np.ndarray  # int64 [n]


def write_tried(
    catalogue: Catalogue, run_id: int, found: list[Tried], *, n: int, done: int
) -> None:
    """Store outcomes; n: sequences a token; done: features that have all of theirs now."""
    with catalogue.writing() as con:
        _require_wanted(con, run_id)
        for one in found:
            rows = pa.table(
                {
                    "feature": pa.array(one.feature, pa.uint32()),
                    "token": pa.array(one.token, pa.uint32()),
                    "n": pa.array(np.full(len(one.feature), n), pa.uint16()),
                    "n_fired": pa.array(one.n_fired, pa.uint16()),
                }
            )
            with con.table("tried", _about(rows, one.hookpoint_id, run_id)):
                con.run(NEW)
        beat(con, run_id, done=done)


NEW = """
insert into scrambled (hookpoint_id, run_id, feature, token, n, n_fired)
select hookpoint_id, run_id, feature, token, n, n_fired
from tried
anti join scrambled using (hookpoint_id, feature, token)
"""
NOT_RUN = f"""
insert into scrambled (hookpoint_id, feature, run_id, n, n_fired, reason)
select g.hookpoint_id, g.feature, $2, 0, 0, $3
from feature_measure g
anti join scrambled using (hookpoint_id, feature)
where g.hookpoint_id = $1 and {UNIGRAM}
"""


def write_not_run(
    catalogue: Catalogue, run_id: int, hookpoint_ids: list[int], reason: str, *, failed: int
) -> None:
    """Store why unigram features were not tried; those that were before are left alone."""
    with catalogue.writing() as con:
        _require_wanted(con, run_id)
        for hookpoint_id in hookpoint_ids:
            con.run(NOT_RUN, [hookpoint_id, run_id, reason])
        beat(con, run_id, done=failed, failed=failed)


def _about(rows: pa.Table, hookpoint_id: int, run_id: int) -> pa.Table:
    n = rows.num_rows
    return rows.append_column(
        "hookpoint_id", pa.array(np.full(n, hookpoint_id), pa.uint32())
    ).append_column("run_id", pa.array(np.full(n, run_id), pa.uint64()))


def _require_wanted(con: Connection, run_id: int) -> None:
    if is_cancelled(con, run_id):
        raise Cancelled

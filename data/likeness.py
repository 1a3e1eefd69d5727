"""Comparisons of SAEs in the catalogue: a row a pair of hookpoints and measure, and its features.

Rows are added, never overwritten; of a measure and two hookpoints, in either order, the newest row
holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from data.catalogue import Catalogue, Connection, Row, as_json
from data.ledger import Cancelled
from data.runs import beat, is_cancelled

MEASURES = ("decoder", "explanations", "co-firing")


@dataclass(frozen=True, slots=True)
class NewCell:
    """One comparison, as it is stored."""

    settings_hash: str
    measure: str  # one of MEASURES
    first_id: int  # hookpoint_id
    second_id: int
    settings: Mapping[str, Any]
    method: str  # exact, greedy
    n_first: int  # features that took part
    n_second: int
    value: float | None  # mean over pairs; None = there is none
    baseline: float | None
    low: float | None  # 95 % interval of value - baseline
    high: float | None
    n_shared: int | None
    detail: Mapping[str, Any] | None
    pairs: pa.Table  # feature, other, value, encoder
    near: pa.Table  # hookpoint_id, feature, rank, other, value


def known(con: Connection, hashes: Sequence[str]) -> set[str]:
    """Which comparisons are there, by the hash of their settings."""
    found = con.rows(
        "select settings_hash from similarity where list_contains(?, settings_hash)", [list(hashes)]
    )
    return {row["settings_hash"] for row in found}


def write_cell(catalogue: Catalogue, run_id: int, cell: NewCell) -> None:
    """Store one comparison with its run's progress; one that is there already stays."""
    with catalogue.writing() as con:
        if is_cancelled(con, run_id):
            raise Cancelled
        if not known(con, [cell.settings_hash]):
            number = con.value("select nextval('similarity_ids')")
            con.append("similarity", _row(number, run_id, cell))
            for table, rows in (("similarity_pair", cell.pairs), ("similarity_near", cell.near)):
                ids = pa.array(np.full(rows.num_rows, number, np.uint32))
                con.append(table, rows.append_column("similarity_id", ids))
        beat(con, run_id, done=1)


def _row(number: int, run_id: int, cell: NewCell) -> pa.Table:
    plain = {name: getattr(cell, name) for name in PLAIN}
    row = plain | {
        "similarity_id": number,
        "run_id": run_id,
        "settings": as_json(dict(cell.settings)),
        "detail": None if cell.detail is None else as_json(dict(cell.detail)),
        "n_pairs": cell.pairs.num_rows,
        "created_at": np.datetime64("now", "us").item(),
    }
    return pa.Table.from_pylist([row])


PLAIN = (
    "settings_hash", "measure", "first_id", "second_id", "method", "n_first", "n_second", "value",
    "baseline", "low", "high", "n_shared",
)  # fmt: skip

CELLS = """
select s.similarity_id, s.measure, s.first_id, s.second_id, s.method, s.n_first, s.n_second,
       s.n_pairs, s.value, s.baseline, s.low, s.high, s.n_shared, s.settings, s.detail, s.run_id,
       a.name as first, b.name as second, ca.name as first_cache, cb.name as second_cache
from similarity s
join hookpoint a on a.hookpoint_id = s.first_id
join hookpoint b on b.hookpoint_id = s.second_id
join cache ca on ca.cache_id = a.cache_id
join cache cb on cb.cache_id = b.cache_id
where ? in (a.cache_id, b.cache_id)
qualify row_number() over (
    partition by s.measure, least(s.first_id, s.second_id), greatest(s.first_id, s.second_id)
    order by s.similarity_id desc
) = 1
order by s.measure, s.first_id, s.second_id
"""


def cells(con: Connection, cache_id: int) -> list[Row]:
    """All comparisons that a cache takes part in."""
    return con.rows(CELLS, [cache_id])


PAIRS = """
select p.feature, p.other, p.value, p.encoder, a.text as first_text, b.text as second_text
from similarity_pair p
join similarity s using (similarity_id)
left join feature_summary fa on fa.hookpoint_id = s.first_id and fa.feature = p.feature
left join feature_summary fb on fb.hookpoint_id = s.second_id and fb.feature = p.other
left join explanation a on a.explanation_id = fa.explanation_id
left join explanation b on b.explanation_id = fb.explanation_id
where similarity_id = ?
order by p.value desc, p.feature
limit ?
"""


def pairs(con: Connection, similarity_id: int, most: int) -> pd.DataFrame:
    """The most similar pairs of a comparison, with the explanation shown for either feature."""
    return con.frame(PAIRS, [similarity_id, most])


ACROSS = """
with held as (
    select similarity_id, measure, first_id, second_id
    from similarity
    where ? in (first_id, second_id)
    qualify row_number() over (
        partition by measure, least(first_id, second_id), greatest(first_id, second_id)
        order by similarity_id desc
    ) = 1
)
select held.measure, c.name as cache, h.hookpoint_id, h.name as hookpoint, n.rank, n.other,
       n.value, e.text
from similarity_near n
join held using (similarity_id)
join hookpoint h
    on h.hookpoint_id = if(held.first_id = n.hookpoint_id, held.second_id, held.first_id)
join cache c using (cache_id)
left join feature_summary f on f.hookpoint_id = h.hookpoint_id and f.feature = n.other
left join explanation e on e.explanation_id = f.explanation_id
where n.hookpoint_id = ? and n.feature = ?
order by h.hookpoint_id, held.measure, n.rank
"""


def across(con: Connection, hookpoint_id: int, feature: int) -> list[Row]:
    """The features of other hookpoints that are most like one, by hookpoint, measure and rank."""
    return con.rows(ACROSS, [hookpoint_id, hookpoint_id, feature])

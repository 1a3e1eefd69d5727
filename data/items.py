"""Contexts and items in the catalogue: added once a feature and preset, shared by all explanations.

An *example* is a context of a feature that may be shown or judged; an *item* is one question about
a context (for fuzzing with its marks). Two explanations of a feature are judged on the same items.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from data.catalogue import Connection, Row, as_json

Key = tuple[int, str, str]  # feature, scorer, preset
EXAMPLES = """
select slot, kind, split, decile, first_token, length, peak, source, low, high, share
from example
left join example_interval using (hookpoint_id, feature, first_token)
where hookpoint_id = ? and feature = ?
order by slot
"""
CONTEXT_KIND = {  # of the context that stands for an item, where it has another name
    "wrong-mark": "activating",
    "intruder": "random",
    "discrimination": "activating",
    "output-side": None,  # no context stands for texts that the subject wrote
}


@dataclass(frozen=True, slots=True)
class ItemTable:
    """The items of one feature under one scorer and preset, one entry a row."""

    kind: Sequence[str]  # activating, random, token, neighbour, similar, wrong-mark
    decile: np.ndarray  # uint8 [n], of the context; 0 = silent
    first_token: np.ndarray  # uint64 [n], flat index of the context's first token
    peak: np.ndarray  # float32 [n], largest activation in the context
    marks: Sequence[Sequence[int] | None]  # marked offsets in the context; None for detection
    length: int | np.ndarray = 32  # tokens in a context, in all or int [n] in each
    # JSON-ready: all contexts of a question in place, or texts where no context is asked about.
    shown: Sequence[object | None] | None = None


def item_ids(
    con: Connection, hookpoint_id: int, tables: Mapping[Key, ItemTable]
) -> dict[Key, np.ndarray]:
    """The ids of each table's items, in its order; items and contexts that are new are added."""
    found = _stored(con, hookpoint_id, list(tables))
    fresh = {key: table for key, table in tables.items() if key not in found}
    sizes = [len(table.kind) for table in fresh.values()]
    if sum(sizes):
        ids = np.array(con.ids("item_ids", sum(sizes)), np.uint64)
        with con.table("fresh", _rows(fresh, ids)):
            con.run(ADD_EXAMPLES, [hookpoint_id] * 3)
            con.run(ADD_ITEMS, [hookpoint_id] * 2)
        found |= dict(zip(fresh, np.split(ids, np.cumsum(sizes)[:-1]), strict=True))
    return {key: found.get(key, np.empty(0, np.uint64)) for key in tables}


SHOWN = """
select shown
from item
where hookpoint_id = ? and feature = ? and scorer = ? and preset = ?
order by item_id
"""


def shown(con: Connection, hookpoint_id: int, feature: int, scorer: str, preset: str) -> list[Any]:
    """What each stored item of a feature shows, as its scorer wrote it; [] = there is none."""
    rows = con.rows(SHOWN, [hookpoint_id, feature, scorer, preset])
    return [json.loads(row["shown"]) for row in rows if row["shown"]]


def examples(con: Connection, hookpoint_id: int, feature: int) -> list[Row]:
    """Every stored context of a feature, in the order of their slots."""
    return con.rows(EXAMPLES, [hookpoint_id, feature])


STORED = """
select feature, scorer, preset, list(item_id order by item_id) as items
from item
semi join wanted using (feature, scorer, preset)
where hookpoint_id = ?
group by feature, scorer, preset
"""


def _stored(con: Connection, hookpoint_id: int, keys: Sequence[Key]) -> dict[Key, np.ndarray]:
    wanted = pa.table(
        {
            "feature": pa.array([key[0] for key in keys], pa.uint32()),
            "scorer": pa.array([key[1] for key in keys], pa.string()),
            "preset": pa.array([key[2] for key in keys], pa.string()),
        }
    )
    with con.table("wanted", wanted):
        rows = con.rows(STORED, [hookpoint_id])
    return {
        (row["feature"], row["scorer"], row["preset"]): np.array(row["items"], np.uint64)
        for row in rows
    }


ADD_GIVEN = """
insert into example (
    hookpoint_id, feature, slot, kind, split, decile, first_token, length, peak
)
select ?, feature, row_number() over (partition by feature order by place) - 1,
       kind, split, decile, first_token, length, peak
from (
    select * from given
    qualify row_number() over (
        partition by feature, kind, first_token, length order by split = 'train', place
    ) = 1
)
order by feature, place
"""


def add_examples(con: Connection, hookpoint_id: int, given: pa.Table) -> None:
    """Add contexts of features that have none yet; one that was judged counts as test.

    given: feature, place (order within the feature), kind, split, decile, first_token, length,
    peak; a context that is given twice is kept once.
    """
    with con.table("given", given):
        con.run(ADD_GIVEN, [hookpoint_id])


# Only test contexts are judged, hence the split. A context that is already there keeps its slot.
ADD_EXAMPLES = """
insert into example (
    hookpoint_id, feature, slot, kind, split, decile, first_token, length, peak
)
select ?, feature,
       coalesce(last_slot, -1) + row_number() over (partition by feature order by place),
       context_kind, 'test', decile, first_token, length, peak
from (
    select f.feature, f.context_kind, f.first_token, f.length, min(f.item_id) as place,
           any_value(f.decile) filter (f.context_kind = 'activating') as decile,
           any_value(f.peak) as peak
    from fresh f
    anti join (select * from example where hookpoint_id = ?) x
        on x.feature = f.feature and x.kind = f.context_kind
        and x.first_token = f.first_token and x.length = f.length
    where f.context_kind is not null
    group by f.feature, f.context_kind, f.first_token, f.length
)
left join (
    select feature, max(slot) as last_slot
    from example
    semi join fresh using (feature)
    where hookpoint_id = ?
    group by feature
) using (feature)
order by feature, place
"""
ADD_ITEMS = """
insert into item (item_id, hookpoint_id, feature, scorer, preset, slot, kind, decile, marks, shown)
select f.item_id, ?, f.feature, f.scorer, f.preset, x.slot, f.kind,
       case when f.kind in ('activating', 'intruder', 'discrimination') then f.decile end,
       f.marks, f.shown
from fresh f
left join (
    select * from example where hookpoint_id = ? and feature in (select feature from fresh)
) x
    on x.feature = f.feature and x.kind = f.context_kind
    and x.first_token = f.first_token and x.length = f.length
where x.slot is not null or f.context_kind is null
order by f.item_id
"""


def _rows(tables: Mapping[Key, ItemTable], ids: np.ndarray) -> pa.Table:
    """All items of several tables as one Arrow table, in the order of their ids."""
    kinds = [kind for table in tables.values() for kind in table.kind]
    keys = [key for key, table in tables.items() for _ in table.kind]
    decile = np.concatenate([table.decile for table in tables.values()]).astype(np.uint8)
    first = np.concatenate([table.first_token for table in tables.values()]).astype(np.uint64)
    peak = np.concatenate([table.peak for table in tables.values()]).astype(np.float32)
    marks = [marked for table in tables.values() for marked in table.marks]
    shown = [one for t in tables.values() for one in t.shown or [None] * len(t.kind)]
    lengths = [np.broadcast_to(table.length, len(table.kind)) for table in tables.values()]
    return pa.table(
        {
            "item_id": pa.array(ids),
            "feature": pa.array([key[0] for key in keys], pa.uint32()),
            "scorer": pa.array([key[1] for key in keys], pa.string()),
            "preset": pa.array([key[2] for key in keys], pa.string()),
            "kind": pa.array(kinds, pa.string()),
            "context_kind": pa.array([CONTEXT_KIND.get(kind, kind) for kind in kinds], pa.string()),
            "decile": pa.array(decile, mask=decile == 0),
            "first_token": pa.array(first),
            "length": pa.array(np.concatenate(lengths).astype(np.uint16)),
            "peak": pa.array(peak),
            "marks": pa.array(marks, pa.list_(pa.uint16())),
            "shown": pa.array([one and as_json(one) for one in shown], pa.string()),
        }
    )

"""Collections in the catalogue: named lists of features over several hookpoints of one cache.

A collection is made once and never changed: another list is another collection.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from data.catalogue import Catalogue, Connection, Row
from data.errors import BadInput, NotFound
from data.summaries import HEADLINE

LONGEST = 80  # characters of a name
HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


class Member(NamedTuple):
    """One feature of a collection."""

    hookpoint_id: int
    feature: int
    label: str | None = None  # what the list says of it


@dataclass(frozen=True, slots=True)
class Collection:
    """A named list of features."""

    collection_id: int
    name: str
    cache: str  # the cache's name
    cache_id: int
    source: str  # file it was read from, or "pasted"
    created_at: str  # UTC, ISO 8601
    n_members: int
    n_hookpoints: int


def clean_name(name: str) -> str:
    """A name without blanks at its ends; BadInput where it cannot be one."""
    name = " ".join(name.split(" ")).strip()
    if not name or len(name) > LONGEST or name.startswith("-") or HIDDEN.search(name):
        raise BadInput(
            f"{name[:40]!r} cannot name a collection: use 1 to {LONGEST} visible characters, "
            "not beginning with -"
        )
    return name


def create(
    catalogue: Catalogue, name: str, cache_id: int, members: Sequence[Member], source: str
) -> Collection:
    """Store a collection; the same list under the same name again is the one that is there."""
    name = clean_name(name)
    with catalogue.writing() as con:
        known = con.row("select collection_id, cache_id from collection where name = ?", [name])
        if known is not None and (
            known["cache_id"] != cache_id
            or members_of(con, known["collection_id"]) != list(members)
        ):
            raise BadInput(f"there is a collection '{name}' with other features: give another name")
        if known is None:
            number = con.value("select nextval('collection_ids')")
            con.run(
                "insert into collection values (?, ?, ?, ?, now()::timestamp)",
                [number, name, cache_id, source],
            )
            con.append("collection_member", _rows(number, members))
    return collection(catalogue, name)


def _rows(number: int, members: Sequence[Member]) -> pa.Table:
    n = len(members)
    return pa.table(
        {
            "collection_id": pa.array(np.full(n, number, np.uint32)),
            "place": pa.array(np.arange(n, dtype=np.uint32)),
            "hookpoint_id": pa.array([one.hookpoint_id for one in members], pa.uint32()),
            "feature": pa.array([one.feature for one in members], pa.uint32()),
            "label": pa.array([one.label for one in members], pa.string()),
        }
    )


ALL = """
select c.collection_id, c.name, k.name as cache, c.cache_id, c.source, c.created_at,
       count(m.feature) as n_members, count(distinct m.hookpoint_id) as n_hookpoints
from collection c
join cache k using (cache_id)
left join collection_member m using (collection_id)
group by all
order by c.collection_id desc
"""


def collections(con: Connection) -> list[Collection]:
    """All collections, newest first."""
    rows = con.rows(ALL)
    return [Collection(**row | {"created_at": row["created_at"].isoformat()}) for row in rows]


def collection(catalogue: Catalogue, name: str) -> Collection:
    """One collection by name."""
    with catalogue.reading() as con:
        found = collections(con)
    for one in found:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in found)
    there = f"there are: {known}" if known else "there is none yet; gloss collection new makes one"
    raise NotFound(f"no collection '{name[:LONGEST]}'; {there}")


def members_of(con: Connection, collection_id: int) -> list[Member]:
    """The features of a collection, in the order of its list."""
    rows = con.rows(
        "select hookpoint_id, feature, label from collection_member "
        "where collection_id = ? order by place",
        [collection_id],
    )
    return [Member(**row) for row in rows]


FACTS = """
select m.place, m.hookpoint_id, h.name as hookpoint, m.feature, m.label, f.n_active, f.density,
       f.max_activation, f.reason, c.promoted, c.suppressed, c.top_tokens
from collection_member m
join hookpoint h using (hookpoint_id)
left join feature f using (hookpoint_id, feature)
left join feature_chart c using (hookpoint_id, feature)
where m.collection_id = ?
order by m.place
"""


def facts(con: Connection, collection_id: int) -> list[Row]:
    """What is counted of every member."""
    return con.rows(FACTS, [collection_id])


EXPLAINED = """
select e.hookpoint_id, e.feature, e.explanation_id, e.explainer_id, x.name as explainer, x.model,
       e.text, f.explanation_id is not null as is_shown
from explanation e
join explainer x using (explainer_id)
semi join (
    select hookpoint_id, feature from collection_member where collection_id = ?
) m using (hookpoint_id, feature)
left join feature_summary f using (hookpoint_id, feature, explanation_id)
where e.text is not null
order by e.explanation_id
"""


def explained(con: Connection, collection_id: int) -> list[Row]:
    """Usable explanations of the members, oldest first; is_shown: the one that pages show."""
    return con.rows(EXPLAINED, [collection_id])


OF_THESE = """score s
join scorer m using (scorer_id)
where s.explanation_id in (select unnest($1::ubigint[]))"""
SCORED = f"""
select explanation_id, scorer_id, name as scorer, judge, value, low, high, n_judged, n_failed
from ({HEADLINE.format(scores=OF_THESE)})
order by explanation_id, scorer_id
"""


def scored(con: Connection, explanations: Sequence[int]) -> list[Row]:
    """The scores of some explanations that stand for their scorers, one a scorer."""
    return con.rows(SCORED, [list(explanations)])


FAILED = """
select e.hookpoint_id, e.feature, arg_max(e.error, e.explanation_id) as error
from explanation e
semi join (
    select hookpoint_id, feature from collection_member where collection_id = ?
) m using (hookpoint_id, feature)
where e.text is null
group by all
"""


def failed(con: Connection, collection_id: int) -> list[Row]:
    """Why the newest attempt that failed gave nothing, of members that have one."""
    return con.rows(FAILED, [collection_id])

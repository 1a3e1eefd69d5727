"""What the catalogue knows of two subjects: differences, contrast pairs, noise.

A diff is one question at one hookpoint, known by its kind, its hookpoints and its settings; it is
finished once it has facts. Its rows come in one transaction, those of a noise sweep point by point.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import pandas as pd
import pyarrow as pa

from data.caches import digest
from data.catalogue import Catalogue, Connection, Row, as_json
from data.runs import beat

Kind = Literal["features", "pairs", "noise"]
PAGE = 100  # features a page
Figure = Literal["mean", "rate"]


@dataclass(frozen=True, slots=True)
class DiffKey:
    """What makes a diff the same one."""

    kind: Kind
    first_hookpoint: int  # hookpoint_id
    second_hookpoint: int | None  # None = one subject alone
    settings: Mapping[str, Any]

    @property
    def natural(self) -> str:
        """The natural key of its row."""
        return digest(self.kind, self.first_hookpoint, self.second_hookpoint, dict(self.settings))


@dataclass(frozen=True, slots=True)
class DiffRecord:
    """One finished diff."""

    diff_id: int
    kind: Kind
    first_hookpoint: int
    second_hookpoint: int | None
    hookpoint: str  # its name
    first: str  # name of the cache
    second: str | None
    settings: dict[str, Any] = field(hash=False)
    facts: dict[str, Any] = field(hash=False)


def known(catalogue: Catalogue, key: DiffKey) -> int | None:
    """The diff_id of a finished diff, None where there is none."""
    with catalogue.reading() as con:
        return con.value(
            "select diff_id from diff where natural_key = ? and facts is not null", [key.natural]
        )


def begin(con: Connection, key: DiffKey, run_id: int) -> int:
    """The diff_id of a diff that may be begun already."""
    found = con.value("select diff_id from diff where natural_key = ?", [key.natural])
    if found is not None:
        return found
    con.run(
        "insert into diff (natural_key, kind, first_hookpoint, second_hookpoint, run_id, settings, "
        "created_at) values (?, ?, ?, ?, ?, ?, now()::timestamp)",
        [key.natural, key.kind, key.first_hookpoint, key.second_hookpoint, run_id,
         as_json(dict(key.settings))],
    )  # fmt: skip
    return con.value("select diff_id from diff where natural_key = ?", [key.natural])


def finish(con: Connection, diff_id: int, facts: Mapping[str, Any]) -> None:
    """Say that all rows of a diff are there."""
    con.run("update diff set facts = ? where diff_id = ?", [as_json(dict(facts)), diff_id])


def write(
    catalogue: Catalogue, key: DiffKey, run_id: int, table: str, rows: pa.Table,
    facts: Mapping[str, Any], *, done: int,
) -> int:  # fmt: skip
    """Enter a whole diff in one transaction; done: units of the run that this finishes."""
    with catalogue.writing() as con:
        diff_id = begin(con, key, run_id)
        number = pa.array([diff_id] * rows.num_rows, pa.uint32())
        con.append(table, rows.append_column("diff_id", number))
        finish(con, diff_id, facts)
        beat(con, run_id, done=done)
    return diff_id


class Point(NamedTuple):
    """One strength of a noise sweep in one subject."""

    side: int  # 1 first subject, 2 second
    direction: str  # noise, feature, random
    strength: float  # in units of length
    length: float  # mean length of the subject's own vectors there, raw
    kl: list[float | None]  # nats, one a prompt; None: not finite
    target: list[float | None] | None  # nats, one a prompt; None: no target text


def write_point(catalogue: Catalogue, key: DiffKey, run_id: int, point: Point) -> None:
    """Add one point of a sweep."""
    with catalogue.writing() as con:
        diff_id = begin(con, key, run_id)
        con.run("insert into noise_point values (?, ?, ?, ?, ?, ?, ?)", [diff_id, *point])
        beat(con, run_id, done=1)


def write_facts(catalogue: Catalogue, key: DiffKey, run_id: int, facts: Mapping[str, Any]) -> int:
    """Finish a diff whose rows are there; gives its diff_id."""
    with catalogue.writing() as con:
        diff_id = begin(con, key, run_id)
        finish(con, diff_id, facts)
    return diff_id


def points(con: Connection, natural_key: str) -> list[Point]:
    """The points of a sweep that are there, by strength."""
    found = con.rows(
        "select p.* exclude (diff_id) from noise_point p join diff using (diff_id) "
        "where natural_key = ? order by side, direction, strength",
        [natural_key],
    )
    return [Point(**row) for row in found]


def points_of(con: Connection, diff_id: int) -> list[Point]:
    """The points of a finished sweep, by strength."""
    found = con.rows(
        "select * exclude (diff_id) from noise_point where diff_id = ? "
        "order by side, direction, strength",
        [diff_id],
    )
    return [Point(**row) for row in found]


ALIKE = """
select distinct a.cache_id, b.cache_id as other_id, a.name as first, b.name as second,
       coalesce(json_extract_string(b.settings, '$.beside') = a.name, false) as is_meant
from cache a
join cache b on b.corpus_id = a.corpus_id and b.cache_id <> a.cache_id
join hookpoint h on h.cache_id = a.cache_id
join hookpoint g on g.cache_id = b.cache_id and g.name = h.name
join sae s on s.sae_id = h.sae_id
join sae t on t.sae_id = g.sae_id
where a.status = 'done' and b.status = 'done' and s.weights_sha256 = t.weights_sha256
order by is_meant desc, a.cache_id, b.cache_id
"""


def alike(con: Connection) -> list[tuple[str, str]]:
    """Caches that can be compared, first and second: those made to be so come first."""
    return [(row["first"], row["second"]) for row in con.rows(ALIKE)]


DIFFS = """
select d.diff_id, d.kind, d.first_hookpoint, d.second_hookpoint, h.name as hookpoint,
       a.name as first, b.name as second, d.settings, d.facts
from diff d
join hookpoint h on h.hookpoint_id = d.first_hookpoint
join cache a using (cache_id)
left join hookpoint g on g.hookpoint_id = d.second_hookpoint
left join cache b on b.cache_id = g.cache_id
where d.facts is not null and d.kind = ? and a.name = ? and b.name is not distinct from ?
order by d.diff_id
"""


def diffs(con: Connection, kind: str, first: str, second: str | None) -> list[DiffRecord]:
    """All finished diffs of a kind between two caches, oldest first."""
    return [
        DiffRecord(**row | {name: json.loads(row[name]) for name in ("settings", "facts")})
        for row in con.rows(DIFFS, [kind, first, second])
    ]


# The text shown for a feature: that of the first cache, else of the second.
TEXTS = """
with texts as (
    select feature, arg_min(text, place) as explanation
    from (
        select s.feature, e.text, (s.hookpoint_id <> $1)::int as place
        from feature_summary s
        join explanation e using (explanation_id)
        where s.hookpoint_id in ($1, $2) and e.text is not null
    )
    group by feature
)
"""
FEATURES = """
select {columns}
from diff_feature f
left join texts t using (feature)
where diff_id = $3
  and (not $4 or coalesce({figure}_held <= $5, false))
  and ($6 = '' or contains(lower(coalesce(explanation, '')), lower($6)))
"""
ORDERS = {
    "p": "{figure}_p nulls last, abs({figure}) desc",
    "difference": "abs({figure}) desc nulls last",
    "auroc": "abs(auroc - 0.5) desc nulls last",
    "up": "{figure} desc nulls last",
    "down": "{figure} nulls last",
    "feature": "feature",
}


class Wanted(NamedTuple):
    """Which features of a diff are read, in which order."""

    figure: Figure = "mean"
    order: str = "p"  # of ORDERS
    text: str = ""  # that the explanation contains; "" = any
    confirmed: bool = False  # only features that the held-out half confirms
    first: int = 0  # rows left out
    size: int = PAGE


def features(con: Connection, diff: DiffRecord, wanted: Wanted) -> pd.DataFrame:
    """Some of a diff's features with the explanations shown for them."""
    order = ORDERS.get(wanted.order, ORDERS["p"]).format(figure=wanted.figure)
    asked = FEATURES.format(columns="f.* exclude (diff_id), t.explanation", figure=wanted.figure)
    tail = f"order by {order}, feature limit {int(wanted.size)} offset {int(wanted.first)}"
    return con.frame(f"{TEXTS} {asked} {tail}", _given(diff, wanted))


def n_features(con: Connection, diff: DiffRecord, wanted: Wanted) -> int:
    """How many features pass."""
    asked = FEATURES.format(columns="count(*) as n", figure=wanted.figure)
    return con.value(f"{TEXTS} {asked}", _given(diff, wanted))


def _given(diff: DiffRecord, wanted: Wanted) -> list[Any]:
    return [
        diff.first_hookpoint, diff.second_hookpoint, diff.diff_id, wanted.confirmed,
        diff.settings["level"], wanted.text.strip(),
    ]  # fmt: skip


SOME = """
select f.* exclude (diff_id), t.explanation
from diff_feature f
left join texts t using (feature)
where diff_id = $3 and feature in (select unnest($4::bigint[]))
"""


def some_features(
    con: Connection, diff: DiffRecord, numbers: Sequence[int]
) -> dict[int, Row]:  # fmt: skip
    """The figures of some features, by number."""
    given = [diff.first_hookpoint, diff.second_hookpoint, diff.diff_id, list(numbers)]
    return {row["feature"]: row for row in con.rows(f"{TEXTS} {SOME}", given)}


def confirmed(con: Connection, diff: DiffRecord, figure: Figure = "mean") -> list[int]:
    """Features that the held-out half confirms, the largest p-wise surprise first."""
    found = con.rows(
        f"select feature from diff_feature where diff_id = ? and {figure}_held <= ? "
        f"order by {figure}_p, abs({figure}) desc, feature",
        [diff.diff_id, diff.settings["level"]],
    )
    return [row["feature"] for row in found]


REACTING = """
with texts as (
    select s.feature, e.text as explanation
    from feature_summary s
    join explanation e using (explanation_id)
    where s.hookpoint_id = $1
)
select f.* exclude (diff_id), t.explanation
from pair_feature f
left join texts t using (feature)
where diff_id = $2 and side = $3
  and ($4 = '' or contains(lower(coalesce(explanation, '')), lower($4)))
order by p nulls last, abs(difference) desc, feature
limit $5
"""


def reacting(
    con: Connection, diff: DiffRecord, side: int, text: str = "", size: int = PAGE
) -> pd.DataFrame:
    """Features of contrast pairs, those that react most surely first; side as in pair_feature."""
    return con.frame(REACTING, [diff.first_hookpoint, diff.diff_id, side, text.strip(), size])

"""What exports ask of the catalogue beyond what pages ask."""

import json
from typing import Any, NamedTuple

from data.catalogue import Connection, Row

VERDICTS = """
select v.explanation_id, v.scorer_id, i.kind, x.kind as context_kind, x.first_token, x.length,
       i.decile, i.marks, v.expected, v.predicted, v.probability, v.value, v.reply_id
from verdict v
join explanation e using (explanation_id)
join item i using (item_id)
join example x on x.hookpoint_id = i.hookpoint_id and x.feature = i.feature and x.slot = i.slot
where e.hookpoint_id = ? and e.feature = ?
order by v.explanation_id, v.scorer_id, v.item_id
"""


def verdicts(con: Connection, hookpoint_id: int, feature: int) -> list[Row]:
    """Every verdict about one feature, with the decile and marks of its item and its reply."""
    return con.rows(VERDICTS, [hookpoint_id, feature])


class Making(NamedTuple):
    """How an explanation came about."""

    seed: int | None
    prompt: str | None  # as sent; None = no model was asked
    seen: tuple[int, ...]  # first tokens of the contexts it was made from; () = of no chosen ones


def makings(con: Connection, hookpoint_id: int, feature: int) -> dict[int, Making]:
    """Seed, prompt and contexts of a feature's explanations, by explanation_id."""
    rows = con.rows(
        "select explanation_id, seed, prompt, example_tokens from explanation "
        "where hookpoint_id = ? and feature = ?",
        [hookpoint_id, feature],
    )
    return {
        row["explanation_id"]: Making(
            row["seed"], row["prompt"], tuple(row["example_tokens"] or ())
        )
        for row in rows
    }


COUNTS = """
select count(*) filter (e.text is not null) as explanations,
       count(*) filter (e.text is null) as failed,
       coalesce(sum(n), 0) as scores
from explanation e
left join (select explanation_id, count(*) as n from score group by explanation_id) s
    using (explanation_id)
where e.hookpoint_id = ?
"""


def counts(con: Connection, hookpoint_id: int) -> Row:
    """How many explanations and scores a hookpoint has: `explanations`, `failed`, `scores`."""
    found = con.row(COUNTS, [hookpoint_id])
    return {name: int(n) for name, n in (found or {}).items()}


def bookkeeping(con: Connection, cache_id: int) -> Row:
    """What a cache says of itself: `created_at`, `spec` of its corpus, `revision`, ...

    subject_folder: where an import found its subject; null of a cache of ours.
    """
    return con.row(
        "select c.created_at, k.spec, s.revision, s.name, s.architecture, s.n_layers, s.d_model, "
        "(select min(json_extract_string(r.settings, '$.subject_folder')) from run r "
        "where r.cache_id = c.cache_id and r.stage = 'import') as subject_folder "
        "from cache c join subject s using (subject_id) left join corpus k using (corpus_id) "
        "where c.cache_id = ?",
        [cache_id],
    ) or {}  # fmt: skip


SHOWN = """
select feature, explanation_id
from feature_summary
where hookpoint_id = ? and explanation_id is not null
order by feature
"""


def shown(con: Connection, hookpoint_id: int) -> dict[int, int]:
    """The explanation that stands for each feature that has one."""
    return {row["feature"]: row["explanation_id"] for row in con.rows(SHOWN, [hookpoint_id])}


EXPLAINED = """
select feature, explanation_id, text is not null as is_usable
from explanation
where hookpoint_id = ? and (?::ubigint is null or run_id = ?)
order by explanation_id
"""


def standing(con: Connection, hookpoint_id: int, run_id: int | None) -> dict[int, int]:
    """One explanation of each feature that was explained, by feature.

    The one that pages show, or the newest usable one of a run; one that failed where there is none.
    """
    rows = con.rows(EXPLAINED, [hookpoint_id, run_id, run_id])
    found = {row["feature"]: row["explanation_id"] for row in rows if not row["is_usable"]}
    found |= {row["feature"]: row["explanation_id"] for row in rows if row["is_usable"]}
    return dict(sorted((found if run_id is not None else found | shown(con, hookpoint_id)).items()))


def imported(con: Connection, hookpoint_id: int, run_id: int) -> dict[int, int]:
    """As `standing`, of what an import brought; {} where it brought no text.

    Of several explanations of a feature that is the one that pages show, where they show one.
    """
    rows = con.rows(EXPLAINED, [hookpoint_id, run_id, run_id])
    if not any(row["is_usable"] for row in rows):
        return {}
    own = {row["explanation_id"] for row in rows}
    kept = {f: found for f, found in shown(con, hookpoint_id).items() if found in own}
    return dict(sorted((standing(con, hookpoint_id, run_id) | kept).items()))


NEAR = """
select feature, other, value
from neighbour
where hookpoint_id = ? and measure = ? and feature between ? and ?
order by feature, rank
"""


def near(
    con: Connection, hookpoint_id: int, measure: str, first: int, last: int
) -> list[tuple[int, int, float]]:
    """Features first .. last with their neighbours and values, nearest first."""
    rows = con.rows(NEAR, [hookpoint_id, measure, first, last])
    return [(row["feature"], row["other"], row["value"]) for row in rows]


def measures(con: Connection, hookpoint_id: int) -> list[str]:
    """By what the neighbours of a hookpoint's features were found."""
    found = con.rows(
        "select distinct measure from neighbour where hookpoint_id = ? order by measure",
        [hookpoint_id],
    )
    return [row["measure"] for row in found]


class Brought(NamedTuple):
    """The import that a cache came from."""

    run_id: int
    config: dict[str, Any] | None  # run_config.json; None where it was not there


def brought(con: Connection, cache_id: int) -> Brought | None:
    """The import that a cache came from; None of a cache of ours."""
    row = con.row(
        "select run_id, json_extract(settings, '$.run_config') as config from run "
        "where cache_id = ? and stage = 'import' and hookpoint_id is null order by run_id limit 1",
        [cache_id],
    )
    if row is None:
        return None
    told = json.loads(row["config"]) if row["config"] else None
    return Brought(row["run_id"], told if isinstance(told, dict) else None)

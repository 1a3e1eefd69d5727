"""What an import brought, counted in the store itself; for the command and the page."""

from typing import Any

from data.caches import CONTEXTS_ONLY
from data.catalogue import Connection
from data.errors import NotFound
from data.imports.report import reports

CACHE = """
select cache_id, json_extract_string(settings, '$.activations') as activations
from cache
where name = ?
"""
COUNTS = """
with ours as (select hookpoint_id from hookpoint where cache_id = $1)
select
    (select count(*) from explanation semi join ours using (hookpoint_id) where text is not null)
        as explanations,
    (select count(*) from explanation semi join ours using (hookpoint_id) where status = 'failed')
        as failed_explanations,
    (select count(*) from example semi join ours using (hookpoint_id)) as contexts,
    (select count(*) from neighbour semi join ours using (hookpoint_id)) as neighbours,
    (select coalesce(sum(n_activations), 0)::ubigint from hookpoint where cache_id = $1)
        as activations
"""
SCORES = """
select m.name as scorer, m.judge, count(*) as features, avg(s.value) as mean,
       sum(s.n_judged)::ubigint as verdicts, sum(s.n_failed)::ubigint as failed
from score s
join scorer m using (scorer_id)
join explanation e using (explanation_id)
join hookpoint h using (hookpoint_id)
where h.cache_id = ? and m.preset like '%(imported)'
group by m.name, m.judge
order by m.name
"""


def summary(con: Connection, name: str) -> dict[str, Any]:
    """Counts, scores and the report of an imported cache, JSON-ready."""
    row = con.row(CACHE, [name])
    if row is None:
        raise NotFound(f"no cache named '{name}': gloss status lists them")
    cache_id, kept = row["cache_id"], row["activations"]
    hookpoints = con.rows(
        "select name from hookpoint where cache_id = ? order by hookpoint_id", [cache_id]
    )
    return {
        "cache": name,
        "hookpoints": [hookpoint["name"] for hookpoint in hookpoints],
        "has_activations": kept != CONTEXTS_ONLY,
        **(con.row(COUNTS, [cache_id]) or {}),
        "scores": con.rows(SCORES, [cache_id]),
        "report": reports(con, cache_id),
    }


def lines(found: dict[str, Any]) -> list[str]:
    """The summary for a person, one fact a line."""
    kept = "with" if found["has_activations"] else "without"
    out = [
        f"{found['cache']}: {found['explanations']:,} explanations, {found['contexts']:,} contexts "
        f"at {', '.join(found['hookpoints'])}, {kept} activations"
    ]
    for score in found["scores"]:
        mean = "undefined" if score["mean"] is None else f"{score['mean']:.3f}"
        out.append(f"  {score['scorer']}: {score['features']:,} features, mean {mean}, "
                   f"{score['verdicts']:,} verdicts, {score['failed']:,} failed, judged by "
                   f"{score['judge']}")  # fmt: skip
    out += [f"  {one['severity']} {one['code']} ({one['n']:,}): {one['explanation']}"
            + (f"; first: {one['example']}" if one["example"] else "")
            for one in found["report"]]  # fmt: skip
    return out

"""The SQL behind comparisons: which settings there are, and what each scored on every feature.

A side is one explainer (name, model, settings) in one cache. Of a feature with several explanations
of a side the newest usable one counts. Takes an open connection, gives rows and frames.
"""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from data.catalogue import Connection, Row
from data.summaries import HEADLINE

DECILES = range(1, 11)  # 1 weakest .. 10 strongest
SILENT_KINDS = ("random", "wrong-mark", "token", "neighbour", "similar")
PLACES = (*map(str, DECILES), *SILENT_KINDS)  # where verdicts are counted, in the order of columns


class Wanted(NamedTuple):
    """Which scores of a side are read."""

    cache: str  # name
    explainer_id: int
    scorer: str  # detection, fuzzing, ...
    judge: int | None  # scorer_id; None = the headline score of each explanation
    hookpoint: str | None  # None = all


SIDES = """
with shown as (  -- the newest usable explanation of each feature
    select h.cache_id, e.explainer_id, e.hookpoint_id, e.feature, max(e.run_id) as run_id,
           max(e.explanation_id) filter (e.text is not null) as explanation_id
    from explanation e
    join hookpoint h using (hookpoint_id)
    group by all
),
scored as (
    select n.cache_id, n.explainer_id, s.scorer_id, count(*) as n
    from shown n
    join score s using (explanation_id)
    group by all
),
judged as (
    select cache_id, explainer_id,
           list({'scorer_id': scorer_id, 'scorer': m.name, 'judge': m.judge, 'preset': m.preset,
                 'n': n} order by scorer_id) as judges
    from scored
    join scorer m using (scorer_id)
    group by all
),
explained as (
    select cache_id, explainer_id, count(explanation_id) as n_explained, max(run_id) as run_id
    from shown
    group by all
)
select c.name as cache, explainer_id, x.name as explainer, x.model, x.settings, n_explained,
       run_id, coalesce(judges, []) as judges
from explained
join cache c using (cache_id)
join explainer x using (explainer_id)
left join judged using (cache_id, explainer_id)
order by cache_id, explainer_id
"""


def sides(con: Connection) -> list[Row]:
    """Every explainer in every cache that it explained something of, oldest first."""
    return con.rows(SIDES)


NEWEST = """
    select h.name as hookpoint, h.hookpoint_id, e.feature,
           max(e.explanation_id) filter (e.text is not null) as explanation_id
    from explanation e
    join hookpoint h using (hookpoint_id)
    join cache c using (cache_id)
    where c.name = ? and e.explainer_id = ? and coalesce(h.name = ?, true)
    group by all
"""
COMMON = f"""
with first as ({NEWEST}), second as ({NEWEST}),
first_scored as (
    select hookpoint, feature, scorer_id from first join score using (explanation_id)
),
second_scored as (
    select hookpoint, feature, scorer_id from second join score using (explanation_id)
)
select scorer_id, m.judge, m.preset, count(*) as n
from first_scored
join second_scored using (hookpoint, feature, scorer_id)
join scorer m using (scorer_id)
where m.name = ?
group by all
order by n desc, any_value(m.preset) <> 'gloss', scorer_id
"""


def common_judges(con: Connection, first: Wanted, second: Wanted) -> list[Row]:
    """Scorers of the wanted name that scored features under both, the one with most first."""
    asked = [w for side in (first, second) for w in (side.cache, side.explainer_id, side.hookpoint)]
    return con.rows(COMMON, [*asked, first.scorer])


PARTNERS = """
with newest as (
    select c.name as cache, e.explainer_id, h.name as hookpoint, e.feature,
           max(e.explanation_id) filter (e.text is not null) as explanation_id
    from explanation e
    join hookpoint h using (hookpoint_id)
    join cache c using (cache_id)
    where coalesce(h.name = $3, true)
    group by all
),
scored as (
    select distinct cache, explainer_id, hookpoint, feature, m.name as scorer
    from newest
    join score s using (explanation_id)
    join scorer m using (scorer_id)
    where s.value is not null and coalesce(m.name = $4, true)
),
mine as (select hookpoint, feature, scorer from scored where cache = $1 and explainer_id = $2),
common as (
    select cache, explainer_id, scorer, count(*) as n
    from scored
    join mine using (hookpoint, feature, scorer)
    where (cache, explainer_id) <> ($1, $2)
    group by all
)
select cache, explainer_id, max(n) as n
from common
group by all
order by n desc, cache, explainer_id
"""


def partners(
    con: Connection, cache: str, explainer_id: int, at: str | None, scorer: str | None
) -> list[Row]:
    """The other sides that share scored features with this one, and how many; most first.

    at: only this hookpoint, None = all; scorer: by this one, None = by the one with most.
    """
    return con.rows(PARTNERS, [cache, explainer_id, at, scorer])


def _counts() -> str:
    """Columns right_PLACE and n_PLACE out of the score's detail, parsed once a row."""
    parts = [("by_decile", str(decile)) for decile in DECILES]
    parts += [("non_activating", kind) for kind in SILENT_KINDS]
    return ", ".join(
        f'coalesce(d.{part}."{place}".{field}, 0)::float as "{name}_{place}"'
        for name, field in (("right", "correct"), ("n", "n"))
        for part, place in parts
    )


def _shape() -> str:
    """The detail's shape for from_json, as far as it is counted."""
    tally = '{"n":"UINTEGER","correct":"UINTEGER"}'
    deciles = ",".join(f'"{decile}":{tally}' for decile in DECILES)
    kinds = ",".join(f'"{kind}":{tally}' for kind in SILENT_KINDS)
    return f'{{"by_decile":{{{deciles}}},"non_activating":{{{kinds}}}}}'


OF_NEWEST = """newest
    join score s using (explanation_id)
    join scorer m using (scorer_id)"""
SCORES = f"""
with newest as ({NEWEST}),
first as ({HEADLINE.format(scores=OF_NEWEST)}),
scored as (
    select n.hookpoint_id, n.feature, n.explanation_id, s.scorer_id, s.value, s.n_judged,
           s.n_failed, from_json(s.detail, '{_shape()}') as d
    from newest n
    join first f using (explanation_id)
    join score s using (explanation_id)
    where f.name = ? and s.scorer_id = coalesce(?, f.scorer_id)
)
select n.hookpoint_id, n.feature, coalesce(n.explanation_id, 0) as explanation_id,
       coalesce(s.scorer_id, 0) as scorer_id, s.value, coalesce(s.n_judged, 0) as n_judged,
       coalesce(s.n_failed, 0) as n_failed, f.density, {_counts()}
from newest n
left join scored s using (hookpoint_id, feature)
left join feature f using (hookpoint_id, feature)
order by n.hookpoint_id, n.feature
"""


def scores(con: Connection, wanted: Wanted) -> pd.DataFrame:
    """One row a feature that the side tried to explain, scored or not.

    explanation_id is 0 where no explanation is usable, scorer_id where it is not scored; value is
    null where the score is undefined.
    """
    asked = [wanted.cache, wanted.explainer_id, wanted.hookpoint, wanted.scorer, wanted.judge]
    return con.frame(SCORES, asked)


def hookpoints(con: Connection, cache: str) -> dict[int, str]:
    """Names of a cache's hookpoints."""
    found = con.rows(
        "select hookpoint_id, h.name from hookpoint h join cache c using (cache_id) "
        "where c.name = ? order by hookpoint_id",
        [cache],
    )
    return {row["hookpoint_id"]: row["name"] for row in found}


def scorers(con: Connection, ids: Sequence[int]) -> list[Row]:
    """Name, judge and preset of scorers."""
    return con.rows(
        "select scorer_id, name, judge, preset from scorer where list_contains(?, scorer_id) "
        "order by scorer_id",
        [list(ids)],
    )


def texts(con: Connection, ids: Sequence[int]) -> dict[int, str]:
    """The texts of some explanations."""
    found = con.rows(
        "select explanation_id, text from explanation where explanation_id in (select unnest(?))",
        [list(ids)],
    )
    return {row["explanation_id"]: row["text"] for row in found}


OF_RUN = """
select distinct c.name as cache, e.explainer_id
from explanation e
join hookpoint h using (hookpoint_id)
join cache c using (cache_id)
where e.run_id = $1
   or e.explanation_id in (select explanation_id from score where run_id = $1)
order by all
"""


def sides_of_run(con: Connection, run_id: int) -> list[Row]:
    """The sides whose explanations a run wrote or scored."""
    return con.rows(OF_RUN, [run_id])


BOTH = f"""
with newest as ({NEWEST}),
scored as (
    {HEADLINE.format(scores=OF_NEWEST + " where m.name in ('detection', 'fuzzing')")}
)
select any_value(value) filter (name = 'detection') as detection,
       any_value(value) filter (name = 'fuzzing') as fuzzing
from scored
group by explanation_id
having detection is not null and fuzzing is not null
order by explanation_id
"""


def both_scores(con: Connection, cache: str, explainer_id: int, at: str | None) -> pd.DataFrame:
    """Headline detection and fuzzing of every feature that has both; at one hookpoint or all."""
    return con.frame(BOTH, [cache, explainer_id, at])

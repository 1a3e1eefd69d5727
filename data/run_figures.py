"""The SQL behind the figures of a run: counts by decile, outcomes by peak, scores of features.

A setting is one explainer with its settings over a cache. Of a feature that it explained several
times, the newest usable explanation with a score counts. Judges and presets are never mixed: a
figure is of one of each.
"""

from typing import NamedTuple

import pandas as pd

from data.catalogue import Connection, Row

INTERVALS = 20  # of the peak as a share of the feature's largest activation


class Setting(NamedTuple):
    """Whose explanations a figure is about."""

    cache_id: int
    explainer_id: int
    hookpoint: str | None = None  # name; None = all of the cache
    feature: int | None = None  # None = all; else with its hookpoint
    run_id: int | None = None  # None = all; else what that run explained or scored
    among: tuple[tuple[int, int], ...] = ()  # cache_id, explainer_id: only features that all scored


class Judged(NamedTuple):
    """By whom, and under which preset."""

    judge: str
    preset: str


# Features of several caches are the same where hookpoint and number are.
WRITTEN = """
with judged as (
    select e.explanation_id, e.explainer_id, h.cache_id, e.hookpoint_id, h.name as hookpoint,
           e.feature, bool_or(s.run_id = $5 or e.run_id = $5) as is_of_run
    from explanation e
    join hookpoint h using (hookpoint_id)
    join score s using (explanation_id)
    join scorer m using (scorer_id)
    where (h.cache_id = $1 and e.explainer_id = $2
           or list_contains($6, h.cache_id || ':' || e.explainer_id))
        and e.text is not null
        and ($3 is null or h.name = $3)
        and ($4 is null or e.feature = $4)
        and ($7 is null or m.judge = $7) and ($8 is null or m.preset = $8)
    group by all
),
shared as (
    select hookpoint, feature
    from judged
    where list_contains($6, cache_id || ':' || explainer_id)
    group by hookpoint, feature
    having count(distinct cache_id || ':' || explainer_id) = len($6)
),
written as (
    select explanation_id, hookpoint_id, feature
    from judged
    where cache_id = $1 and explainer_id = $2 and ($5 is null or is_of_run)
        and (len($6) = 0 or exists (
            select 1 from shared s
            where s.hookpoint = judged.hookpoint and s.feature = judged.feature))
    qualify row_number() over (
        partition by hookpoint_id, feature order by explanation_id desc
    ) = 1
)
"""


def _given(setting: Setting, judge: str | None, preset: str | None) -> list[object]:
    """Parameters of WRITTEN; no judge = any."""
    among = [f"{cache_id}:{explainer_id}" for cache_id, explainer_id in setting.among]
    return [*setting[:-1], among, judge, preset]


TALLY = "MAP(VARCHAR, STRUCT(n UINTEGER, correct UINTEGER, failed UINTEGER))"
PLACES = f"""{WRITTEN},
scored as (
    select w.hookpoint_id, w.feature, m.name as scorer,
           from_json(s.detail, '{{"by_decile": "{TALLY}", "non_activating": "{TALLY}"}}') as detail
    from written w
    join score s using (explanation_id)
    join scorer m using (scorer_id)
    where m.name in ('detection', 'fuzzing') and m.judge = $7 and m.preset = $8
),
tallies as (
    select scorer, unnest(map_entries(detail.by_decile)) as place from scored
    union all
    select scorer, unnest(map_entries(detail.non_activating)) as place from scored
),
counts as (
    select scorer, place.key as place, place.value.n::double as n,
           place.value.correct::double as c, place.value.failed as failed
    from tallies
)
select scorer, place, sum(n)::bigint as n, sum(c)::bigint as correct,
       sum(failed)::bigint as failed, count(*) filter (n > 0) as features,
       avg(c / n) filter (n > 0) as mean, stddev_samp(c / n) filter (n > 0) as spread,
       sum(n * n) as nn, sum(n * c) as nc, sum(c * c) as cc
from counts
group by scorer, place
order by scorer, place
"""


def places(con: Connection, setting: Setting, by: Judged) -> list[Row]:
    """Verdicts of all features by scorer and place: a decile "1".."10", or a kind of silence.

    mean and spread are over the features' shares of right verdicts; nn, nc and cc are sums over
    features of n², n·correct and correct², from which an interval over features follows.
    """
    return con.rows(PLACES, _given(setting, *by))


# One row a context: of several items of one scorer about it the newest counts.
OUTCOMES = f"""{WRITTEN},
judging as (
    select scorer_id, name
    from scorer
    where name in ('detection', 'fuzzing') and judge = $7 and preset = $8
),
said as (
    select i.hookpoint_id, i.feature, i.slot, i.kind, judging.name as scorer, v.item_id,
           case when v.predicted is null then -1
                when v.predicted = v.expected then 1 else 0 end as answer
    from verdict v
    join judging using (scorer_id)
    join written w using (explanation_id)
    join item i using (item_id)
    where i.kind <> 'wrong-mark'
),
context as (
    select hookpoint_id, feature, slot, kind,
           arg_max(answer, item_id) filter (scorer = 'detection') as detection,
           arg_max(answer, item_id) filter (scorer = 'fuzzing') as fuzzing
    from said
    group by hookpoint_id, feature, slot, kind
)
select case when c.kind <> 'activating' then -1
            when x.peak > 0 and f.max_activation > 0
            then least(floor({INTERVALS} * x.peak / f.max_activation), {INTERVALS - 1}) end
           as interval,
       c.detection, c.fuzzing, count(*) as n
from context c
join example x using (hookpoint_id, feature, slot)
join feature f using (hookpoint_id, feature)
group by all
"""


def outcomes(con: Connection, setting: Setting, by: Judged) -> list[Row]:
    """Contexts by interval of their peak and by both answers: 1 right, 0 wrong, -1 unusable.

    interval: 0..19; -1 = a silent context; null = no activations are known. An answer is null where
    that scorer did not ask.
    """
    return con.rows(OUTCOMES, _given(setting, *by))


SCORES = f"""{WRITTEN}
select w.hookpoint_id, w.feature, s.scorer_id, m.name as scorer, m.judge, m.preset, s.value
from written w
join score s using (explanation_id)
join scorer m using (scorer_id)
where s.value is not null
order by s.scorer_id, w.hookpoint_id, w.feature
"""


def scores(con: Connection, setting: Setting) -> pd.DataFrame:
    """Every defined score of every feature, one row each, by all scorers, judges and presets."""
    return con.frame(SCORES, _given(setting, None, None))


SETTINGS = """
with judged as (
    select distinct explanation_id
    from score
    join scorer using (scorer_id)
    where name in ('detection', 'fuzzing')
),
found as (
    select h.cache_id, e.explainer_id, e.hookpoint_id, e.feature,
           bool_or(j.explanation_id is not null) as is_scored
    from explanation e
    join hookpoint h using (hookpoint_id)
    left join judged j using (explanation_id)
    where e.text is not null
    group by all
)
select c.cache_id, c.name as cache, x.explainer_id, x.name as explainer, x.model, x.settings,
       count(*) as features, count(*) filter (is_scored) as scored
from found
join cache c using (cache_id)
join explainer x using (explainer_id)
group by all
order by scored desc, c.cache_id, x.explainer_id
"""


def settings(con: Connection) -> list[Row]:
    """Explainers with their settings in every cache, those with most scored features first."""
    return con.rows(SETTINGS)


JUDGES = """
select m.judge, m.preset, count(*) as n
from score s
join scorer m using (scorer_id)
join explanation e using (explanation_id)
join hookpoint h using (hookpoint_id)
where list_contains($1, h.cache_id || ':' || e.explainer_id)
    and m.name in ('detection', 'fuzzing')
group by m.judge, m.preset
order by m.preset = 'gloss' desc, n desc, m.judge, m.preset
"""


def judges(con: Connection, among: tuple[tuple[int, int], ...]) -> list[Judged]:
    """Who judged explanations of these settings: preset gloss first, then the most scores.

    among: cache_id and explainer_id of each setting.
    """
    named = [f"{cache_id}:{explainer_id}" for cache_id, explainer_id in among]
    found = con.rows(JUDGES, [named])
    return [Judged(row["judge"], row["preset"]) for row in found]


SCORED_IN = """
select e.explainer_id
from explanation e
where e.run_id = $1
union
select e.explainer_id
from score s
join explanation e using (explanation_id)
where s.run_id = $1
order by 1
"""


def explainers_of(con: Connection, run_id: int) -> tuple[int, ...]:
    """Whose explanations a run wrote or scored; () where there is no such run."""
    return tuple(row["explainer_id"] for row in con.rows(SCORED_IN, [run_id]))


NEWEST = """
select max(e.explanation_id) as explanation_id
from explanation e
semi join chosen using (hookpoint_id, feature)
where e.explainer_id = $1 and e.seed = $2 and e.text is not null
group by e.hookpoint_id, e.feature
order by explanation_id
"""


def newest_explanations(con: Connection, explainer_id: int, seed: int) -> tuple[int, ...]:
    """Usable explanations by a setting of the features in the table `chosen`, one a feature."""
    return tuple(row["explanation_id"] for row in con.rows(NEWEST, [explainer_id, seed]))


MEANS = """
select m.name as scorer, avg(s.value) as mean, stddev_samp(s.value) as spread,
       count(s.value) as n, coalesce(sum(s.n_failed), 0) as failed
from score s
join scorer m using (scorer_id)
where list_contains($1, s.explanation_id)
    and (m.name = 'exact' or (m.judge = $2 and m.preset = $3))
group by m.name
order by m.name
"""


def means(con: Connection, explanations: tuple[int, ...], by: Judged) -> list[Row]:
    """The mean score of some explanations by scorer, over n of them; failed: verdicts."""
    return con.rows(MEANS, [list(explanations), *by])


SEVERAL = """
select {pick}(feature)
from (
    select feature
    from explanation
    where hookpoint_id = $1 and text is not null and feature {side} $2
    group by feature
    having count(*) > 1
)
"""


def with_several(con: Connection, hookpoint_id: int, feature: int, forwards: bool) -> int | None:
    """The next feature (or the one before) with several usable explanations; None = no such."""
    pick, side = ("min", ">") if forwards else ("max", "<")
    return con.value(SEVERAL.format(pick=pick, side=side), [hookpoint_id, feature])


SWEEPS = """
select command, list_sort(list(distinct method_id) filter (stage = 'explain')) as explainers,
       list(distinct status) as states, min(started_at) as started_at, max(heartbeat_at) as seen_at,
       sum(failed) as failed, sum(cost_usd) as cost_usd, sum(n_calls) as n_calls,
       bool_and(cost_usd is not null) as is_cost_known
from run
where cache_id = $1 and command[2] = 'sweep'
group by command
order by max(run_id) desc
limit 5
"""


def sweeps(con: Connection, cache_id: int) -> list[Row]:
    """The newest sweeps of a cache, by the command that began them; one may have been resumed."""
    return con.rows(SWEEPS, [cache_id])

"""What the table of features sorts and filters by: one row of `feature_summary` a feature.

Derived from explanations and scores, and kept right by whoever writes those, in the same
transaction; a feature without a usable explanation has no row. The rules that a page follows stand
here as SQL, for the stored rows and for the facets that pages ask for.
"""

from collections.abc import Iterable

import pyarrow as pa

from data.catalogue import Connection

# When a score was made, by which run, by which scorer: one number that orders them.
MOMENT = f"(epoch_us(s.created_at)::hugeint * {2**32} + s.run_id) * {2**32} + s.scorer_id"
LATER = 2**120  # than any moment
# An explanation's judge is that of its first detection, else of the first of the next.
RANK = "case m.name when 'detection' then 0 when 'fuzzing' then 1 when 'exact' then 3 else 2 end"
FIRST = f"({RANK})::hugeint * {LATER} + {MOMENT}"
# One score a scorer, by the explanation's judge where that one scored, else by the first that did;
# of one judge's the preset gloss, then the earliest (data.results.headline).
# {scores}: what follows "from", with columns of score as s and of scorer as m. Joined to their
# judges by groupings, because a second window takes twice as long over a million features.
HEADLINE = f"""
select said.*, led.since
from (
    select s.explanation_id, s.scorer_id, m.name, m.judge, m.preset <> 'gloss' as is_other,
           s.value, s.low, s.high, s.n_judged, s.n_failed, {MOMENT} as moment
    from {{scores}}
) said
join (
    select s.explanation_id, arg_min(m.judge, {FIRST}) as leader, min({FIRST}) as since
    from {{scores}}
    group by s.explanation_id
) led using (explanation_id)
join (
    select s.explanation_id, m.name, arg_min(m.judge, {MOMENT}) as first
    from {{scores}}
    group by s.explanation_id, m.name
) own using (explanation_id, name)
qualify row_number() over (
    partition by explanation_id, name
    order by judge is not distinct from leader desc, judge is not distinct from first desc,
             is_other, moment
) = 1
"""
# Shown for a feature: of those with any score (the exact check included), else of all, the one
# that is best by detection, of equals the newest; but only what one scorer said is compared, that
# is by the first judge of any of them, with the preset gloss where that was asked for (`series`).
# {candidates}: usable explanations (feature, explanation_id); {headline}: their scores, as above.
SHOWN = """
with rated as (
    select c.feature, c.explanation_id, h.* exclude (explanation_id, is_scored),
           coalesce(is_scored, false) as is_scored
    from {candidates} c
    left join (
        select explanation_id,
               {columns},
               coalesce(any_value(judge) filter (name = 'detection'),
                        any_value(judge) filter (name = 'fuzzing')) as judge,
               {detected},
               bool_or(value is not null) as is_scored,
               sum(n_judged) filter (name <> 'exact') as n_judged,
               sum(n_failed) filter (name <> 'exact') as n_failed
        from ({headline})
        group by explanation_id
    ) h using (explanation_id)
),
ahead as (
    select feature, arg_min(judge, since) as leader
    from rated
    where is_scored and scorer_id is not null
    group by feature
),
compared as (
    select feature, arg_min(scorer_id, is_other::hugeint * {later} + moment) as series
    from rated
    join ahead using (feature)
    where is_scored and scorer_id is not null and judge is not distinct from leader
    group by feature
)
select feature, explanation_id,
       (count(*) over (partition by feature))::uinteger as n_explanations,
       rated.* exclude (feature, explanation_id, n_judged, n_failed, judge, is_scored, scorer_id,
                        is_other, moment, since),
       coalesce(n_judged, 0)::uinteger as n_judged, coalesce(n_failed, 0)::uinteger as n_failed,
       judge
from rated
left join compared using (feature)
qualify row_number() over (
    partition by feature
    order by is_scored desc, scorer_id is not distinct from series desc,
             detection desc nulls last, explanation_id desc
) = 1
"""
SCORERS = ("detection", "fuzzing", "exact")
COLUMNS = ",\n           ".join(
    f"any_value({source}) filter (name = '{scorer}')::double as {scorer}{suffix}"
    for scorer in SCORERS
    for source, suffix in (("value", ""), ("low", "_low"), ("high", "_high"))
)
DETECTED = ", ".join(
    f"any_value({column}) filter (name = 'detection') as {column}"
    for column in ("scorer_id", "is_other", "moment", "since")
)


def shown(candidates: str, scores: str) -> str:
    """SQL of the explanation shown for each feature, with the columns of feature_summary.

    candidates: a query for usable explanations; scores: what follows "from" in HEADLINE.
    """
    return SHOWN.format(
        candidates=candidates, headline=HEADLINE.format(scores=scores), columns=COLUMNS,
        detected=DETECTED, later=LATER,
    )  # fmt: skip


USABLE = """
select feature, explanation_id
from explanation
where {asked} and text is not null
"""
SCORES = """score s
join scorer m using (scorer_id)
semi join usable using (explanation_id)"""
ASKED = "hookpoint_id = {hookpoint_id} and feature in (select feature from asked_features)"
INSERT = """
insert into feature_summary
with usable as ({usable})
select {hookpoint_id}, shown.* from ({shown}) shown
"""


def refresh(con: Connection, hookpoint_id: int, features: Iterable[int]) -> None:
    """Make the rows of some features right again, within the caller's transaction."""
    asked = pa.table({"feature": pa.array(sorted(set(features)), pa.uint32())})
    where = ASKED.format(hookpoint_id=int(hookpoint_id))
    usable, rows = USABLE.format(asked=where), shown("usable", SCORES)
    with con.table("asked_features", asked):
        con.run(f"delete from feature_summary where {where}")
        con.run(INSERT.format(usable=usable, hookpoint_id=int(hookpoint_id), shown=rows))

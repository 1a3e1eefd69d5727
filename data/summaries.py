"""What the table of features sorts and filters by: one row of `feature_summary` a feature.

Derived from explanations and scores, and kept right by whoever writes those, in the same
transaction; a feature without a usable explanation has no row. The rules that a page follows stand
here as SQL, for the stored rows and for the facets that pages ask for.
"""

from collections.abc import Iterable

import pyarrow as pa

from data.catalogue import Connection

# Which score comes first: the preset gloss, then the first judge (as data.results.standing).
STANDING = "((m.preset <> 'gloss')::bigint << 32) + s.scorer_id"
# An explanation's judge is that of its first detection, else of the first of the next.
LEADER = f"""arg_min(m.judge, (case m.name when 'detection' then 0 when 'fuzzing' then 1
             when 'exact' then 3 else 2 end::bigint << 33) + {STANDING})"""
# One score a scorer, by the explanation's judge where that one scored (data.results.headline).
# {scores}: what follows "from", with columns of score as s and of scorer as m. Joined to their
# judge by a grouping, because a second window takes twice as long over a million features.
HEADLINE = f"""
select said.*
from (
    select s.explanation_id, m.name, m.judge, s.value, s.low, s.high, s.n_judged, s.n_failed,
           {STANDING} as standing
    from {{scores}}
) said
join (
    select s.explanation_id, {LEADER} as leader
    from {{scores}}
    group by s.explanation_id
) led using (explanation_id)
qualify row_number() over (
    partition by explanation_id, name
    order by judge is not distinct from leader desc, standing
) = 1
"""
# Shown for a feature: by the first judge before others, so that no score is weighed against one of
# another judge or preset; of these the best by detection, of equals the newest. One without any
# score, the exact check included, is shown only where no other has one.
# {candidates}: usable explanations (feature, explanation_id); {headline}: their scores, as above.
SHOWN = """
select c.feature, c.explanation_id,
       (count(*) over (partition by c.feature))::uinteger as n_explanations,
       h.* exclude (explanation_id, n_judged, n_failed, judge, standing, is_scored),
       coalesce(n_judged, 0)::uinteger as n_judged, coalesce(n_failed, 0)::uinteger as n_failed,
       judge
from {candidates} c
left join (
    select explanation_id,
           {columns},
           coalesce(any_value(judge) filter (name = 'detection'),
                    any_value(judge) filter (name = 'fuzzing')) as judge,
           any_value(standing) filter (name = 'detection') as standing,
           bool_or(value is not null) as is_scored,
           sum(n_judged) filter (name <> 'exact') as n_judged,
           sum(n_failed) filter (name <> 'exact') as n_failed
    from ({headline})
    group by explanation_id
) h using (explanation_id)
qualify row_number() over (
    partition by c.feature
    order by coalesce(is_scored, false) desc, standing nulls last, detection desc nulls last,
             c.explanation_id desc
) = 1
"""
SCORERS = ("detection", "fuzzing", "exact")
COLUMNS = ",\n           ".join(
    f"any_value({source}) filter (name = '{scorer}')::double as {scorer}{suffix}"
    for scorer in SCORERS
    for source, suffix in (("value", ""), ("low", "_low"), ("high", "_high"))
)


def shown(candidates: str, scores: str) -> str:
    """SQL of the explanation shown for each feature, with the columns of feature_summary.

    candidates: a query for usable explanations; scores: what follows "from" in HEADLINE.
    """
    return SHOWN.format(
        candidates=candidates, headline=HEADLINE.format(scores=scores), columns=COLUMNS
    )


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

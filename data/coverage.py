"""The SQL behind coverage and price: how much of a dictionary has what, and what calls took here.

Takes an open connection, gives rows.
"""

from collections.abc import Sequence

from data.catalogue import Connection, Row

COUNTED = """
with told as (
    select feature, count(text) > 0 as is_explained
    from explanation
    where hookpoint_id = $1
    group by feature
)
select count(*) filter (coalesce(f.n_active, 1) > 0
                        and f.reason is distinct from 'unknown') as alive,
       count(*) filter (coalesce(f.reason, '') not in ('dead', 'rare', 'unknown')) as explainable,
       count(*) filter (f.reason is null or f.reason = 'reduced') as scorable,
       count(*) filter (t.is_explained) as explained,
       count(*) filter (t.is_explained = false) as failed
from feature f
left join told t using (feature)
where f.hookpoint_id = $1
"""


def counted(con: Connection, hookpoint_id: int) -> Row:
    """Features of a hookpoint: alive, with enough contexts, explained.

    explainable: with the ten contexts that an explanation needs; scorable: with the forty that a
    score needs (methods 2.3); failed: tried, without a usable explanation.
    """
    return con.row(COUNTED, [hookpoint_id]) or {}


SERIES = """
select e.explainer_id, x.name as explainer, x.model, x.settings, s.scorer_id, m.name as scorer,
       m.judge, m.preset, count(distinct e.feature) as features
from score s
join explanation e using (explanation_id)
join explainer x using (explainer_id)
join scorer m using (scorer_id)
where e.hookpoint_id = ? and s.value is not null
group by all
order by m.name, features desc, e.explainer_id, s.scorer_id
"""


def series(con: Connection, hookpoint_id: int) -> list[Row]:
    """Every scorer, judge and preset with every explainer whose explanations it scored."""
    return con.rows(SERIES, [hookpoint_id])


CALLS = """
select x.model, 'explanation' as what, null as preset,
       try_cast(json_extract_string(x.settings, '$.examples') as integer) as examples,
       null as items, sum(len(e.calls)) as calls, sum(e.input_tokens) as input_tokens,
       sum(e.output_tokens) as output_tokens, count(*) as n
from explanation e
join explainer x using (explainer_id)
where len(e.calls) > 0 and e.input_tokens is not null and e.output_tokens is not null
    and x.model is not null and x.name in (select unnest(?))
group by all
union all
select m.judge, m.name, m.preset, null, s.n_judged + s.n_failed as items, sum(s.n_calls),
       sum(s.input_tokens), sum(s.output_tokens), count(*)
from score s
join scorer m using (scorer_id)
where s.n_calls > 0 and s.input_tokens is not null and s.output_tokens is not null
    and m.name in ('detection', 'fuzzing')
group by all
order by all
"""


def calls(con: Connection, explainers: Sequence[str]) -> list[Row]:
    """What calls took in this store, by model and what was asked; counted by endpoints.

    explainers: names of those whose explanation is one call. calls and tokens are of everything
    that was sent, so what had to be asked again is in them; n, the number of explanations or
    scores, and items, how many contexts each of those scores judged, say how many calls were
    meant. examples: contexts shown to the explainer.
    """
    return con.rows(CALLS, [list(explainers)])

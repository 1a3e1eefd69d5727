"""How long a sweep's work by the grammar takes, told from what such work took in this store.

Only finished runs count, by the clock, so that their processes and their beginnings are in it. An
explainer that sees some examples is a kind of its own: it is far quicker than one that reads all
train tokens.
"""

from collections.abc import Mapping

from data.catalogue import Catalogue

EXPLAINED = """
select json_extract_string(x.settings, '$.examples') is not null as sees_examples,
       sum(n) / nullif(sum(epoch(r.finished_at - r.started_at)), 0) as rate
from (
    select run_id, explainer_id, count(*) as n
    from explanation
    group by all
)
join explainer x using (explainer_id)
join run r using (run_id)
where x.name = 'grammar' and r.stage = 'explain' and r.status = 'done'
group by all
"""
SCORED = """
select sum(n) / nullif(sum(epoch(r.finished_at - r.started_at)), 0)
from (
    select run_id, count(distinct explanation_id) as n
    from score s
    join scorer m using (scorer_id)
    where m.judge = 'grammar' and m.name <> 'exact'
    group by all
)
join run r using (run_id)
where r.stage = 'score' and r.status = 'done'
"""


def grammar_seconds(
    catalogue: Catalogue, to_explain: Mapping[bool, int], to_score: int
) -> float | None:
    """Seconds of the whole; None where one part of it was never done in this store.

    to_explain: features by whether the explainer sees examples; to_score: explanations.
    """
    with catalogue.reading() as con:
        rates = {row["sees_examples"]: row["rate"] for row in con.rows(EXPLAINED)}
        scored = con.value(SCORED)
    work = [(n, rates.get(kind)) for kind, n in to_explain.items()] + [(to_score, scored)]
    if any(n and not rate for n, rate in work):
        return None
    return sum(n / rate for n, rate in work if n and rate)

"""Questions in SQL that are there before anybody has saved one."""

READY = {
    "Features above .8 in detection, by hookpoint": """\
select c.name as cache, h.name as hookpoint, count(*) as scored,
       count(*) filter (s.detection > 0.8) as above,
       round(count(*) filter (s.detection > 0.8) / count(*), 3) as share
from feature_summary s
join hookpoint h using (hookpoint_id)
join cache c using (cache_id)
where s.detection is not null
group by all
order by share desc""",
    "Cost of each explainer": """\
select x.name as explainer, x.model, count(*) as explanations,
       count(*) filter (e.status = 'failed') as failed,
       sum(e.input_tokens) as input_tokens, sum(e.output_tokens) as output_tokens,
       sum(e.cost_usd) as usd, count(*) filter (e.cost_usd is null) as cost_unknown,
       round(avg(e.seconds), 2) as mean_seconds
from explanation e
join explainer x using (explainer_id)
group by all
order by usd desc nulls last""",
    "Scores of each explainer": """\
select x.name as explainer, x.model, m.name as scorer, m.judge, count(s.value) as n,
       round(median(s.value), 3) as median, round(avg(s.value), 3) as mean,
       sum(s.n_judged) as verdicts, sum(s.n_failed) as without_reply
from score s
join scorer m using (scorer_id)
join explanation e using (explanation_id)
join explainer x using (explainer_id)
group by all
order by scorer, mean desc""",
    "Share of right verdicts by decile": """\
select m.name as scorer, i.decile, count(v.predicted) as n,
       round(avg((v.predicted = v.expected)::integer), 3) as right_share,
       count(*) - count(v.predicted) as without_reply
from verdict v
join item i using (item_id)
join scorer m using (scorer_id)
group by all
order by scorer, decile nulls last""",
    "Dead, rare and scarce features": """\
select c.name as cache, h.name as hookpoint, coalesce(f.reason, 'full protocol') as reason,
       count(*) as features
from feature f
join hookpoint h using (hookpoint_id)
join cache c using (cache_id)
group by all
order by cache, hookpoint, features desc""",
    "Why explanations failed": """\
select x.name as explainer, e.status, e.error, count(*) as n, min(e.feature) as first_feature
from explanation e
join explainer x using (explainer_id)
where e.status <> 'done'
group by all
order by n desc
limit 100""",
    "Detection and fuzzing far apart": """\
select h.name as hookpoint, s.feature, s.detection, s.fuzzing,
       round(s.detection - s.fuzzing, 3) as difference, e.text
from feature_summary s
join hookpoint h using (hookpoint_id)
join explanation e using (explanation_id)
where s.detection is not null and s.fuzzing is not null
order by abs(s.detection - s.fuzzing) desc
limit 100""",
    "Dollars and hours of each run": """\
select run_id, stage, status, n_calls, cost_usd,
       round(date_diff('second', started_at, coalesce(finished_at, heartbeat_at)) / 3600, 2)
       as hours
from run
order by cost_usd desc nulls last, hours desc
limit 100""",
}

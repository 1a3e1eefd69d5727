"""Explanations, scores and verdicts read back as records, for pages and for --json."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from data.catalogue import Connection, Row
from data.records import ExplanationRecord, Score, Tally, Usage

HEADLINE = "gloss"  # the preset that a score without a preset's name is of

EXPLANATIONS = """
select e.explanation_id, e.hookpoint_id, e.feature, e.run_id, e.explainer_id,
       x.name as explainer, x.model, x.settings, e.text, e.rule, e.status, e.error, e.cost_usd,
       e.seconds, e.created_at, len(e.calls) as n_calls, e.input_tokens, e.output_tokens
from explanation e
join explainer x using (explainer_id)
where e.hookpoint_id = ? and e.feature between ? and ?
order by e.explanation_id
"""
SCORES = """
select s.*, m.name, m.judge, m.preset
from score s
join scorer m using (scorer_id)
join explanation e using (explanation_id)
where e.hookpoint_id = ? and e.feature between ? and ?
order by s.explanation_id, s.scorer_id
"""


def explanations(
    con: Connection, hookpoint_id: int, first: int, last: int | None = None
) -> dict[int, list[ExplanationRecord]]:
    """Explanations with their scores by feature, oldest first, for features first..last."""
    span = [hookpoint_id, first, first if last is None else last]
    scores: dict[int, list[Score]] = {}
    for row in con.rows(SCORES, span):
        scores.setdefault(row["explanation_id"], []).append(_score(row))
    found: dict[int, list[ExplanationRecord]] = {}
    for row in con.rows(EXPLANATIONS, span):
        record = _explanation(row, tuple(scores.get(row["explanation_id"], ())))
        found.setdefault(row["feature"], []).append(record)
    return found


def _explanation(row: Row, scores: tuple[Score, ...]) -> ExplanationRecord:
    usage = _usage(row)
    known = {name: value for name, value in row.items() if name not in USAGE}
    known |= {"settings": json.loads(row["settings"]), "created_at": row["created_at"].isoformat()}
    return ExplanationRecord(**known, scores=scores, usage=usage)


USAGE = ("n_calls", "input_tokens", "output_tokens")


def _usage(row: Row) -> Usage | None:
    """What the calls behind a row took; None where no language model was asked.

    An import knows of no calls and no cost: somebody was asked, elsewhere.
    """
    if not row["n_calls"] and row["cost_usd"] is not None:
        return None
    return Usage(row["n_calls"] or 0, row["input_tokens"], row["output_tokens"], row["cost_usd"])


def _score(row: Row) -> Score:
    detail = json.loads(row["detail"])
    return Score(
        scorer=row["name"],
        metric=row["metric"],
        value=row["value"],
        low=row["low"],
        high=row["high"],
        tpr=row["tpr"],
        tnr=row["tnr"],
        n=row["n_judged"],
        failed=row["n_failed"],
        judge=row["judge"],
        preset=row["preset"],
        by_decile=dict(sorted((int(d), Tally(**t)) for d, t in detail["by_decile"].items())),
        non_activating={k: Tally(**tally) for k, tally in detail["non_activating"].items()},
        detail=detail["detail"],
        usage=_usage(row),
        scorer_id=row["scorer_id"],
        judged_at=row["created_at"],
        run_id=row["run_id"],
    )


VERDICTS = """
select v.explanation_id, v.scorer_id, m.name as scorer, m.preset, m.judge, v.value, i.kind,
       x.kind as context_kind, x.first_token, x.length, i.marks, v.expected, v.predicted,
       v.probability
from verdict v
join explanation e using (explanation_id)
join scorer m using (scorer_id)
join item i using (item_id)
join example x on x.hookpoint_id = i.hookpoint_id and x.feature = i.feature and x.slot = i.slot
where e.hookpoint_id = ? and e.feature = ?
order by v.explanation_id, v.scorer_id, v.item_id
"""


def verdicts(con: Connection, hookpoint_id: int, feature: int) -> list[Row]:
    """Every verdict on one feature's explanations, with the context it is about."""
    return con.rows(VERDICTS, [hookpoint_id, feature])


Moment = tuple[datetime, int, int]


def moment(score: Score) -> Moment:
    """When it was made, by which run, by which scorer."""
    return score.judged_at or datetime.max, score.run_id or 0, score.scorer_id or 0


def _of_one_judge(score: Score) -> tuple[bool, Moment]:
    """Which of a judge's scores comes first: that of the preset `gloss`, then the earliest."""
    return score.preset != HEADLINE, moment(score)


LEADING = {"detection": 0, "fuzzing": 1, "exact": 3}  # whose judge counts; any other scorer: 2


def headline(scores: Iterable[Score]) -> dict[str, Score]:
    """The score of each scorer that stands for it, of one judge where that is possible.

    The judge is the one that made the first detection, else the first fuzzing, else anything. Of
    each scorer that judge's score stands, the preset `gloss` before others; only where it has none,
    that of the first who made one. Scores of different presets or judges are never averaged or
    mixed; the others stay beside it.
    """
    known = list(scores)
    if not known:
        return {}
    led = min(known, key=lambda one: (LEADING.get(one.scorer, 2), moment(one)))
    by = {}
    for score in sorted(known, key=lambda one: (one.judge != led.judge, moment(one))):
        by.setdefault(score.scorer, score.judge)
    return {  # in the order given
        name: min(
            (one for one in known if (one.scorer, one.judge) == (name, by[name])),
            key=_of_one_judge,
        )
        for name in dict.fromkeys(score.scorer for score in known)
    }


def best(found: Iterable[ExplanationRecord]) -> ExplanationRecord | None:
    """The explanation that is shown for a feature, as in the table (data/summaries.py).

    Of the usable ones with any score, else of all: the best by detection, of equals the newest.
    Only what one scorer said is compared, that is by the first judge of any of them, with the
    preset `gloss` where that was asked for.
    """
    every = list(found)
    usable = [one for one in every if one.text is not None] or every
    scored = [one for one in usable if any(s.value is not None for s in one.scores)] or usable
    detected = {
        one.explanation_id: headline(one.scores)["detection"]
        for one in scored
        if any(score.scorer == "detection" for score in one.scores)
    }
    series = _compared(scored, detected)

    def place(one: ExplanationRecord) -> tuple[bool, float, int]:
        score = detected.get(one.explanation_id)
        value = -1.0 if score is None or score.value is None else score.value
        return (score and score.scorer_id) != series, -value, -one.explanation_id

    return min(scored, key=place, default=None)


def _compared(found: list[ExplanationRecord], detected: dict[int, Score]) -> int | None:
    """The scorer_id whose detections are compared; None where there is none."""
    made = [one for explanation in found for one in explanation.scores if one.scorer == "detection"]
    if not made:
        return None
    judge = min(made, key=moment).judge
    return min((one for one in detected.values() if one.judge == judge),
               key=_of_one_judge).scorer_id  # fmt: skip


def headline_verdicts(
    rows: Iterable[Row], explanations: Iterable[ExplanationRecord], length: int | None
) -> list[Row]:
    """Verdicts behind the headline scores, on contexts of `length` tokens, any if None."""
    chosen = {
        (found.explanation_id, score.scorer_id)
        for found in explanations
        for score in headline(found.scores).values()
    }
    return [
        row
        for row in rows
        if length in (None, row["length"]) and (row["explanation_id"], row["scorer_id"]) in chosen
    ]


ASKED = """
select explanation_id, prompt, reply, detail
from explanation
where hookpoint_id = ? and feature = ?
"""


def asked(con: Connection, hookpoint_id: int, feature: int) -> dict[int, Row]:
    """Prompt, reply and the explainer's own detail of every explanation of a feature."""
    return {
        row.pop("explanation_id"): row | {"detail": row["detail"] and json.loads(row["detail"])}
        for row in con.rows(ASKED, [hookpoint_id, feature])
    }


PROMPTED = """
select explanation_id, example_tokens
from explanation
where hookpoint_id = ? and feature = ? and example_tokens is not null
"""


def prompted(con: Connection, hookpoint_id: int, feature: int) -> dict[int, frozenset[int]]:
    """First tokens of the contexts that an explainer was shown, by explanation_id.

    An explanation learnt from all train tokens is not in it.
    """
    rows = con.rows(PROMPTED, [hookpoint_id, feature])
    return {row["explanation_id"]: frozenset(row["example_tokens"]) for row in rows}


MADE = """
select e.explanation_id, e.seed, e.prompt, e.reply, e.detail, e.calls,
       len(e.example_tokens) as n_examples, r.run_id, r.status as run_status
from explanation e
left join run r using (run_id)
where e.explanation_id = ?
"""


def made(con: Connection, explanation_id: int) -> Row | None:
    """How one explanation came about: what no list of explanations needs."""
    row = con.row(MADE, [explanation_id])
    return row and row | {"detail": row["detail"] and json.loads(row["detail"])}


CALLS = """
select r.reply_id, r.purpose, r.model, r.address, p.messages, r.question, r.parameters, r.text,
       r.finish, r.input_tokens, r.output_tokens, r.cost_usd, r.seconds
from reply r
left join request_prefix p using (prefix_id)
where list_contains(?::ubigint[], r.reply_id)
order by r.reply_id
"""


def calls(con: Connection, reply_ids: Sequence[int]) -> list[Row]:
    """Replies with the turns that asked for them: `messages` holds [role, content] of each."""
    found = con.rows(CALLS, [list(reply_ids)]) if reply_ids else []
    return [
        row | {"messages": [*json.loads(row["messages"] or "[]"), ["user", row["question"]]]}
        for row in found
    ]


SIMULATED = """
select m.predicted, i.kind, i.decile, x.first_token, x.length
from simulated m
join item i using (item_id)
join example x on x.hookpoint_id = i.hookpoint_id and x.feature = i.feature and x.slot = i.slot
where m.explanation_id = ? and m.scorer_id = ? and m.predicted is not null
order by i.decile desc nulls last, x.peak desc, x.first_token
"""


def simulated(con: Connection, explanation_id: int, scorer_id: int) -> list[Row]:
    """Simulated activations, 0..10 a token, strongest contexts first; failed replies left out."""
    return con.rows(SIMULATED, [explanation_id, scorer_id])


def generated(con: Connection, explanation_id: int, scorer_id: int) -> list[Row]:
    """Texts written for an explanation, with the feature's largest activation on each."""
    return con.rows(
        "select text, max_activation from generated "
        "where explanation_id = ? and scorer_id = ? order by place",
        [explanation_id, scorer_id],
    )


TRIALS = """
select i.shown, v.answer, v.predicted, v.reply_id
from verdict v
join item i using (item_id)
where v.explanation_id = ? and v.scorer_id = ? and i.shown is not null
order by v.item_id
"""


def trials(con: Connection, explanation_id: int, scorer_id: int) -> list[Row]:
    """Trials of the output-side score: the text sets in their places, and the place chosen, 1 on.

    answer and predicted are null where there was no usable reply.
    """
    found = con.rows(TRIALS, [explanation_id, scorer_id])
    return [row | {"sets": json.loads(row.pop("shown"))} for row in found]


LIVE = """
select feature
from feature
where hookpoint_id = ? and coalesce(n_active, 1) > 0 and reason is distinct from 'unknown'
order by feature
limit 1 offset ?
"""


def live_feature(con: Connection, hookpoint_id: int, rank: int) -> int | None:
    """The feature of a rank among those that fired, from 0; None beyond the last.

    One whose firings were not counted is in a store because it fired.
    """
    row = con.row(LIVE, [hookpoint_id, rank])
    return None if row is None else row["feature"]


BESIDE = """
select coalesce(max(feature) filter (feature < $2), max(feature)) as before,
       coalesce(min(feature) filter (feature > $2), min(feature)) as after
from feature
where hookpoint_id = $1 and coalesce(n_active, 1) > 0 and reason is distinct from 'unknown'
"""


def beside(con: Connection, hookpoint_id: int, feature: int) -> tuple[int, int]:
    """The features that fired before and after this one, round the ends; itself without others."""
    row = con.row(BESIDE, [hookpoint_id, feature]) or {"before": None, "after": None}
    before, after = (feature if n is None else n for n in (row["before"], row["after"]))
    return before, after

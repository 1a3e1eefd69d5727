"""Explanations, scores and verdicts read back as records, for pages and for --json."""

import json
from collections.abc import Iterable

from data.catalogue import Connection, Row
from data.records import ExplanationRecord, Score, Tally

HEADLINE = "gloss"  # the preset that a score without a preset's name is of

EXPLANATIONS = """
select e.explanation_id, e.hookpoint_id, e.feature, e.run_id, x.name as explainer, x.model,
       x.settings, e.text, e.rule, e.status, e.error, e.cost_usd, e.seconds, e.created_at
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
    settings, created = json.loads(row["settings"]), row["created_at"].isoformat()
    return ExplanationRecord(
        **{**row, "settings": settings, "created_at": created, "scores": scores}
    )


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
    )


VERDICTS = """
select v.explanation_id, m.name as scorer, m.preset, i.kind, x.kind as context_kind, x.first_token,
       x.length, i.marks, v.expected, v.predicted, v.probability
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


def headline(scores: Iterable[Score]) -> dict[str, Score]:
    """The score of each scorer that stands for it: the preset `gloss`, else the latest.

    Scores under different presets are never averaged or mixed; the others stay beside it.
    """
    chosen: dict[str, Score] = {}
    for score in scores:
        if score.scorer not in chosen or chosen[score.scorer].preset != HEADLINE:
            chosen[score.scorer] = score
    return chosen


def headline_verdicts(
    rows: Iterable[Row], explanations: Iterable[ExplanationRecord], length: int
) -> list[Row]:
    """Verdicts behind the headline scores, on contexts of `length` tokens."""
    presets = {
        (found.explanation_id, scorer): score.preset
        for found in explanations
        for scorer, score in headline(found.scores).items()
    }
    return [
        row
        for row in rows
        if row["length"] == length
        and presets.get((row["explanation_id"], row["scorer"])) == row["preset"]
    ]

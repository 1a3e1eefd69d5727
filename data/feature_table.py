"""The table of features: counted, sorted and cut in SQL, then read out for one page.

Two steps, so that a page of a million features costs little: first the numbers of the hundred
features that are on it, then everything that is shown of these. `data/feature_filter.py` says what
may be asked.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from data.catalogue import Connection, Row
from data.feature_filter import Filter, Question, Sort
from data.flags import FLAGS
from data.summaries import HEADLINE, SCORERS

PAGE = 100  # features a page
POINTS = 3_000  # in the scatter; more only hide each other
BINS = 25  # of a histogram over 0..1

# What is shown of a feature: facts, the explanation with its scores, what a person noted.
COLUMNS = f"""
    f.feature, s.explanation_id, t.text, {{scores}},
    s.judge, coalesce(s.n_judged, 0) as n_judged, coalesce(s.n_failed, 0) as n_failed,
    coalesce(s.n_explanations, 0) as n_explanations,
    f.density, f.max_activation, f.n_active, f.top_token_share, f.reason,
    coalesce(n.bookmark, '') <> '' as bookmarked, nullif(n.label, '') as label,
    array_to_string({FLAGS}, ', ') as flags
"""


class Page(NamedTuple):
    """One page of the table of features."""

    rows: pd.DataFrame  # at most PAGE rows, see COLUMNS; `deciles` and `error` beside
    total: int  # features that pass the filter
    number: int  # of this page, from 1


class Choices(NamedTuple):
    """What a hookpoint's features can be narrowed and sorted by."""

    scorers: list[str]  # all that scored anything in the store, the usual three first
    judges: list[str]
    explainers: list[Row]  # explainer_id, name, model, settings; newest first
    runs: list[Row]  # run_id, stage, settings, started_at; newest first
    collections: list[Row]  # collection_id, name; newest first
    has_labels: bool
    has_judges: bool  # the scores shown are of more than one


def count(con: Connection, hookpoint_id: int, wanted: Filter) -> int:
    """How many features pass the filter, whatever its page and order."""
    asked = Question(hookpoint_id, wanted)
    return con.value(asked.select("count(*)"), asked.given)


def page(con: Connection, hookpoint_id: int, wanted: Filter, total: int) -> Page:
    """One page; total: as `count` gives it, which stays the same from page to page."""
    number = max(1, min(wanted.page, -(-total // PAGE)))
    numbers = _numbers(con, hookpoint_id, wanted, PAGE, (number - 1) * PAGE)
    rows = _details(con, hookpoint_id, wanted, numbers)
    rows["deciles"] = _deciles(con, wanted.judge, rows)
    rows["error"] = _errors(con, hookpoint_id, rows)
    return Page(rows, total, number)


def features(con: Connection, hookpoint_id: int, wanted: Filter) -> Page:
    """Count and page at once."""
    return page(con, hookpoint_id, wanted, count(con, hookpoint_id, wanted))


def nth(con: Connection, hookpoint_id: int, wanted: Filter, place: int) -> int | None:
    """The feature at one place of those that pass the filter, from 0; None beyond the last."""
    by_index = replace(wanted, sort=Sort("index"))
    return next(iter(_numbers(con, hookpoint_id, by_index, 1, place)), None)


def _numbers(
    con: Connection, hookpoint_id: int, wanted: Filter, limit: int, offset: int
) -> list[int]:
    asked = Question(hookpoint_id, wanted)
    rest = f"order by {asked.order()} limit {int(limit)} offset {int(offset)}"
    return [row["feature"] for row in con.rows(asked.select("f.feature", rest), asked.given)]


def _details(
    con: Connection, hookpoint_id: int, wanted: Filter, numbers: Sequence[int]
) -> pd.DataFrame:
    """What is shown of some features, in their order."""
    asked = Question(hookpoint_id, wanted, among=numbers or [-1])
    rows = con.frame(asked.select(_columns(wanted)), asked.given)
    return rows.set_index("feature", drop=False).loc[list(numbers)].reset_index(drop=True)


def _columns(wanted: Filter) -> str:
    usual = [f"s.{name}{end}" for name in SCORERS for end in ("", "_low", "_high")]
    further = ["x.value as further, x.low as further_low, x.high as further_high"]
    columns = COLUMNS.format(scores=", ".join(usual + further * bool(wanted.further)))
    return columns + ", r.similarity" * (wanted.near is not None)


def whole(con: Connection, hookpoint_id: int, wanted: Filter) -> pd.DataFrame:
    """Everything that passes the filter, in its order, for a file."""
    asked = Question(hookpoint_id, wanted)
    statement = asked.select(_columns(wanted), f"order by {asked.order()}")
    return con.frame(statement, asked.given)


ASKED = """score s
join scorer m using (scorer_id)
where s.explanation_id in (select unnest($1::ubigint[])) and ($2 is null or m.judge = $2)"""
DECILES = f"""
select explanation_id, json_extract(detail, '$.by_decile') as by_decile
from ({HEADLINE.format(scores=ASKED)})
join score using (explanation_id, scorer_id)
where name = 'detection'
"""


def _deciles(con: Connection, judge: str | None, rows: pd.DataFrame) -> list[list[float] | None]:
    """Share of right verdicts of detection by decile, weakest first; None = not known for all."""
    shown = [int(found) for found in rows["explanation_id"].dropna()]
    found = con.rows(DECILES, [shown, judge])
    shares = {row["explanation_id"]: _shares(json.loads(row["by_decile"])) for row in found}
    return [None if pd.isna(one) else shares.get(int(one)) for one in rows["explanation_id"]]


def _shares(by_decile: dict[str, Row]) -> list[float] | None:
    """All ten, or none: a bar that is missing would look like a share of 0."""
    tallies = [by_decile.get(str(decile)) for decile in range(1, 11)]
    known = [t["correct"] / t["n"] for t in tallies if t and t["n"]]
    return known if len(known) == len(tallies) else None


ERRORS = """
select feature, arg_max(error, explanation_id) as error
from explanation
where hookpoint_id = $1 and text is null and feature in (select unnest($2::uinteger[]))
group by feature
"""


def _errors(con: Connection, hookpoint_id: int, rows: pd.DataFrame) -> list[str | None]:
    """Why a feature has no explanation, where one was tried."""
    without = rows["feature"][rows["explanation_id"].isna()].tolist()
    found = con.rows(ERRORS, [hookpoint_id, without]) if without else []
    errors = {row["feature"]: row["error"] for row in found}
    return [errors.get(feature) for feature in rows["feature"]]


class Distribution(NamedTuple):
    """How one score is spread over the features that have it."""

    scorer: str
    counts: list[int]  # by BINS equal intervals of 0..1; a value outside counts at the end
    n: int
    median: float


class Picture(NamedTuple):
    """The same features as the table, to look at."""

    points: pd.DataFrame  # feature, detection, fuzzing: at most POINTS of those that have both
    n_both: int  # features with both scores
    distributions: list[Distribution]  # of the scores that are there
    total: int


def picture(con: Connection, hookpoint_id: int, wanted: Filter) -> Picture:
    """Detection against fuzzing, and each score's distribution."""
    asked = Question(hookpoint_id, wanted)
    named = {name: f"s.{name}" for name in SCORERS}  # detection and fuzzing first
    named |= {wanted.further: "x.value"} if wanted.further else {}
    columns = ", ".join(f'{column} as "score {i}"' for i, column in enumerate(named.values()))
    rows = con.frame(asked.select(f"f.feature, {columns}"), asked.given)
    rows.columns = ["feature", *named]
    both = rows.dropna(subset=["detection", "fuzzing"])
    # The same features each time, and neither the first nor the best.
    places = np.random.default_rng(0).permutation(len(both))[:POINTS]
    points = both.iloc[np.sort(places), :3]
    spread = [_distribution(name, rows[name].dropna().to_numpy()) for name in named]
    return Picture(points, len(both), [one for one in spread if one], len(rows))


def _distribution(scorer: str, values: np.ndarray) -> Distribution | None:
    if not len(values):
        return None
    counts, _ = np.histogram(np.clip(values, 0, 1), BINS, (0, 1))
    return Distribution(scorer, counts.tolist(), len(values), float(np.median(values)))


def choices(con: Connection, hookpoint_id: int) -> Choices:
    """What the features of a hookpoint can be narrowed and sorted by."""
    scorers = [row["name"] for row in con.rows("select distinct name from scorer order by name")]
    judges = con.rows("select distinct judge from scorer where judge is not null order by judge")
    return Choices(
        scorers=[*SCORERS, *(name for name in scorers if name not in SCORERS)],
        judges=[row["judge"] for row in judges],
        explainers=con.rows(EXPLAINERS, [hookpoint_id]),
        runs=con.rows(RUNS, [hookpoint_id]),
        collections=con.rows(COLLECTIONS, [hookpoint_id]),
        has_labels=bool(con.value(LABELS, [hookpoint_id])),
        has_judges=con.value(JUDGES, [hookpoint_id]) > 1,
    )


EXPLAINERS = """
select explainer_id, name, model, settings
from explainer
where explainer_id in (select explainer_id from explanation where hookpoint_id = ?)
order by explainer_id desc
"""
RUNS = """
select run_id, stage, settings, started_at
from run
where run_id in (select run_id from explanation where hookpoint_id = ?)
order by run_id desc
"""
COLLECTIONS = """
select collection_id, name
from collection
where collection_id in (select collection_id from collection_member where hookpoint_id = ?)
order by collection_id desc
"""
JUDGES = "select count(distinct judge) from feature_summary where hookpoint_id = ?"
LABELS = "select count(*) from note where hookpoint_id = ? and tag = 'label'"

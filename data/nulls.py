"""Null scores: written by the scoring stage, read back as distributions.

A null score is what a scorer says of a feature's items with an explanation that is not the
feature's. It is comparable with scores of the same hookpoint, scorer (hence judge and preset) and
explainer only: a `Series`. The scores of a random SAE are a null as well; they are ordinary scores
of another hookpoint of the same name.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa

from data.catalogue import Catalogue, Connection, Row, as_json
from data.errors import NotFound
from data.ledger import Cancelled, Journal
from data.records import Usage, total_usage
from data.runs import beat, is_cancelled
from data.score_rows import now

NullKind = Literal["shuffled", "neighbour", "always-yes"]


class Series(NamedTuple):
    """Whose scores can be compared."""

    hookpoint_id: int
    scorer_id: int
    explainer_id: int


class Donor(NamedTuple):
    """An explanation that can be exchanged."""

    feature: int
    explanation_id: int
    text: str
    rule: str | None  # canonical text of a grammar explanation


@dataclass(frozen=True, slots=True)
class NullScore:
    """One feature's items judged with somebody else's explanation, or with none."""

    feature: int  # whose items were asked about
    kind: NullKind
    other: int | None  # whose explanation it was
    explanation_id: int | None
    value: float | None  # None = undefined
    n: int  # usable verdicts
    failed: int
    detail: Mapping[str, Any]
    usage: Usage | None = None  # None = no language model was asked


class Distribution(NamedTuple):
    """Scores of one kind."""

    values: np.ndarray  # float64 [n], in the order they were stored
    undefined: int  # scores beside them without a value


class Scored(NamedTuple):
    """The score of one feature."""

    feature: int
    explanation_id: int
    value: float | None  # None = undefined


DONORS = """
select feature, explanation_id, text, rule
from explanation
where hookpoint_id = ? and explainer_id = ? and status = 'done' and text is not null
qualify row_number() over (partition by feature order by explanation_id desc) = 1
order by feature
"""


def donors(con: Connection, hookpoint_id: int, explainer_id: int) -> list[Donor]:
    """The newest usable explanation of every feature by one explainer."""
    return [Donor(**row) for row in con.rows(DONORS, [hookpoint_id, explainer_id])]


NEAREST = """
select feature, list(other order by rank) as others
from neighbour
where hookpoint_id = ? and measure = 'cosine'
group by feature
"""


def nearest(con: Connection, hookpoint_id: int) -> dict[int, list[int]]:
    """The neighbours of every feature by decoder cosine, nearest first."""
    return {row["feature"]: row["others"] for row in con.rows(NEAREST, [hookpoint_id])}


STORED = """
select feature, kind, explanation_id
from null_score
where hookpoint_id = ? and scorer_id = ? and explainer_id = ?
"""


def stored(con: Connection, series: Series) -> set[tuple[int, NullKind, int | None]]:
    """Feature, kind and explanation_id of every null score there is: what need not be asked."""
    rows = con.rows(STORED, series)
    return {(row["feature"], row["kind"], row["explanation_id"]) for row in rows}


def write_nulls(
    catalogue: Catalogue, series: Series, run_id: int, fresh: Sequence[NullScore], *,
    features_done: int, failed: int = 0, journal: Journal | None = None,
) -> None:  # fmt: skip
    """Store a chunk of null scores in one transaction; what is there already is left alone.

    journal: replies that they were read from, stored with them.
    """
    with catalogue.writing() as con:
        if is_cancelled(con, run_id):
            raise Cancelled
        if journal is not None:
            journal.fold(con)
        known = stored(con, series)
        fresh = [new for new in fresh if (new.feature, new.kind, new.explanation_id) not in known]
        con.append("null_score", _rows(series, run_id, fresh))
        usage = total_usage(new.usage for new in fresh)
        beat(con, run_id, done=features_done, failed=failed, usage=usage)


def _rows(series: Series, run_id: int, fresh: Sequence[NullScore]) -> pa.Table:
    """Columns as in schema.sql."""
    n = len(fresh)
    return pa.table(
        {
            "hookpoint_id": pa.array([series.hookpoint_id] * n, pa.uint32()),
            "feature": pa.array([new.feature for new in fresh], pa.uint32()),
            "scorer_id": pa.array([series.scorer_id] * n, pa.uint32()),
            "explainer_id": pa.array([series.explainer_id] * n, pa.uint32()),
            "run_id": pa.array([run_id] * n, pa.uint64()),
            "kind": pa.array([new.kind for new in fresh], pa.string()),
            "other": pa.array([new.other for new in fresh], pa.uint32()),
            "explanation_id": pa.array([new.explanation_id for new in fresh], pa.uint64()),
            "value": pa.array([new.value for new in fresh], pa.float64()),
            "n_judged": pa.array([new.n for new in fresh], pa.uint32()),
            "n_failed": pa.array([new.failed for new in fresh], pa.uint32()),
            "detail": pa.array([as_json(dict(new.detail)) for new in fresh], pa.string()),
            "created_at": now(n),
        }
    )


NULLS = """
select value
from null_score
where hookpoint_id = ? and scorer_id = ? and explainer_id = ? and kind = ?
order by rowid
"""


def distribution(con: Connection, series: Series, kind: NullKind = "shuffled") -> Distribution:
    """The null scores of one kind."""
    return _distribution(con.rows(NULLS, [*series, kind]))


EVERY = """
select scorer_id, explainer_id, kind, list(value order by rowid) as values
from null_score
where hookpoint_id = ? and value is not null
group by all
"""


def every_distribution(con: Connection, hookpoint_id: int) -> dict[Series, dict[str, np.ndarray]]:
    """All null scores of a hookpoint: of each series, values by kind."""
    found: dict[Series, dict[str, np.ndarray]] = {}
    for row in con.rows(EVERY, [hookpoint_id]) + con.rows(EVERY_RANDOM, [hookpoint_id] * 2):
        series = Series(hookpoint_id, row["scorer_id"], row["explainer_id"])
        found.setdefault(series, {})[row["kind"]] = np.array(row["values"], np.float64)
    return found


# What random_distribution says, of all scorers and explainers at once.
EVERY_RANDOM = """
select scorer_id, explainer_id, 'random-sae' as kind, list(value order by feature) as values
from (
    select s.scorer_id, e.explainer_id, e.feature, s.value
    from score s
    join explanation e using (explanation_id)
    join hookpoint h using (hookpoint_id)
    join sae a using (sae_id)
    join cache c on c.cache_id = h.cache_id
    where a.kind = 'random' and s.value is not null and h.hookpoint_id <> ?
        and (h.name, c.subject_id) = (
            select (own.name, own_cache.subject_id)
            from hookpoint own
            join cache own_cache using (cache_id)
            where own.hookpoint_id = ?
        )
    qualify row_number() over (
        partition by e.hookpoint_id, e.feature, s.scorer_id, e.explainer_id
        order by e.explanation_id desc
    ) = 1
)
group by scorer_id, explainer_id
"""


REAL = """
select e.feature, e.explanation_id, s.value
from score s
join explanation e using (explanation_id)
where e.hookpoint_id = ? and s.scorer_id = ? and e.explainer_id = ?
qualify row_number() over (partition by e.feature order by e.explanation_id desc) = 1
order by e.feature
"""


def real_scores(con: Connection, series: Series) -> list[Scored]:
    """The score of every feature's newest scored explanation by this explainer."""
    return [Scored(**row) for row in con.rows(REAL, series)]


RANDOM = """
select s.value
from score s
join explanation e using (explanation_id)
join hookpoint h using (hookpoint_id)
join sae a using (sae_id)
join cache c on c.cache_id = h.cache_id
where a.kind = 'random' and s.scorer_id = ? and e.explainer_id = ?
    and (h.name, c.subject_id) = (
        select (own.name, own_cache.subject_id)
        from hookpoint own
        join cache own_cache using (cache_id)
        where own.hookpoint_id = ?
    )
qualify row_number() over (
    partition by e.hookpoint_id, e.feature order by e.explanation_id desc
) = 1
order by e.hookpoint_id, e.feature
"""


def random_distribution(con: Connection, series: Series) -> Distribution:
    """Scores that a random SAE's features get at a hookpoint's place, in any cache of the store.

    Explained by the same explainer with the same settings, judged by the same scorer; same subject.
    """
    found = con.rows(RANDOM, [series.scorer_id, series.explainer_id, series.hookpoint_id])
    if not found:
        raise NotFound(_how_to_make(con, series))
    return _distribution(found)


def _distribution(rows: Sequence[Row]) -> Distribution:
    values = [row["value"] for row in rows if row["value"] is not None]
    return Distribution(np.array(values, np.float64), len(rows) - len(values))


PLACE = """
select h.name as hookpoint, h.n_features, c.name as cache, c.n_tokens, s.name as subject,
       k.spec as corpus, k.sequence_length, m.name as scorer, x.name as explainer,
       coalesce(cast(json_extract(a.settings, '$.k') as integer), 32) as k,
       coalesce(':' || json_extract_string(a.settings, '$.input_norm'), '') as norm,
       (select max(other_cache.name)
        from hookpoint other
        join cache other_cache using (cache_id)
        join sae other_sae on other_sae.sae_id = other.sae_id
        where other_sae.kind = 'random' and other.name = h.name
            and other_cache.subject_id = c.subject_id) as there
from hookpoint h
join cache c using (cache_id)
join subject s using (subject_id)
join sae a using (sae_id)
left join corpus k using (corpus_id)
cross join (select name from scorer where scorer_id = ?) m
cross join (select name from explainer where explainer_id = ?) x
where h.hookpoint_id = ?
"""


def _how_to_make(con: Connection, series: Series) -> str:
    """Name the three commands; where the random SAE is cached, under the name it has."""
    row = con.row(PLACE, [series.scorer_id, series.explainer_id, series.hookpoint_id])
    if row is None:
        return "no such hookpoint, scorer or explainer in the store; gloss status lists them"
    name = row["there"] or f"{row['cache']}-random"
    at = ["--hookpoint", row["hookpoint"]]
    commands = (
        ["gloss", "cache", row["subject"], "--sae",
         f"random:{row['n_features']}:{row['k']}{row['norm']}",
         *at, "--corpus", str(row["corpus"]), "--tokens", str(row["n_tokens"]),
         "--sequence-length", str(row["sequence_length"]), "--name", name],
        ["gloss", "explain", name, *at, "--explainer", row["explainer"]],
        ["gloss", "score", name, *at, "--scorers", row["scorer"]],
    )  # fmt: skip
    first, second, third = (shlex.join(command) for command in commands)
    return (
        f"no random SAE at {row['hookpoint']} of {row['subject']} has scores to compare with; run "
        f"{first}, then {second}, then {third}, the last two with the settings used here"
    )

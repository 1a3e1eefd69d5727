"""Baselines as the catalogue knows them: caches made to stand beside another one, and their scores.

A cache that is a baseline says so in its settings (`baseline`: of which cache, which kind, which of
its hookpoints stands beside which, how it was made). A subject with re-drawn weights is named
`re-randomised:SEED:NAME`, one that reads noise `random-embeddings:SEED:NAME`. Takes open
connections, gives rows.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from data.catalogue import Connection, Row

REDRAWN = re.compile(r"(re-randomised|random-embeddings):(\d{1,18}):(.+)", re.DOTALL)


class Redrawn(NamedTuple):
    """What the name of a subject says that is not as it was trained."""

    seed: int
    original: str  # path or hub id of the trained subject
    what: str = "re-randomised"  # all weights; random-embeddings: what it reads, each time anew

    def __str__(self) -> str:
        return f"{self.what}:{self.seed}:{self.original}"


def redrawn(subject: str) -> Redrawn | None:
    """Read a subject's name; None where it is an ordinary one.

    >>> redrawn("re-randomised:0:org/name")
    Redrawn(seed=0, original='org/name', what='re-randomised')
    """
    found = REDRAWN.fullmatch(subject)
    return Redrawn(int(found[2]), found[3], found[1]) if found else None


def original(subject: str) -> str:
    """The path or hub id that a subject's files are at, its weights re-drawn or not."""
    found = redrawn(subject)
    return found.original if found else subject


def subject_words(subject: str, parts: int = 2) -> str:
    """The last parts of a subject's name, with what says that its weights are re-drawn.

    >>> subject_words("re-randomised:0:/models/org/name")
    're-randomised:0:org/name'
    """
    found = redrawn(subject)
    last = "/".join((found.original if found else subject).rstrip("/").split("/")[-parts:])
    return str(found._replace(original=last)) if found else last


@dataclass(frozen=True, slots=True)
class Made:
    """A cache that was made to be a baseline."""

    cache_id: int
    name: str
    status: str  # running, done
    of: str  # name of the cache that it stands beside
    kind: str  # random-sae, neurons-32, ...
    places: Mapping[str, tuple[str, ...]]  # its hookpoint: those of the other cache
    how: Mapping[str, Any]  # as it was made, JSON-ready

    def hookpoint_beside(self, name: str) -> str | None:
        """Its hookpoint that stands beside one of the other cache; None where none does."""
        return next((own for own, others in self.places.items() if name in others), None)


MADE = """
select cache_id, name, status, json_extract(settings, '$.baseline') as baseline
from cache
where json_extract_string(settings, '$.baseline.of') = ?
order by cache_id
"""


def made_for(con: Connection, cache: str) -> list[Made]:
    """The baselines of a cache, oldest first, those in the making too."""
    return [
        _made(row["cache_id"], row["name"], row["status"], json.loads(row["baseline"]))
        for row in con.rows(MADE, [cache])
    ]


def _made(cache_id: int, name: str, status: str, said: Mapping[str, Any]) -> Made:
    places = {own: tuple(others) for own, others in said["places"].items()}
    return Made(cache_id, name, status, said["of"], said["kind"], places, said["how"])


SCORED = """
with tried as (  -- the newest usable explanation of each feature, and how often it was tried
    select hookpoint_id, feature, count(*) as n,
           max(explanation_id) filter (text is not null) as explanation_id
    from explanation
    semi join chosen using (hookpoint_id, feature)
    where explainer_id = $1 and seed = $2
    group by all
),
entropy as (  -- as the filters measured it last
    select hookpoint_id, feature, arg_max(token_entropy, run_id) as token_entropy
    from feature_measure
    semi join chosen using (hookpoint_id, feature)
    group by all
),
asked as (
    select scorer_id, name
    from scorer
    where name = $3 and (name = 'exact' or (judge = $4 and preset = $5))
)
select c.hookpoint_id, c.feature, coalesce(t.n, 0) as tries,
       coalesce(t.explanation_id, 0) as explanation_id, f.reason, f.density, e.token_entropy,
       s.explanation_id is not null as is_scored, s.value,
       coalesce(s.n_judged, 0) as n_judged, coalesce(s.n_failed, 0) as n_failed
from chosen c
left join tried t using (hookpoint_id, feature)
left join feature f using (hookpoint_id, feature)
left join entropy e using (hookpoint_id, feature)
left join (score join asked using (scorer_id)) s on s.explanation_id = t.explanation_id
qualify row_number() over (
    partition by c.hookpoint_id, c.feature order by s.scorer_id nulls last
) = 1
order by c.hookpoint_id, c.feature
"""


class By(NamedTuple):
    """Whose explanations and whose scores are read."""

    explainer_id: int
    seed: int  # of the explanations
    scorer: str  # detection, fuzzing, exact
    judge: str  # no part in the exact check
    preset: str  # as a score is labelled


def scored(con: Connection, chosen: Mapping[int, Sequence[int]], by: By) -> list[Row]:
    """One row for each chosen feature, explained and scored or not.

    chosen: features by hookpoint_id. explanation_id is 0 where none is usable; value is null where
    there is no score, or an undefined one (is_scored).
    """
    import pyarrow as pa

    pairs = [(hookpoint, feature) for hookpoint, every in chosen.items() for feature in every]
    table = pa.table(
        {
            "hookpoint_id": pa.array([hookpoint for hookpoint, _ in pairs], pa.uint32()),
            "feature": pa.array([feature for _, feature in pairs], pa.uint32()),
        }
    )
    with con.table("chosen", table):
        return con.rows(SCORED, by)


NULLS = """
select n.feature, n.value, n.n_failed
from null_score n
join scorer m using (scorer_id)
where n.hookpoint_id = $1 and n.explainer_id = $2 and n.kind = $3
    and m.name = $4 and m.judge = $5 and m.preset = $6
order by n.feature, n.rowid
"""


def null_scores(con: Connection, hookpoint_id: int, kind: str, by: By) -> list[Row]:
    """Every null score of one kind at a hookpoint; value is null where it is undefined."""
    asked = [hookpoint_id, by.explainer_id, kind, by.scorer, by.judge, by.preset]
    return con.rows(NULLS, asked)


STUDIES = """
select run_id, method_id as explainer_id, settings, status, started_at
from run
where stage = 'baselines' and cache_id = ?
order by run_id desc
"""


class Study(NamedTuple):
    """What a run of baselines compared; the newest of the same settings counts."""

    run_id: int
    explainer_id: int
    settings: Mapping[str, Any]  # as core.pipeline.baselines writes them
    status: str


def studies(con: Connection, cache_id: int) -> list[Study]:
    """Runs of baselines of a cache, newest first."""
    return [
        Study(row["run_id"], row["explainer_id"], json.loads(row["settings"]), row["status"])
        for row in con.rows(STUDIES, [cache_id])
        if row["explainer_id"] is not None
    ]


SIZES = """
select h.name as hookpoint, h.n_features, h.l0,
       try_cast(json_extract_string(a.settings, '$.k') as integer) as k,
       json_extract_string(a.settings, '$.input_norm') as norm
from hookpoint h
join sae a using (sae_id)
where h.cache_id = ?
order by h.hookpoint_id
"""
SUBJECT = """
select s.architecture, s.dtype, s.revision, c.settings
from cache c
join subject s using (subject_id)
where c.cache_id = ?
"""


class Origin(NamedTuple):
    """What a cache was made of, as far as its baselines are made of the same."""

    architecture: str | None  # class of the subject
    dtype: str | None
    revision: str | None
    settings: Mapping[str, Any]  # that the cache is compared by
    sizes: Mapping[str, tuple[int, int | None]]  # features and k of each hookpoint's SAE
    norms: Mapping[str, str]  # what the SAEs that normalise their input do, by hookpoint


def origin(con: Connection, cache_id: int) -> Origin:
    """Read what the baselines of a cache need to know of it.

    k is how many features are on at a token, rounded (of top-k SAEs that is their k, unless some
    of the k are 0), else what the SAE says; None = unknown.
    """
    row = con.row(SUBJECT, [cache_id]) or {}
    rows = con.rows(SIZES, [cache_id])
    sizes = {
        one["hookpoint"]: (one["n_features"], max(1, round(one["l0"])) if one["l0"] else one["k"])
        for one in rows
    }
    norms = {one["hookpoint"]: one["norm"] for one in rows if one["norm"]}
    return Origin(
        row.get("architecture"), row.get("dtype"), row.get("revision"),
        json.loads(row["settings"]) if row.get("settings") else {}, sizes, norms,
    )  # fmt: skip

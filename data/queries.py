"""The SQL behind each table and page; takes an open connection, knows nothing of pages.

Everything is filtered, sorted and cut in SQL, so that a table of a hundred thousand features costs
what a hundred rows cost.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import pandas as pd

from data.catalogue import Connection, Row

PAGE = 100  # features a page


class Preset(StrEnum):
    """Ready-made questions to the table of features."""

    ALL = "All"
    LOW_DETECTION = "Low detection"
    DISAGREE = "Detection ≠ fuzzing"
    UNSCORED = "Unscored"
    UNEXPLAINED = "No explanation"
    FAILED = "Failed verdicts"
    DEAD = "Dead"
    SCARCE = "Scarce"


class Sort(StrEnum):
    """Orders of the table; features without the value come last."""

    INDEX = "by index"
    DETECTION_LOW = "by detection, low first"
    DETECTION_HIGH = "by detection, high first"
    FUZZING_LOW = "by fuzzing, low first"
    FUZZING_HIGH = "by fuzzing, high first"
    EXACT_LOW = "by exact F1, low first"
    EXACT_HIGH = "by exact F1, high first"
    DENSITY_LOW = "by density, low first"
    DENSITY_HIGH = "by density, high first"
    MAX_LOW = "by max activation, low first"
    MAX_HIGH = "by max activation, high first"


CONDITIONS = {
    Preset.ALL: "true",
    Preset.LOW_DETECTION: "detection < 0.7",
    Preset.DISAGREE: "abs(detection - fuzzing) >= 0.15",
    Preset.UNSCORED: "text is not null and detection is null and fuzzing is null",
    Preset.UNEXPLAINED: "text is null and n_active > 0",
    Preset.FAILED: "n_failed > 0",
    Preset.DEAD: "n_active = 0",
    Preset.SCARCE: "reason in ('rare', 'scarce')",
}
ORDERS = {
    Sort.INDEX: "feature",
    Sort.DETECTION_LOW: "detection asc nulls last, feature",
    Sort.DETECTION_HIGH: "detection desc nulls last, feature",
    Sort.FUZZING_LOW: "fuzzing asc nulls last, feature",
    Sort.FUZZING_HIGH: "fuzzing desc nulls last, feature",
    Sort.EXACT_LOW: "exact asc nulls last, feature",
    Sort.EXACT_HIGH: "exact desc nulls last, feature",
    Sort.DENSITY_LOW: "n_active = 0, n_active asc, feature",
    Sort.DENSITY_HIGH: "n_active desc, feature",
    Sort.MAX_LOW: "n_active = 0, max_activation asc, feature",
    Sort.MAX_HIGH: "n_active = 0, max_activation desc, feature",
}
# The explanation shown for a feature is a usable one, the best by detection, of equals the newest.
TABLE = """
with headline as (  -- one score a scorer: the preset gloss, else the latest
    select s.explanation_id, m.name, s.value, s.n_judged, s.n_failed
    from score s
    join scorer m using (scorer_id)
    join explanation e using (explanation_id)
    where e.hookpoint_id = $1
    qualify row_number() over (
        partition by s.explanation_id, m.name
        order by m.preset = 'gloss' desc, s.scorer_id desc
    ) = 1
),
scored as (
    select explanation_id,
           any_value(value) filter (name = 'detection') as detection,
           any_value(value) filter (name = 'fuzzing') as fuzzing,
           any_value(value) filter (name = 'exact') as exact,
           coalesce(sum(n_judged) filter (name <> 'exact'), 0) as n_judged,
           coalesce(sum(n_failed) filter (name <> 'exact'), 0) as n_failed
    from headline
    group by explanation_id
),
shown as (
    select e.feature, e.explanation_id, e.text, detection, fuzzing, exact, n_judged, n_failed,
           count(e.text) over (partition by e.feature) as n_explanations,
           string_agg(e.text, chr(10)) over (partition by e.feature) as all_texts
    from explanation e
    left join scored using (explanation_id)
    where e.hookpoint_id = $1
    qualify row_number() over (
        partition by e.feature
        order by e.text is null, detection desc nulls last, e.explanation_id desc
    ) = 1
),
kept as (
    select f.feature, text, detection, fuzzing, exact,
           coalesce(n_judged, 0) as n_judged, coalesce(n_failed, 0) as n_failed,
           f.density, f.max_activation, f.n_active, coalesce(n_explanations, 0) as n_explanations,
           f.reason
    from feature f
    left join shown using (feature)
    where f.hookpoint_id = $1
      and ({condition})
      and (len($2) = 0
           or list_bool_and(list_transform($2, lambda word: contains(lower(all_texts), word))))
)
"""


class Page(NamedTuple):
    """One page of the table of features."""

    rows: pd.DataFrame  # at most PAGE rows, columns as in TABLE's last part
    total: int  # features that pass the filter
    number: int  # of this page, from 1


@dataclass(frozen=True, slots=True)
class Filter:
    """Which features, in which order."""

    words: str = ""  # all of them occur in the feature's explanations, in any case
    preset: Preset = Preset.ALL
    sort: Sort = Sort.INDEX
    page: int = 1  # from 1; beyond the last = the last


def features(con: Connection, hookpoint_id: int, wanted: Filter) -> Page:
    """One page of the features of a hookpoint."""
    table = TABLE.format(condition=CONDITIONS[wanted.preset])
    given = [hookpoint_id, wanted.words.lower().split()]
    total = con.value(table + "select count(*) from kept", given)
    number = max(1, min(wanted.page, -(-total // PAGE)))
    rows = con.frame(
        f"{table} select * from kept order by {ORDERS[wanted.sort]} limit {PAGE} "
        f"offset {(number - 1) * PAGE}",
        given,
    )
    return Page(rows, total, number)


FACTS = """
select f.*, c.* exclude (hookpoint_id, feature)
from feature f
left join feature_chart c using (hookpoint_id, feature)
where f.hookpoint_id = ? and f.feature = ?
"""


def facts(con: Connection, hookpoint_id: int, feature: int) -> Row | None:
    """Everything counted about one feature; None while its cache is not finished."""
    return con.row(FACTS, [hookpoint_id, feature])


def neighbours(con: Connection, hookpoint_id: int, feature: int) -> list[Row]:
    """Nearest features by each measure, with the text of their newest explanation."""
    return con.rows(NEIGHBOURS, [hookpoint_id, hookpoint_id, feature])


NEIGHBOURS = """
with newest as (
    select feature, arg_max(text, explanation_id) as text
    from explanation
    where hookpoint_id = ? and text is not null
    group by feature
)
select n.measure, n.rank, n.other, n.value, newest.text
from neighbour n
left join newest on newest.feature = n.other
where n.hookpoint_id = ? and n.feature = ?
order by n.measure, n.rank
"""


def live_features(con: Connection, hookpoint_id: int) -> list[int]:
    """Numbers of the features that fired, ascending."""
    found = con.rows(
        "select feature from feature where hookpoint_id = ? and n_active > 0 order by feature",
        [hookpoint_id],
    )
    return [row["feature"] for row in found]


IDENTITY = """
select s.name as subject, s.revision, s.architecture, s.dtype, s.n_layers, s.d_model,
       s.vocabulary_size, a.source as sae_source, a.kind as sae_kind, a.weights_sha256,
       a.settings as sae_settings, k.spec as corpus, k.tokens_sha256, k.tokenizer_sha256,
       k.n_documents, c.created_at
from hookpoint h
join cache c using (cache_id)
join subject s using (subject_id)
join sae a using (sae_id)
left join corpus k using (corpus_id)
where h.hookpoint_id = ?
"""


def identity(con: Connection, hookpoint_id: int) -> Row | None:
    """What exactly was run: subject, SAE, corpus, with their hashes."""
    return con.row(IDENTITY, [hookpoint_id])

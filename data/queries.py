"""The SQL behind the page of one feature; takes an open connection, knows nothing of pages.

The table of features is in `data/feature_table.py`.
"""

from data import flags
from data.catalogue import Connection, Row

FACTS = """
select f.*, c.* exclude (hookpoint_id, feature)
from feature f
left join feature_chart c using (hookpoint_id, feature)
where f.hookpoint_id = ? and f.feature = ?
"""
FLAGS = f"""
select {flags.COLUMNS}
from feature f
{flags.joins("$1", " and feature = $2")}
where f.hookpoint_id = $1 and f.feature = $2
"""


def facts(con: Connection, hookpoint_id: int, feature: int) -> Row | None:
    """Everything counted about one feature; None while its cache is not finished."""
    found = con.row(FACTS, [hookpoint_id, feature])
    return found and found | (con.row(FLAGS, [hookpoint_id, feature]) or {})


def neighbours(con: Connection, hookpoint_id: int, feature: int) -> list[Row]:
    """Nearest features by each measure, with the text of the explanation shown for them."""
    return con.rows(NEIGHBOURS, [hookpoint_id, feature])


NEIGHBOURS = """
with near as (
    select n.measure, n.rank, n.other, n.value, s.explanation_id
    from neighbour n
    left join feature_summary s on s.hookpoint_id = n.hookpoint_id and s.feature = n.other
    where n.hookpoint_id = ? and n.feature = ?
)
select near.* exclude (explanation_id), e.text
from near
left join explanation e using (explanation_id)
order by measure, rank
"""


def shown_texts(con: Connection, hookpoint_id: int, features: tuple[int, ...]) -> dict[int, str]:
    """The explanations shown for some features; one without any is left out."""
    found = con.rows(
        """select s.feature, e.text
        from feature_summary s
        join explanation e using (explanation_id)
        where s.hookpoint_id = $1 and s.feature in (select unnest($2::bigint[]))""",
        [hookpoint_id, list(features)],
    )
    return {row["feature"]: row["text"] for row in found}


def live_features(con: Connection, hookpoint_id: int) -> list[int]:
    """Numbers of the features that fired, ascending."""
    found = con.frame(
        "select feature from feature "  # null: an import that does not say, so it fired
        "where hookpoint_id = ? and coalesce(n_active, 1) > 0 "
        "and reason is distinct from 'unknown' order by feature",
        [hookpoint_id],
    )
    return found["feature"].tolist()


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

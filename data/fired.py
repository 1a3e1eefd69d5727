"""What the catalogue knows of the features that fired on a text; takes an open connection."""

from data.catalogue import Connection, Row
from data.summaries import HEADLINE

MAXIMA = """
select feature, max_activation
from feature
where hookpoint_id = ? and feature in (select unnest(?))
"""


def maxima(con: Connection, hookpoint_id: int, features: tuple[int, ...]) -> dict[int, float]:
    """The largest activation in the cache of each feature, raw; 0 of one that never fired."""
    found = con.rows(MAXIMA, [hookpoint_id, list(features)])
    return {row["feature"]: row["max_activation"] or 0.0 for row in found}


SCORES = """score s
    join scorer m using (scorer_id)
    semi join shown using (explanation_id)"""
DESCRIBED = f"""
with shown as (
    select feature, explanation_id
    from feature_summary
    where hookpoint_id = $1 and feature in (select unnest($2))
),
detection as (
    select explanation_id, value, low, high, n_judged, n_failed, judge
    from ({HEADLINE.format(scores=SCORES)})
    where name = 'detection'
)
select shown.feature, explanation_id, e.text, d.* exclude (explanation_id)
from shown
join explanation e using (explanation_id)
left join detection d using (explanation_id)
"""


def described(con: Connection, hookpoint_id: int, features: tuple[int, ...]) -> dict[int, Row]:
    """The explanation shown for each feature that has one, with its detection score."""
    found = con.rows(DESCRIBED, [hookpoint_id, list(features)])
    return {row["feature"]: row for row in found}

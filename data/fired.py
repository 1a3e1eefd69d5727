"""What the catalogue knows of the features that fired on a text; takes an open connection."""

from data.catalogue import Connection, Row
from data.summaries import STANDING

MAXIMA = """
select feature, max_activation
from feature
where hookpoint_id = ? and feature in (select unnest(?))
"""


def maxima(con: Connection, hookpoint_id: int, features: tuple[int, ...]) -> dict[int, float]:
    """The largest activation in the cache of each feature, raw; 0 of one that never fired."""
    found = con.rows(MAXIMA, [hookpoint_id, list(features)])
    return {row["feature"]: row["max_activation"] or 0.0 for row in found}


DESCRIBED = f"""
with shown as (
    select feature, explanation_id
    from feature_summary
    where hookpoint_id = $1 and feature in (select unnest($2))
),
detection as (  -- the headline one
    select s.explanation_id, s.value, s.low, s.high, s.n_judged, s.n_failed, m.judge
    from score s
    join scorer m using (scorer_id)
    semi join shown using (explanation_id)
    where m.name = 'detection'
    qualify row_number() over (partition by s.explanation_id order by {STANDING}) = 1
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

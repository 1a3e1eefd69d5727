"""The SQL behind the page of filters: entropies to draw, features by position, controls beside."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from data.catalogue import Connection, Row
from data.flags import COLUMNS, joins

POINTS = 3_000  # of one hookpoint in a scatter; more only hide each other
LISTED = 20  # features named by position


class Cloud(NamedTuple):
    """Firing rate and token entropy of the features of one hookpoint."""

    title: str  # of the cache that they are of
    points: pd.DataFrame  # feature, density, token_entropy; at most POINTS of n
    n: int  # features that have both
    median: float  # of their token entropy, nats


RATES = """
select f.feature, f.density, g.token_entropy
from feature f
join feature_measure g using (hookpoint_id, feature)
where f.hookpoint_id = ? and g.token_entropy is not null and f.density > 0
order by f.feature
"""
CONTROLS = """
select h.hookpoint_id, c.name, coalesce(json_extract_string(c.settings, '$.baseline.kind'), a.kind)
       as kind
from hookpoint h
join cache c using (cache_id)
join sae a using (sae_id)
join hookpoint own on own.hookpoint_id = ?
join cache mine on mine.cache_id = own.cache_id
where h.name = own.name and h.hookpoint_id <> own.hookpoint_id
    and (a.kind = 'random' and c.subject_id = mine.subject_id
         or json_extract_string(c.settings, '$.baseline.of') = mine.name)
    and h.hookpoint_id in (select hookpoint_id from feature_measure)
order by h.hookpoint_id
"""


def clouds(con: Connection, hookpoint_id: int, title: str) -> list[Cloud]:
    """Those of a hookpoint, then of its controls in this store: random SAEs, other baselines."""
    found = [_cloud(con, hookpoint_id, title)]
    for row in con.rows(CONTROLS, [hookpoint_id]):
        found.append(_cloud(con, row["hookpoint_id"], f"{row['name']} ({row['kind']})"))
    return [one for one in found if one is not None]


def _cloud(con: Connection, hookpoint_id: int, title: str) -> Cloud | None:
    rows = con.frame(RATES, [hookpoint_id])
    if rows.empty:
        return None
    # The same features each time, and neither the first nor the rarest.
    places = np.sort(np.random.default_rng(0).permutation(len(rows))[:POINTS])
    median = float(np.median(rows["token_entropy"].to_numpy(np.float64)))
    return Cloud(title, rows.iloc[places], len(rows), median)


def most_positional(con: Connection, hookpoint_id: int) -> list[Row]:
    """The features about which the position tells most, with both figures."""
    return con.rows(
        "select feature, information, position_share from feature_measure "
        "where hookpoint_id = ? and information is not null "
        "order by information desc, feature limit ?",
        [hookpoint_id, LISTED],
    )


POSITIONS = f"""
select c.position_counts, f.n_active, {COLUMNS}
from feature f
join feature_chart c using (hookpoint_id, feature)
{joins("$1", " and feature = $2")}
where f.hookpoint_id = $1 and f.feature = $2
"""


def positions(con: Connection, hookpoint_id: int, feature: int) -> Row | None:
    """A feature's firings by position, its flags and its figures; None where it is not known."""
    return con.row(POSITIONS, [hookpoint_id, feature])

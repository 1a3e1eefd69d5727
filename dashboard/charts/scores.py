"""The features of a table as one figure: detection against fuzzing, each score's distribution.

In: points and counts that SQL has cut already. Out: a plain figure. Trace order: the histograms of
detection, fuzzing, exact and one further score, which gives them the colours that these scores have
everywhere; the points last, in the neutral grey.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dashboard.charts.parts import LEFT, NEUTRAL, Figure, axis, common, heading, line
from data.feature_table import BINS, Distribution, Picture

HEIGHT, PANEL = 560, 190  # pixels, of the whole and of one distribution where they stand alone
SCATTER, SIDE = [0.0, 0.58], [0.66, 1.0]  # shares of the width
GAP = 0.13  # between the panels on the right, share of the height
TITLES = {"detection": "Detection", "fuzzing": "Fuzzing", "exact": "Exact F1"}
UNITS = {"exact": "F1 over all test tokens", "detection": "balanced accuracy",
         "fuzzing": "balanced accuracy"}  # fmt: skip


def scores_figure(picture: Picture) -> Figure:
    """Points left, distributions right; without points the distributions take the width."""
    spread = picture.distributions
    has_points = picture.n_both > 0
    height = HEIGHT if has_points else max(1, len(spread)) * PANEL + 60
    domain = SIDE if has_points else [0.0, 1.0]
    room = {"l": LEFT, "r": 14, "t": 28, "b": 38}  # for the last tick of the right panels
    layout = common(height, showlegend=False, dragmode=False, margin=room)
    notes: list[dict[str, Any]] = []
    for place, found in enumerate(spread):
        top, bottom = _panel(place, len(spread))
        layout |= _side_axes(place, found, domain, [bottom, top])
        notes.append(_title(found, top, domain[0], has_points))
    data = _bars(spread)
    if has_points:
        data.append(_dots(picture))
        layout |= _scatter_axes(picture.points) | {"shapes": _chance()}
        notes.append(heading("Detection against fuzzing", points_note(picture), 1.01))
    return {"data": data, "layout": layout | {"annotations": notes}}


def points_note(picture: Picture) -> str:
    """How many features the points are, and whether that is all of them."""
    shown = len(picture.points)
    if shown < picture.n_both:
        return f"{shown:,} drawn at random of the {picture.n_both:,} features with both"
    return f"n = {shown:,} features with both"


def numbers(picture: Picture) -> pd.DataFrame:
    """What the figure draws: points by feature, then counts by interval."""
    points = picture.points.assign(panel="points").round(4)
    counts = pd.DataFrame(
        [
            (f"distribution of {found.scorer}", k / BINS, (k + 1) / BINS, n)
            for found in picture.distributions
            for k, n in enumerate(found.counts)
        ],
        columns=["panel", "from", "to", "features"],
    )
    columns = ["panel", "feature", "detection", "fuzzing", "from", "to", "features"]
    parts = [part for part in (points, counts) if len(part)] or [counts]
    return pd.concat(parts, ignore_index=True).reindex(columns=columns)


def _panel(place: int, n: int) -> tuple[float, float]:
    """Top and bottom of one of n panels, from above, as shares of the height."""
    each = (1 - GAP * (n - 1)) / n
    top = 1 - place * (each + GAP)
    return round(top, 4), max(0.0, round(top - each, 4))


def _axis_names(place: int) -> tuple[str, str]:
    """Axes 2, 3, ... belong to the panels; 1 is the scatter's."""
    return f"x{place + 2}", f"y{place + 2}"


def _bars(spread: Sequence[Distribution]) -> list[dict[str, Any]]:
    """One trace a usual score, empty where it is missing: colours go by order."""
    known = {found.scorer: place for place, found in enumerate(spread)}
    names = [*TITLES, *(name for name in known if name not in TITLES)]
    traces = []
    for name in names:
        trace: dict[str, Any] = {"type": "bar", "x": [], "y": [], "opacity": 0.85}
        if name in known:
            x, y = _axis_names(known[name])
            counts = spread[known[name]].counts
            trace |= {
                "x": [round((k + 0.5) / BINS, 4) for k in range(BINS)], "y": counts,
                "xaxis": x, "yaxis": y, "name": TITLES.get(name, name),
                "hovertemplate": f"%{{x:.2f}} ± {0.5 / BINS:.2f}: %{{y:,}} features<extra></extra>",
            }  # fmt: skip
        traces.append(trace)
    return traces


def _dots(picture: Picture) -> dict[str, Any]:
    points = picture.points
    return {
        "type": "scatter", "mode": "markers", "name": "features",
        "x": points["detection"].round(3).tolist(), "y": points["fuzzing"].round(3).tolist(),
        "customdata": points["feature"].tolist(),
        "marker": {"size": 5, "opacity": 0.55, "color": NEUTRAL},
        "hovertemplate": "#%{customdata}: detection %{x:.2f}, fuzzing %{y:.2f}<extra></extra>",
    }  # fmt: skip


def _side_axes(
    place: int, found: Distribution, domain: Sequence[float], height: Sequence[float]
) -> dict[str, Any]:
    x, y = _axis_names(place)
    scale = axis(UNITS.get(found.scorer, found.scorer), domain=domain, anchor=y, range=[0, 1.005],
                 dtick=0.2, tickformat=".1f", showgrid=False)  # fmt: skip
    counts = axis(
        "features", domain=height, anchor=x, rangemode="tozero", nticks=4, tickformat=",d"
    )
    return {f"xaxis{place + 2}": scale, f"yaxis{place + 2}": counts}


def _scatter_axes(points: pd.DataFrame) -> dict[str, Any]:
    """Both axes with the same ends, from .4 or from the lowest value."""
    low = min(0.4, float(points[["detection", "fuzzing"]].min().min())) - 0.02
    ends = {"range": [round(low, 3), 1.02], "dtick": 0.1, "tickformat": ".1f"}
    return {
        "xaxis": axis("detection, balanced accuracy (dashed = chance)", domain=SCATTER, **ends),
        "yaxis": axis("fuzzing, balanced accuracy", **ends),
    }


def _chance() -> list[dict[str, Any]]:
    across = line(x0=0, x1=1, y0=0.5, y1=0.5, xref="x domain", yref="y", dash="dash")
    upright = line(x0=0.5, x1=0.5, y0=0, y1=1, xref="x", yref="y domain", dash="dash")
    return [across, upright]


def _title(found: Distribution, top: float, left: float, has_points: bool) -> dict[str, Any]:
    note = f"n = {found.n:,}, median {found.median:.2f}"
    x = left if has_points else 0
    return heading(TITLES.get(found.scorer, found.scorer), note, top + 0.01, x)

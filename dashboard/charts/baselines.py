"""Baselines as one figure: a panel a scorer, a box with its points for each row of the table."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from core import seeds
from core.baselines.kinds import OWN, short
from core.baselines.table import Row, Table
from core.baselines.words import UNITS
from dashboard.charts.parts import NEUTRAL, Figure, axis, coloured, common, heading, line

OURS = coloured(1)
DRAWN = 300  # points of a row
LINE, ROOM = 38, 78  # pixels of a row; of titles and axes
LEFT = 118  # pixels for the names of rows
GAP = 0.04  # between panels, of the width
WITHOUT_CHANCE = ("exact",)


def baselines_figure(rows: Sequence[Row], scorers: Sequence[str]) -> Figure:
    """The SAE on top, what has learned less below it; n of every row at its right edge."""
    names = [short(row.name) for row in rows]
    traces: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    layout = common(ROOM + LINE * len(rows), showlegend=False, boxgap=0.35,
                    margin={"l": LEFT, "r": 6, "t": 30, "b": 40})  # fmt: skip
    layout["yaxis"] = axis("", categoryorder="array", categoryarray=names[::-1], showgrid=False,
                           range=[-0.6, len(rows) - 0.4], tickangle=0)  # fmt: skip
    shapes = []
    for place, scorer in enumerate(scorers):
        x, domain = f"x{place + 1}" if place else "x", _domain(place, len(scorers))
        found = [row.scores.get(scorer) for row in rows]
        every = np.concatenate([one.values for one in found if one is not None] or [np.zeros(0)])
        low, high = _range(every, scorer)
        layout[f"xaxis{place + 1 if place else ''}"] = axis(
            UNITS.get(scorer, scorer), domain=domain, range=[low, high], tickformat=".1f", dtick=0.2
        )
        for row, name, one in zip(rows, names, found, strict=True):
            values = np.zeros(0) if one is None else one.values
            traces.append(_box(row, name, values, x))
            notes.append(_n(x, high, name, 0 if one is None else one.summary.n))
        notes.append(heading(scorer.capitalize(), _note(scorer), 1.005, domain[0])
                     | {"xshift": 0})  # fmt: skip
        if scorer not in WITHOUT_CHANCE:
            shapes.append(line(x0=0.5, x1=0.5, y0=0, y1=1, xref=x, yref="paper", dash="dash"))
    return {"data": traces, "layout": layout | {"annotations": notes, "shapes": shapes}}


def _domain(place: int, n: int) -> list[float]:
    each = (1 - GAP * (n - 1)) / n
    first = place * (each + GAP)
    return [round(first, 4), round(min(1.0, first + each), 4)]


def _range(values: np.ndarray, scorer: str) -> tuple[float, float]:
    """Both ends of an axis, with room for n at the right."""
    low = 0.0 if scorer in WITHOUT_CHANCE else 0.4
    least = float(values.min(initial=low))
    return round(min(low, least) - 0.02, 3), 1.14


def _note(scorer: str) -> str:
    return "a dot a feature" + ("" if scorer in WITHOUT_CHANCE else "; dashed = chance")


def _box(row: Row, name: str, values: np.ndarray, x: str) -> dict[str, Any]:
    """Quartiles and median, with the points; the SAE in the theme's colour."""
    shown = values
    if len(values) > DRAWN:  # the box is of all of them
        shown = values[np.sort(seeds.permutation(0, len(values))[:DRAWN])]
    colour = OURS if row.name == OWN else NEUTRAL
    return {
        "type": "box", "xaxis": x, "yaxis": "y", "orientation": "h", "name": name,
        "x": shown.round(4).tolist(), "y": [name] * len(shown), "boxpoints": "all", "jitter": 0.6,
        "pointpos": 0, "line": {"width": 1.4}, "marker": {"color": colour, "size": 3.5,
                                                           "opacity": 0.45},
        "hovertemplate": "%{x:.3f}<extra></extra>",
    }  # fmt: skip


def _n(x: str, high: float, name: str, n: int) -> dict[str, Any]:
    return {
        "text": f"n {n:,}", "font": {"size": 11}, "showarrow": False, "x": high, "xref": x,
        "xanchor": "right", "y": name, "yref": "y", "yanchor": "middle",
    }  # fmt: skip


def baselines_numbers(found: Table, hookpoint: str) -> pd.DataFrame:
    """Every score that the figure is of, one a line."""
    parts = [
        pd.DataFrame({"hookpoint": hookpoint, "row": row.name, "scorer": scorer,
                      "score": one.values})
        for row in found.at(hookpoint)
        for scorer, one in row.scores.items()
        if len(one.values)
    ]  # fmt: skip
    columns = ["hookpoint", "row", "scorer", "score"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)

"""Accuracy by decile of several explanations or settings in one figure, one panel a scorer.

A trace is one explanation in all panels, because the theme colours traces by their order: the
panels lie side by side on one axis. Places: deciles 1 weakest .. 10 strongest, then the silent
kinds, apart. Knows nothing of Streamlit or of where the numbers come from.
"""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.drawing.curves import by_deciles
from core.figures import deciles
from core.score.statistics import wilson
from dashboard.charts.parts import (
    LEFT,
    Figure,
    axis,
    between,
    common,
    heading,
    legend_above,
    line,
    share_axis,
    short,
    whiskers,
)
from data.records import Interval, Score, Tally

HEIGHT = 380  # pixels
LETTERS_WIDE = 160  # of all names in the legend: one line of it on a page of 1024 pixels
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "star", "x", "cross", "hexagon")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DODGE = 0.5  # of a decile's width, shared by the traces, so that they do not hide each other
STEP, GAP = 1.3, 1.4  # decile widths between two silent kinds, and between panels
KINDS = {"random": "none", "wrong-mark": "wrong<br>marks", "token": "same<br>token",
         "neighbour": "near", "similar": "like"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spot:
    """A share of right verdicts at one place of the axis."""

    place: float | str  # the middle of a decile or a pair of them, or a kind of silent context
    share: Interval
    n: int  # usable verdicts
    failed: int
    features: int = 1

    @property
    def label(self) -> str:
        """The place in words."""
        if isinstance(self.place, str):
            return "wrong marks" if self.place == "wrong-mark" else f"silent ({self.place})"
        if self.place % 1:
            return f"deciles {self.place - 0.5:.0f}–{self.place + 0.5:.0f}"
        return f"decile {self.place:.0f}"


@dataclass(frozen=True, slots=True)
class Line:
    """One explanation or setting."""

    name: str
    panels: Mapping[str, Sequence[Spot]]  # by scorer


def spots_of_score(score: Score) -> list[Spot]:
    """One feature's spots: deciles, two by two when few, then the silent kinds."""
    found = [_spot((first + last) / 2, tally) for first, last, tally in by_deciles(score)]
    found += [_spot(k, score.non_activating[k]) for k in KINDS if k in score.non_activating]
    return [spot for spot in found if spot is not None]


def _spot(place: float | str, tally: Tally) -> Spot | None:
    share = wilson(tally.correct, tally.n)
    return None if share is None else Spot(place, share, tally.n, tally.failed)


def spots_of_points(points: Sequence[deciles.Point], *, pooled: bool) -> list[Spot]:
    """Many features' spots: the share of all verdicts, or the mean of the features' shares."""
    return [
        Spot(p.place, share, p.n, p.failed, p.features)
        for p in points
        if (share := p.pooled if pooled else p.mean)
    ]


def decile_figure(lines: Sequence[Line], note: str) -> Figure:
    """All lines in all panels; note: what the whiskers are and how much stands behind them."""
    scorers = [s for s in ("detection", "fuzzing") if any(line.panels.get(s) for line in lines)]
    axes = _Axis(lines, scorers)
    return {
        "data": [_trace(k, len(lines), one, axes) for k, one in enumerate(lines)],
        "layout": common(HEIGHT, margin={"l": LEFT, "r": 4, "t": 52, "b": 52})
        | {
            "xaxis": axis("activation decile (1 weakest … 10 strongest)", showgrid=False,
                          tickangle=0, range=[0.2, axes.end], **axes.ticks()),
            "yaxis": share_axis(),
            "legend": legend_above(1.0),
            "annotations": [_title(scorer, note, axes, first=scorer == scorers[0])
                            for scorer in scorers],
            "shapes": [line(x0=0, x1=1, y0=0.5, y1=0.5, xref="paper", yref="y", dash="dash"),
                       *axes.dividers()],
        },
    }  # fmt: skip


class _Axis:
    """Where each scorer's places are on the one axis."""

    def __init__(self, lines: Sequence[Line], scorers: Sequence[str]) -> None:
        self.starts: dict[str, float] = {}
        self.kinds: dict[str, list[str]] = {}
        self.pairs = any(_is_pair(spot) for one in lines for s in scorers
                         for spot in one.panels.get(s, ()))  # fmt: skip
        end = 0.0
        for scorer in scorers:
            here = {spot.place for one in lines for spot in one.panels.get(scorer, ())}
            self.starts[scorer] = end
            self.kinds[scorer] = sorted((p for p in here if isinstance(p, str)), key=_kind_order)
            end += 10.6 + STEP * len(self.kinds[scorer]) + GAP
        self.end = max(end - GAP + 0.4, 1.0)

    def at(self, scorer: str, place: float | str) -> float:
        """The position of a place."""
        if isinstance(place, str):
            place = 10.4 + STEP * (1 + self.kinds[scorer].index(place))
        return self.starts[scorer] + place

    def ticks(self) -> dict[str, Any]:
        """Deciles, one by one or in pairs, and the kinds."""
        step = 2 if self.pairs else 1
        values, names = [], []
        for scorer, kinds in self.kinds.items():
            for first in range(1, 11, step):
                values.append(self.at(scorer, first + (step - 1) / 2))
                names.append(f"{first}–{first + 1}" if self.pairs else str(first))
            values += [self.at(scorer, kind) for kind in kinds]
            names += [KINDS.get(kind, kind) for kind in kinds]
        return {"tickvals": values, "ticktext": names}

    def dividers(self) -> list[dict[str, Any]]:
        """Dotted before the silent kinds, solid between panels."""
        found = []
        for scorer, kinds in self.kinds.items():
            start = self.starts[scorer]
            places = [(start + 10.85, "dot")] * bool(kinds)
            if start:
                places.append((start - GAP / 2 + 0.3, "solid"))
            found += [
                line(x0=x, x1=x, y0=0, y1=1, xref="x", yref="y domain", dash=dash)
                for x, dash in places
            ]
        return found


def _is_pair(spot: Spot) -> bool:
    return not isinstance(spot.place, str) and spot.place % 1 == 0.5


def _kind_order(kind: str) -> tuple[int, str]:
    known = list(KINDS)
    return (known.index(kind) if kind in known else len(known)), kind


def _title(scorer: str, note: str, axes: _Axis, *, first: bool) -> dict[str, Any]:
    """The panel's name above its left end; the note with the first one only."""
    found = heading(scorer.capitalize(), note if first else "", 1.09)
    if first:
        return found
    return found | {"x": axes.starts[scorer] + 0.3, "xref": "x", "xshift": 0}


def _trace(k: int, n: int, one: Line, axes: _Axis) -> dict[str, Any]:
    """One line over all panels; None breaks it between deciles and what follows."""
    spots: list[tuple[str, Spot] | None] = []
    for scorer in axes.starts:
        here = one.panels.get(scorer, ())
        spots += [(scorer, s) for s in here if not isinstance(s.place, str)] + [None]
        for spot in (s for s in here if isinstance(s.place, str)):
            spots += [(scorer, spot), None]
    shift = 0.0 if n == 1 else DODGE * (k / (n - 1) - 0.5)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": html.escape(short(one.name, LETTERS_WIDE // n)),  # a figure's text reads some tags
        "line": {"width": 1.2},
        "marker": {"symbol": SYMBOLS[k % len(SYMBOLS)], "size": 7.5},
        "connectgaps": False,
        "x": [None if s is None else round(axes.at(s[0], s[1].place) + shift, 3) for s in spots],
        "y": [None if s is None else round(s[1].share.value, 4) for s in spots],
        "error_y": whiskers((None if s is None else s[1].share for s in spots), thickness=1.4),
        "customdata": [[] if s is None else _hover(*s) for s in spots],
        "hovertemplate": "%{customdata[0]}: %{y:.2f} [%{customdata[1]}], n %{customdata[2]}",
    }  # fmt: skip


def _hover(scorer: str, spot: Spot) -> list[str]:
    failed = f", {spot.failed:,} failed" if spot.failed else ""
    over = f" of {spot.features:,} features" if spot.features > 1 else ""
    span = f"{spot.share.low:.2f}, {spot.share.high:.2f}"
    return [f"{scorer}, {spot.label}", span, f"{spot.n:,}{failed}{over}"]


def whiskers_note(lines: Iterable[Line], what: str) -> str:
    """What a whisker is and how many verdicts stand behind a decile, e.g. "…, n = 10 a decile"."""
    sizes = (s.n for one in lines for spots in one.panels.values() for s in spots
             if not isinstance(s.place, str))  # fmt: skip
    return f"{what}, n = {between(sizes)} a decile"


def decile_table(lines: Sequence[Line]) -> pd.DataFrame:
    """The numbers of the figure."""
    return pd.DataFrame(
        [
            {"setting": one.name, "scorer": scorer, "place": spot.label,
             "share_right": spot.share.value, "low": spot.share.low, "high": spot.share.high,
             "n": spot.n, "failed": spot.failed, "features": spot.features}
            for one in lines for scorer, spots in one.panels.items() for spot in spots
        ]
    )  # fmt: skip

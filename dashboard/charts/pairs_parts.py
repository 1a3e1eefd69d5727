"""Where two sides differ: distributions, detection against fuzzing, by hookpoint, by density.

One figure of four panels; colours and marks as in charts/pairs.py.
"""

from collections.abc import Sequence

import numpy as np

from core.comparing import Comparison, Group
from core.comparing.agreement import Agreement
from dashboard.charts.pairs import COLOURS, DODGE, LETTERS, SYMBOLS, drawn, ends
from dashboard.charts.parts import Figure, axis, common, heading, line, whiskers

HEIGHT = 620  # pixels
DRAWN = 1000  # points a side
BINS = 25
DASHES = ("solid", "dash")
LEFT, RIGHT = [0, 0.46], [0.54, 1]  # of the width
UPPER, LOWER = [0.6, 1], [0, 0.4]  # of the height


def parts_figure(found: Comparison, agreements: Sequence[Agreement]) -> Figure:
    """The four panels."""
    traces = [
        trace
        for side in (0, 1)
        for trace in (
            _distribution(found, side),
            _agreement(agreements[side], side),
            _means(found.by_hookpoint, side, "x3", "y3"),
            _means(found.by_density, side, "x4", "y4"),
        )
    ]
    return {
        "data": traces,
        "layout": common(HEIGHT, margin={"l": 46, "r": 4, "t": 28, "b": 44})
        | _axes(found)
        | {
            "barmode": "overlay", "bargap": 0,
            "legend": {"x": RIGHT[0] + 0.005, "y": 0.995, "font": {"size": 11.5}},
            "annotations": _headings(found, agreements),
            "shapes": [line(x0=0, x1=1, y0=0, y1=1, xref="x2", yref="y2", dash="dash")],
        },
    }  # fmt: skip


def _headings(found: Comparison, agreements: Sequence[Agreement]) -> list[dict]:
    a, b = agreements
    words = f"n = A {len(a.detection):,}, B {len(b.detection):,}; r = {_r(a)}, {_r(b)}"
    some = f"; {DRAWN:,} drawn" if max(len(a.detection), len(b.detection)) > DRAWN else ""
    lower = LOWER[1] + 0.01
    fifths = "fifths of the features" if found.by_density else "25 features or more are needed"
    return [
        heading("Distribution of scores", f"n = {found.n:,} features", 1.01),
        heading("Detection against fuzzing", words + some, 1.01, RIGHT[0]),
        heading("By hookpoint", f"mean, 95 % interval, n = {found.n:,} features", lower),
        heading("By density", f"mean, 95 % interval, {fifths}", lower, RIGHT[0]),
    ]


def _r(found: Agreement) -> str:
    return "–" if found.correlation is None else f"{found.correlation:.2f}"


def span(found: Comparison) -> tuple[float, float]:
    """The range of the scores of both sides."""
    low, high = ends(found.pairs.first, found.pairs.second)
    return low, max(high, low + 0.01)


def _distribution(found: Comparison, side: int) -> dict:
    """A histogram as an outline, so that two of them can be read at once."""
    low, high = span(found)
    counts, edges = np.histogram(found.pairs[2 + side], BINS, (low, high))
    return {
        "type": "scatter", "mode": "lines", "name": LETTERS[side], "showlegend": False,
        "line": {"color": COLOURS[side], "shape": "hv", "width": 1.8, "dash": DASHES[side]},
        "x": edges.round(4).tolist(), "y": [*counts.tolist(), 0],
        "hovertemplate": f"{LETTERS[side]}, from %{{x:.2f}}: %{{y:,}} features<extra></extra>",
    }  # fmt: skip


def _agreement(found: Agreement, side: int) -> dict:
    chosen = drawn(len(found.detection), DRAWN, side)
    return {
        "type": "scatter", "mode": "markers", "name": LETTERS[side], "xaxis": "x2", "yaxis": "y2",
        "marker": {"color": COLOURS[side], "symbol": SYMBOLS[side], "size": 5, "opacity": 0.45},
        "x": found.detection[chosen].round(3).tolist(),
        "y": found.fuzzing[chosen].round(3).tolist(),
        "hovertemplate": f"{LETTERS[side]}: %{{x:.2f}}, fuzzing %{{y:.2f}}<extra></extra>",
    }  # fmt: skip


def _means(groups: Sequence[Group], side: int, x: str, y: str) -> dict:
    figures = [(group.first, group.second)[side] for group in groups]
    return {
        "type": "scatter", "mode": "markers", "name": LETTERS[side], "showlegend": False,
        "xaxis": x, "yaxis": y,
        "marker": {"color": COLOURS[side], "symbol": SYMBOLS[side], "size": 7.5},
        "x": [i + DODGE * (2 * side - 1) for i in range(len(groups))],
        "y": [round(figure.value, 4) for figure in figures],
        "error_y": whiskers(figures, color=COLOURS[side]),
        "text": [f"{group.name}: n = {group.n:,}" for group in groups],
        "hovertemplate": f"{LETTERS[side]} %{{y:.3f}}, %{{text}} features<extra></extra>",
    }  # fmt: skip


def short_names(names: Sequence[str]) -> list[str]:
    """Names without the dotted parts that all share at either end.

    >>> short_names(["h.1.mlp", "h.2.mlp"])
    ['1', '2']
    """
    parts = [name.split(".") for name in names]
    if len({len(part) for part in parts}) > 1:
        return list(names)
    differs = [i for i, column in enumerate(zip(*parts, strict=True)) if len(set(column)) > 1]
    return [".".join(part[differs[0] : differs[-1] + 1]) for part in parts] if differs else [*names]


def hookpoint_title(names: Sequence[str]) -> str:
    """What the short names stand in, e.g. "hookpoint (h.….mlp)"."""
    short = short_names(names)
    if short == list(names):
        return "hookpoint"
    before, _, after = names[0].partition(short[0])
    return f"hookpoint ({before}…{after})"


def _axes(found: Comparison) -> dict:
    low, high = span(found)
    scorer = f"{found.question.scorer} score"
    layers = [group.name for group in found.by_hookpoint]
    fifths = [group.name for group in found.by_density]
    return {
        "xaxis": axis(scorer, domain=LEFT, anchor="y", range=[low, high], nticks=8),
        "yaxis": axis("features", domain=UPPER, rangemode="tozero", nticks=6),
        "xaxis2": axis("detection", domain=RIGHT, anchor="y2", range=[0, 1.03], dtick=0.2),
        "yaxis2": axis("fuzzing", domain=UPPER, anchor="x2", range=[0, 1.03], dtick=0.2),
        "xaxis3": _group_axis(hookpoint_title(layers), short_names(layers), LEFT, "y3"),
        "yaxis3": axis(f"mean {scorer}", domain=LOWER, anchor="x3", nticks=6),
        "xaxis4": _group_axis("share of tokens on which it fires", fifths, RIGHT, "y4")
        | {"visible": bool(fifths)},
        "yaxis4": axis(f"mean {scorer}", domain=LOWER, anchor="x4", nticks=6,
                       visible=bool(fifths)),
    }  # fmt: skip


def _group_axis(title: str, names: Sequence[str], domain: list[float], anchor: str) -> dict:
    every = max(1, -(-len(names) // 12))  # more labels than that would overlap
    shown = range(0, len(names), every)
    return axis(title, domain=domain, anchor=anchor, showgrid=False, tickangle=0,
                range=[-0.5, max(len(names), 1) - 0.5], tickvals=list(shown),
                ticktext=[names[i] for i in shown])  # fmt: skip

"""Two sides over many features as one figure: pairs, their differences, share right by decile.

The first side is a circle in the theme's first colour, the second a square in its second.
"""

from collections.abc import Sequence

import numpy as np

from core import seeds
from core.comparing import Comparison, Share
from core.comparing.words import signed
from dashboard.charts.parts import (
    LEFT,
    NEUTRAL,
    Figure,
    axis,
    band,
    between,
    coloured,
    common,
    heading,
    line,
    share_axis,
    whiskers,
)
from data.comparing import SILENT_KINDS

# One colour for several traces cannot be had by the order of traces.
FIRST, SECOND = coloured(1), coloured(2)
COLOURS, SYMBOLS, LETTERS = (FIRST, SECOND), ("circle", "square"), ("A", "B")
DRAWN = 2000  # points
BINS = 15  # on either side of no difference
HEIGHT = 390  # pixels
PANELS = ([0, 0.27], [0.345, 0.6], [0.675, 1])  # of the width
KIND_NAMES = {"random": "none", "wrong-mark": "wrong<br>marks", "neighbour": "neigh-<br>bour"}
WITHOUT_CHANCE = ("exact",)  # a check, not a judge that could guess
DODGE = 0.12  # so that two sides do not hide each other


def drawn(n: int, most: int = DRAWN, seed: int = 0) -> np.ndarray:
    """Which of n points are drawn: all, or the same random ones every time."""
    return np.arange(n) if n <= most else np.sort(seeds.permutation(seed, n)[:most])


def ends(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The range of both columns together; 0 to 1 of empty ones."""
    both = np.concatenate([first, second])
    return (float(both.min()), float(both.max())) if len(both) else (0.0, 1.0)


def pairs_figure(found: Comparison) -> Figure:
    """The three panels; a point's customdata is the place of its pair."""
    kinds = _kinds(found)
    curves = [_curve(found.curves[side], side, kinds) for side in (0, 1)]
    points, low, high = _points(found)
    bars, bins = _bars(found)
    return {
        "data": [*curves, *points, bars],
        "layout": common(HEIGHT, margin={"l": LEFT, "r": 4, "t": 28, "b": 42})
        | _scatter_axes(low, high) | _bar_axes(bins) | _curve_axes(kinds, _share_title(found))
        | {
            "legend": {"x": PANELS[2][0] + 0.005, "y": 0.99, "font": {"size": 11.5}},
            "clickmode": "event+select",
            "annotations": _headings(found),
            "shapes": _lines(found, low, high, bool(kinds)),
        },
    }  # fmt: skip


def _headings(found: Comparison) -> list[dict]:
    some = f"{DRAWN:,} drawn of {found.n:,}" if found.n > DRAWN else f"n = {found.n:,} features"
    mean = found.difference
    shown = f"mean {signed(mean.value)}" if mean else ""
    return [
        heading(found.question.scorer.capitalize(), some, 1.01),
        heading("Differences", shown, 1.01, PANELS[1][0]),
        heading("Right by decile", f"95 %, n = {_verdicts(found)}", 1.01, PANELS[2][0]),
    ]


def _verdicts(found: Comparison) -> str:
    """How many verdicts stand behind a decile of either side, e.g. "5,611 to 5,634"."""
    return between(s.n for curve in found.curves for s in curve if s.place.isdecimal())


def _points(found: Comparison) -> tuple[list[dict], float, float]:
    """One trace a winner, and the range of both axes."""
    pairs, chosen = found.pairs, drawn(found.n)
    sign = np.sign(pairs.difference[chosen])
    traces = [
        _point_trace(found, chosen[sign == value], name, colour, symbol)
        for value, name, colour, symbol in (
            (-1, "A better", FIRST, "circle"), (1, "B better", SECOND, "square"),
            (0, "equal", NEUTRAL, "diamond"),
        )
    ]  # fmt: skip
    low, high = ends(pairs.first[chosen], pairs.second[chosen])
    room = 0.04 * max(high - low, 0.05)
    return traces, low - room, high + room


def _point_trace(
    found: Comparison, chosen: np.ndarray, name: str, colour: str, symbol: str
) -> dict:
    pairs = found.pairs
    return {
        "type": "scatter", "mode": "markers", "name": name, "showlegend": False,
        "x": pairs.first[chosen].round(3).tolist(), "y": pairs.second[chosen].round(3).tolist(),
        "customdata": chosen.tolist(), "text": [found.address(i) for i in chosen.tolist()],
        "marker": {"color": colour, "symbol": symbol, "size": 5.5, "opacity": 0.55},
        "hovertemplate": "%{text}: A %{x:.2f}, B %{y:.2f}<extra></extra>",
    }  # fmt: skip


def _scatter_axes(low: float, high: float) -> dict:
    return {
        "xaxis": axis("under A", domain=PANELS[0], range=[low, high], nticks=6),
        "yaxis": axis("under B", range=[low, high], nticks=6),
    }


def binned(difference: np.ndarray) -> tuple[np.ndarray, float]:
    """Differences counted in equal bins, the middle one around 0, and the width of a bin."""
    size = float(np.abs(difference).max(initial=0)) or 0.01
    width = size / BINS
    place = np.rint(difference / width).astype(int) + BINS
    return np.bincount(place, minlength=2 * BINS + 1), width


def _bars(found: Comparison) -> tuple[dict, float]:
    counts, width = binned(found.pairs.difference)
    place = np.arange(-BINS, BINS + 1)
    colours = np.where(place < 0, FIRST, np.where(place > 0, SECOND, NEUTRAL))
    return {
        "type": "bar", "xaxis": "x2", "yaxis": "y2", "showlegend": False, "opacity": 0.85,
        "x": (place * width).round(5).tolist(), "y": counts.tolist(), "width": width * 0.94,
        "marker": {"color": colours.tolist()},
        "hovertemplate": f"%{{x:+.3f}} ± {width / 2:.3f}: %{{y:,}} features<extra></extra>",
    }, width  # fmt: skip


def _bar_axes(width: float) -> dict:
    reach = width * (BINS + 0.8)
    return {
        "xaxis2": axis("B minus A (left: A better, right: B better)", domain=PANELS[1], anchor="y2",
                       range=[-reach, reach], showgrid=False, nticks=6),
        "yaxis2": axis("features", anchor="x2", rangemode="tozero", nticks=6),
    }  # fmt: skip


def _kinds(found: Comparison) -> list[str]:
    """Kinds of non-activating contexts that either side was asked about."""
    asked = {share.place for curve in found.curves for share in curve}
    return [kind for kind in SILENT_KINDS if kind in asked]


def _place(place: str, kinds: Sequence[str]) -> float:
    """Where on the axis: deciles at 1 to 10, the kinds apart."""
    return float(place) if place.isdecimal() else 11.7 + 1.5 * kinds.index(place)


def _curve(shares: Sequence[Share], side: int, kinds: Sequence[str]) -> dict:
    dodge = DODGE * (2 * side - 1)
    return {
        "type": "scatter", "mode": "markers", "name": LETTERS[side], "xaxis": "x3", "yaxis": "y3",
        "marker": {"color": COLOURS[side], "symbol": SYMBOLS[side], "size": 7},
        "x": [_place(s.place, kinds) + dodge for s in shares],
        "y": [round(s.figure.value, 4) for s in shares],
        "error_y": whiskers((s.figure for s in shares), color=COLOURS[side]),
        "text": [_words(s) for s in shares],
        "hovertemplate": f"{LETTERS[side]}, %{{text}}<extra></extra>",
    }  # fmt: skip


def _words(share: Share) -> str:
    """What a point is, with its n, e.g. "decile 3: .72 [.70, .74], 4,120 verdicts"."""
    name = f"decile {share.place}" if share.place.isdecimal() else f"non-activating: {share.place}"
    figure = share.figure
    span = "" if figure.low is None else f" [{figure.low:.3f}, {figure.high:.3f}]"
    return f"{name}: {figure.value:.3f}{span}, {share.n:,} verdicts"


def _curve_axes(kinds: Sequence[str], title: str) -> dict:
    last = _place(kinds[-1], kinds) if kinds else 10
    ticks = {
        "tickvals": [*range(1, 11), *(_place(kind, kinds) for kind in kinds)],
        "ticktext": [*map(str, range(1, 11)), *(KIND_NAMES.get(kind, kind) for kind in kinds)],
    }
    return {
        "xaxis3": axis("activation decile (1 weakest … 10 strongest)", domain=PANELS[2],
                       anchor="y3", showgrid=False, tickangle=0, range=[0.4, last + 0.8], **ticks),
        "yaxis3": share_axis(title, anchor="x3"),
    }  # fmt: skip


def _share_title(found: Comparison) -> str:
    is_checked = found.question.scorer in WITHOUT_CHANCE
    return "share right" if is_checked else "share right, dashed = chance"


def _lines(found: Comparison, low: float, high: float, has_kinds: bool) -> list[dict]:
    """Equality, no difference with the mean and its interval, chance, and where kinds begin."""
    mean = found.difference
    lines = [
        line(x0=low, x1=high, y0=low, y1=high, xref="x", yref="y", dash="dash"),
    ]
    if found.question.scorer not in WITHOUT_CHANCE:
        lines.append(line(x0=0, x1=1, y0=0.5, y1=0.5, xref="x3 domain", yref="y3", dash="dash"))
    if mean:
        lines.append(line(x0=mean.value, x1=mean.value, y0=0, y1=1, xref="x2", yref="y2 domain",
                          dash="solid"))  # fmt: skip
    if mean and mean.low is not None and mean.high is not None:
        lines.append(band(opacity=0.3, x0=mean.low, x1=mean.high, xref="x2", yref="y2 domain"))
    if has_kinds:
        lines.append(line(x0=10.8, x1=10.8, y0=0, y1=1, xref="x3", yref="y3 domain", dash="dot"))
    return lines

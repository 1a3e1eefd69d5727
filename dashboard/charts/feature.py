"""The figure of one feature: activation distribution over accuracy by decile, in one figure.

Trace order: detection, fuzzing, activation, which gives each its colour. Behind the dots of the
accuracy lie unseen bars, one a place of the axis, so that a click anywhere in it names its deciles.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from core.drawing.cards import two
from core.drawing.curves import SILENT_PLACES, Curve, Histogram, Point
from dashboard.charts.parts import (
    GREY,
    NEUTRAL,
    axis,
    band,
    common,
    heading,
    legend_above,
    line,
    log_ticks,
    share_axis,
    whiskers,
)

HEIGHT, HEIGHT_ALONE = 470, 190  # pixels, of both panels and of the histogram alone
HEIGHT_ACCURACY = 300  # of the accuracy alone
SYMBOL = {"detection": "circle", "fuzzing": "square"}
DODGE = {"detection": -0.11, "fuzzing": 0.11}  # so that two scores do not hide each other


def feature_figure(
    histogram: Histogram, curves: Sequence[Curve], chosen: Sequence[int] = ()
) -> dict[str, Any]:
    """Histogram of peaks above, share of right verdicts by decile below; chosen: deciles marked.

    Plain dictionaries: to make Plotly's Figure costs more than all else here.
    """
    if not curves:
        blank = [{"type": "scatter", "showlegend": False}] * 2  # keeps the histogram's colour
        return {"data": [*blank, _bars(histogram)], "layout": _layout(histogram, curves)}
    dots = [_dots(name, [c for c in curves if c.scorer == name]) for name in SYMBOL]
    layout = _layout(histogram, curves)
    if chosen:
        layout["shapes"] = [*layout["shapes"], _band(chosen)]
    bars = [_bars(histogram)] if histogram.counts else []
    return {"data": [*dots, *bars, _places(curves)], "layout": layout}


def numbers(histogram: Histogram, curves: Sequence[Curve]) -> pd.DataFrame:
    """What the figure shows: one row a bar of the histogram, then one a dot.

    value: contexts for a bar, the share of right verdicts for a dot.
    """
    bars = [
        {"panel": "activation distribution",
         "place": f"{first + k * width:.4g} to {first + (k + 1) * width:.4g}", "value": n}
        for first, width in [(histogram.first, histogram.bin_width)]
        for k, n in enumerate(histogram.counts)
    ]  # fmt: skip
    dots = [
        {"panel": "accuracy by decile", "explanation": c.explanation_id, "scorer": c.scorer,
         "place": p.label, "value": p.share.value, "low": p.share.low, "high": p.share.high,
         "n": p.tally.n, "correct": p.tally.correct, "failed": p.tally.failed}
        for c in curves for p in c.points
    ]  # fmt: skip
    columns = ["panel", "explanation", "scorer", "place", "value", "low", "high", "n", "correct",
               "failed"]  # fmt: skip
    found = pd.DataFrame([*bars, *dots], columns=columns)
    whole = ["explanation", "n", "correct", "failed"]
    return found.astype(dict.fromkeys(whole, "Int64"))


def _dots(scorer: str, curves: Sequence[Curve]) -> dict:
    """One score's points with whiskers; a second explanation shares the trace, with open marks.

    One trace, because the theme colours traces by their order.
    """
    spread = 2.0 if any(c.is_second for c in curves) else 1.0
    points = [(c, p) for c in curves for p in c.points]
    symbol, dodge = SYMBOL[scorer], DODGE[scorer]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": scorer.capitalize(),
        "xaxis": "x2",
        "yaxis": "y2",
        "showlegend": bool(points),
        "marker": {"symbol": [symbol + "-open" * c.is_second for c, _ in points], "size": 7.5},
        "x": [p.x + dodge * (spread - 1.2 * c.is_second) for c, p in points],
        "y": [round(p.share.value, 3) for _, p in points],
        "error_y": whiskers((p.share for _, p in points), digits=3),
        "customdata": [_hover(p) for _, p in points],
        "hovertemplate": "%{customdata[0]}: %{y:.2f} [%{customdata[1]}], n %{customdata[2]}",
    }  # fmt: skip


def _hover(point: Point) -> list[str]:
    failed = f", {point.tally.failed} failed" if point.tally.failed else ""
    span = f"{two(point.share.low)}, {two(point.share.high)}"
    return [point.label, span, f"{point.tally.n}{failed}", point.deciles]


def _places(curves: Sequence[Curve]) -> dict:
    """Unseen bars behind the dots: what is clicked between them."""
    found = {p.x: p.deciles for c in curves for p in c.points if p.deciles}
    step = 2 if any(x % 1 for x in found) else 1
    return {
        "type": "bar", "xaxis": "x2", "yaxis": "y2", "showlegend": False, "width": step,
        "x": list(found), "y": [1] * len(found), "marker": {"color": NEUTRAL, "opacity": 0},
        "customdata": [["", "", "", name] for name in found.values()], "hoverinfo": "none",
    }  # fmt: skip


def _band(chosen: Sequence[int]) -> dict:
    """The chosen deciles as a pale band over the height of the panel."""
    return band(opacity=0.18, x0=min(chosen) - 0.5, x1=max(chosen) + 0.5, xref="x2",
                yref="y2 domain", layer="below")  # fmt: skip


def _bars(histogram: Histogram) -> dict:
    width, first = histogram.bin_width, histogram.first
    what = "peak" if histogram.of == "contexts" else "activation"
    return {
        "type": "bar",
        "x": [round(first + (k + 0.5) * width, 6) for k in range(len(histogram.counts))],
        "y": [n or None for n in histogram.counts],  # log axis: an empty bin is no bar
        "opacity": 0.85,
        "showlegend": False,
        "hovertemplate": f"{what} %{{x:.3g}} ± {width / 2:.2g}: %{{y:,}} {histogram.of}"
        "<extra></extra>",
    }


def _layout(histogram: Histogram, curves: Sequence[Curve]) -> dict[str, Any]:
    """Axes and titles; the panels are axis domains, which cost nothing, not subplots."""
    if not curves:
        return common(HEIGHT_ALONE) | _histogram_axes(histogram, [0, 1]) | {
            "annotations": [heading("Activation distribution", _histogram_note(histogram), 1.01)],
        }  # fmt: skip
    points = [point for found in curves for point in found.points]
    places = [k for k, (x, _) in SILENT_PLACES.items() if any(p.x == x for p in points)]
    divider = line(x0=10.8, x1=10.8, y0=0, y1=1, xref="x2", yref="y2 domain", dash="dot")
    is_alone = not histogram.counts  # an import of contexts does not say how they are spread
    top = 0.82 if is_alone else 0.47
    axes = {} if is_alone else _histogram_axes(histogram, [0.74, 1])
    axes |= _accuracy_axes(points, places, top)
    title = heading("Activation distribution", _histogram_note(histogram), 1.01)
    return common(HEIGHT_ACCURACY if is_alone else HEIGHT) | axes | {
        "legend": legend_above(top, traceorder="normal"),
        "annotations": [
            *[title] * (not is_alone),
            heading("Accuracy by decile", _accuracy_note(curves), 1.01 if is_alone else 0.54),
            *[_key_of_second(c) | {"y": top + 0.005} for c in curves if c.is_second][:1],
        ],
        "shapes": [line(x0=0, x1=1, y0=0.5, y1=0.5, xref="x2 domain", yref="y2", dash="dash"),
                   *[divider] * bool(places)],
    }  # fmt: skip


def _histogram_axes(histogram: Histogram, domain: list[float]) -> dict[str, Any]:
    ticks = log_ticks(histogram.counts)
    title = "peak activation in the context" if histogram.of == "contexts" else "activation"
    return {
        "xaxis": axis(title, showgrid=False, rangemode="tozero"),
        "yaxis": axis(histogram.of, type="log", domain=domain, **ticks),
    }


def _accuracy_axes(points: Sequence[Point], places: Sequence[str], top: float) -> dict[str, Any]:
    """Deciles and the silent places that there are; the share right upwards."""
    last = max((SILENT_PLACES[k][0] for k in places), default=10)
    in_pairs = any(p.x % 1 == 0.5 for p in points)
    ticks = _decile_ticks(places, in_pairs)
    which = "deciles in pairs" if in_pairs else "activation decile"
    return {
        "xaxis2": axis(f"{which} (1 weakest … 10 strongest)", showgrid=False,
                        anchor="y2", tickangle=0, range=[0.4, last + 0.6], **ticks),
        "yaxis2": share_axis(anchor="x2", domain=[0, top]),
    }  # fmt: skip


def _histogram_note(histogram: Histogram) -> str:
    return f"{sum(histogram.counts):,} {histogram.of}, log counts"


def _accuracy_note(curves: Sequence[Curve]) -> str:
    """What a whisker is and how many verdicts stand behind a point."""
    sizes = {p.tally.n for c in curves for p in c.points if p.x <= 10}
    low, high = min(sizes, default=0), max(sizes, default=0)
    n = f"n = {high} each" if low == high else f"n = {low} to {high}"
    return f"95 % interval, {n}"


def _decile_ticks(places: Sequence[str], quintiles: bool) -> dict:
    deciles = range(1, 11, 2) if quintiles else range(1, 11)
    values = [d + 0.5 * quintiles for d in deciles]
    names = [f"{d}–{d + 1}" if quintiles else str(d) for d in deciles]
    extra = [SILENT_PLACES[k] for k in places]
    return {
        "tickvals": [*values, *(x for x, _ in extra)],
        "ticktext": [*names, *(name for _, name in extra)],
    }


def _key_of_second(curve: Curve) -> dict:
    which = f" #{curve.explanation_id}" if curve.explanation_id is not None else ""
    return {
        "text": f'<span style="color:{GREY}">open: pinned{which}</span>',
        "font": {"size": 11.5}, "showarrow": False, "x": 1, "xref": "paper", "xanchor": "right",
        "y": 0.475, "yref": "paper", "yanchor": "bottom",
    }  # fmt: skip

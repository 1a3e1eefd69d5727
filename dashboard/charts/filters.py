"""The figures of the filters: shares of flags, entropy against firing rate, firing by position.

In: counts, points and a profile that are computed already. Out: plain figures, and the numbers that
they draw as tables.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from core.drawing.spans import escape
from core.filters.position import Profile
from dashboard.charts.parts import (
    NEUTRAL,
    Figure,
    axis,
    between,
    coloured,
    common,
    heading,
    legend_above,
    line,
)
from data.filter_figures import Cloud
from data.flags import INFORMATION, Counts, Flag

SHOWN = (
    Flag.POSITIONAL, Flag.UNIGRAM, Flag.CONTEXT_FREE, Flag.PRIOR_TOKEN, Flag.SINGLE_TOKEN,
    Flag.WEAK_SINGLE_TOKEN, Flag.DENSE, Flag.VERY_DENSE, Flag.DEAD,
)  # fmt: skip
LABELLED = 8  # hookpoints up to which every bar has its number
BAR = 26  # pixels of a bar with its share of the gap
CUT = 2.5  # times the mean or its limit: where bars end that would hide both
COUNTED, SCATTER, POSITIONS = 120, 420, 430  # pixels: of a figure without its bars, or whole


def counts_figure(found: Sequence[Counts]) -> Figure:
    """A group of bars a flag, one bar a hookpoint in the model's order; n beside each.

    customdata of a bar: number of the hookpoint among those given, flag.
    """
    flags = [str(flag) for flag in SHOWN]
    traces: list[dict[str, Any]] = []
    for place, one in enumerate(found):
        tallies = [one.flags[flag] for flag in SHOWN]
        asked = [[place, str(c.flag), c.n, c.known] for c in tallies]
        traces.append({
            "type": "bar", "orientation": "h", "name": escape(one.hookpoint), "y": flags,
            "x": [round(c.n / c.known, 5) if c.known else None for c in tallies],
            "text": [f"{c.n:,}" for c in tallies] if len(found) <= LABELLED else None,
            "textposition": "outside", "textfont": {"size": 11}, "cliponaxis": False,
            "customdata": asked,
            "hovertemplate": "%{y}, " + escape(one.hookpoint) + ": %{customdata[2]:,} of "
            "%{customdata[3]:,} features, %{x:.2%}<extra></extra>",
        })  # fmt: skip
    height = COUNTED + len(SHOWN) * max(1, len(found)) * BAR * (1 if len(found) < 4 else 0.45)
    layout = common(
        int(height), barmode="group", bargap=0.22, showlegend=len(found) > 1,
        legend=legend_above(1.0, traceorder="normal"), dragmode=False,
        margin={"l": 150, "r": 44, "t": 36, "b": 38},
        xaxis=axis("share of the features of which it can be said", tickformat=".0%",
                   rangemode="tozero"),
        yaxis=axis("", autorange="reversed", showgrid=False),
    )  # fmt: skip
    return {"data": traces, "layout": layout}


def counts_table(found: Sequence[Counts]) -> pd.DataFrame:
    """All flags of all hookpoints, those too that the figure leaves out."""
    return pd.DataFrame(
        [(one.hookpoint, str(c.flag), c.n, c.known) for one in found for c in one.flags.values()],
        columns=["hookpoint", "flag", "features", "of"],
    )


def entropy_figure(clouds: Sequence[Cloud]) -> Figure:
    """Token entropy against firing rate; the controls lie below, in grey.

    customdata of a point: the feature, -1 of a control.
    """
    traces = [_dots(cloud, is_own=place == 0) for place, cloud in enumerate(clouds)]
    layout = common(
        SCATTER, showlegend=True, legend=legend_above(1.0), dragmode=False,
        margin={"l": 50, "r": 14, "t": 36, "b": 40},
        xaxis=axis("share of tokens it fires on", type="log", tickformat=".2%", nticks=6),
        yaxis=axis("token entropy, nats", rangemode="tozero"),
    )  # fmt: skip
    return {"data": traces, "layout": layout}


def _dots(cloud: Cloud, *, is_own: bool) -> dict[str, Any]:
    shown = "" if len(cloud.points) == cloud.n else f", {len(cloud.points):,} of them drawn"
    own = {"color": None, "opacity": 0.6, "size": 5}
    control = {"color": NEUTRAL, "opacity": 0.4, "size": 4, "symbol": "diamond"}
    features = cloud.points["feature"].tolist()
    return {
        "type": "scatter", "mode": "markers",
        "name": f"{escape(cloud.title)}: n = {cloud.n:,}{shown}, median {cloud.median:.2f} nats",
        "x": cloud.points["density"].astype(float).round(7).tolist(),
        "y": cloud.points["token_entropy"].round(4).tolist(),
        "customdata": features if is_own else [-1] * len(features), "text": features,
        "marker": own if is_own else control, "zorder": int(is_own),
        "hovertemplate": "#%{text}: %{x:.3%} of tokens, %{y:.2f} nats<extra></extra>",
    }  # fmt: skip


def entropy_table(clouds: Sequence[Cloud]) -> pd.DataFrame:
    """The points that are drawn."""
    return pd.concat([cloud.points.assign(cache=cloud.title) for cloud in clouds])


def position_figure(found: Profile, note: str) -> Figure:
    """f_p with its mean above; below, what each position adds, its mean and the limit of that."""
    mean, information = float(found.share.mean()), float(found.term.mean())
    top = CUT * max(information, INFORMATION)
    cut = f"; bars end at {top:.2g}" if found.term.max() > top else ""
    places = found.position.tolist()
    span = (places[0] - 0.5, places[-1] + 0.5)
    traces = [
        {"type": "bar", "x": places, "y": found.share.round(6).tolist(), "name": "f_p",
         "customdata": found.n_sequences.tolist(),
         "hovertemplate": "position %{x}: %{y:.3%} of %{customdata:,} sequences<extra></extra>"},
        {"type": "bar", "x": places, "y": found.term.round(6).tolist(), "yaxis": "y2",
         "name": "adds", "marker": {"color": NEUTRAL},
         "hovertemplate": "position %{x}: %{y:.4f} nats<extra></extra>"},
    ]  # fmt: skip
    limit = line(dash="dash", x0=span[0], x1=span[1], y0=INFORMATION, y1=INFORMATION, yref="y2")
    shapes = [
        line(dash="dot", x0=span[0], x1=span[1], y0=mean, y1=mean),
        line(dash="dot", x0=span[0], x1=span[1], y0=information, y1=information, yref="y2"),
        limit | {"line": {"dash": "dash", "width": 1.6, "color": coloured(2)}},
    ]
    layout = common(
        POSITIONS, showlegend=False, dragmode=False, bargap=0.1, shapes=shapes,
        margin={"l": 56, "r": 14, "t": 28, "b": 38},
        xaxis=axis("position in the sequence", range=list(span), anchor="y2"),
        yaxis=axis("share", domain=[0.58, 1], tickformat=".2~%", rangemode="tozero", nticks=5),
        yaxis2=axis("nats", domain=[0, 0.4], anchor="x", nticks=5, range=[0, top]),
        annotations=[
            heading("Share of sequences in which it fires",
                    f"dotted: mean {mean:.3%}; n = {_sequences(found)} sequences a position", 1.01,
                    left=56),
            heading("What the position tells", note + cut, 0.41, left=56),
        ],
    )  # fmt: skip
    return {"data": traces, "layout": layout}


def _sequences(found: Profile) -> str:
    """How many sequences have an ordinary token at a position, e.g. "312" or "298 to 312"."""
    return between(found.n_sequences.tolist())


def position_table(found: Profile) -> pd.DataFrame:
    """By position: sequences, share, nats."""
    return pd.DataFrame(
        {
            "position": found.position,
            "sequences": found.n_sequences,
            "share": np.round(found.share, 7),
            "nats": np.round(found.term, 7),
        }
    )

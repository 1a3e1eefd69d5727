"""Scores of interventions by KL: every feature and every baseline a point, pooled means on top.

In: pooled figures. Out: a plain figure. A group of strips a KL; the ablation, which aims at no KL,
stands in the last group. Points are spread sideways by their rank, so that none hides another.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from core.intervening.pooled import WORDS, Arm, Target
from dashboard.charts.parts import (
    NEUTRAL,
    Figure,
    axis,
    coloured,
    common,
    heading,
    legend_above,
    line,
    whiskers,
)

HEIGHT = 360  # pixels
ARMS = ("feature", "random-sae", "shuffled", "ablation")
COLOURS = {"feature": coloured(1), "random-sae": NEUTRAL, "shuffled": coloured(2),
           "ablation": coloured(3)}  # fmt: skip
SYMBOLS = {"feature": "circle", "random-sae": "square", "shuffled": "diamond",
           "ablation": "cross"}  # fmt: skip
STEP, SPREAD = 0.24, 0.075  # of the distance between two KL


def interventions_figure(targets: Sequence[Target]) -> Figure:
    """Strips of all arms at all targets."""
    traces: list[dict[str, Any]] = []
    for name in ARMS:
        found = _places(targets, name)
        if found:
            traces += [_points(name, found), _means(name, found)]
    ticks = [_tick(target) for target in targets]
    if any("ablation" in target.arms for target in targets):
        ticks.append(_ablation_tick(targets[-1].arms["ablation"]))
    n = sum(len(arm.values) for target in targets for key, arm in target.arms.items()
            if key != "ablation")  # fmt: skip
    layout = common(
        HEIGHT,
        xaxis=axis("KL of the next token, nats; below it, how many of each kind", showgrid=False,
                   tickvals=list(range(len(ticks))), ticktext=ticks,
                   range=[-0.55, len(ticks) - 0.45]),
        yaxis=axis("score, nats"),
        margin={"l": 50, "r": 8, "t": 58, "b": 62},
        annotations=[heading("Scores by KL", f"n = {n:,} scores; bars: mean with its 95 % "
                             "interval over features", 1.1, left=50)],
        shapes=[line(dash="dash", x0=0, x1=1, xref="paper", y0=0, y1=0)],
        legend=legend_above(1.0),
        dragmode=False,
    )  # fmt: skip
    return {"data": traces, "layout": layout}


def _places(targets: Sequence[Target], name: str) -> list[tuple[float, Arm]]:
    """Where each strip of an arm stands."""
    if name == "ablation":
        found = next((t.arms[name] for t in reversed(targets) if name in t.arms), None)
        return [] if found is None else [(float(len(targets)), found)]
    shift = (ARMS.index(name) - 1) * STEP
    return [(k + shift, t.arms[name]) for k, t in enumerate(targets) if name in t.arms]


def _points(name: str, found: Sequence[tuple[float, Arm]]) -> dict[str, Any]:
    xs, ys, numbers = [], [], []
    for at, arm in found:
        spread = SPREAD * np.sin(2.4 * np.arange(len(arm.values)))
        xs += (at + spread).round(3).tolist()
        ys += arm.values.round(4).tolist()
        numbers += arm.features.tolist()
    said = "random direction" if name == "random-sae" else "#"
    return {
        "type": "scatter", "mode": "markers", "name": WORDS[name], "x": xs, "y": ys,
        "customdata": [[name, number] for number in numbers], "legendgroup": name,
        "marker": {"size": 5, "opacity": 0.5, "color": COLOURS[name], "symbol": SYMBOLS[name]},
        "hovertemplate": f"{said}%{{customdata[1]}}: %{{y:.3f}} nats<extra></extra>",
    }  # fmt: skip


def _means(name: str, found: Sequence[tuple[float, Arm]]) -> dict[str, Any]:
    known = [(at, arm) for at, arm in found if arm.mean is not None]
    return {
        "type": "scatter", "mode": "markers", "name": f"mean of {WORDS[name]}",
        "x": [round(at + 0.1, 3) for at, _ in known],
        "y": [round(arm.mean.value, 4) for _, arm in known if arm.mean],
        "error_y": whiskers((arm.mean for _, arm in known), color=COLOURS[name]),
        "marker": {"size": 9, "color": COLOURS[name], "symbol": f"{SYMBOLS[name]}-open",
                   "line": {"width": 2}},
        "legendgroup": name, "showlegend": False,
        "hovertemplate": "mean %{y:.3f} nats<extra></extra>",
    }  # fmt: skip


def _tick(target: Target) -> str:
    counts = " · ".join(
        f"{len(target.arms[name].values)}" for name in ARMS[:3] if name in target.arms
    )
    return f"{target.target:g}<br>{counts}"


def _ablation_tick(arm: Arm) -> str:
    kl = "–" if arm.kl is None else f"{arm.kl:.2g}"
    return f"ablation, KL {kl}<br>{len(arm.values)}"


def interventions_table(targets: Sequence[Target]) -> pd.DataFrame:
    """What the figure draws."""
    return pd.DataFrame(
        [
            {"kl_target": target.target if name != "ablation" else None, "arm": name,
             "feature": feature, "score_nats": value}
            for k, target in enumerate(targets)
            for name, arm in target.arms.items()
            if name != "ablation" or k == 0
            for feature, value in zip(arm.features.tolist(), arm.values.tolist(), strict=True)
        ],
        columns=["kl_target", "arm", "feature", "score_nats"],
    )  # fmt: skip

"""Two subjects as figures: features that differ, reactions to pairs, noise; no Streamlit.

Differences are second minus first. Confirmed features are squares in the theme's second colour, the
rest circles in grey.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from core.diffing.points import Curve
from dashboard.charts.pairs import FIRST, SECOND, drawn
from dashboard.charts.parts import (
    NEUTRAL,
    Figure,
    axis,
    common,
    heading,
    legend_above,
    line,
    whiskers,
)
from data.diffs import Figure as Measure

HEIGHT = 380  # pixels
PANELS = ([0, 0.46], [0.56, 1])  # of the width
MOST = 4_000  # points that are not confirmed; those that are, are all drawn
DEEPEST = 30.0  # -log10 p beyond which all points lie on one line
UNITS = {"mean": "activation a token", "rate": "share of tokens"}
SIDES = {1: "first", 2: "second", 3: "second − first"}
DASH = {"noise": "solid", "feature": "dash", "random": "dot"}
MARK = {1: "circle", 2: "square", 3: "diamond"}


def diff_figure(rows: pd.DataFrame, figure: Measure, level: float) -> Figure:
    """Left how sure and how large, right second against first; customdata is the feature."""
    alive = rows.take(np.flatnonzero(np.isfinite(_column(rows, f"{figure}_p"))))
    sure = _column(alive, f"{figure}_held") <= level
    others = np.flatnonzero(~sure)
    rest = alive.take(others[drawn(len(others), MOST)])
    groups = (
        ("not confirmed", rest, NEUTRAL, "circle"),
        ("confirmed", alive.take(np.flatnonzero(sure)), SECOND, "square"),
    )
    traces = [
        trace for name, part, colour, symbol in groups
        for trace in (_volcano(part, figure, name, colour, symbol),
                      _against(part, figure, name, colour, symbol))
    ]  # fmt: skip
    some = f"n = {len(alive):,} features that fire"
    if len(rest) < len(others):
        some = f"{len(rest) + int(sure.sum()):,} drawn of {len(alive):,}"
    lowest, highest = _ends(alive, figure)
    ticks = {"exponentformat": "power"} | ({"dtick": 1} if highest - lowest > 1.5 else {})
    return {
        "data": traces,
        "layout": common(HEIGHT, margin={"l": 58, "r": 8, "t": 46, "b": 44}) | {
            "xaxis": axis(f"difference, {UNITS[figure]} (held-out sequences)", domain=PANELS[0]),
            "yaxis": axis(f"−log₁₀ p on the half that chooses, {DEEPEST:g} = or more",
                          rangemode="tozero"),
            "xaxis2": axis(f"first, {UNITS[figure]}", domain=PANELS[1], type="log",
                           anchor="y2", range=[lowest, highest], **ticks),
            "yaxis2": axis(f"second, {UNITS[figure]}", type="log", anchor="x2",
                           range=[lowest, highest], **ticks),
            "legend": legend_above(1.06, x=0.2, traceorder="normal"),
            "clickmode": "event+select",
            "annotations": [
                heading("Differences", some, 1.02, left=58),
                heading("Second against first", "log scales; silent in one: at the edge", 1.02,
                        PANELS[1][0]),
            ],
            "shapes": [
                line(x0=0, x1=0, y0=0, y1=1, xref="x", yref="y domain", dash="dash"),
                line(x0=10.0**lowest, x1=10.0**highest, y0=10.0**lowest, y1=10.0**highest,
                     xref="x2", yref="y2", dash="dash"),
            ],
        },
    }  # fmt: skip


def _ends(rows: pd.DataFrame, figure: Measure) -> tuple[float, float]:
    """Powers of ten that hold both subjects' figures, silence at the lower one."""
    both = np.concatenate([_column(rows, f"{side}_{figure}") for side in ("first", "second")])
    both = both[both > 0]
    if not len(both):
        return -1.0, 0.0
    low, high = np.log10(both.min()), np.log10(both.max())
    room = 0.05 * max(high - low, 0.5)
    return float(low - 2 * room), float(high + room)


def _volcano(part: pd.DataFrame, figure: Measure, name: str, colour: str, symbol: str) -> dict:
    return _dots(part, name, colour, symbol) | {
        "x": part[figure].tolist(), 
        "y": depth(_column(part, f"{figure}_p")).round(3).tolist(),
        "hovertemplate": "#%{customdata}: %{x:+.3g}%{text}<extra></extra>",
        "text": _hover(part, figure),
    }  # fmt: skip


def _against(part: pd.DataFrame, figure: Measure, name: str, colour: str, symbol: str) -> dict:
    first, second = (_column(part, f"{side}_{figure}") for side in ("first", "second"))
    least = min((x[x > 0].min() for x in (first, second) if (x > 0).any()), default=1.0)
    return _dots(part, name, colour, symbol) | {
        "x": np.maximum(first, least * 0.7).tolist(),
        "y": np.maximum(second, least * 0.7).tolist(), "xaxis": "x2", "yaxis": "y2",
        "showlegend": False, "text": _hover(part, figure),
        "hovertemplate": "#%{customdata}: %{x:.3g} → %{y:.3g}%{text}<extra></extra>",
    }  # fmt: skip


def _dots(part: pd.DataFrame, name: str, colour: str, symbol: str) -> dict:
    return {
        "type": "scatter", "mode": "markers", "name": f"{name} ({len(part):,})",
        "customdata": part["feature"].tolist(),
        "marker": {"color": colour, "symbol": symbol, "size": 5.5, "opacity": 0.6},
    }  # fmt: skip


def _hover(part: pd.DataFrame, figure: Measure) -> list[str]:
    return [f", p {p:.2g}, AUROC {a:.2f}" for p, a in zip(part[f"{figure}_p"], part["auroc"],
                                                        strict=True)]  # fmt: skip


def depth(p: np.ndarray) -> np.ndarray:
    """-log10 of p values, at most DEEPEST, so that a few sure features do not flatten the rest."""
    return np.minimum(-np.log10(np.maximum(p, 1e-300)), DEEPEST)


def _column(rows: pd.DataFrame, name: str) -> np.ndarray:
    return np.asarray(rows[name], np.float64)


def diff_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The numbers behind the figure."""
    return rows.drop(columns="explanation")


def reaction_figure(first: pd.DataFrame, second: pd.DataFrame | None, n_pairs: int) -> Figure:
    """One subject: reactions by certainty; two: the second's reaction against the first's."""
    if second is None:
        x, y = _column(first, "difference"), depth(_column(first, "p"))
        titles = "text a minus text b, activation a token", "−log₁₀ p"
    else:
        joined = first.merge(second, on="feature", suffixes=("", "_second"))
        first, x = joined, _column(joined, "difference")
        y = _column(joined, "difference_second")
        titles = "a minus b in the first subject", "a minus b in the second subject"
    reach = float(np.abs(np.concatenate([x, y])).max(initial=0)) * 1.05 or 1.0
    diagonal = line(x0=-reach, x1=reach, y0=-reach, y1=reach, xref="x", yref="y", dash="dash")
    return {
        "data": [{
            "type": "scatter", "mode": "markers", "x": x.tolist(), "y": np.round(y, 6).tolist(),
            "customdata": first["feature"].tolist(), "showlegend": False,
            "marker": {"color": FIRST, "size": 6, "opacity": 0.6},
            "hovertemplate": "#%{customdata}: %{x:+.3g}, %{y:.3g}<extra></extra>",
        }],
        "layout": common(330, margin={"l": 56, "r": 8, "t": 30, "b": 44}) | {
            "xaxis": axis(titles[0]), "yaxis": axis(titles[1]),
            "shapes": [diagonal] * (second is not None),
            "clickmode": "event+select",
            "annotations": [heading("Reactions", f"n = {len(first):,} features, {n_pairs} pairs; "
                                    + ("dashed: both react alike" if second is not None else
                                       "sign-flip test over pairs"), 1.02, left=56)],
        },
    }  # fmt: skip


def noise_figure(kl: Sequence[Curve], target: Sequence[Curve], n: int) -> Figure:
    """KL by strength; right the change of the target's log-probability, else the difference."""
    right = list(target) or [one for one in kl if one.side == 3]
    left = [one for one in kl if one.side < 3]
    panels = PANELS if right else ([0, 1], [0, 1])
    annotations = [heading("KL(clean || changed)", f"nats, next token; n = {n} prompts, "
                           "95 % intervals", 1.02, left=52)]  # fmt: skip
    layout = common(HEIGHT, margin={"l": 52, "r": 8, "t": 58, "b": 44}) | {
        "xaxis": axis("strength, mean lengths of the vectors there", domain=panels[0]),
        "yaxis": axis("nats", rangemode="tozero"),
        "legend": legend_above(1.09, traceorder="normal"),
    }
    if right:
        title = ("Target text", "change of its log-probability, nats") if target else (
            "Difference of KL", "second minus first, paired by prompt")  # fmt: skip
        annotations.append(heading(*title, 1.02, panels[1][0]))
        layout |= {
            "xaxis2": axis("strength", domain=panels[1], anchor="y2"),
            "yaxis2": axis("nats", anchor="x2"),
        }
    traces = [_curve(one, "") for one in left] + [_curve(one, "2", shown=False) for one in right]
    return {"data": traces, "layout": layout | {"annotations": annotations}}


def _curve(one: Curve, panel: str, *, shown: bool = True) -> dict:
    found = [(s, m) for s, m in zip(one.strengths, one.means, strict=True) if m is not None]
    colour = {1: FIRST, 2: SECOND}.get(one.side, NEUTRAL)
    name = f"{SIDES[one.side]}, {one.direction}"
    return {
        "type": "scatter", "mode": "lines+markers", "name": name, "legendgroup": name,
        "showlegend": shown, "x": [s for s, _ in found], "y": [m.value for _, m in found],
        "xaxis": f"x{panel}", "yaxis": f"y{panel}",
        "line": {"color": colour, "dash": DASH[one.direction], "width": 1.6},
        "marker": {"color": colour, "symbol": MARK[one.side], "size": 6},
        "error_y": whiskers((m for _, m in found), thickness=1.2),
        "hovertemplate": f"{name} × %{{x:g}}: %{{y:.4g}}<extra></extra>",
    }  # fmt: skip


def noise_table(kl: Sequence[Curve], target: Sequence[Curve]) -> pd.DataFrame:
    """One row a point of either panel."""
    rows = [
        {"what": what, "subject": SIDES[one.side], "direction": one.direction, "strength": strength,
         "mean_nats": mean.value, "low": mean.low, "high": mean.high, "n": mean.n,
         "failed": mean.failed}
        for what, every in (("kl", kl), ("target_change", target))
        for one in every
        for strength, mean in zip(one.strengths, one.means, strict=True) if mean is not None
    ]  # fmt: skip
    return pd.DataFrame(rows)

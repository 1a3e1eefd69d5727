"""Two more figures of the post: outcomes by how strong a context is, and how scorers agree.

Outcomes are stacked bars, one trace an outcome over all settings, because the theme colours traces
by their order; a pattern beside the colour tells them apart. Knows nothing of Streamlit.
"""

import html
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from core.figures.correlation import Cell, Matrix
from core.figures.intervals import OUTCOMES, Picture
from dashboard.charts.parts import INK, Figure, axis, common, heading, legend_above, short
from data.percents import percent
from data.run_figures import INTERVALS

HEIGHT = 340  # pixels
WIDE = INTERVALS + 3  # bars from one setting's panel to the next: a gap, the silent bar, a gap
SILENT = INTERVALS + 0.9  # where the silent bar stands
# Trace order gives the colours: blue for detection and orange for fuzzing as everywhere else,
# green and mauve for both and neither. Bars stack in the order of LAYERS.
TRACES = (1, 2, 0, 3)  # index into OUTCOMES
LAYERS = (0, 1, 2, 3)
LETTERS_WIDE = 108  # letters of the titles of all panels, on a page of 1024 pixels
PART = 28  # letters of a line of a scorer's name
PATTERNS = {0: "", 1: "/", 2: "\\", 3: "x"}


class Panel(NamedTuple):
    """One setting's picture."""

    name: str
    picture: Picture


def outcome_figure(panels: Sequence[Panel], *, shares: bool) -> Figure:
    """Contexts by interval of their peak; shares: of each interval, in place of counts."""
    traces = [_bars(outcome, panels, shares) for outcome in TRACES]
    width = LETTERS_WIDE // len(panels)
    titles = [
        heading(
            html.escape(short(panel.name, width)),
            f"n = {panel.picture.counts.sum():,}",
            1.1,
            left=52,
        )
        | _place(k)
        for k, panel in enumerate(panels)
    ]
    return {
        "data": traces,
        "layout": common(HEIGHT, margin={"l": 52, "r": 4, "t": 58, "b": 46}, barmode="overlay",
                         bargap=0.12)
        | {
            "xaxis": axis("peak of the context ÷ largest activation of the feature, "
                          f"{INTERVALS} equal intervals{'; none: silent' if shares else ''}",
                          showgrid=False, tickangle=0, range=[-0.6, WIDE * len(panels) - 1.2],
                          **_ticks(panels, shares)),
            "yaxis": axis("share of contexts" if shares else "contexts", rangemode="tozero",
                          tickformat=".1f" if shares else ",d"),
            "legend": legend_above(1.0, traceorder="normal"),
            "annotations": titles,
        },
    }  # fmt: skip


def _place(k: int) -> dict[str, Any]:
    return {} if not k else {"x": WIDE * k - 0.5, "xref": "x", "xshift": 0}


def beside(panels: Sequence[Panel]) -> str:
    """What the bars do not show: silent contexts, failures, contexts that only one judged."""
    counts = {
        "without a usable verdict of both": sum(p.picture.failed for p in panels),
        "judged by one scorer only": sum(p.picture.alone for p in panels),
        "without activations": sum(p.picture.unknown for p in panels),
    }
    words = [f"{n:,} {what}" for what, n in counts.items() if n]
    silent = sum((p.picture.silent for p in panels), np.zeros(len(OUTCOMES), np.int64))
    shares = ", ".join(
        f"{name} {percent(n / max(silent.sum(), 1))}"
        for name, n in zip(OUTCOMES, silent, strict=True)
    )
    said = f"Silent contexts judged by both, n = {silent.sum():,}: {shares}. " * bool(silent.sum())
    return said + (f"Left out: {', '.join(words)}." if words else "No context is left out.")


def _ticks(panels: Sequence[Panel], shares: bool) -> dict[str, Any]:
    values, names = [], []
    for k in range(len(panels)):
        for share in (0.0, 0.5, 1.0)[: 3 if len(panels) < 3 or not shares else 2]:
            values.append(WIDE * k - 0.5 + share * INTERVALS)
            names.append(f"{share:g}")
        if shares:
            values.append(WIDE * k + SILENT)
            names.append("none")
    return {"tickvals": values, "ticktext": names}


def _bars(outcome: int, panels: Sequence[Panel], shares: bool) -> dict[str, Any]:
    x, y, base, hover = [], [], [], []
    for k, panel in enumerate(panels):
        counts = panel.picture.counts  # [interval, outcome]
        if shares:  # counts of silent contexts would dwarf the others
            counts = np.vstack([counts, panel.picture.silent])
        whole = counts.sum(axis=1)
        scale = np.maximum(whole, 1) if shares else np.ones_like(whole)
        below = counts[:, LAYERS[: LAYERS.index(outcome)]].sum(axis=1)
        x += [WIDE * k + (i if i < INTERVALS else SILENT) for i in range(len(counts))]
        y += (counts[:, outcome] / scale).round(4).tolist()
        base += (below / scale).round(4).tolist()
        hover += [
            [_interval_words(i), f"{n:,}", percent(n / max(all_, 1))]
            for i, (n, all_) in enumerate(zip(counts[:, outcome], whole, strict=True))
        ]
    return {
        "type": "bar",
        "name": OUTCOMES[outcome].capitalize(),
        "x": x, "y": y, "base": base, "customdata": hover,
        "marker": {"pattern": {"shape": PATTERNS[outcome], "size": 5, "solidity": 0.25}},
        "legendrank": 1000 + LAYERS.index(outcome),
        "hovertemplate": "%{customdata[0]}: %{customdata[1]} (%{customdata[2]})",
    }  # fmt: skip


def _interval_words(i: int) -> str:
    if i == INTERVALS:
        return "silent contexts"
    return f"{i / INTERVALS:.2f}–{(i + 1) / INTERVALS:.2f} of the maximum"


def outcome_table(panels: Sequence[Panel]) -> pd.DataFrame:
    """The numbers of the figure."""
    return pd.DataFrame(
        [
            {"setting": panel.name, "interval": _interval_words(i),
             **{name: int(n) for name, n in zip(OUTCOMES, counts, strict=True)}}
            for panel in panels
            for i, counts in enumerate([*panel.picture.counts, panel.picture.silent])
        ]
    )  # fmt: skip


def correlation_figure(found: Matrix) -> Figure:
    """Pearson left, Spearman right; every cell says its number and n."""
    n = len(found.names)
    written, below = _scorer_names(found.names)
    left = 24 + 6 * max((len(part) for name in written for part in name.split("<br>")), default=0)
    panels = {
        "Pearson": [[c.pearson and c.pearson.value for c in row] for row in found.cells],
        "Spearman": [[c.spearman for c in row] for row in found.cells],
    }
    layout: dict[str, Any] = common(150 + 62 * n, margin={"l": left, "r": 4, "t": 34, "b": 46})
    notes, data = [], []
    for k, (name, values) in enumerate(panels.items()):
        low, high = (0.0, 0.44) if k == 0 else (0.56, 1.0)
        x, y = ("x", "y") if k == 0 else ("x2", "y2")
        data.append(_heat(found, values, x, y))
        place, beside = ("", written) if k == 0 else ("2", below)
        ticks = {"tickvals": list(range(n)), "showgrid": False}
        layout[f"xaxis{place}"] = axis("", domain=[low, high], anchor=y, tickangle=0,
                                       range=[-0.5, n - 0.5], ticktext=below, **ticks)  # fmt: skip
        layout[f"yaxis{place}"] = axis("", anchor=x, range=[n - 0.5, -0.5], ticktext=beside,
                                       **ticks)  # fmt: skip
        title = heading(f"{name} correlation", "of scores over features", 1.02, low)
        notes.append(title | {"xshift": 0})
        notes += _cell_texts(found, values, x, y)
    return {"data": data, "layout": layout | {"annotations": notes, "plot_bgcolor": "#8A94A333"}}


def _scorer_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names at the far left, and what stands for them elsewhere: numbers, where they have parts.

    >>> _scorer_names(["exact", "detection · meta/Llama-3 · gloss"])
    (['1 exact', '2 detection<br>Llama-3<br>gloss'], ['1', '2'])
    """
    lines = [
        "<br>".join(html.escape(short(part.rpartition("/")[2], PART)) for part in name.split(" · "))
        for name in names
    ]
    if not any(" · " in name for name in names):
        return lines, lines
    numbers = [str(k + 1) for k in range(len(names))]
    return [f"{k} {line}" for k, line in zip(numbers, lines, strict=True)], numbers


def _heat(
    found: Matrix, values: Sequence[Sequence[float | None]], x: str, y: str
) -> dict[str, Any]:
    hover = [
        [_cell_hover(found, i, j) for j in range(len(found.names))] for i in range(len(found.names))
    ]
    return {
        "type": "heatmap", "xaxis": x, "yaxis": y, "z": values, "zmin": -1, "zmax": 1,
        "colorscale": [[0, "rgba(213,94,0,.75)"], [0.5, "rgba(128,128,128,.06)"],
                       [1, "rgba(0,114,178,.75)"]],
        "showscale": False, "xgap": 2, "ygap": 2, "hoverongaps": True,
        "customdata": hover, "hovertemplate": "%{customdata}<extra></extra>",
    }  # fmt: skip


def _cell_texts(
    found: Matrix, values: Sequence[Sequence[float | None]], x: str, y: str
) -> list[dict[str, Any]]:
    """Number and n as annotations, whose ink follows light and dark; a cell's own text does not."""
    return [
        {
            "text": f'<b style="color:{INK}">{_two(values[i][j])}</b><br>'
            f'<span style="color:{INK};font-size:11px">n {cell.n:,}</span>',
            "x": j, "y": i, "xref": x, "yref": y, "showarrow": False, "font": {"size": 13},
        }
        for i, row in enumerate(found.cells)
        for j, cell in enumerate(row)
    ]  # fmt: skip


def _two(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def _cell_hover(found: Matrix, i: int, j: int) -> str:
    cell = found.cells[i][j]
    pair = html.escape(f"{found.names[i]} and {found.names[j]}")
    if cell.pearson is None:
        return f"{pair}: undefined over {cell.n:,} features"
    r = cell.pearson
    return (f"{pair}: Pearson {_two(r.value)} [{_two(r.low)}, {_two(r.high)}], Spearman "
            f"{_two(cell.spearman)}, {cell.n:,} features")  # fmt: skip


def correlation_table(found: Matrix, setting: str) -> pd.DataFrame:
    """One row a pair of scorers; setting: whose explanations they scored."""
    rows = []
    for i, first in enumerate(found.names):
        for j, second in enumerate(found.names[:i]):
            cell: Cell = found.cells[i][j]
            r = cell.pearson
            rows.append({"setting": setting, "first": first, "second": second, "n": cell.n,
                         "pearson": r and r.value, "low": r and r.low, "high": r and r.high,
                         "spearman": cell.spearman})  # fmt: skip
    return pd.DataFrame(rows)

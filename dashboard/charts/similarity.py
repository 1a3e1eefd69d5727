"""The map of similarities: a cell for every two hookpoints; dicts for plotly, no Streamlit."""

import html
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from core.likeness.words import counts, figures
from dashboard.charts.parts import INK, Figure, axis, common, heading
from data.catalogue import Row

WRITTEN = 12  # rows or columns up to which every cell says its number
COUNTED = 8  # and its n
CELL, SMALL = 58, 24  # pixels of a row, with and without numbers
TITLE = 22  # pixels of an axis's title
ROOM = 440  # pixels that the names of columns share
RAMP = [[0, "rgba(0,114,178,.05)"], [1, "rgba(0,114,178,.80)"]]
DIVERGING = [[0, "rgba(213,94,0,.75)"], [0.5, "rgba(128,128,128,.06)"],
             [1, "rgba(0,114,178,.75)"]]  # fmt: skip


class Map(NamedTuple):
    """What is drawn: rows of hookpoints against columns of hookpoints."""

    measure: str
    rows: Sequence[str]
    columns: Sequence[str]
    cells: dict[tuple[int, int], Row]  # by row and column; what was not compared is not there
    above: bool  # draw the difference to chance instead of the similarity itself
    of: tuple[str, str] = ("", "")  # caches of the rows and of the columns, where they are two

    @property
    def full(self) -> tuple[list[str], list[str]]:
        """Rows and columns with the cache before the hookpoint, where there are two."""
        rows, columns = (
            [f"{cache}:{name}" if cache else name for name in names]
            for cache, names in zip(self.of, (self.rows, self.columns), strict=True)
        )
        return rows, columns


def value_of(cell: Row, *, above: bool) -> float | None:
    """The number of a cell: its mean similarity, or how far that is above chance."""
    if cell["value"] is None or (above and cell["baseline"] is None):
        return None
    return cell["value"] - cell["baseline"] if above else cell["value"]


def similarity_figure(drawn: Map, chosen: tuple[int, int] | None) -> Figure:
    """Rows below each other as in the cache; empty cells are grey; the chosen one has a frame."""
    n, m = len(drawn.rows), len(drawn.columns)
    values: list[list[float | None]] = [[None] * m for _ in range(n)]
    hover = [["not compared"] * m for _ in range(n)]
    custom = [[-1] * m for _ in range(n)]
    rows, columns = drawn.full
    for (i, j), cell in drawn.cells.items():
        values[i][j] = value_of(cell, above=drawn.above)
        hover[i][j] = html.escape(f"{rows[i]} with {columns[j]}: {figures(cell)}; "
                                  f"{counts(cell)}")  # fmt: skip
        custom[i][j] = i * m + j
    longest = max((len(name) for name in drawn.rows), default=0)
    left = min(260, 20 + 7 * longest) + TITLE * bool(drawn.of[0])
    below, tilt = _names_below(drawn.columns)
    titles = [html.escape(f"cache {cache}") if cache else "" for cache in drawn.of]
    layout = common(
        34 + (CELL if n <= WRITTEN else SMALL) * n + below + TITLE * bool(drawn.of[1]),
        margin={"l": left, "r": 8, "t": 34, "b": below + TITLE * bool(drawn.of[1])},
        plot_bgcolor="#8A94A333",
        annotations=[heading(*_title(drawn), 1.0, left=left), *_texts(drawn)],
        shapes=_frame(chosen),
        xaxis=axis(titles[1], tickvals=list(range(m)), ticktext=_names(drawn.columns),
                   showgrid=False, range=[-0.5, m - 0.5], tickangle=tilt),
        yaxis=axis(titles[0], tickvals=list(range(n)), ticktext=_names(drawn.rows),
                   showgrid=False, range=[n - 0.5, -0.5]),
    )  # fmt: skip
    ends = _ends(values, above=drawn.above)
    trace = {
        "type": "heatmap", "z": values, "zmin": ends[0], "zmax": ends[1], "showscale": False,
        "colorscale": DIVERGING if drawn.above else RAMP, "xgap": 2, "ygap": 2,
        "text": hover, "customdata": custom, "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip
    # A heat map gives no clicks: transparent marks above it do.
    places = list(drawn.cells)
    marks = {
        "type": "scatter", "mode": "markers", "x": [j for _, j in places],
        "y": [i for i, _ in places], "customdata": [i * m + j for i, j in places],
        "text": [hover[i][j] for i, j in places], "hovertemplate": "%{text}<extra></extra>",
        "marker": {"size": (CELL if n <= WRITTEN else SMALL) - 6, "opacity": 0, "symbol": "square"},
        "showlegend": False,
    }  # fmt: skip
    return {"data": [trace, marks], "layout": layout}


TITLES = {
    "decoder": ("Decoder directions", "cosine"),
    "explanations": ("Explanations", "cosine"),
    "co-firing": ("Firing together", "Jaccard"),
}


def _title(drawn: Map) -> tuple[str, str]:
    title, unit = TITLES[drawn.measure]
    what = f"mean {unit} above chance" if drawn.above else f"mean {unit} of pairs"
    pairs = [cell["n_pairs"] for cell in drawn.cells.values()]
    if not pairs:
        return title, what
    n = f"{min(pairs):,}" if min(pairs) == max(pairs) else f"{min(pairs):,} to {max(pairs):,}"
    return title, f"{what}, n {n} a cell"


def _names_below(names: Sequence[str]) -> tuple[int, int]:
    """Pixels below the map for the names of its columns, and their angle: tilted if they are long.

    >>> _names_below(["layers.0", "layers.1"])
    (30, 0)
    """
    longest = max((len(name) for name in names), default=0)
    if 6 * longest * len(names) <= ROOM:
        return 30, 0
    return min(200, 24 + 5 * longest), 45


def _names(names: Sequence[str]) -> list[str]:
    return [html.escape(name) for name in names]


def _ends(values: Sequence[Sequence[float | None]], *, above: bool) -> tuple[float, float]:
    """The ends of the colours: 0 to 1, or as far to either side as any cell is."""
    if not above:
        return 0.0, 1.0
    largest = max((abs(v) for row in values for v in row if v is not None), default=0.0)
    return -max(largest, 0.05), max(largest, 0.05)


def _texts(drawn: Map) -> list[dict[str, object]]:
    """Numbers as annotations, whose ink follows light and dark; a cell's own text does not."""
    n, m = len(drawn.rows), len(drawn.columns)
    if max(n, m) > WRITTEN:
        return []
    out = []
    for (i, j), cell in drawn.cells.items():
        value = value_of(cell, above=drawn.above)
        said = "–" if value is None else f"{value:{'+' if drawn.above else ''}.2f}"
        text = f'<b style="color:{INK}">{said.replace("-", "−")}</b>'
        if max(n, m) <= COUNTED:
            text += f'<br><span style="color:{INK};font-size:11px">n {cell["n_pairs"]:,}</span>'
        out.append({"text": text, "x": j, "y": i, "showarrow": False, "font": {"size": 13},
                    "captureevents": False})  # fmt: skip
    return out


def _frame(chosen: tuple[int, int] | None) -> list[dict[str, object]]:
    if chosen is None:
        return []
    i, j = chosen
    return [{"type": "rect", "x0": j - 0.5, "x1": j + 0.5, "y0": i - 0.5, "y1": i + 0.5,
             "line": {"width": 2, "color": "#8A94A3"}}]  # fmt: skip


def similarity_table(drawn: Map) -> pd.DataFrame:
    """The numbers of the map, a row a comparison."""
    rows, columns = drawn.full
    return pd.DataFrame(
        [
            {"measure": drawn.measure, "first": rows[i], "second": columns[j],
             "similarity": cell["value"], "by_chance": cell["baseline"],
             "difference": value_of(cell, above=True), "low": cell["low"], "high": cell["high"],
             "pairs": cell["n_pairs"], "features_first": cell["n_first"],
             "features_second": cell["n_second"], "method": cell["method"],
             "shared": cell["n_shared"]}
            for (i, j), cell in sorted(drawn.cells.items())
        ]
    )  # fmt: skip

"""What figures are made of: axes in small type, panel titles, helper lines, whiskers, ticks."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

INK, GREY = "light-dark(#1B2230,#E4E8EE)", "light-dark(#5B6675,#98A3B3)"  # text in spans only
LEFT = 46  # pixels of a figure's left margin, for ticks and the title of the axis
INSET = 2  # pixels that Plotly keeps free around an annotation
NEUTRAL = "#8A94A3"  # marks take no light-dark(): one grey that reads on both backgrounds
Figure = dict[str, Any]  # {"data": traces, "layout": layout}


def coloured(place: int) -> str:
    """The theme's colour of charts at a place from 1, which component/chart.js fills in."""
    return f"var(--chart-{place})"


class Span(Protocol):
    """A number with its interval; None at an end that is not known."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


def common(height: int, **settings: object) -> dict[str, Any]:
    """The layout that all figures share; height in pixels."""
    return {
        "height": height,
        "margin": {"l": LEFT, "r": 4, "t": 28, "b": 38},
        "bargap": 0.06,
        "hoverlabel": {"font": {"size": 12}},
    } | settings


def axis(title: str, **settings: object) -> dict[str, Any]:
    """An axis in small type."""
    small = {"size": 11}
    return {
        "title": {"text": title, "font": small, "standoff": 4},
        "tickfont": small,
        "ticklabelstandoff": 3,  # else the zeros of both axes meet in the corner
        "zeroline": False,
        "automargin": False,
    } | settings


def share_axis(title: str = "share right, dashed = chance", **settings: object) -> dict[str, Any]:
    """From 0 to 1 in every figure, with room for half a dot at both ends."""
    return axis(title, range=[-0.03, 1.03], dtick=0.2, tickformat=".1f", **settings)


def legend_above(y: float, **settings: object) -> dict[str, Any]:
    """A legend in one row on top of the panels that end at y (paper, 0..1)."""
    return {
        "orientation": "h", "x": 0, "y": y, "yanchor": "bottom", "font": {"size": 11.5},
    } | settings  # fmt: skip


def heading(text: str, note: str, y: float, x: float = 0, *, left: int = LEFT) -> dict[str, Any]:
    """A panel's title with a muted note, at the left edge of the figure (x, y: paper, 0..1).

    left: the figure's left margin, pixels; the title stands under the headings of the page.
    """
    return {
        "text": f'<b style="color:{INK}">{text}</b>'
        f'<span style="color:{GREY};font-size:12px">  {note}</span>',
        "font": {"size": 13}, "showarrow": False,
        "align": "left",  # a picture has another font: the words must not grow to both sides
        "x": x, "xref": "paper", "xanchor": "left", "xshift": 0 if x else -left - INSET,
        "y": y, "yref": "paper", "yanchor": "bottom",
    }  # fmt: skip


def short(name: str, width: int) -> str:
    """A name in at most so many letters."""
    return name if len(name) <= width else name[: width - 1] + "…"


def between(sizes: Iterable[int]) -> str:
    """The smallest and the largest of some numbers, e.g. "312" or "298 to 5,634"; of none "0"."""
    found = set(sizes)
    low, high = min(found, default=0), max(found, default=0)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def line(*, dash: str, **place: float | str) -> dict[str, Any]:
    """A thin grey line, e.g. line(dash="dash", x0=0, x1=1, y0=0, y1=1)."""
    return {"type": "line", "line": {"dash": dash, "width": 1, "color": NEUTRAL}, **place}


def band(*, opacity: float, **place: object) -> dict[str, Any]:
    """A pale band from bottom to top, e.g. band(opacity=0.3, x0=1, x1=2, yref="y domain")."""
    return {"type": "rect", "y0": 0, "y1": 1, "line": {"width": 0}, "fillcolor": NEUTRAL,
            "opacity": opacity, **place}  # fmt: skip


def whiskers(spans: Iterable[Span | None], *, digits: int = 4, **settings: object) -> dict:
    """A trace's error bars, one a point: to both ends of its interval, none where it has none."""
    arms = [
        (_arm(one.value, one.high, digits), _arm(one.value, one.low, digits)) if one else (0.0, 0.0)
        for one in spans
    ]
    return {
        "type": "data", "symmetric": False, "thickness": 1.6, "width": 0,
        "array": [above for above, _ in arms], "arrayminus": [below for _, below in arms],
    } | settings  # fmt: skip


def _arm(value: float, end: float | None, digits: int) -> float:
    return 0.0 if end is None else round(abs(end - value), digits)


def log_ticks(counts: Sequence[int]) -> dict[str, Any]:
    """Range and ticks of a log axis: the powers of ten that the counts reach."""
    top = max(counts, default=0) or 1
    powers = [10**k for k in range(max(1, math.ceil(math.log10(top) + 0.1)) + 1)]
    lowest = min((n for n in counts if n), default=1)
    low = 0.7 if lowest >= 10 else -0.15
    shown = [p for p in powers if math.log10(p) >= low]
    high = max(math.log10(top) + 0.08, low + 0.6)
    return {"range": [low, high], "tickvals": shown, "ticktext": [f"{p:,}" for p in shown]}

"""A chart with what every chart has: a button for its picture and one for its numbers.

Drawn by a component of our own (component/chart.js), because Streamlit's takes a chart down and
makes it anew for every change: half of what a next feature costs the browser.
"""

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import plotly
import streamlit as st
from plotly.utils import PlotlyJSONEncoder

from dashboard.charts.parts import Figure
from dashboard.scripts import script, source

SCRIPT, SHEET = source("chart.js"), source("chart.css")
HEIGHT = 450  # pixels, of a figure that does not say


def show(figure: Figure, table: Callable[[], pd.DataFrame], *, key: str) -> None:
    """Draw a figure; table gives its numbers, and is only called when they are asked for."""
    _draw(figure, key)
    numbers(table, key=key)


def clickable(figure: Figure, table: Callable[[], pd.DataFrame], *, key: str) -> Any:
    """As `show`, and give the `customdata` of the point that was clicked just now, else None."""
    picked = _draw(figure, key)
    numbers(table, key=key)
    return picked


def clicked(key: str) -> Any:
    """The `customdata` of the point that was clicked just now, before the chart is drawn again."""
    return (st.session_state.get(key) or {}).get("clicked")


def numbers(table: Callable[[], pd.DataFrame], *, key: str) -> None:
    """The numbers behind a chart as CSV."""
    st.download_button("CSV of the chart", lambda: table().to_csv(index=False), f"{key}.csv",
                       "text/csv", key=f"{key}.csv", icon=":material/download:", type="tertiary",
                       on_click="ignore", help="The numbers of this chart.")  # fmt: skip


def sent(figure: Figure) -> dict[str, Any]:
    """A figure as the browser is given it: its JSON and its height, pixels."""
    text = json.dumps(figure, cls=PlotlyJSONEncoder, separators=(",", ":"))
    return {"figure": text, "height": figure["layout"].get("height", HEIGHT)}


def _draw(figure: Figure, key: str) -> Any:
    component = script("chart", SCRIPT, html="<div class=gloss-chart></div>", css=SHEET)
    data = sent(figure) | {"name": f"gloss-{key}", "version": plotly.__version__}
    return component(key=key, data=data, on_clicked_change=_nothing).clicked


def _nothing() -> None:
    """A click is read where the chart is drawn."""

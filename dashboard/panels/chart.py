"""A chart with what every chart has: a button for its picture and one for its numbers."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.charts.parts import Figure


def show(figure: Figure, table: Callable[[], pd.DataFrame], *, key: str) -> None:
    """Draw a figure; table gives its numbers, and is only called when they are asked for."""
    st.plotly_chart(figure, key=key, config=_config(key))
    numbers(table, key=key)


def clickable(figure: Figure, table: Callable[[], pd.DataFrame], *, key: str) -> Any:
    """As `show`, and give the `customdata` of the point that was clicked last, else None."""
    picked = st.plotly_chart(figure, key=key, config=_config(key), on_select="rerun",
                             selection_mode="points")  # fmt: skip
    numbers(table, key=key)
    points = picked["selection"]["points"]
    return points[0].get("customdata") if points else None


def numbers(table: Callable[[], pd.DataFrame], *, key: str) -> None:
    """The numbers behind a chart as CSV."""
    st.download_button("CSV of the chart", lambda: table().to_csv(index=False), f"{key}.csv",
                       "text/csv", key=f"{key}.csv", icon=":material/download:", type="tertiary",
                       on_click="ignore", help="The numbers of this chart.")  # fmt: skip


def _config(key: str) -> dict[str, Any]:
    return {
        "displaylogo": False,
        "displayModeBar": True,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {"format": "png", "scale": 2, "filename": f"gloss-{key}"},
    }

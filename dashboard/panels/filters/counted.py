"""How many features have each flag; every count leads to the list of them."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.drawing.cards import sentence
from core.drawing.spans import block, escape, heading
from core.filters.words import missing
from dashboard import session
from dashboard.charts.filters import counts_figure, counts_table
from dashboard.library import Place
from dashboard.panels import chart
from dashboard.panels.features import choice
from data.flags import RULES, Counts

ROW = 35  # pixels of a table row


def chart_of(place: Place, found: Sequence[Counts]) -> None:
    """All hookpoints of the cache; a click on a bar lists its features."""
    st.html(heading("Flags", f"cache {place.cache.name}; n at the end of a bar, click one to see "
                    "its features"))  # fmt: skip
    picked = chart.clickable(counts_figure(found), lambda: counts_table(found), key="filters-flags")
    if isinstance(picked, list) and 0 <= int(picked[0]) < len(found):
        here = {"cache": place.cache.name, "hookpoint": found[int(picked[0])].hookpoint}
        choice.list_only(here, flags=[str(picked[1])])


def table(place: Place, found: Counts) -> None:
    """Every flag of one hookpoint with its limit and where that comes from."""
    st.html(heading("Limits", f"{found.hookpoint}; click a row to see its features"))
    tallies = list(found.flags.values())
    shown = pd.DataFrame(
        {
            "Flag": [str(one.flag) for one in tallies],
            "Features": [one.n for one in tallies],
            "Of": [one.known for one in tallies],
            "Share, %": [100 * one.n / one.known if one.known else None for one in tallies],
            "When": [RULES[one.flag].words for one in tallies],
            "Source": [RULES[one.flag].source for one in tallies],
        }
    )
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    picked = st.dataframe(
        shown, key=f"filters.table.{found.hookpoint_id}", hide_index=True, on_select="rerun",
        selection_mode="single-cell", row_height=ROW, height=ROW * (len(shown) + 1) + 3,
        placeholder="–",
        column_config={
            "Flag": text(width=132), "Features": number(width=62, format="localized"),
            "Of": number(width=56, format="localized", help="features of which it can be said"),
            "Share, %": number(width=60, format="%.2f"), "When": text(width=420),
            "Source": text(width=236),
        },
    )  # fmt: skip
    cells = picked["selection"]["cells"]
    if cells and cells[0][0] < len(tallies):
        here = {"cache": place.cache.name, "hookpoint": found.hookpoint}
        choice.list_only(here, flags=[str(tallies[cells[0][0]].flag)])


def gaps(place: Place, found: Counts) -> None:
    """What was not measured, and why."""
    said = "; ".join(missing(found, place.cache.name))
    if said:
        st.html(block(f'<p class="mut">Not measured at {escape(found.hookpoint)}: '
                      f"{escape(said)}.</p>"))  # fmt: skip


def nothing(place: Place, words: list[str]) -> None:
    """The filters were not run on this cache."""
    if not place.cache.has_activations:
        st.html(sentence(f"Cache “{place.cache.name}” was imported without activations, so its "
                         "features cannot be filtered."))  # fmt: skip
        return
    st.html(sentence(f"The filters were not run on cache “{place.cache.name}” yet. They need no "
                     "model's answers, and a few seconds for a few thousand features:",
                     session.command(words)))  # fmt: skip

"""All runs, filtered and cut in SQL: fifty a page, newest first; a click opens one."""

import pandas as pd
import streamlit as st

from core.drawing.spans import block, heading, plain
from dashboard import session
from dashboard.commands import dollars, known, labels, took
from dashboard.run_words import MARKS, state
from dashboard.session import KEPT
from data import run_queries
from data.catalogue import Row
from data.run_queries import PAGE, Chosen, Page

ANY = {"stage": "Any stage", "status": "Any status", "of_cache": "Any cache"}
NUMBER, TABLE = "runs_page", "runs"
ROW, SEEN = 35, 14  # pixels of a row, rows seen at once


def table() -> None:
    """The filters, the runs that pass, and the other pages."""
    chosen = filters()
    found = session.library().ask(run_queries.page, chosen, _number())
    st.html(heading("All runs", _said(found)))
    if not found.total:
        st.html(block('<div class="say">No run passes this filter; choose “Any …” above.</div>'))
        return
    shown = readable(found.rows)
    st.dataframe(
        shown, key=TABLE, hide_index=True, selection_mode="single-cell", row_height=ROW,
        placeholder="–",
        on_select=lambda: _open(found), height=ROW * (min(len(shown), SEEN) + 1) + 3,
        column_config={
            "Run": st.column_config.NumberColumn(width=52, format="%d"),
            "Status": st.column_config.TextColumn(width=108),
            "Stage": st.column_config.TextColumn(width=64),
            "Done": st.column_config.ProgressColumn(min_value=0, max_value=100, format="%.0f%%",
                                                    width=96),
            "Settings": st.column_config.TextColumn(width=260),
            "Cost": st.column_config.TextColumn(width=68),
            "Tokens": st.column_config.TextColumn(width=96, help="sent + received"),
            "Error": st.column_config.TextColumn(width=200),
            "Started": st.column_config.DatetimeColumn(format="D MMM HH:mm:ss", width=120),
        },
    )  # fmt: skip
    below(found)


def filters() -> Chosen:
    """Stage, status and cache, each as the address has it."""
    there = session.library().ask(run_queries.choices)
    bar = st.container(horizontal=True, vertical_alignment="center")
    chosen = [
        bar.selectbox(ANY[key], [ANY[key], *known], key=key, width=200, on_change=_first_page,
                      label_visibility="collapsed", **KEPT)
        for key, known in zip(ANY, there, strict=True)
    ]  # fmt: skip
    any_of = set(ANY.values())
    return Chosen(*("" if word in any_of else word for word in chosen))


def _number() -> int:
    value = st.session_state.get(NUMBER) or st.query_params.get(NUMBER, "1")
    return int(value) if str(value).isdecimal() else 1


def _first_page() -> None:
    st.session_state[NUMBER] = 1


def _open(found: Page) -> None:
    """Put the clicked run in the address: a step that Back undoes."""
    cells = st.session_state[TABLE]["selection"]["cells"]
    if cells and cells[0][0] < len(found.rows):
        st.query_params["run"] = str(found.rows[cells[0][0]]["run_id"])


def _said(found: Page) -> str:
    first = (found.number - 1) * PAGE + 1
    last = min(found.number * PAGE, found.total)
    return f"{first:,}–{last:,} of {found.total:,}, newest first" if found.total else "none"


def below(found: Page) -> None:
    """The other pages."""
    if found.total > PAGE:
        bar = st.container(horizontal=True)
        bar.space("stretch")
        bar.pagination(-(-found.total // PAGE), key=NUMBER, **KEPT)


def readable(found: list[Row]) -> pd.DataFrame:
    """The table's columns in words."""
    return pd.DataFrame(
        [
            {
                "Run": run["run_id"],
                "Status": f"{MARKS.get(state(run), '?')} {state(run)}",
                "Stage": run["stage"],
                "Cache": plain(run["cache"] or ""),
                "Hookpoint": run["hookpoint"] or "all",
                "Settings": plain(labels(run)),
                "Done": 100 * (run["done"] or 0) / run["total"] if run["total"] else None,
                "Progress": f"{run['done'] or 0:,} / {run['total'] or 0:,}",
                "Failed": run["failed"] or 0,
                "Cost": dollars(run),
                "Started": run["started_at"],
                "Took": took(run),
                "Calls": run["n_calls"] or 0,
                "Tokens": _tokens(run),
                "Error": plain(run["error"] or ""),
            }
            for run in found
        ]
    )


def _tokens(run: Row) -> str:
    """Tokens sent and received, e.g. "31,000 + 480"."""
    if not run["n_calls"]:
        return ""
    return f"{known(run['input_tokens'])} + {known(run['output_tokens'])}"

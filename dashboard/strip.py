"""The slim line on top of the pages that says what is running, as long as something is."""

from time import monotonic

import streamlit as st

from core.drawing.spans import block, escape
from dashboard import session
from dashboard.commands import progress_words, rate_of
from data import run_queries
from data.catalogue import Row

VERBS = {
    "cache": "caching",
    "explain": "explaining",
    "score": "scoring",
    "import": "importing",
    "intervene": "intervening in",
    "filter": "filtering",
    "train": "training for",
    "baselines": "baselines of",
    "diff": "comparing subjects of",
    "similarity": "comparing SAEs of",
}
EVERY = 1.0  # seconds between looks, only while something runs


def show() -> None:
    """Draw the line if any run is at work; never poll when none is."""
    if session.library().ask(run_queries.at_work):
        # Reading marks the runs whose process is gone, so a dead run stops the polling.
        st.fragment(_lines, run_every=EVERY)()


@session.guarded
def _lines() -> None:
    running = run_queries.live(session.library().catalogue)
    ids = [run["run_id"] for run in running]
    before = st.session_state.get("strip.ids")
    st.session_state["strip.ids"] = ids
    if before is not None and before != ids:
        st.session_state["strip.ids"] = None
        st.rerun(scope="app")  # something ended or began: the page shows what is new
    if running:
        with st.container(key="strip"):
            st.html(block("".join(map(line, running))))


def line(run: Row) -> str:
    """One run: what, bar, done of total, rate, time left."""
    where = f" · {run['hookpoint']}" if run["hookpoint"] else ""
    what = f"{VERBS.get(run['stage'], run['stage'] or '')} {run['cache'] or ''}"
    words = " · ".join(progress_words(run, speed(run)))
    return bar(what, words, run["done"] or 0, run["total"], where)


def bar(what: str, words: str, done: int, total: int | None, where: str = "") -> str:
    """Something at work: its name, a bar and how it goes."""
    share = done / total if total else 0
    return (
        f'<div class="job"><span><b>{escape(what)}</b>{escape(where)}</span>'
        f'<span class="track"><i style="width:{min(share, 1):.0%}"></i></span>'
        f"<span>{escape(words)}</span></div>"
    )


def speed(run: Row) -> float | None:
    """Units a second as this session has seen it."""
    seen = st.session_state.setdefault("strip.seen", {})
    now = monotonic()
    first = seen.setdefault(run["run_id"], (now, run["done"] or 0))
    return rate_of(run, first, now)

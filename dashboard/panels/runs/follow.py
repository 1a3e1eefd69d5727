"""Keeping the page of runs true while nobody touches it: what begins elsewhere, what goes on."""

import streamlit as st

from core.drawing.cards import sentence
from core.drawing.spans import block, escape
from dashboard import session
from dashboard.run_words import title
from data import run_queries, runs
from data.catalogue import Row

EVERY = 2.0  # seconds between looks while nothing is at work
LOOKED, STANDING, FOLLOWED = "runs.looked", "runs.standing", "runs.followed"
RUNS = "views/runs.py"


def note_standing() -> None:
    """Note what the page that is being drawn shows."""
    library = session.library()
    st.session_state[LOOKED] = library.catalogue.revision()
    st.session_state[STANDING] = library.ask(run_queries.standing)


@st.fragment(run_every=EVERY)
@session.guarded
def notice() -> None:
    """Draw the page again when a run began or ended elsewhere; a look is two file stats."""
    library = session.library()
    revision = library.catalogue.revision()
    if revision == st.session_state.get(LOOKED):
        return
    st.session_state[LOOKED] = revision
    if library.ask(run_queries.standing) != st.session_state.get(STANDING):
        st.rerun(scope="app")


def ending() -> list[Row]:
    """Cancelled runs whose process has not ended yet."""
    found = session.library().ask(run_queries.unfinished_cancelled)
    return [run for run in found if runs.is_ending(run)]


def ending_line(run: Row) -> None:
    """Say that a run is about to end."""
    said = "cancelling …; it can be resumed when its process has ended"
    st.html(block(f'<div class="job"><span><b>{escape(title(run))}</b></span>'
                  f"<span>{said}</span></div>"))  # fmt: skip


def follow(run: Row) -> Row | None:
    """The later run that goes on with this one; the one who pressed Resume here is led to it."""
    later = session.library().ask(run_queries.goes_on, run["run_id"])
    if later is None:
        return None
    if st.session_state.get(FOLLOWED) == run["run_id"]:
        st.session_state[FOLLOWED] = None
        st.query_params["run"] = str(later["run_id"])
        st.rerun()
    st.html(sentence("A later run goes on with this one:"))
    st.page_link(RUNS, label=f"Run {later['run_id']}", icon=":material/arrow_forward:",
                 query_params={"run": str(later["run_id"])})  # fmt: skip
    return later

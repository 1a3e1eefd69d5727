"""A box for SQL that only reads: questions typed, ready-made or saved; answers as text and CSV."""

from time import monotonic
from typing import NamedTuple

import pandas as pd
import streamlit as st

from core.drawing.cards import sentence, told
from core.drawing.spans import heading, plain
from dashboard import session
from dashboard.commands import counted
from dashboard.health_words import tables
from dashboard.ready_queries import READY
from dashboard.session import KEPT
from data import inspecting, notes
from data.answering import MEMORY
from data.errors import GlossError
from data.inspecting import Answer

BOX, ANSWER, SAID, CHOSEN, NAME = "sql", "sql.answer", "sql.said", "sql.chosen", "sql.name"
ROWS, SECONDS = 1_000, 10
LONGEST = 80  # characters of a name


class Found(NamedTuple):
    """An answer and what it answers."""

    text: str
    answer: Answer


def show() -> None:
    """The box with its answer, the tables beside it."""
    left, right = st.columns([1.9, 1], gap="medium")
    with left:
        choose()
        ask()
        answer()
    with right:
        st.html(heading("Tables", "open one for its columns"))
        st.html(tables(inspecting.tables()))


def choose() -> None:
    """Put a ready-made or saved question into the box."""
    st.selectbox("Ready-made and saved questions", [*_saved(), *READY], index=None, key=CHOSEN,
                 placeholder="ready-made and saved questions", label_visibility="collapsed",
                 on_change=_fill)  # fmt: skip


def _saved() -> dict[str, str]:
    found = session.library().ask(notes.saved, "query")
    return {name: body for name, body in found.items() if isinstance(body, str)}


def _fill() -> None:
    name = st.session_state[CHOSEN]
    text = _saved().get(name) or READY.get(name)
    if text:
        st.session_state[BOX] = text
        st.session_state[SAID] = None  # it was about another question
        st.session_state[NAME] = name if name not in READY else ""


def ask() -> None:
    """The box; Run, or Control and Enter in it, asks; Save keeps it under a name."""
    with st.form("sql.form", border=False):
        st.text_area("SQL", key=BOX, height=200, label_visibility="collapsed",
                     placeholder="select count(*) from explanation", **KEPT)  # fmt: skip
        bar = st.container(horizontal=True, vertical_alignment="bottom")
        is_asked = bar.form_submit_button(
            "Run", icon=":material/play_arrow:", type="primary", key="sql.run",
            help="Control or Command and Enter in the box",
        )  # fmt: skip
        bar.space("stretch")
        bar.text_input("Name", key=NAME, max_chars=LONGEST, width=260,
                       placeholder="name to save under", label_visibility="collapsed")  # fmt: skip
        bar.form_submit_button("Save", icon=":material/save:", key="sql.save", on_click=_save)
    if st.session_state.get(NAME) in _saved():
        st.button("Delete the saved question", key="sql.delete", icon=":material/delete:",
                  type="tertiary", on_click=_delete)  # fmt: skip
    if is_asked:
        _ask(st.session_state[BOX] or "")
    st.caption(_limits())


def _limits() -> str:
    seconds = inspecting.seconds_for(session.library().catalogue, SECONDS)
    words = (f"One question that only reads: at most {ROWS:,} rows, {seconds:g} seconds and "
             f"{MEMORY} MB; no files, no network, no settings.")  # fmt: skip
    if seconds < SECONDS:
        words += (" So few seconds because this catalogue is too large to be copied for a "
                  "question: everything else waits while it is asked.")  # fmt: skip
    return words


def _ask(text: str) -> None:
    """Ask, with the seconds it takes so far and a button that ends it."""
    st.session_state[ANSWER] = st.session_state[SAID] = None
    began = monotonic()
    slot = st.empty()
    bar = slot.container(horizontal=True, vertical_alignment="center")
    clock = bar.empty()
    clock.html(sentence("Asking the catalogue …"))
    bar.button("Cancel", key="sql.cancel", icon=":material/stop:", on_click=_cancelled)

    def waiting() -> None:
        # Where the page is left or drawn again meanwhile, this raises, which ends the question.
        clock.html(sentence(f"Asking the catalogue … {monotonic() - began:.0f} s"))

    try:
        found = inspecting.query(session.library().catalogue, text, ROWS, SECONDS, waiting)
        st.session_state[ANSWER] = Found(text, found)
    except GlossError as error:
        st.session_state[SAID] = told(error)
    slot.empty()


def _cancelled() -> None:
    st.session_state[SAID] = "The question was cancelled."


def answer() -> None:
    """What was found last, or why nothing was."""
    if said := st.session_state.get(SAID):
        st.html(sentence(said))
    kept: Found | None = st.session_state.get(ANSWER)
    if kept is None or kept.text != st.session_state.get(BOX):  # another question stands above
        return
    found = kept.answer
    more = "the first " if found.truncated else ""
    note = f"{more}{counted(len(found.frame), 'rows')}, {found.seconds:.1f} s"
    st.html(heading("Answer", note))
    st.dataframe(readable(found.frame), hide_index=True, key="sql.table")
    st.download_button("CSV", lambda: found.frame.to_csv(index=False), "answer.csv", "text/csv",
                       key="sql.csv", icon=":material/download:", type="tertiary",
                       on_click="ignore", help="These rows as a file.")  # fmt: skip


def readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Text with every character shown and none obeyed; numbers as they are."""
    shown = {
        plain(str(name)): column.map(lambda cell: plain(cell) if isinstance(cell, str) else cell)
        if column.dtype == object else column
        for name, column in frame.items()
    }  # fmt: skip
    return pd.DataFrame(shown, index=frame.index)


def _save() -> None:
    name, text = (st.session_state.get(NAME) or "").strip(), (st.session_state.get(BOX) or "")
    if not name or not text.strip():
        st.session_state[SAID] = "To save a question it needs a name and a text."
    elif name in READY:
        st.session_state[SAID] = f"“{name}” is ready-made: save under another name."
    else:
        _write(name, text)


def _delete() -> None:
    _write(st.session_state[NAME], None)
    st.session_state[NAME] = ""


def _write(name: str, text: str | None) -> None:
    try:
        notes.save(session.library().catalogue, "query", name, text)
        st.session_state[SAID] = None
    except GlossError as error:
        st.session_state[SAID] = told(error)

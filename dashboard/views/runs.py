"""The page of runs: what is at work, what stopped and how to go on, all of them, one of them."""

import streamlit as st

from core.drawing.cards import sentence
from dashboard import session
from dashboard.panels.runs import detail, table, work
from data import run_queries


@session.guarded
def page() -> None:
    """One run where the address names one, else all."""
    if not session.library().ask(run_queries.page, run_queries.Chosen(), 1).total:
        session.say(f"Nothing was run in {session.store()} yet; this command runs everything once:",
                    session.command(["gloss", "demo"]))  # fmt: skip
    work.at_work()
    asked = st.query_params.get("run", "")
    if not asked:
        work.stopped()
        table.table()
        return
    st.button("All runs", icon=":material/arrow_back:", on_click=leave, type="tertiary")
    run = session.library().ask(run_queries.run, int(asked)) if _is_number(asked) else None
    if run is None:
        st.html(sentence(f"There is no run “{asked[:40]}” in {session.store()}."))
    else:
        detail.show(run)


def _is_number(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) < 16


def leave() -> None:
    """Take the run out of the address."""
    st.query_params.update({"run": [], detail.OTHER: []})


if __name__ == "__main__":
    page()

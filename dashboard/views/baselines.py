"""The page of baselines: what an SAE's scores are worth, and how much of it is explained."""

import streamlit as st

from dashboard import session, strip
from dashboard.panels import launched
from dashboard.panels.baselines import covered, rows, start
from dashboard.panels.baselines.choice import choose, table_of


@session.guarded
def page() -> None:
    """Choices; the table, or what makes one; coverage and price."""
    place = session.place()
    strip.show()
    session.require_finished(place)
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    chosen = choose(bar, place)
    bar.space("stretch")
    start.popover(bar, chosen.record)
    launched.watch(start.PAGE)
    if chosen.study is None:
        rows.empty(chosen)
    else:
        with st.spinner("Reading the scores …"):
            found = table_of(chosen)
        rows.show(chosen, found)
    covered.show(chosen.record)


if __name__ == "__main__":
    page()

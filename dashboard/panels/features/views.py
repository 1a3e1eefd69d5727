"""Saved views: a filter under a name, for everybody who looks at this store."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.drawing.spans import block
from dashboard import session
from dashboard.labels import literal
from dashboard.panels.features import choice
from dashboard.panels.features.choice import Options
from data import notes

NAME, OPEN = "views.name", "features.views"  # the draft of a name; the popover


def popover(bar: DeltaGenerator, found: Options) -> None:
    """Save the filter at hand, open or forget a saved one; read only while it is open."""
    shell = bar.popover("Views", icon=":material/bookmarks:", key=OPEN, on_change="rerun")
    if not shell.open:
        return
    with shell:
        _save()
        kept = session.library().ask(notes.saved, "view")
        if not kept:
            st.html(block('<p class="mut">No view is saved yet. A view is the filter, search and '
                          "order that you see, under a name.</p>"))  # fmt: skip
        for place, name in enumerate(kept):
            with st.container(horizontal=True, gap="small", vertical_alignment="center"):
                st.button(literal(name, 40), key=f"views.open.{place}", width="stretch",
                          on_click=choice.apply,
                          args=(kept[name], found.allows))  # fmt: skip
                if st.button("Forget", key=f"views.forget.{place}", icon=":material/close:",
                             type="tertiary"):  # fmt: skip
                    notes.save(session.library().catalogue, "view", name, None)
                    st.rerun()


def _save() -> None:
    with st.form("views.new", border=False, clear_on_submit=True):
        name = st.text_input("Name", key=NAME, max_chars=80, placeholder="a name for this view")
        if st.form_submit_button("Save view") and name.strip():
            body = choice.body()
            notes.save(session.library().catalogue, "view", name.strip(), body)
            st.rerun()

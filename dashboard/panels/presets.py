"""Settings saved under a name and chosen again; a key is never among them."""

import streamlit as st

from core.drawing.cards import capital, sentence
from core.pipeline.ask import Ask, as_preset, from_preset
from dashboard import session
from dashboard.panels import asking
from data import notes
from data.errors import BadInput, GlossError

CHOSEN, NAME = "reexplain.saved", "reexplain.saved.name"
TROUBLE = "reexplain.saved.trouble"  # why the last choice could not be used


def choose() -> None:
    """The list of saved settings; choosing one fills the form."""
    known = list(session.library().ask(notes.saved, "settings"))
    if st.session_state.get(CHOSEN) not in (None, *known):
        st.session_state[CHOSEN] = None
    if known:
        st.selectbox("Saved settings", known, index=None, key=CHOSEN, on_change=_use,
                     placeholder="choose some, or set everything below")  # fmt: skip
    if trouble := st.session_state.pop(TROUBLE, None):
        st.html(sentence(f"{capital(trouble)}."))


def _use() -> None:
    """Fill the form with what was chosen."""
    body = session.library().ask(notes.saved, "settings").get(st.session_state[CHOSEN] or "")
    if body is None:
        return
    try:
        asking.fill(from_preset(body))
    except BadInput as error:
        st.session_state[TROUBLE] = str(error)


def save(ask: Ask) -> None:
    """A name, and Save; the name that is chosen can be taken back."""
    with st.popover("Save these settings", icon=":material/bookmark_add:"):
        name = st.text_input("Name", key=NAME, max_chars=80).strip()
        st.caption("Keeps everything above except keys, which are never stored.")
        chosen = st.session_state.get(CHOSEN)
        st.button("Save", key="reexplain.saved.save", disabled=not name, on_click=_keep,
                  args=(name, ask))  # fmt: skip
        if chosen:
            st.button("Delete the chosen ones", key="reexplain.saved.delete", on_click=_keep,
                      args=(chosen, None))  # fmt: skip


def _keep(name: str, ask: Ask | None) -> None:
    """Keep settings under a name, or take them back."""
    try:
        body = None if ask is None else as_preset(ask)
        notes.save(session.library().catalogue, "settings", name, body)
    except GlossError as error:
        st.session_state[TROUBLE] = str(error)

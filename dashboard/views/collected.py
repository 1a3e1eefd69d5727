"""The page of collections: lists of features over several hookpoints, e.g. of a circuit."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.drawing.cards import sentence
from core.drawing.spans import block, escape, plain
from dashboard import session, strip
from dashboard.panels import launched
from dashboard.panels.collections import listed, paste, work
from data import collections
from data.collections import Collection


@session.guarded
def page() -> None:
    """Which collection, what can be done with it, and its table; the form where there is none."""
    place = session.place()
    strip.show()
    known = session.library().ask(collections.collections)
    if not known:
        words = ["gloss", "collection", "new", "NAME", place.cache.name, "--from", "FILE"]
        st.html(sentence("There is no collection yet. Paste a list of features below, or make one "
                         "of a file:", session.command(words)))  # fmt: skip
        paste.form(place)
        return
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    found = choose(bar, known)
    bar.space("stretch")
    with bar.popover("New collection", icon=":material/add:", width="content"):
        paste.form(place)
    if found is None:
        return
    record = next(one for one in session.library().caches() if one.cache_id == found.cache_id)
    work.buttons(bar, found, record)
    launched.watch(work.PAGE)
    if told := st.session_state.pop(paste.TOLD, None):
        st.html(block(f'<p class="mut">{escape(told)}</p>'))
    listed.show(found, record)


def choose(bar: DeltaGenerator, known: list[Collection]) -> Collection | None:
    """The collection in the address, else the newest; None: there is no such one."""
    by_name = {one.name: one for one in known}
    asked = st.query_params.get("collection") or known[0].name
    options = list(by_name)
    st.session_state["collections.chosen"] = asked if asked in by_name else options[0]
    sizes = {one.name: f"{plain(one.name)} ({one.n_members:,})" for one in known}
    bar.selectbox("Collection", options, key="collections.chosen", width=300, on_change=_put,
                  label_visibility="collapsed", format_func=sizes.__getitem__)  # fmt: skip
    if asked not in by_name:
        st.html(sentence(f"There is no collection “{asked[:80]}”; choose one of those above."))
        return None
    session.share({"collection": asked})
    return by_name[asked]


def _put() -> None:
    st.query_params.update({"collection": st.session_state["collections.chosen"], "role": []})


if __name__ == "__main__":
    page()

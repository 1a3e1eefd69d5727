"""A new collection: a name, a list that is pasted, and what is wrong with it."""

import streamlit as st

from core.collections.listing import LARGEST
from core.collections.words import repeated_words
from core.drawing.cards import sentence, told
from core.pipeline.collecting import make
from dashboard import session
from dashboard.library import Place
from data.collections import LONGEST
from data.errors import GlossError

TOLD, WRONG = "collections.told", "collections.wrong"  # in the session, for the next drawing
EXAMPLE = """\
{first}/17 what it is
[["{first}", 17], ["{last}", 40]]
{{"hookpoint": "{first}", "feature": 17, "label": "what it is"}}"""


def form(place: Place) -> None:
    """Name, cache, list, Create; errors stand below until the next try."""
    known = [one.name for one in session.library().caches()
             if one.hookpoints and one.status == "done"]  # fmt: skip
    left, right = st.columns([1, 2])
    left.text_input("Name", key="collections.name", max_chars=LONGEST)
    st.session_state.setdefault("collections.cache", place.cache.name)
    if st.session_state["collections.cache"] not in known:
        st.session_state["collections.cache"] = known[0] if known else place.cache.name
    left.selectbox("Of cache", known or [place.cache.name], key="collections.cache")
    names = [one.name for one in place.cache.hookpoints]
    right.text_area(
        "List", key="collections.list", height=170, max_chars=LARGEST,
        placeholder=EXAMPLE.format(first=names[0], last=names[-1]),
        help="HOOKPOINT/INDEX a line, with a label after it; or JSON: pairs, objects, numbers by "
        "hookpoint; or the annotations of Sparse Feature Circuits (resid_3/17).",
    )  # fmt: skip
    st.button("Create", type="primary", key="collections.create", on_click=_create)
    if wrong := st.session_state.get(WRONG):
        st.html(sentence(wrong))


def _create() -> None:
    """Store the list and show it; what is wrong is said and nothing is stored."""
    state = st.session_state
    state[WRONG] = None
    try:
        found, repeated = make(
            session.library().patient, state["collections.name"], state["collections.cache"],
            state["collections.list"], "pasted",
        )  # fmt: skip
    except GlossError as error:
        state[WRONG] = told(error)
        return
    if repeated:
        state[TOLD] = f"{repeated_words(repeated)}."
    state["collections.name"] = state["collections.list"] = ""
    st.query_params.update({"collection": found.name, "role": []})

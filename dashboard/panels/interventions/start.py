"""Measuring from the page: which features, which judge; a command, and a button that starts it."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import session
from dashboard.library import Place
from dashboard.panels import launched

PAGE = "interventions"
JUDGE = "JUDGE"  # in a command, in place of a folder


def words_of(place: Place, judge: str, features: str) -> list[str]:
    """The command that measures."""
    words = ["gloss", "intervene", place.cache.name, "--hookpoint", place.hookpoint.name]
    return [*words, "--features", features, "--judge-model", judge or JUDGE]


def popover(bar: DeltaGenerator, place: Place) -> None:
    """Choose and start."""
    with bar.popover("Measure features", icon=":material/science:",
                     disabled=not place.cache.has_activations):  # fmt: skip
        judge = st.text_input("Judge", key="interventions.judge", max_chars=300,
                              placeholder="folder or hub id of a language model",
                              help="Not the subject. gloss demo --judge-model DIR trains a small "
                              "one for the demo.")  # fmt: skip
        st.session_state.setdefault("interventions.chosen", "random:50")
        features = st.text_input("Features", key="interventions.chosen", max_chars=200,
                                 help="random:50, first:50, 0-99, or 3,17")  # fmt: skip
        words = words_of(place, judge.strip(), features.strip() or "random:50")
        st.code(session.command(words), language=None, wrap_lines=True)
        if st.button("Start", type="primary", key="interventions.start",
                     disabled=not judge.strip()):  # fmt: skip
            launched.begin(PAGE, words)
            st.rerun()

"""What the filters measured of one feature: a part of its page that is closed at first."""

import streamlit as st

from core.drawing.cards import sentence
from core.drawing.measures import measures_table
from dashboard import session
from dashboard.library import Place
from data.catalogue import Row


def show(place: Place, found: Row) -> None:
    """Every figure with its limit; or the command that measures them."""
    if not found.get("is_measured"):
        st.html(sentence("The filters were not run on this feature; this runs them:",
                         session.command(["gloss", "filters", place.cache.name])))  # fmt: skip
        return
    strings = session.workbench(place.cache).files.vocabulary.strings
    st.html(measures_table(found, strings))

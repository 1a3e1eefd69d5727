"""The same filter as a picture: detection against fuzzing, each score's distribution."""

import streamlit as st

from core.drawing.cards import sentence
from core.drawing.spans import block
from dashboard import session
from dashboard.charts.scores import numbers, scores_figure
from dashboard.library import Place
from dashboard.panels import chart
from dashboard.panels.features.table import open_feature
from data import feature_table
from data.feature_filter import Filter


def show(place: Place, wanted: Filter) -> None:
    """One figure; a click on a point opens its feature."""
    found = session.library().ask(feature_table.picture, place.hookpoint.hookpoint_id, wanted)
    if not found.distributions:
        st.html(sentence("None of these features has a score yet; this scores their explanations:",
                         session.command(["gloss", "score", place.cache.name])))  # fmt: skip
        return
    if not found.n_both:
        st.html(block('<p class="mut">No feature here has both a detection and a fuzzing score, so '
                      "there are only distributions.</p>"))  # fmt: skip
    picked = chart.clickable(scores_figure(found), lambda: numbers(found), key="scores")
    if picked is not None:
        open_feature(place, int(picked[0] if isinstance(picked, list) else picked))

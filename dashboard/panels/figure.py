"""The figures beside the contexts: activation and accuracy by decile, logit effects."""

from typing import NamedTuple

import streamlit as st

from core.drawing.cards import logit_table
from core.drawing.curves import Curve, Histogram, curve, histogram_of
from core.drawing.listing import SCORERS
from core.drawing.spans import heading
from dashboard import session
from dashboard.charts.feature import feature_figure, numbers
from dashboard.charts.parts import Figure
from dashboard.library import FeatureRecord, Place
from dashboard.panels import chart, examples
from dashboard.panels.explanations import Choice

KEY = "figure"


def follow_click() -> None:
    """Let a clicked mark choose its deciles, or let go of them; before anything is drawn."""
    name = deciles_of(chart.clicked(KEY))
    if name:
        examples.toggle_decile(name)
    examples.note_decile()


def deciles_of(customdata: list[str] | None) -> str | None:
    """The deciles that a mark of the figure stands for, as the filter names them."""
    return customdata[3] or None if customdata else None


class Drawn(NamedTuple):
    """A feature's figure and what it is drawn from; None: there is nothing to draw."""

    figure: Figure | None
    bins: Histogram
    curves: list[Curve]


def drawn(record: FeatureRecord, choice: Choice) -> Drawn:
    """Activation histogram over accuracy by decile."""
    assert record.facts is not None  # or the page stops before
    curves = [
        curve(score, is_second=explanation is choice.against,
              explanation_id=explanation.explanation_id)
        for explanation in (choice.shown, choice.against)
        if explanation
        for score in explanation.scores
        if score.scorer in SCORERS
    ]  # fmt: skip
    bins = histogram_of(record.facts)
    if not bins.counts and not curves:
        return Drawn(None, bins, curves)
    chosen = st.session_state.get(examples.DECILE_SEEN, ())
    return Drawn(feature_figure(bins, curves, chosen), bins, curves)


def show(record: FeatureRecord, choice: Choice) -> None:
    """Draw it; a click on a decile filters the contexts."""
    figure, bins, curves = drawn(record, choice)
    if not bins.counts:
        st.html(heading("Activation distribution", "not in the import"))
    if figure is not None:
        with st.container(key="figure-box"):
            chart.show(figure, lambda: numbers(bins, curves), key=KEY)
    if not curves:
        st.html(heading("Accuracy by decile", "not scored yet"))


def effects(place: Place, record: FeatureRecord) -> None:
    """Tokens that the feature's decoder direction promotes and suppresses."""
    assert record.facts is not None
    found = [record.facts[name] or [] for name in ("promoted", "suppressed")]
    if not any(found):
        st.html(heading("Logit effects", "not computed for this cache"))
        return
    strings = session.workbench(place.cache).files.vocabulary.strings
    lists = [[(strings[e["token"]], e["value"]) for e in effects] for effects in found]
    st.html(heading("Logit effects", "decoder direction on the unembedding")
            + logit_table(*lists))  # fmt: skip

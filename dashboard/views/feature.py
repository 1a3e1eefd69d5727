"""The page of one feature: its explanations, their scores, its contexts and its figures."""

import random

import streamlit as st

from dashboard import session, strip
from dashboard.address import every, feature_named
from dashboard.cards import fact_strip, logit_table, sentence
from dashboard.charts.feature import Histogram, curve, feature_figure
from dashboard.facts import facts, subject_line, why_little, why_silent, why_unexplained
from dashboard.library import FeatureRecord, Place
from dashboard.panels import examples, explanations, more, reexplain
from dashboard.spans import block, escape, heading
from data import queries
from data.records import ExplanationRecord

FIGURE = {
    "displaylogo": False,
    "displayModeBar": True,
    "modeBarButtons": [["toImage"]],
    "toImageButtonOptions": {"format": "png", "scale": 2},
}


@session.guarded
def page() -> None:
    """Explanations and facts over the full width, then contexts left and figures right."""
    place = session.place()
    strip.show()
    session.require_finished(place)
    feature = chosen_feature(place)
    if feature is None:
        without_feature(place)
        return
    record = session.library().feature(place, feature)
    shown, against = explanations.chosen(record.explanations)
    header(place, feature, record, shown)
    if silent := why_silent(record.facts, place.cache):
        st.html(sentence(silent))
    else:
        body(place, feature, record, shown, against)
    st.html(f"<p id=mark hidden>{feature}</p>")
    n = place.hookpoint.n_features
    examples.read_ahead(place, (feature + 1) % n, (feature - 1) % n)


def without_feature(place: Place) -> None:
    """The header of the feature looked at last, and what is wrong with the address."""
    asked = st.query_params["feature"]
    feature = last_feature(place)
    header(place, feature, session.library().feature(place, feature), None)
    st.html(sentence(f"There is no feature “{asked}” in cache “{place.cache.name}”: "
                     f"{place.hookpoint.name} has features {every(place.hookpoint)}. "
                     f"The buttons above go on from feature {feature}."))  # fmt: skip


def chosen_feature(place: Place) -> int | None:
    """The feature in the address, else the one looked at last; None: there is no such feature."""
    asked = st.query_params.get("feature", "")
    if asked:
        named = feature_named(asked, place.cache, place.hookpoint)
        if named is None:
            return None
        feature = int(named.rpartition("/")[2])
    else:
        feature = last_feature(place)
    st.session_state[f"feature.last.{place.hookpoint.hookpoint_id}"] = feature
    return feature


def last_feature(place: Place) -> int:
    """The feature looked at last, else the first that fired."""
    last = st.session_state.get(f"feature.last.{place.hookpoint.hookpoint_id}")
    return first_live(place) if last is None else last


def first_live(place: Place) -> int:
    """The first feature that ever fired; 0 when none did."""
    return next(iter(session.library().ask(queries.live_features, place.hookpoint.hookpoint_id)), 0)


def header(
    place: Place, feature: int, record: FeatureRecord, shown: ExplanationRecord | None
) -> None:
    """Previous, number, next, random, what is being explained, re-explain."""
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    bar.button("Previous", icon=":material/chevron_left:", shortcut="Left",
               on_click=session.go_to, args=(place, feature - 1))  # fmt: skip
    st.session_state["feature.number"] = feature
    bar.number_input("Feature", 0, place.hookpoint.n_features - 1, key="feature.number", width=120,
                     label_visibility="collapsed",
                     on_change=go_to_typed, args=(place,))  # fmt: skip
    bar.button("Next", icon=":material/chevron_right:", icon_position="right", shortcut="Right",
               on_click=session.go_to, args=(place, feature + 1))  # fmt: skip
    bar.button("Random", icon=":material/shuffle:", shortcut="N",
               on_click=go_random, args=(place,))  # fmt: skip
    line = escape(subject_line(place.cache, place.hookpoint))
    bar.html(block(f'<div class="who">{line}</div>'), width="content")
    bar.space("stretch")
    unable = why_unexplained(record.facts)
    pressed = bar.button("Re-explain", icon=":material/auto_awesome:", type="primary", shortcut="E",
                         help=unable, disabled=unable is not None)  # fmt: skip
    if pressed or st.session_state.pop(reexplain.REOPEN, False):
        reexplain.drawer(place, feature, record, shown)


def go_to_typed(place: Place) -> None:
    """Go to the number in the field."""
    session.go_to(place, st.session_state["feature.number"])


def go_random(place: Place) -> None:
    """Go to one of the features that fired."""
    live = session.library().ask(queries.live_features, place.hookpoint.hookpoint_id)
    session.go_to(place, random.choice(live) if live else 0)


def body(
    place: Place,
    feature: int,
    record: FeatureRecord,
    shown: ExplanationRecord | None,
    against: ExplanationRecord | None,
) -> None:
    """Everything below the header of a feature that fires."""
    assert record.facts is not None  # or there was nothing to show
    explanations.show(place, feature, record, shown, against)
    nearest = next((row for row in record.neighbours if row["measure"] == "cosine"), None)
    n_contexts = session.workbench(place.cache).contexts.n_distinct
    strip_of_facts = facts(record.facts, place.cache, shown, nearest, n_contexts=n_contexts)
    st.html(fact_strip(strip_of_facts))
    if little := why_little(record.facts):
        st.html(block(f'<p class="mut">{escape(little)}</p>'))
    left, right = st.columns([1.62, 1], gap="large")
    with left:
        examples.show(place, feature, shown and shown.explanation_id)
    with right, st.container(key="side"):
        figure(record, shown, against)
        effects(place, record)
        more.show(place, feature, shown and shown.explanation_id)


def figure(
    record: FeatureRecord, shown: ExplanationRecord | None, against: ExplanationRecord | None
) -> None:
    """Activation histogram over accuracy by decile."""
    assert record.facts is not None
    curves = [
        curve(score, is_second=explanation is against)
        for explanation in (shown, against)
        if explanation
        for score in explanation.scores
        if score.scorer in ("detection", "fuzzing")
    ]
    bins = Histogram(record.facts["bin_width"] or 1.0, record.facts["counts"] or [])
    st.plotly_chart(feature_figure(bins, curves), key="figure", config=FIGURE)
    if not curves:
        st.html(heading("Accuracy by decile", "not scored yet"))


def effects(place: Place, record: FeatureRecord) -> None:
    """Tokens that the feature's decoder direction promotes and suppresses."""
    assert record.facts is not None
    strings = session.workbench(place.cache).files.vocabulary.strings
    lists = [
        [(strings[e["token"]], e["value"]) for e in record.facts[name] or []]
        for name in ("promoted", "suppressed")
    ]
    if any(lists):
        st.html(heading("Logit effects", "decoder direction on the unembedding")
                + logit_table(*lists))  # fmt: skip
    else:
        st.html(heading("Logit effects", "not computed for this cache"))


if __name__ == "__main__":
    page()

"""The page of one feature: its explanations, their scores, its contexts and its figures."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.drawing.cards import sentence
from core.drawing.facts import why_little, why_silent
from core.drawing.spans import block, escape
from dashboard import session, strip
from dashboard.address import every, feature_named
from dashboard.library import FeatureRecord, Place
from dashboard.panels import ahead, examples, explanations, figure, header, more
from dashboard.panels.explanations import Choice
from dashboard.words import words
from data import results


@session.guarded
def page() -> None:
    """Explanations and facts over the full width, then contexts left and figures right."""
    place = session.place()
    strip.show()
    session.require_finished(place)
    session.require_features(place)
    feature = chosen_feature(place)
    if feature is None:
        without_feature(place)
        return
    record = session.library().feature(place, feature)
    choice = explanations.chosen(record.explanations)
    bar = header.begin(place, feature)
    if silent := why_silent(record.facts, place.cache):
        header.end(bar, place, feature, record, choice.shown)
        st.html(sentence(silent))
    else:
        body(place, feature, record, choice, bar)
    st.html(f"<p id=mark hidden>{feature}</p>")
    ahead.send(place, feature, *header.beside(place, feature))


def without_feature(place: Place) -> None:
    """The header of the feature looked at last, and what is wrong with the address."""
    asked = st.query_params["feature"]
    feature = last_feature(place)
    header.show(place, feature, session.library().feature(place, feature), None)
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
    session.note_feature(place.hookpoint, feature)
    return feature


def last_feature(place: Place) -> int:
    """The feature looked at last, else the first that fired."""
    last = session.last_feature(place.hookpoint)
    return first_live(place) if last is None else last


def first_live(place: Place) -> int:
    """The first feature that ever fired; 0 when none did."""
    return session.library().ask(results.live_feature, place.hookpoint.hookpoint_id, 0) or 0


def body(
    place: Place, feature: int, record: FeatureRecord, choice: Choice, bar: DeltaGenerator
) -> None:
    """Everything of a feature that fires, below its header and in that; what is read first first.

    The browser paints what has come so far, and what comes later waits for that.
    """
    assert record.facts is not None  # or there was nothing to show
    figure.follow_click()
    shown, against, _ = choice
    cards, between = st.container(), st.container(key="facts")
    left, right = st.columns([1.62, 1], gap="large")
    with cards:
        explanations.show(place, feature, record, choice)
    with left:
        examples.show(place, feature, shown and shown.explanation_id,
                      against and against.explanation_id)  # fmt: skip
    header.end(bar, place, feature, record, shown)
    with between:
        words(header.facts_of(place, record, shown), key="facts.words")
    if little := why_little(record.facts):
        between.html(block(f'<p class="mut">{escape(little)}</p>'))
    with right, st.container(key="side"):
        figure.show(record, choice)
        figure.effects(place, record)
        more.show(place, feature, shown and shown.explanation_id)


if __name__ == "__main__":
    page()

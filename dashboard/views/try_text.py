"""The page that runs a text through the subject: what fires, and what steering a feature does."""

import streamlit as st

from core.drawing import cards
from dashboard import session, strip
from dashboard.panels.try_text import asking, feature, fired, loading, rules, steering
from dashboard.panels.try_text.asking import Doing


@session.guarded
def page() -> None:
    """Text on top, then its tokens, then the features or the steering."""
    place = session.place()
    strip.show()
    session.require_finished(place)
    asked = asking.asked(place)
    probe = loading.loaded(place, asked.needed)
    if probe is not None:
        loading.line(place, asked.bar)
        if not asked.text.strip():
            st.html(cards.sentence("Type or paste a text above: every feature that fires on it is "
                                   "listed here, the strongest first."))  # fmt: skip
        else:
            below(asked, probe)
    st.html("<p id=mark hidden>try</p>")


def below(asked: asking.Asked, probe: loading.Probe) -> None:
    """What the text gives."""
    reading = fired.read(asked, probe)
    if reading is None:
        return
    if asked.doing is Doing.STEER:
        steering.show(asked, reading, probe)
        return
    claims = rules.claims(asked, reading.found, probe)
    fired.text(asked, reading, probe, claims)
    feature.about(asked, reading, claims)
    fired.features(asked, reading)


if __name__ == "__main__":
    page()

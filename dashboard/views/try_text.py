"""The page that runs a text through the subject: what fires, and what steering a feature does."""

import streamlit as st

from core.drawing import cards
from dashboard import session, strip
from dashboard.panels import (
    try_asking,
    try_feature,
    try_fired,
    try_loading,
    try_rules,
    try_steering,
)
from dashboard.panels.try_asking import Doing


@session.guarded
def page() -> None:
    """Text on top, then its tokens, then the features or the steering."""
    place = session.place()
    strip.show()
    session.require_finished(place)
    asked = try_asking.asked(place)
    probe = try_loading.loaded(place, asked.needed)
    if probe is not None:
        try_loading.line(place, asked.bar)
        if not asked.text.strip():
            st.html(cards.sentence("Type or paste a text above: every feature that fires on it is "
                                   "listed here, the strongest first."))  # fmt: skip
        else:
            below(asked, probe)
    st.html("<p id=mark hidden>try</p>")


def below(asked: try_asking.Asked, probe: try_loading.Probe) -> None:
    """What the text gives."""
    reading = try_fired.read(asked, probe)
    if reading is None:
        return
    if asked.doing is Doing.STEER:
        try_steering.show(asked, reading, probe)
        return
    claims = try_rules.claims(asked, reading.found, probe)
    try_fired.chips(asked, reading, probe, claims)
    try_feature.about(asked, reading, claims)
    try_fired.features(asked, reading)


if __name__ == "__main__":
    page()

"""The words of the feature that comes next, sent with the page before it.

They stand in the page at the press of the key (component/ahead.js), before the server has heard of
it: number, explanation, facts, contexts, and the figure. All else waits for the server as ever.
"""

from time import time_ns
from typing import Any

import streamlit as st

from core.drawing import cards
from core.drawing.facts import why_silent
from dashboard import session
from dashboard.library import Place
from dashboard.panels import chart, examples, figure, header
from dashboard.panels.explanations import Choice
from dashboard.scripts import script, source

SCRIPT = source("ahead.js")
LAST = "ahead.last"  # the feature that was shown before this one


def send(place: Place, feature: int, before: int, after: int) -> None:
    """Send what a press of Next shows, or of Previous after one of Previous.

    Last of all, for nothing on the page waits for it.
    """
    is_back = st.session_state.get(LAST) == after
    st.session_state[LAST] = feature
    key, wanted = ("ArrowLeft", before) if is_back else ("ArrowRight", after)
    # The time makes every run another one: the script puts right what it showed too early.
    data = {"of": feature, "key": key, "at": time_ns()} | (_words(place, wanted) or {})
    script("ahead", SCRIPT)(key="ahead", data=data)
    step = wanted - feature
    examples.read_ahead(place, wanted + step, after if is_back else before)


def _words(place: Place, feature: int) -> dict[str, Any] | None:
    """Number, card, facts, contexts, figure; None: the page looks otherwise, so ask for it."""
    found = examples.prepared(session.library(), place, feature, examples.last_view())
    if found is None:
        return None
    record, best, listed = found
    if best is None or why_silent(record.facts, place.cache) or "<section" not in listed:
        return None
    columns = cards.scorers(record.explanations)
    corners = "first" if len(record.explanations) > 1 else "first last"
    card = cards.card(best, columns, name=corners, is_shown=True, is_pinned=False)
    strip = header.facts_of(place, record, best)
    drawn = figure.drawn(record, Choice(best, None, None)).figure
    picture = chart.sent(drawn) if drawn is not None else {}
    return {"feature": feature, "card": card, "list": listed, "facts": strip, **picture}

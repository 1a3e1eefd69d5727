"""One feature on the text: where it fires, and where its explanation's rules say that it does."""

import numpy as np
import streamlit as st

from core.drawing import cards
from core.drawing.spans import Passage, block, escape, heading, highlighted
from dashboard import session
from dashboard.panels.try_text import rules
from dashboard.panels.try_text.asking import Asked, Doing
from dashboard.panels.try_text.fired import FEATURE, Reading
from dashboard.panels.try_text.rules import Claims
from data.percents import percent


def about(asked: Asked, reading: Reading, claims: Claims | None) -> None:
    """Name, explanation, and figures on this text."""
    if asked.feature is None:
        return
    _head(asked)
    record = session.library().feature(asked.place, asked.feature)
    explanation = rules.shown(asked)
    if explanation is not None:
        st.html(cards.card(explanation, ["detection"], name="first last one", is_shown=True))
    activations = reading.found[asked.place.hookpoint.name].of(asked.feature).activations
    largest = (record.facts or {}).get("max_activation") or 0.0
    lines = [escape(figures(activations, largest))]
    if claims is not None:
        said = escape(rules.words(claims, explanation, activations > 0))
        lines.append(f'<b class="m">Outlined</b>: {said}')
    else:
        lines.append("Its explanation is not a list of rules, so nothing is outlined."
                     if explanation else "It is not explained yet.")  # fmt: skip
    st.html(block("".join(f'<p class="mut">{line}</p>' for line in lines)))


def shaded(asked: Asked, reading: Reading, claims: Claims | None) -> None:
    """The text shaded by the feature, what its rules claim outlined."""
    if asked.feature is None:
        return
    everything = reading.found[asked.place.hookpoint.name]
    activations = everything.of(asked.feature).activations
    scale = reading.maxima[asked.place.hookpoint.name].get(asked.feature, 0.0)
    marks = frozenset() if claims is None else frozenset(np.flatnonzero(claims.by_token).tolist())
    passage = Passage(everything.pieces, activations.tolist(), marks=marks)
    drawn = highlighted(passage, scale or float(activations.max(initial=0.0)))
    st.html(block(f'<div class="tx shaded" dir="auto">{drawn}</div>'))


def _head(asked: Asked) -> None:
    """Which feature it is, and what else can be done with it."""
    name, feature = asked.place.hookpoint.name, asked.feature
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    bar.html(heading(f"Feature {feature}", name), width="content")
    if asked.doing is Doing.FIRE:
        bar.button("Steer it", key="try.steer", type="tertiary", icon=":material/tune:",
                   on_click=_steer)  # fmt: skip
    if bar.button("Open it", key="try.open.one", type="tertiary", icon=":material/open_in_new:",
                  help="The feature's own page."):  # fmt: skip
        address = f"{name}/{feature}"
        st.switch_page(FEATURE, query_params={"cache": asked.place.cache.name, "feature": address})


def _steer() -> None:
    st.session_state["do"] = Doing.STEER


def figures(activations: np.ndarray, largest: float) -> str:
    """How often and how strongly a feature fires on a text; largest: in the cache, raw."""
    n = int((activations > 0).sum())
    if not n:
        return f"Silent on all {len(activations):,} tokens of this text."
    peak = float(activations.max())
    share = "; it never fired in the cache"
    if largest:
        share = f", {percent(peak / largest)} of its largest in the cache ({largest:.2f})"
    return f"Fires on {n:,} of {len(activations):,} tokens; at most {peak:.2f}{share}."

"""The page of interventions: do explanations say what features do to the text that follows?"""

import streamlit as st

from core.drawing.cards import sentence
from core.drawing.spans import block, escape
from dashboard import session, strip
from dashboard.address import feature_named
from dashboard.library import Place
from dashboard.panels import launched
from dashboard.panels.interventions import choice, reading, start, table

PICKED = "interventions.picked"  # the feature whose row was chosen when the page was drawn last


@session.guarded
def page() -> None:
    """Choices, pooled figures, features, one of them to read."""
    place = session.place()
    strip.show()
    session.require_finished(place)
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    chosen = choice.choose(bar, place)
    bar.space("stretch")
    start.popover(bar, place)
    launched.watch(start.PAGE)
    if chosen is None:
        nothing(place)
        return
    st.html(block(f'<p class="mut">{escape(choice.notes(chosen.study))}</p>'))
    pointed = table.pooled(chosen) if chosen.targets else None
    picked = table.features(chosen)
    if pointed is not None:
        go_to(place, pointed)
    elif picked is not None and picked != st.session_state.get(PICKED):
        go_to(place, picked)  # a table keeps its row: an old choice does not come back
    st.session_state[PICKED] = picked
    feature = asked(place)
    if feature is not None:
        reading.show(chosen, feature)


def nothing(place: Place) -> None:
    """Say how to begin: a judge, then the measurement."""
    words = start.words_of(place, "", "random:50")
    st.html(sentence(f"No feature of “{place.cache.name}” at {place.hookpoint.name} was pushed "
                     "yet. This pushes 50 and has a second language model judge what they do to "
                     "the text; a base model as JUDGE, or a small one by gloss demo --judge-model "
                     "JUDGE:", session.command(words)))  # fmt: skip


def go_to(place: Place, feature: int) -> None:
    """Put a feature in the address."""
    st.query_params["feature"] = f"{place.hookpoint.name}/{feature}"


def asked(place: Place) -> int | None:
    """The feature in the address."""
    named = feature_named(st.query_params.get("feature", ""), place.cache, place.hookpoint)
    return None if named is None else int(named.rpartition("/")[2])


if __name__ == "__main__":
    page()

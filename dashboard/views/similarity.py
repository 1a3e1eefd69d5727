"""The page of similarities: how alike the SAEs of one cache, or of two, are."""

import streamlit as st

from core.drawing.cards import sentence
from dashboard import session, strip
from dashboard.charts.similarity import similarity_figure, similarity_table
from dashboard.panels import chart, launched
from dashboard.panels.similarity import choice, pairs, start
from data import likeness

ABREAST = 8  # columns up to which the words stand beside the map


@session.guarded
def page() -> None:
    """Choices, the map, the pairs of the chosen cell."""
    place = session.place()
    strip.show()
    session.require_finished(place)
    cells = session.library().ask(likeness.cells, place.cache.cache_id)
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    chosen = choice.choose(bar, place, cells)
    bar.space("stretch")
    start.popover(bar, chosen.record)
    launched.watch(start.PAGE)
    if not chosen.drawn.cells:
        words = start.words_of(chosen.record, None, [])
        st.html(sentence(f"No SAEs of cache “{chosen.record.name}” are compared yet. This compares "
                         "its hookpoints with each other; a second cache may be named:",
                         session.command(words)))  # fmt: skip
        return
    drawn = chosen.drawn
    figure = similarity_figure(drawn, chosen.cell)
    wide = len(drawn.columns) > ABREAST
    left, right = (st.container(), st.container()) if wide else st.columns([1, 1], gap="large")
    with left:
        picked = chart.clickable(figure, lambda: similarity_table(drawn), key="similarity-map")
    if isinstance(picked, int):
        choice.pick(drawn, picked)
        st.rerun()
    with right:
        pairs.words(chosen)
    pairs.show(chosen)


if __name__ == "__main__":
    page()

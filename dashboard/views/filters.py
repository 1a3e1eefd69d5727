"""The page of filters: what can be said of all features of a cache without reading a context."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import session, strip
from dashboard.library import Place
from dashboard.panels import launched
from dashboard.panels.filters import counted, drawn
from dashboard.panels.place import pick_place
from data import flags, run_queries
from data.flags import Counts

PAGE = "filters"


@session.guarded
def page() -> None:
    """Counts of flags by hookpoint, their limits, token entropy, one feature by position."""
    place = session.place()
    strip.show()
    session.require_finished(place)
    session.require_features(place)
    found = session.library().ask(flags.counts, place.cache.cache_id)
    words = ["gloss", "filters", place.cache.name]
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    pick_place(bar, place, PAGE, drop=("position",))
    bar.space("stretch")
    start(bar, place, found, words)
    launched.watch(PAGE)
    if not any(one.n_measured for one in found):
        counted.nothing(place, words)
        return
    here = next(one for one in found if one.hookpoint_id == place.hookpoint.hookpoint_id)
    counted.chart_of(place, found)
    counted.table(place, here)
    counted.gaps(place, here)
    if here.n_measured:
        drawn.entropies(place)
        drawn.by_position(place)


def start(bar: DeltaGenerator, place: Place, found: list[Counts], words: list[str]) -> None:
    """A button that runs what is missing, as a process of its own."""
    is_whole = all(one.n_measured == one.n_features and not one.unchecked for one in found)
    if is_whole or not place.cache.has_activations:
        return
    said = "Run the filters" if not any(one.n_measured for one in found) else "Run what is missing"
    if bar.button(said, key="filters.start", type="primary", icon=":material/filter_alt:",
                  help=session.command(words), disabled=is_at_work(place)):  # fmt: skip
        launched.begin(PAGE, words)
        st.rerun()


def is_at_work(place: Place) -> bool:
    """Whether somebody filters this cache now: a run, or a command begun here that is starting."""
    at_work = session.library().ask(run_queries.at_work)
    return launched.is_at_work(PAGE) or any(
        run["stage"] == "filter" and run["cache"] == place.cache.name for run in at_work
    )


if __name__ == "__main__":
    page()

"""The page of features: filter, sort and page in SQL; a click on a row or a point opens it."""

import random
from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import meaning
from core.drawing.cards import sentence
from core.drawing.spans import block, escape
from dashboard import preset_words, session, strip
from dashboard.address import every, feature_named, number_named
from dashboard.library import Place
from dashboard.panels.features import chart, choice, table, views
from dashboard.panels.features.choice import VIEWS, Options, first_page
from dashboard.panels.features.meaning import HINT, ranking
from dashboard.panels.place import pick_place
from dashboard.session import KEPT
from data import feature_table
from data.feature_filter import Filter, Preset
from data.feature_table import PAGE

OPENED = "features.opened"  # the search that led to a feature, so that Back does not do it again
GOOD_NEWS = {
    Preset.DEAD: "No feature is dead: every one of them fired.",
    Preset.SCARCE: "No feature is scarce: every one has contexts enough to be scored.",
    Preset.FAILED: "No verdict has failed: every reply was usable.",
    Preset.UNSCORED: "No explanation waits for a score.",
    Preset.UNEXPLAINED: "No feature waits for an explanation.",
    Preset.BOOKMARKED: "Nothing is bookmarked yet: B on the page of a feature does it.",
    Preset.WORST: "No explanation has a detection score yet.",
}


@session.guarded
def page() -> None:
    """Line of filters, presets, active words, then the table or the chart of what passes."""
    place = session.place()
    strip.show()
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    pick_place(bar, place, "features")
    session.require_finished(place)
    known = session.library().ask(feature_table.choices, place.hookpoint.hookpoint_id)
    found = choice.options(known)
    choice.return_to_list(found.allows)
    choice.tidy_address(found)
    wanted, slot = filters(bar, place, found)
    if said := preset_words.meaning(wanted):
        st.html(block(f'<p class="mut">{escape(said)}</p>'))
    choice.show_words(choice.words(wanted, found))
    if by_meaning(wanted):
        near = ranking(place, wanted.words)
        if near is None:
            return
        wanted = replace(wanted, words="", near=near)
    total = session.library().ask(
        feature_table.count, place.hookpoint.hookpoint_id, replace(wanted, page=1, sort=None)
    )
    if slot.button("Random", icon=":material/shuffle:", shortcut="N", disabled=not total,
                  help="One of the features below"):  # fmt: skip
        open_random(place, wanted, total)
    listed(place, wanted, total, has_labels=known.has_labels, has_judges=known.has_judges)


def filters(bar: DeltaGenerator, place: Place, found: Options) -> tuple[Filter, DeltaGenerator]:
    """Search, filter and order in the first line, presets in the next; all of it in the address.

    Beside the filter: the place of a button that needs to know how many features pass.
    """
    words = search(bar, place)
    if meaning.is_installed():
        bar.toggle("by meaning", key="meaning", on_change=first_page, **KEPT)
    choice.popover(bar, found, "" if meaning.is_installed() else HINT)
    views.popover(bar, found)
    slot = bar.container(width="content")
    bar.space("stretch")
    bar.selectbox("Sort", list(found.sorts), key="sort", width=220, on_change=first_page,
                  label_visibility="collapsed", **KEPT)  # fmt: skip
    line = st.container(horizontal=True, vertical_alignment="center", gap="small")
    line.segmented_control(
        "Preset", list(Preset), default=Preset.ALL, required=True, key="preset",
        label_visibility="collapsed", on_change=first_page, **KEPT,
    )  # fmt: skip
    line.space("stretch")
    line.segmented_control("View", VIEWS, default=VIEWS[0], required=True, key="view",
                           label_visibility="collapsed", **KEPT)  # fmt: skip
    last = -(-place.hookpoint.n_features // PAGE)
    wanted = choice.read(found, page=choice.page_number(last))
    return replace(wanted, words=words), slot


def search(bar: DeltaGenerator, place: Place) -> str:
    """The words looked for; what names a feature opens it instead."""
    words = bar.text_input(
        "Search", key="q", icon=":material/search:", width=270, max_chars=300, type="search",
        placeholder="words of an explanation, or a feature", label_visibility="collapsed",
        on_change=_new_search, **KEPT,
    )  # fmt: skip
    address = feature_named(words or "", place.cache, place.hookpoint)
    if not address:
        return words or ""
    if st.session_state.get(OPENED) != words:
        st.session_state[OPENED] = words
        table.open_address(place, address)
    return ""  # Back came here again: the list, not the same feature once more


def _new_search() -> None:
    st.session_state.pop(OPENED, None)
    first_page()


def by_meaning(wanted: Filter) -> bool:
    """Whether the words are to be understood instead of looked up."""
    return bool(
        st.session_state.get("meaning")
        and meaning.is_installed()
        and wanted.words.strip()
        and not number_named(wanted.words)
    )


def open_random(place: Place, wanted: Filter, total: int) -> None:
    """Go to one of the features that pass the filter."""
    with session.library().catalogue.reading() as con:
        feature = feature_table.nth(con, place.hookpoint.hookpoint_id, wanted,
                                    random.randrange(total))  # fmt: skip
    if feature is not None:
        table.open_feature(place, feature)


def listed(place: Place, wanted: Filter, total: int, *, has_labels: bool, has_judges: bool) -> None:
    """The features that pass, as a table or as a chart, or why there are none."""
    number = None
    if not total:
        st.html(sentence(nothing(place, wanted)))
    elif st.session_state.get("view") == "Chart":
        chart.show(place, replace(wanted, page=1))
    else:
        found = read_page(place, wanted, total)
        number = found.number
        table.show(place, found, wanted, has_labels=has_labels, has_judges=has_judges)
    table.below(place, wanted, total=total, number=number)


def read_page(place: Place, wanted: Filter, total: int) -> feature_table.Page:
    """One page of the table; the next one is read while a person looks at this one."""
    library, hookpoint_id = session.library(), place.hookpoint.hookpoint_id

    def read(number: int) -> feature_table.Page:
        return library.ask(feature_table.page, hookpoint_id, replace(wanted, page=number), total)

    if wanted.page * PAGE < total:
        library.ahead.wish(lambda: read(wanted.page + 1))
    return read(wanted.page)


def nothing(place: Place, wanted: Filter) -> str:
    """Why the table is empty: often good news."""
    if number_named(wanted.words):
        return f"There is no feature {wanted.words.strip()}: features are {every(place.hookpoint)}."
    if wanted.preset in GOOD_NEWS and wanted == Filter(
        preset=wanted.preset, scorer=wanted.scorer, sort=wanted.sort, page=wanted.page
    ):
        return GOOD_NEWS[wanted.preset]
    return ("No feature passes this filter; choose All and clear search and filter to see "
            "all of them.")  # fmt: skip


if __name__ == "__main__":
    page()

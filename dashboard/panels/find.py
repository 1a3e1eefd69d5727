"""Find a feature from any page: a number, an address or words of an explanation, on key S."""

import streamlit as st

from core.drawing.cards import sentence
from core.drawing.spans import plain
from dashboard import session
from dashboard.address import every, feature_named, number_named
from dashboard.labels import literal
from dashboard.library import Place
from dashboard.scripts import script
from data import feature_table
from data.catalogue import Catalogue
from data.feature_filter import Filter

LISTED = 8  # matches shown
FOCUS = """
export default function () {
    const focus = () => document.querySelector('[role=dialog] input')?.focus()
    for (const wait of [0, 100, 300]) setTimeout(focus, wait)
}
"""  # a dialog takes the focus itself once it has opened, and its field would wait for a click
REST = """
export default function () {
    const body = document.body
    if (body.dataset.glossRest) return
    body.dataset.glossRest = 'yes'
    body.addEventListener('keydown', event => {
        const isShortcut = event.key.length === 1 || event.key.startsWith('Arrow')
        if (isShortcut && document.querySelector('[role=dialog]')) event.stopPropagation()
        if (event.key === 'Escape' && !document.querySelector('[role=dialog]'))
            setTimeout(() => document.activeElement?.blur?.())
    })
}
"""  # the page's shortcuts are heard above the body and would act behind an open dialog; they rest
# while a field or a filter has the focus, which Escape takes away
FEATURE = "views/feature.py"


def button() -> None:
    """The button in the bar of pages; nothing in a store without features."""
    if not Catalogue.exists(session.store()):
        return
    with st.container(key="find"):
        pressed = st.button("Find", icon=":material/search:", shortcut="S", type="tertiary",
                            key="find.open", help="Find a feature by number or words")  # fmt: skip
        script("gloss_rest", REST)(key="find.rest")
    if pressed:
        dialog()


@st.dialog("Find a feature", width="medium")
@session.guarded
def dialog() -> None:
    """One field; Enter opens what it names, or lists what it matches."""
    place = session.place()
    words = st.text_input(
        "Find", key="find.words", max_chars=300, label_visibility="collapsed",
        placeholder="number, hookpoint/number, pasted address, or words of an explanation",
    ) or ""  # fmt: skip
    script("gloss_focus", FOCUS)(key="find.focus")
    if named := feature_named(words, place.cache, place.hookpoint):
        open_feature(place, named)
    elif number_named(words):
        st.html(sentence(f"There is no feature {words.strip()}; {place.hookpoint.name} has "
                         f"features {every(place.hookpoint)}."))  # fmt: skip
    elif words.strip():
        matches(place, words)
    else:
        st.caption("Enter opens a number or an address, and lists what words match.")


def matches(place: Place, words: str) -> None:
    """The first features that the words match; a click opens one."""
    found = session.library().ask(
        feature_table.features, place.hookpoint.hookpoint_id, Filter(words=words)
    )
    for feature, text in found.rows[["feature", "text"]].head(LISTED).itertuples(index=False):
        words = plain(text) if isinstance(text, str) else "not explained"
        label = f"#{feature} · {literal(words)}"
        if st.button(label, key=f"find.{feature}", type="tertiary"):
            open_feature(place, f"{place.hookpoint.name}/{feature}")
    if not found.total:
        st.html(sentence(f"No explanation at {place.hookpoint.name} has these words."))
    elif found.total > LISTED:
        st.caption(f"{LISTED} of {found.total:,}; the page of features lists all of them.")


def open_feature(place: Place, address: str) -> None:
    """Go to a feature's page, from there as a step that Back undoes."""
    st.switch_page(FEATURE, query_params={"cache": place.cache.name, "feature": address})

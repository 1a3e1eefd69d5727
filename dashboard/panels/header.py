"""The first line of the Feature page: which feature, what was noted, what can be asked."""

import random
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.drawing.cards import fact_strip, sentence
from core.drawing.facts import facts, subject_line, why_unexplained
from core.drawing.spans import block, escape
from core.show import feature_lines
from dashboard import session
from dashboard.library import FeatureRecord, Place
from dashboard.panels import notes, prefill, reexplain, working, write
from data import results
from data.records import ExplanationRecord


def show(
    place: Place, feature: int, record: FeatureRecord, shown: ExplanationRecord | None
) -> None:
    """Draw the whole of it."""
    end(begin(place, feature), place, feature, record, shown)


def begin(place: Place, feature: int) -> DeltaGenerator:
    """Draw where we are and what leads on."""
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small", key="head")
    walk(bar, place, feature)
    return bar


def end(
    bar: DeltaGenerator,
    place: Place,
    feature: int,
    record: FeatureRecord,
    shown: ExplanationRecord | None,
) -> None:
    """Draw the rest; what a button could not do is said under it."""
    line = escape(subject_line(place.cache, place.hookpoint))
    bar.html(block(f'<div class="who">{notes.chip(record.notes)}{line}</div>'), width="content")
    notes.bookmark(bar, place, feature, record.notes)
    notes.popover(bar, place, feature, record.notes)
    export(bar, place, feature)
    ask(bar, place, feature, record, shown)
    if trouble := st.session_state.pop(notes.TROUBLE, None):
        st.html(sentence(trouble))


def facts_of(place: Place, record: FeatureRecord, shown: ExplanationRecord | None) -> str:
    """The strip of facts between the cards and the contexts, as HTML."""
    assert record.facts is not None  # or the page stops before
    nearest = next((row for row in record.neighbours if row["measure"] == "cosine"), None)
    n_contexts = session.workbench(place.cache).contexts.n_distinct
    return fact_strip(facts(record.facts, place.cache, shown, nearest, n_contexts=n_contexts))


def walk(bar: DeltaGenerator, place: Place, feature: int) -> None:
    """Previous, number, next, random."""
    before, after = beside(place, feature)
    bar.button("Previous", icon=":material/chevron_left:", shortcut="Left",
               on_click=session.go_to, args=(place, before))  # fmt: skip
    # A field of its own for every feature: one that is there already shows a new number only after
    # the page has been painted without it.
    key = f"feature.number.{feature}"
    bar.number_input("Feature", 0, place.hookpoint.n_features - 1, feature, key=key, width=116,
                     label_visibility="collapsed",
                     on_change=go_to_typed, args=(place, feature, key))  # fmt: skip
    bar.button("Next", icon=":material/chevron_right:", icon_position="right", shortcut="Right",
               on_click=session.go_to, args=(place, after))  # fmt: skip
    bar.button("Random", icon=":material/shuffle:", shortcut="N", key="random",
               on_click=go_random, args=(place,))  # fmt: skip


def beside(place: Place, feature: int) -> tuple[int, int]:
    """Where Previous and Next lead: to any feature, or to the known ones of an import."""
    if place.hookpoint.is_size_known:
        n = place.hookpoint.n_features
        return (feature - 1) % n, (feature + 1) % n
    return session.library().ask(results.beside, place.hookpoint.hookpoint_id, feature)


def go_to_typed(place: Place, feature: int, key: str) -> None:
    """Go to the number in the field of a feature, while that is the one on the page.

    For a moment a browser sends the fields of the page before it, too, which count as changed.
    """
    if session.last_feature(place.hookpoint) == feature:
        session.go_to(place, st.session_state[key])


def go_random(place: Place) -> None:
    """Go to one of the features that fired."""
    rank = random.randrange(max(1, place.hookpoint.n_alive))
    found = session.library().ask(results.live_feature, place.hookpoint.hookpoint_id, rank)
    session.go_to(place, found or 0)


def export(bar: DeltaGenerator, place: Place, feature: int) -> None:
    """This feature as `gloss show --json` prints it; read when the button is pressed."""
    name = f"{place.cache.name}-{place.hookpoint.name}-{feature}.json"
    bar.download_button("Export", partial(as_json, place, feature), name, "application/json",
                        key="export", icon=":material/download:", on_click="ignore",
                        help="Everything about this feature as JSON")  # fmt: skip


def as_json(place: Place, feature: int) -> str:
    """What `gloss show CACHE HOOKPOINT/FEATURE --json` prints."""
    address = f"{place.hookpoint.name}/{feature}"
    catalogue = session.library().patient
    return "\n".join(feature_lines(catalogue, place.cache.name, address, as_json=True))


def ask(
    bar: DeltaGenerator,
    place: Place,
    feature: int,
    record: FeatureRecord,
    shown: ExplanationRecord | None,
) -> None:
    """Write an explanation by hand, or have another one made."""
    unable = why_unexplained(record.facts)
    is_off = unable is not None
    by_hand = bar.button("Write", icon=":material/edit:", key="write", disabled=is_off,
                         help=unable)  # fmt: skip
    pressed = bar.button("Re-explain", icon=":material/auto_awesome:", type="primary", shortcut="E",
                         key="reexplain", help=unable, disabled=is_off)  # fmt: skip
    is_opened = not is_off and (pressed or prefill.is_wanted(place, feature))
    if working.stays_open(reexplain.KIND, place, feature, pressed=is_opened):
        if is_opened:
            prefill.fill(place, feature, shown)
        reexplain.drawer(place, feature, record, shown)
    elif working.stays_open(write.KIND, place, feature, pressed=by_hand):
        write.dialog(place, feature, record, shown)

"""The explanations of a feature as cards; two of them side by side when one is pinned."""

from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.drawing import cards
from core.drawing.facts import why_unexplained
from core.drawing.spans import escape
from dashboard import session
from dashboard.comparison import differences
from dashboard.library import FeatureRecord, Place
from dashboard.panels import details
from dashboard.words import words
from data import results
from data.records import ExplanationRecord

ALONE = "This feature has one explanation: there is no other one to show beside it."
AT_ONCE = 4  # cards drawn; older ones wait in a closed expander


class Choice(NamedTuple):
    """What the address says about explanations."""

    shown: ExplanationRecord | None
    against: ExplanationRecord | None  # beside the shown one
    pinned: ExplanationRecord | None  # kept while another one is shown; may be the shown one


def chosen(found: list[ExplanationRecord]) -> Choice:
    """The shown explanation and the one that is pinned; both from the address."""
    by_id = {str(e.explanation_id): e for e in found}
    shown = by_id.get(st.query_params.get("explanation", "")) or results.best(found)
    pinned = by_id.get(st.query_params.get("against", ""))
    return Choice(shown, None if pinned is shown else pinned, pinned)


def unknown(found: list[ExplanationRecord]) -> str | None:
    """A line about explanations in the address that this feature does not have."""
    known = {str(e.explanation_id) for e in found}
    asked = [st.query_params.get(name, "") for name in ("explanation", "against")]
    missing = [number for number in asked if number and number not in known]
    if not missing:
        return None
    which = " and ".join(f"#{number[:20]}" for number in missing)
    if asked[0] not in missing:
        return f"This feature has no explanation {which} to compare with."
    return f"This feature has no explanation {which}; the best one is shown."


def show(place: Place, feature: int, record: FeatureRecord, choice: Choice) -> None:
    """All cards, the shown one first; a click on another one shows that."""
    shown, against, _ = choice
    if missing := unknown(record.explanations):
        st.html(cards.block(f'<p class="mut">{escape(missing)}</p>'))
    if shown is None:
        without(place, feature, record)
        return
    columns = cards.scorers(record.explanations)
    others = [e for e in record.explanations if e is not shown and e is not against]
    if against is not None:
        every = session.library().ask(results.verdicts, place.hookpoint.hookpoint_id, feature)
        words = differences(every, shown, against)
        st.html(cards.pair(shown, against, columns, words))
    listed = others if against else [shown, *others]
    with st.container(key="cards", gap=None):
        draw(listed[:AT_ONCE], columns, choice)
    if older := listed[AT_ONCE:]:
        expander = st.expander(f"{len(older)} more explanations", key="older", on_change="rerun")
        if expander.open:
            with expander:
                draw(older, columns, choice, first=AT_ONCE)
    actions(place, record.explanations, choice)


def without(place: Place, feature: int, record: FeatureRecord) -> None:
    """Why there is no explanation, and what makes one."""
    if unable := why_unexplained(record.facts):
        st.html(cards.sentence(f"Not explained. {unable}."))
        return
    st.html(cards.sentence("Not explained yet; press E, or run",
                           session.command_about("explain", place, feature)))  # fmt: skip


def draw(
    listed: list[ExplanationRecord], columns: list[str], choice: Choice, first: int = 0
) -> None:
    """One card each; those that are not shown are buttons.

    Keys are places, from `first` on: a button that is made anew for every feature costs time.
    """
    for i, explanation in enumerate(listed):
        corners = "first " * (i == 0) + "last" * (i == len(listed) - 1)
        is_shown = explanation is choice.shown
        body = cards.card(explanation, columns, name=corners.strip(), is_shown=is_shown,
                          is_pinned=explanation is choice.pinned)  # fmt: skip
        if is_shown:
            words(body, key="card.shown")
            continue
        number = explanation.explanation_id
        with st.container(key=f"card-{first + i}", gap=None):
            st.html(body)
            st.button(f"Show explanation {number}", key=f"show-{first + i}", on_click=choose,
                      args=("explanation", str(number)))  # fmt: skip


def actions(place: Place, found: list[ExplanationRecord], choice: Choice) -> None:
    """Pin the shown one, put another beside it, or read how it came about."""
    assert choice.shown is not None  # or there were no cards
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small", key="acts")
    pin(bar, choice.shown, choice.pinned, is_alone=len(found) == 1)
    if len(found) > 1:
        compare_with(bar, found, choice)
    bar.space("stretch")
    for side, explanation in (("shown", choice.shown), ("pinned", choice.against)):
        if explanation is None:
            continue
        number = f" #{explanation.explanation_id}" if choice.against else ""
        # One key for all features: a button that is made anew costs a tenth of the page's time.
        if bar.button(f"Details{number}", icon=":material/receipt_long:", type="tertiary",
                      key=f"details-{side}"):  # fmt: skip
            details.dialog(place, explanation)


def pin(
    bar: DeltaGenerator,
    shown: ExplanationRecord,
    pinned: ExplanationRecord | None,
    *,
    is_alone: bool,
) -> None:
    """Keep the shown explanation in sight while another one is shown; again to let go.

    A feature with one explanation has the button too: its key must not seem dead.
    """
    if is_alone and pinned is None:
        bar.button("Pin", key="pin", shortcut="P", type="tertiary", icon=":material/keep:",
                   help=ALONE, on_click=say_alone)  # fmt: skip
        return
    held = pinned and f"#{pinned.explanation_id}"
    bar.button(f"Unpin {held}" if held else "Pin", key="pin", shortcut="P", type="tertiary",
               icon=":material/keep_off:" if held else ":material/keep:",
               help="Keeps this explanation beside the one that you choose next",
               on_click=choose,
               args=("against", None if pinned else str(shown.explanation_id)))  # fmt: skip


def say_alone() -> None:
    """Why there is nothing to pin."""
    st.toast(ALONE, icon=":material/keep:")


def compare_with(bar: DeltaGenerator, found: list[ExplanationRecord], choice: Choice) -> None:
    """Put another explanation beside the shown one."""
    names = {str(e.explanation_id): name(e) for e in found if e is not choice.shown}
    st.session_state["against"] = str(choice.against.explanation_id) if choice.against else None
    bar.selectbox("Compare with", list(names), index=None, key="against", width=280,
                  format_func=names.__getitem__, placeholder="Compare with …",
                  label_visibility="collapsed",
                  on_change=lambda: choose("against", st.session_state["against"]))  # fmt: skip


def name(explanation: ExplanationRecord) -> str:
    """Number and how it was made, e.g. "#8 · grammar · 40 examples, top · mdl"."""
    return " · ".join([f"#{explanation.explanation_id}", *cards.made_words(explanation)])


def choose(name: str, number: str | None) -> None:
    """Put a choice of explanation in the address."""
    if number is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = number

"""The explanations of a feature as cards; two of them side by side when they are compared."""

import streamlit as st

from dashboard import cards, session
from dashboard.commands import explain_words
from dashboard.comparison import differences
from dashboard.facts import why_unexplained
from dashboard.library import FeatureRecord, Place
from dashboard.spans import escape
from data.records import ExplanationRecord

AT_ONCE = 4  # cards drawn; older ones wait in a closed expander


def chosen(found: list[ExplanationRecord]) -> tuple[ExplanationRecord | None, ...]:
    """The shown explanation and the one it is compared with; both from the address."""
    by_id = {str(e.explanation_id): e for e in found}
    shown = by_id.get(st.query_params.get("explanation", "")) or best(found)
    against = by_id.get(st.query_params.get("against", ""))
    return shown, None if against is shown else against


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


def best(found: list[ExplanationRecord]) -> ExplanationRecord | None:
    """As in the table of features: usable, the best by detection, of equals the newest."""

    def merit(explanation: ExplanationRecord) -> tuple[bool, float, int]:
        score = cards.score_of(explanation, "detection")
        value = -1.0 if score is None or score.value is None else score.value
        return explanation.text is not None, value, explanation.explanation_id

    return max(found, key=merit, default=None)


def show(
    place: Place,
    feature: int,
    record: FeatureRecord,
    shown: ExplanationRecord | None,
    against: ExplanationRecord | None,
) -> None:
    """All cards, the shown one first; a click on another one shows that."""
    if missing := unknown(record.explanations):
        st.html(cards.block(f'<p class="mut">{escape(missing)}</p>'))
    unable = why_unexplained(record.facts)
    if shown is None and unable:
        st.html(cards.sentence(f"Not explained. {unable}."))
        return
    if shown is None:
        words = ["gloss", "explain", place.cache.name, "--hookpoint", place.hookpoint.name,
                 "--features", str(feature)]  # fmt: skip
        st.html(cards.sentence("Not explained yet; press E, or run", session.command(words)))
        return
    columns = cards.scorers(record.explanations)
    others = [e for e in record.explanations if e is not shown and e is not against]
    if against is not None:
        words = differences(record.verdicts, shown, against)
        st.html(cards.pair(shown, against, columns, words))
    listed = others if against else [shown, *others]
    with st.container(key="cards", gap=None):
        draw(listed[:AT_ONCE], columns, shown)
    if older := listed[AT_ONCE:]:
        with st.expander(f"{len(older)} more explanations"):
            draw(older, columns, shown)
    if len(record.explanations) > 1:
        compare_with(record.explanations, shown, against)


def draw(listed: list[ExplanationRecord], columns: list[str], shown: ExplanationRecord) -> None:
    """One card each; those that are not shown are buttons."""
    for i, explanation in enumerate(listed):
        corners = "first " * (i == 0) + "last" * (i == len(listed) - 1)
        is_shown = explanation is shown
        body = cards.card(explanation, columns, name=corners.strip(), is_shown=is_shown)
        if is_shown:
            st.html(body)
            continue
        number = explanation.explanation_id
        with st.container(key=f"card-{number}", gap=None):
            st.html(body)
            st.button(f"Show explanation {number}", key=f"show-{number}", on_click=choose,
                      args=("explanation", str(number)))  # fmt: skip


def compare_with(
    found: list[ExplanationRecord], shown: ExplanationRecord, against: ExplanationRecord | None
) -> None:
    """Put a second explanation beside the shown one."""
    names = {str(e.explanation_id): name(e) for e in found if e is not shown}
    st.session_state["against"] = str(against.explanation_id) if against else None
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    bar.html(cards.block('<span class="mut">Compare with</span>'), width="content")
    bar.pills("Compare with", list(names), key="against", format_func=names.__getitem__,
              label_visibility="collapsed",
              on_change=lambda: choose("against", st.session_state["against"]))  # fmt: skip


def name(explanation: ExplanationRecord) -> str:
    """Number and what differs, e.g. "#8 · mdl · 40 examples, top"."""
    data, *others = explain_words(explanation.settings)
    who = [explanation.model] if explanation.model else []
    return " · ".join([f"#{explanation.explanation_id}", *others, *who, data])


def choose(name: str, number: str | None) -> None:
    """Put a choice of explanation in the address."""
    if number is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = number

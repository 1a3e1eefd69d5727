"""The drawer that asks for another explanation of one feature, and waits for it beside the page."""

from collections.abc import Hashable
from dataclasses import replace
from threading import Event

import streamlit as st

from core.drawing import cards
from core.drawing.spans import block
from core.pipeline.again import Answer, answer, reexplain
from core.pipeline.ask import Ask
from core.pipeline.materials import Drawing
from core.pipeline.watching import Say
from dashboard import session
from dashboard.labels import literal
from dashboard.library import FeatureRecord, Place
from dashboard.panels import asking, forecast, presets, working
from data import results
from data.errors import BadInput
from data.records import ExplanationRecord

KIND = "reexplain"


@st.dialog("Re-explain", position="right", width=520, on_dismiss=working.dismissed)
@session.guarded
def drawer(
    place: Place, feature: int, record: FeatureRecord, shown: ExplanationRecord | None
) -> None:
    """Settings for a new explanation; the page stays readable behind it."""
    st.caption(f"Feature {feature} · {literal(place.hookpoint.name)}")
    working.settle(KIND, place, feature, shown)
    if running := working.running_about(KIND, place, feature):
        for job in running:
            working.progress(KIND, job.key, shown)
        return  # what is asked next is asked when this has ended
    presets.choose()
    offer(place, feature, record, shown, asking.chosen_ask(place.cache, shown))


def job_key(place: Place, feature: int, ask: Ask) -> tuple[Hashable, ...]:
    """What makes two requests the same job."""
    return *working.about_key(KIND, place, feature), ask


def offer(
    place: Place, feature: int, record: FeatureRecord, shown: ExplanationRecord | None, ask: Ask
) -> None:
    """What is there already, what it would take, and the button."""
    try:
        ask.check()
    except BadInput as error:
        st.html(cards.sentence(cards.told(error)))
        st.button("Start", type="primary", key="reexplain.start", disabled=True)
        return
    known = answer(session.library().catalogue, place.hookpoint, feature, ask)
    lacking = lacking_scores(place, feature, record, ask, known)
    action = action_for(ask, known, lacking)
    if known is None or lacking or action:
        for one in (ask, replace(ask, retry=True)):
            working.say_ended(session.library().jobs.get(job_key(place, feature, one)))
    if known is not None:
        st.html(cards.sentence(already(known, record, lacking)))
        if st.button("Show it", key="reexplain.show", type="secondary" if action else "primary"):
            working.arrive(known.explanation_id, shown)
    if action == "Ask again":
        ask = replace(ask, retry=True)
    forecast.show(place, feature, ask)
    if action:
        st.html(block(f'<p class="mut">{asking.summary(ask)}</p>'))
    bar = st.container(horizontal=True, gap="small", vertical_alignment="center")
    with bar:
        if action:
            st.button(action, type="primary", key="reexplain.start", on_click=start,
                      args=(place, feature, ask))  # fmt: skip
        estimate = st.empty()
        presets.save(ask)
    forecast.in_short(place, feature, ask, estimate)


def action_for(ask: Ask, known: Answer | None, lacking: list[str]) -> str:
    """What the button says; "" = there is nothing to do."""
    if known is None:
        return "Start"
    if known.status == "failed" and ask.endpoint is not None:
        return "Ask again"
    return "Score it" if lacking else ""


def lacking_scores(
    place: Place, feature: int, record: FeatureRecord, ask: Ask, known: Answer | None
) -> list[str]:
    """Scorers that the earlier answer, or the one beside it, has not been judged by yet."""
    reason = (record.facts or {}).get("reason")
    if known is None or not known.has_text or reason not in (None, "reduced"):
        return []
    hookpoint_id = place.hookpoint.hookpoint_id
    found = session.library().ask(results.explanations, hookpoint_id, feature).get(feature, [])
    numbers = [known.explanation_id, *([ask.against] if ask.against else [])]
    preset = Drawing(ask.preset, is_stored=not place.cache.has_activations).label
    return asking.missing_scorers(found, ask, numbers, preset)


def already(known: Answer, record: FeatureRecord, lacking: list[str]) -> str:
    """What the same settings gave before."""
    which = f"Already asked: explanation #{known.explanation_id} has these settings"
    if not known.has_text:
        found = {e.explanation_id: e.error or e.status for e in record.explanations}
        why = found.get(known.explanation_id, known.status)
        return (
            f"{which} and gave no text ({why}); change a setting, or ask again if it was a model."
        )
    if lacking:
        return f"{which}; it is not scored yet by {' and '.join(lacking)}."
    return f"{which}."


def start(place: Place, feature: int, ask: Ask) -> None:
    """Begin the job; a second press joins it."""
    library = session.library()

    def work(stop: Event, say: Say) -> int:
        bench = library.workbench(place.cache)
        return reexplain(library.patient, bench, place.hookpoint, feature, ask, stop, say)

    working.watch(KIND, job_key(place, feature, ask))
    library.jobs.start_telling(
        job_key(place, feature, ask), f"re-explaining {place.hookpoint.name}/{feature}", work
    )

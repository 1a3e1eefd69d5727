"""A job about one feature, watched from a drawer: progress, Cancel, and what comes of it."""

from collections.abc import Hashable

import streamlit as st

from core.drawing import cards
from core.drawing.spans import block, escape
from dashboard import session
from dashboard.commands import duration
from dashboard.jobs import Job
from dashboard.library import Place
from data.records import ExplanationRecord, Progress

DRAFT = "write.draft"  # which feature the words in the fields of `write` are about
KINDS = ("reexplain", "write")  # of drawers
EVERY = 0.3  # seconds between looks at the job


def running_about(kind: str, place: Place, feature: int) -> list[Job]:
    """Jobs of a kind about one feature that are at work, whoever began them.

    Keys begin with kind, cache, hookpoint and feature.
    """
    about = about_key(kind, place, feature)
    return [
        job for job in session.library().jobs.running()
        if isinstance(job.key, tuple) and job.key[: len(about)] == about
    ]  # fmt: skip


def about_key(kind: str, place: Place, feature: int) -> tuple[Hashable, ...]:
    """How the key of such a job begins."""
    return kind, place.cache.cache_id, place.hookpoint.hookpoint_id, feature


def stays_open(kind: str, place: Place, feature: int, *, pressed: bool) -> bool:
    """Whether a drawer is to be drawn: from its button until it is dismissed.

    A rerun of the whole page, as when some run ends, would close it. It belongs to one feature.
    """
    here = place.hookpoint.hookpoint_id, feature
    if pressed:
        st.session_state[f"{kind}.open"] = here
    elif st.session_state.get(f"{kind}.open") != here:
        st.session_state.pop(f"{kind}.open", None)
    return f"{kind}.open" in st.session_state


def dismissed() -> None:
    """Note that no drawer is open."""
    for kind in KINDS:
        st.session_state.pop(f"{kind}.open", None)
        st.session_state.pop(f"{kind}.watched", None)


def watch(kind: str, key: Hashable) -> None:
    """Note that this session waits for a job in its drawer."""
    st.session_state[f"{kind}.watched"] = key


def settle(kind: str, place: Place, feature: int, shown: ExplanationRecord | None) -> None:
    """Leave for what came of the job that this session waits for, if it ended between two looks."""
    key = st.session_state.get(f"{kind}.watched")
    job = None if key is None else session.library().jobs.get(key)
    about = about_key(kind, place, feature)
    if job is None or job.is_running or not isinstance(key, tuple) or key[: len(about)] != about:
        return
    st.session_state.pop(f"{kind}.watched")
    if job.result is not None:
        finish(kind, job.result, shown)


@st.fragment(run_every=EVERY)
@session.guarded
def progress(kind: str, key: Hashable, shown: ExplanationRecord | None) -> None:
    """Watch a job; leave for the new explanation when it is there."""
    job = session.library().jobs.get(key)
    watch(kind, key)
    if job is None or (not job.is_running and job.error):
        st.rerun()
    elif job.is_running:
        st.html(block(words(job)))
        st.button("Cancel", key=f"cancel.{hash(key)}", on_click=job.stop.set,
                  disabled=job.stop.is_set(), icon=":material/close:")  # fmt: skip
    else:
        finish(kind, job.result, shown)


@session.guarded
def at_work(key: Hashable, button: str) -> None:
    """The inside of a fragment: how far a job is, and Cancel; the page is drawn anew at its end."""
    job = session.library().jobs.get(key)
    if job is None or not job.is_running:
        st.rerun(scope="app")
    st.html(block(words(job)))
    st.button("Cancel", key=button, icon=":material/stop:", on_click=job.stop.set,
              disabled=job.stop.is_set())  # fmt: skip


def words(job: Job) -> str:
    """How far a job is, as HTML."""
    said = job.progress or Progress("Beginning", 0, 0)
    stage = "Stopping; what was answered is kept" if job.stop.is_set() else said.stage
    parts = [f"{said.done:,} of {said.total:,} {said.unit}"] if said.total else []
    parts += [said.note] if said.note else []
    parts.append(duration(job.seconds))
    track = ""
    if said.total:
        width = f"{100 * said.done / said.total:.0f}%"
        track = f"<span class=track><i style='width:{width}'></i></span>"
    return (f"<div class='job wait'><b>{escape(stage)} …</b>"
            f"<span>{escape(' · '.join(parts))}</span>{track}</div>")  # fmt: skip


def ended(job: Job | None) -> str | None:
    """Why a job gave nothing, as a sentence; None where it gave something or runs."""
    if job is None or job.is_running or job.error is None:
        return None
    if job.was_stopped:
        return "Cancelled. What was answered by then is kept and will not be paid again."
    return f"That did not work: {job.error}."


def say_ended(job: Job | None) -> None:
    """Show why a job gave nothing."""
    if said := ended(job):
        st.html(cards.sentence(said))


def finish(kind: str, explanation_id: int, shown: ExplanationRecord | None) -> None:
    """Leave for what a job of a kind has made; words that are saved are no draft any more."""
    if kind == "write":
        st.session_state.pop(DRAFT, None)
    arrive(explanation_id, shown)


def arrive(explanation_id: int, shown: ExplanationRecord | None) -> None:
    """Show the new explanation beside the one that was shown."""
    dismissed()
    is_another = shown is not None and shown.explanation_id != explanation_id
    st.query_params.update(
        {
            "explanation": str(explanation_id),
            "against": str(shown.explanation_id) if shown and is_another else [],
        }
    )
    st.rerun()

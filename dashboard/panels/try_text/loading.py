"""The line that says which subject is loaded, and what stands there while it is not."""

from collections.abc import Callable, Hashable, Sequence
from time import sleep

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.drawing import cards
from core.drawing.spans import block, escape
from core.probe import Probe
from dashboard import session
from dashboard.commands import duration
from dashboard.jobs import Job
from dashboard.library import Place
from dashboard.panels.try_text.holding import CANCELLED, Holding, is_gone, size_words
from data import queries
from data.baselines import subject_words
from data.records import CacheRecord

ASKED = "try.asked"  # set when a text was entered: what may begin the loading
EVERY = 0.4  # seconds between looks at a job
PATIENCE, LOOK = 0.5, 0.02  # seconds: most answers come so soon that nobody need see a page wait


@st.cache_resource(max_entries=1, show_spinner=False)
def holding(_store: str) -> Holding:
    """What is loaded in this process; one store, so that another one's subject is let go."""
    return Holding()


def held() -> Holding:
    """What is loaded for the store that pages show."""
    return holding(str(session.store()))


def loaded(place: Place, hookpoints: Sequence[str]) -> Probe | None:
    """The probe of these hookpoints; else draw what is being done or can be done, and give None."""
    asked = st.session_state.pop(ASKED, False)
    if probe := held().probe(place.cache, hookpoints):
        return probe
    key = ("try.load", place.cache.cache_id, tuple(hookpoints))
    if is_gone(place.cache.subject):
        st.html(cards.sentence(
            f"The subject of cache “{place.cache.name}” is not in {place.cache.subject} any more, "
            "and without it no text can be run: put its folder back there."))  # fmt: skip
        return None
    job = session.library().jobs.get(key)
    if job is None or not job.is_running:
        before = held().record
        if asked and before in (None, place.cache):
            begin(place, hookpoints, key)
            st.rerun()
        offer(place, hookpoints, key, job)
        return None
    about = f"{size(place)} Other pages can be used meanwhile."
    waiting(key, lambda job: f"Loading the subject of “{place.cache.name}”: {_step(job)} … "
            f"{duration(job.seconds)}. {about}")  # fmt: skip
    return None


def _step(job: Job) -> str:
    """What loading does now."""
    return job.progress.stage if job.progress else ""


def begin(place: Place, hookpoints: Sequence[str], key: Hashable) -> None:
    """Start to load; a second press joins."""
    library, holder = session.library(), held()
    library.jobs.start_telling(
        key,
        f"loading the subject of {place.cache.name}",
        lambda stop, tell: holder.load(library.patient, place.cache, hookpoints, stop, tell),
    )


def offer(place: Place, hookpoints: Sequence[str], key: Hashable, job: Job | None) -> None:
    """Say that nothing is loaded, or not this, and how large it is; a button begins."""
    if job is not None and job.error:
        reason = "Loading stopped" if job.error == CANCELLED else "The subject could not be loaded"
        st.html(cards.sentence(f"{reason}: {job.error}."))
    other = held().record
    before = ""
    if other is not None and other != place.cache:
        before = (f"The subject of cache “{other.name}” is loaded; one cache is kept at a time, so "
                  "that one would be released. ")  # fmt: skip
    st.html(cards.sentence(f"{before}A text is run through the subject, which is loaded only when "
                           f"asked. {size(place)}"))  # fmt: skip
    label = f"Load it in place of “{other.name}”" if before and other else "Load the subject"
    st.button(_plain(label), type="primary", icon=":material/memory:", key="try.load",
              on_click=begin, args=(place, hookpoints, key))  # fmt: skip


def _plain(text: str) -> str:
    """Text for a button's label, which would read Markdown."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()#+-.!:$~<>|^&" else c for c in text)


def size(place: Place) -> str:
    """What would be loaded, as a sentence."""
    row = session.library().ask(queries.identity, place.hookpoint.hookpoint_id)
    words = size_words(row, place.cache.subject)
    return f"{name_of(place.cache)}: {words}." if words else f"{name_of(place.cache)}."


def name_of(record: CacheRecord) -> str:
    """A subject's name without the folders before it."""
    return subject_words(record.subject)


def line(place: Place, bar: DeltaGenerator) -> None:
    """Which subject is loaded, in small type, with a button that lets it go."""
    bar.space("stretch")
    words = f"Loaded for all sessions: {name_of(place.cache)}, of cache “{place.cache.name}”"
    bar.html(block(f'<span class="mut">{escape(words)}</span>'), width="content")
    bar.button("Release", type="tertiary", key="try.release", icon=":material/eject:",
               on_click=held().release,
               help="Gives the memory back; loading again takes a while.")  # fmt: skip


def patiently(job: Job) -> Job:
    """Give a job the moment that most need."""
    for _ in range(int(PATIENCE / LOOK)):
        if not job.is_running:
            break
        sleep(LOOK)
    return job


@st.fragment(run_every=EVERY)
@session.guarded
def waiting(key: Hashable, words: Callable[[Job], str]) -> None:
    """Say what a job does, with a button that stops it; draw the page again when it has ended."""
    job = session.library().jobs.get(key)
    if job is None or not job.is_running:
        st.rerun()
        return
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    bar.html(cards.sentence(words(job)))
    bar.button("Cancel", key="try.cancel", on_click=job.stop.set, disabled=job.stop.is_set())

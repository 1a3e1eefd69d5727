"""Search by meaning: a job embeds what is new and ranks; the page waits for it in words."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from threading import Event
from time import monotonic, sleep

import streamlit as st

from core import meaning
from core.drawing.cards import capital, sentence
from core.drawing.spans import block, escape
from core.encoder import Encoder, packaged
from dashboard import session
from dashboard.jobs import Job
from dashboard.library import Library, Place
from data.catalogue import Connection
from data.feature_filter import Similar
from data.records import Progress

HINT = f"Search by meaning needs an extra: {meaning.EXTRA}"
SOON, EVERY = 0.6, 0.5  # seconds: waited for before words are shown; between two looks


@dataclass(slots=True)
class Searcher:
    """The encoder, opened by the first job that needs it, and how far each job is."""

    progress: dict[Hashable, Progress] = field(default_factory=dict)
    encoder: Encoder | None = None

    def search(
        self, library: Library, key: Hashable, hookpoint_id: int, query: str, stop: Event
    ) -> tuple[Similar, ...]:
        """What the job does; runs in its thread."""
        self.encoder = self.encoder or packaged()
        for progress in meaning.embed(library.patient, self.encoder, hookpoint_id, stop):
            self.progress[key] = progress
        self.progress.pop(key, None)
        return meaning.nearest(library.patient, self.encoder, hookpoint_id, query)


@st.cache_resource(max_entries=4, show_spinner=False)
def _searcher(_store: str) -> Searcher:
    return Searcher()


def ranking(place: Place, query: str) -> tuple[Similar, ...] | None:
    """The features that a query means, nearest first; None, and words, while they are looked for.

    The key holds the number of explanations: new ones are looked at, too.
    """
    library, hookpoint_id = session.library(), place.hookpoint.hookpoint_id
    key = ("meaning", hookpoint_id, query, library.ask(_usable, hookpoint_id))
    searcher = _searcher(str(session.store()))

    def begin() -> Job:
        return library.jobs.start(
            key, f"searching {place.hookpoint.name} by meaning",
            lambda stop: searcher.search(library, key, hookpoint_id, query, stop),
        )  # fmt: skip

    job = library.jobs.get(key) or begin()
    _wait(job)
    if job.is_running:
        st.fragment(_words, run_every=EVERY)(job, searcher)
    elif why := _incomplete(job):
        st.html(sentence(why))
        if st.button("Go on", key="meaning.again", icon=":material/refresh:"):
            begin()
            st.rerun()
    return None if job.is_running else job.result


def _incomplete(job: Job) -> str | None:
    """Why not everything was looked at, or None when it was."""
    if job.error:
        return f"{capital(job.error)}."
    if job.stop.is_set():
        return "The search was stopped: only explanations that were read before are below."
    return None


def _usable(con: Connection, hookpoint_id: int) -> int:
    return con.value(
        "select count(*) from explanation where hookpoint_id = ? and text is not null",
        [hookpoint_id],
    )


def _wait(job: Job) -> None:
    """Most searches are over at once: then the page shows the rows and no words before."""
    give_up = monotonic() + SOON
    while job.is_running and monotonic() < give_up:
        sleep(0.01)


@session.guarded
def _words(job: Job, searcher: Searcher) -> None:
    """How far it is; when it ends the page shows what was found."""
    if not job.is_running:
        st.rerun(scope="app")
    found = searcher.progress.get(job.key)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(block(f'<div class="job"><b>{escape(words(found, job.seconds))}</b></div>'),
                width="content")  # fmt: skip
        if st.button("Stop", key="meaning.stop", icon=":material/close:", type="tertiary",
                     help="What was read is kept"):  # fmt: skip
            job.stop.set()


def words(found: Progress | None, seconds: float) -> str:
    """What is happening, e.g. "Reading the explanations: 512 of 4,096"."""
    if found is None:
        return f"Loading the sentence encoder … {seconds:.0f} s"
    if found.done < found.total:
        return f"Reading the explanations for their meaning: {found.done:,} of {found.total:,}"
    return "Comparing"

"""Whether a cache is whole: figures at once, its files against the catalogue when asked."""

import streamlit as st

from core.drawing.cards import identity
from core.drawing.spans import heading
from dashboard import health_words, session
from dashboard.panels.import_export import place
from data import health
from data.records import CacheRecord

CHECKED = "data.checked"  # key of the session's state: by cache


def show() -> None:
    """One cache: its state, its SAEs, its identity, and a check of its files."""
    record = place.cache()
    found = health.health(session.library().catalogue, record)
    st.html(heading(f"Health of {record.name}", health_words.verdict(found)))
    st.html(identity(health_words.facts(found)))
    st.html(heading("SAEs", "features by how far they can be explained and scored"))
    st.html(health_words.hookpoints(found))
    checks(record)
    st.html(heading("Identity", "what exactly was run"))
    pairs = session.library().ask(health.identity, record.cache_id)
    st.html(identity(pairs))


def checks(record: CacheRecord) -> None:
    """Hold the files against the catalogue, when asked."""
    st.html(heading("Files", "hashes of subject, tokenizer, tokens and SAEs; activations counted"))
    done = st.session_state.setdefault(CHECKED, {})
    if st.button(
        "Check the files",
        icon=":material/fact_check:",
        help="Reads the token file, the vocabulary and the index of the activations.",
    ):
        with st.spinner("Reading the files of the cache …"):
            done[record.name] = health.check(session.library().catalogue, record.name)
    if record.name in done:
        st.html(health_words.checks(done[record.name]))

"""Other tools' runs into the store: a job of the dashboard, and the report of every import."""

import json
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import NamedTuple

import streamlit as st

from core.drawing.cards import sentence
from core.drawing.spans import heading
from core.importing.delphi import import_delphi
from core.importing.neuronpedia import import_neuronpedia, import_saedashboard
from core.importing.stage import ImportRequest, Steps
from core.importing.summary import summary
from dashboard import import_words, session
from dashboard.jobs import Job
from dashboard.panels import working
from dashboard.session import KEPT
from data.catalogue import Catalogue, Row
from data.errors import Stopped
from data.imports.report import imports
from data.records import Progress

EVERY = 0.5  # seconds between looks at the job
LISTED = 20  # earlier imports
FEATURES = "views/features.py"
NOTHING = (
    "Nothing was imported yet. A run of delphi is a folder with explanations, scores or latents in "
    "it; an export of Neuronpedia has features and activations, SAEDashboard writes batches."
)
STARTED = "import.started"  # key of the session's state: what was started here last
Tell = Callable[[Progress], None]
Stage = Callable[[Path, ImportRequest, Catalogue | None], Steps]


class Kind(NamedTuple):
    """Something that can be imported; named as the command is."""

    words: str
    stage: Stage
    has_tokens: bool  # a tokenizer, or tokens, may have to be named


KINDS = {
    "delphi": Kind("delphi run", import_delphi, True),
    "neuronpedia": Kind("Neuronpedia export", import_neuronpedia, False),
    "saedashboard": Kind("SAEDashboard batches", import_saedashboard, False),
}


class Wish(NamedTuple):
    """What was asked for."""

    kind: str  # of KINDS
    request: ImportRequest


def show() -> None:
    """What to import, how it goes, and what earlier imports said."""
    st.html(heading("Import", "a folder on the machine that this dashboard runs on"))
    wish = _asked()
    key = st.session_state.get(STARTED)
    job = session.library().jobs.get(key) if key else None
    is_running = job is not None and job.is_running
    st.button("Import", key="import.start", icon=":material/upload:", type="primary",
              disabled=is_running or wish is None, on_click=_start,
              args=(wish,))  # fmt: skip
    if job is not None:
        _state(job)
    _command(wish)
    _earlier()


def _asked() -> Wish | None:
    """The fields; None until there is a path."""
    bar = st.container(horizontal=True, vertical_alignment="bottom")
    kind = bar.selectbox("Kind", list(KINDS), format_func=lambda name: KINDS[name].words,
                         key="kind", width=200, **KEPT)  # fmt: skip
    path = bar.text_input("Folder", key="import.path", width=420,
                          placeholder="/home/me/results/run")  # fmt: skip
    name = bar.text_input("Name of the cache", key="import.name", width=200,
                          placeholder="as the folder")  # fmt: skip
    more = st.container(horizontal=True, vertical_alignment="bottom")
    sae = more.text_input("SAE", key="import.sae", width=260, placeholder="as the files say",
                          help="Which SAE it is about, where the files do not say.")  # fmt: skip
    subject = tokens = ""
    if KINDS[kind].has_tokens:
        subject = more.text_input(
            "Folder of the subject", key="import.subject", width=260,
            placeholder="where the run says",
            help="For its tokenizer; only runs with activations need one.",
        )  # fmt: skip
        tokens = more.text_input(
            "File with the tokens", key="import.tokens", width=260, placeholder="in the run",
            help="Older runs do not keep them.",
        )  # fmt: skip
    if not path.strip():
        return None
    request = ImportRequest(
        Path(path.strip()).expanduser(), name.strip() or None, _path(subject), _path(tokens),
        sae.strip() or None,
    )  # fmt: skip
    return Wish(kind, request)


def _path(typed: str) -> Path | None:
    return Path(typed.strip()).expanduser() if typed.strip() else None


def _start(wish: Wish) -> None:
    library, key = session.library(), ("import", *wish)

    def work(stop: Event, tell: Tell) -> str:
        steps = KINDS[wish.kind].stage(library.catalogue.store, wish.request, library.patient)
        while True:
            try:
                tell(next(steps))
            except StopIteration as end:
                return end.value.cache
            if stop.is_set():
                steps.close()  # takes back what was written
                raise Stopped("the import was cancelled; nothing of it was kept")

    st.session_state[STARTED] = key
    library.jobs.start_telling(key, f"importing {wish.request.path.name}", work)


def _state(job: Job) -> None:
    """The job that was started here: at work, failed, or what it brought."""
    if job.is_running:
        st.fragment(working.at_work, run_every=EVERY)(job.key, "import.stop")
    elif job.was_stopped:
        st.html(sentence("Cancelled: nothing of it was kept."))
    elif said := working.ended(job):
        st.html(sentence(said))
    else:
        st.html(sentence(f"Cache “{job.result}” holds this import."))
        if st.button("Browse it", key="import.browse", icon=":material/list:", type="tertiary"):
            st.switch_page(FEATURES, query_params={"cache": job.result})


def _command(wish: Wish | None) -> None:
    """The same from a terminal."""
    asked = wish and wish.request
    given = {
        "--name": asked and asked.name,
        "--subject": asked and asked.subject,
        "--tokens": asked and asked.tokens,
        "--sae": asked and asked.sae,
    }
    words = [
        "gloss",
        "import",
        wish.kind if wish else "delphi",
        str(asked.path) if asked else "FOLDER",
    ]
    words += [word for flag, value in given.items() if value for word in (flag, str(value))]
    st.caption("The same from a terminal:")
    st.code(session.command(words), language="bash", wrap_lines=True)


def _earlier() -> None:
    """Every import with its summary and report, the newest open."""
    found = session.library().ask(imports)
    if not found:
        st.html(sentence(NOTHING))
        return
    shown = found[:LISTED]
    note = f"{LISTED} of {len(found):,}, newest first" if len(found) > LISTED else "newest first"
    st.html(heading("Imports", note))
    for place, row in enumerate(shown):
        expander = st.expander(import_words.title(row), key=f"import.{row['run_id']}",
                               expanded=place == 0, on_change="rerun")  # fmt: skip
        if expander.open:
            with expander:
                _one(row)


def _one(row: Row) -> None:
    if row["status"] != "done":
        st.html(sentence(f"This import is {row['status']}."))
        return
    counted = session.library().ask(summary, row["cache"])
    st.html(import_words.summary(counted, json.loads(row["settings"])))
    st.html(import_words.report(counted["report"]))

"""Other tools' runs into the store: a job of the dashboard, and the report of every import."""

import json
from collections.abc import Callable
from pathlib import Path
from threading import Event

import streamlit as st

from core.importing.delphi import ImportRequest, import_delphi
from core.importing.judging import PRESET
from core.importing.summary import summary
from dashboard import import_words, session
from dashboard.cards import sentence
from dashboard.jobs import Job
from dashboard.panels import working
from dashboard.session import KEPT
from dashboard.spans import heading
from data.catalogue import Row
from data.errors import Stopped
from data.imports.report import imports
from data.records import Progress

EVERY = 0.5  # seconds between looks at the job
KINDS = {"delphi": "delphi run"}
LISTED = 20  # earlier imports
FEATURES = "views/features.py"
STARTED = "import.started"  # key of the session's state: what was started here last
Tell = Callable[[Progress], None]


def show() -> None:
    """What to import, how it goes, and what earlier imports said."""
    st.html(heading("Import", "a folder on the machine that this dashboard runs on"))
    request = _asked()
    key = st.session_state.get(STARTED)
    job = session.library().jobs.get(key) if key else None
    is_running = job is not None and job.is_running
    st.button("Import", key="import.start", icon=":material/upload:", type="primary",
              disabled=is_running or request is None, on_click=_start,
              args=(request,))  # fmt: skip
    if job is not None:
        _state(job)
    _command(request)
    _earlier()


def _asked() -> ImportRequest | None:
    """The fields; None until there is a path."""
    bar = st.container(horizontal=True, vertical_alignment="bottom")
    bar.selectbox("Kind", list(KINDS), format_func=KINDS.__getitem__, key="kind", width=150,
                  **KEPT)  # fmt: skip
    path = bar.text_input("Folder of the run", key="import.path", width=420,
                          placeholder="/home/me/results/run")  # fmt: skip
    name = bar.text_input("Name of the cache", key="import.name", width=200,
                          placeholder="as the folder")  # fmt: skip
    subject = bar.text_input(
        "Folder of the subject", key="import.subject", width=260, placeholder="where the run says",
        help="For its tokenizer; only runs with activations need one.",
    )  # fmt: skip
    if not path.strip():
        return None
    return ImportRequest(
        Path(path.strip()).expanduser(),
        name.strip() or None,
        Path(subject.strip()).expanduser() if subject.strip() else None,
    )


def _start(request: ImportRequest) -> None:
    library, key = session.library(), ("import", request)

    def work(stop: Event, tell: Tell) -> str:
        steps = import_delphi(library.catalogue.store, request, library.patient)
        while True:
            try:
                tell(next(steps))
            except StopIteration as end:
                return end.value.cache
            if stop.is_set():
                steps.close()  # takes back what was written
                raise Stopped("the import was cancelled; nothing of it was kept")

    st.session_state[STARTED] = key
    library.jobs.start_telling(key, f"importing {request.path.name}", work)


def _state(job: Job) -> None:
    """The job that was started here: at work, failed, or what it brought."""
    if job.is_running:
        st.fragment(working.at_work, run_every=EVERY)(job.key, "import.stop")
    elif job.was_stopped:
        st.html(sentence("Cancelled: nothing of the run was kept."))
    elif said := working.ended(job):
        st.html(sentence(said))
    else:
        st.html(sentence(f"Cache “{job.result}” holds this run."))
        if st.button("Browse it", key="import.browse", icon=":material/list:", type="tertiary"):
            st.switch_page(FEATURES, query_params={"cache": job.result})


def _command(request: ImportRequest | None) -> None:
    """The same from a terminal."""
    words = ["gloss", "import", "delphi", str(request.path) if request else "FOLDER"]
    words += ["--name", request.name] if request and request.name else []
    words += ["--subject", str(request.subject)] if request and request.subject else []
    st.caption("The same from a terminal:")
    st.code(session.command(words), language="bash", wrap_lines=True)


def _earlier() -> None:
    """Every import with its summary and report, the newest open."""
    found = session.library().ask(imports)
    if not found:
        st.html(sentence("Nothing was imported yet. A run of delphi is a folder with explanations, "
                         "scores or latents in it."))  # fmt: skip
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
    counted = session.library().ask(summary, row["cache"], PRESET)
    st.html(import_words.summary(counted, json.loads(row["settings"])))
    st.html(import_words.report(counted["report"]))

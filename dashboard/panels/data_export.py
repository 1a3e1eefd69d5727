"""The tables of a cache as files: a job of the dashboard, single tables at once."""

from collections.abc import Callable
from datetime import datetime
from threading import Event
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import session
from dashboard.cards import sentence
from dashboard.commands import counted
from dashboard.panels import data_place, working
from dashboard.session import KEPT
from dashboard.spans import heading
from data import exporting
from data.errors import Stopped
from data.exporting import Exported, Format
from data.records import CacheRecord, Progress

EVERY = 0.5  # seconds between looks at the job
MOST = 500_000  # rows of a table that is handed over at once


def show() -> None:
    """Whole export first, then single tables."""
    record = data_place.cache()
    rows = session.library().ask(exporting.counts, record.cache_id)
    n = sum(rows.values())
    st.html(heading(f"Export {record.name}", f"{n:,} rows in {len(rows)} tables"))
    chosen = st.segmented_control("Format", ["parquet", "csv"], default="parquet", required=True,
                                  label_visibility="collapsed", key="export_format",
                                  **KEPT)  # fmt: skip
    format: Format = "csv" if chosen == "csv" else "parquet"
    whole(record, format)
    st.html(heading("One table", "downloaded by the browser"))
    single(record, rows, format)


def whole(record: CacheRecord, format: Format) -> None:
    """Everything into a folder of the store, and the command that does the same elsewhere."""
    key = ("export", record.cache_id, format)
    jobs, out = session.library().jobs, _folder(record, format)
    job = jobs.get(key)
    is_running = job is not None and job.is_running
    st.button("Export", key="export.start", icon=":material/download:", type="primary",
              disabled=is_running, on_click=_start, args=(key, record, format))  # fmt: skip
    if is_running:
        st.fragment(working.at_work, run_every=EVERY)(key, "export.stop")
    elif said := working.ended(job):
        st.html(sentence(said))
    found = exporting.read_manifest(out)
    if found is not None and not is_running:
        made(found, str(out))
    words = ["gloss", "export", format, record.name, "--out", "FOLDER"]
    st.caption("The same from a terminal, into any folder:")
    st.code(session.command(words), language="bash", wrap_lines=True)


def _folder(record: CacheRecord, format: Format) -> Any:
    return exporting.folder_of(session.library().catalogue, record.name, format)


def _start(key: tuple, record: CacheRecord, format: Format) -> None:
    catalogue, out = session.library().patient, _folder(record, format)

    def work(stop: Event, tell: Callable[[Progress], None]) -> str:
        for progress in exporting.export(catalogue, record.name, out, format):
            tell(progress)
            if stop.is_set() and progress.done < progress.total:
                raise Stopped("the export was cancelled")
        return str(out)

    session.library().jobs.start_telling(key, f"exporting {record.name} as {format}", work)


def made(found: Exported, out: str) -> None:
    """What lies in the folder."""
    when = f"{datetime.fromisoformat(found.made_at):%-d %B %Y %H:%M} UTC"
    st.html(sentence(f"{sum(found.rows.values()):,} rows as of {when} lie in", out))
    with st.expander("Rows by table"):
        table = pd.DataFrame({"Table": list(found.rows), "Rows": list(found.rows.values())})
        st.dataframe(table, hide_index=True, key="export.rows")


def single(record: CacheRecord, rows: dict[str, int], format: Format) -> None:
    """One table of the cache; a large one is only given as a part of the whole."""
    bar = st.container(horizontal=True, vertical_alignment="bottom")
    table = bar.selectbox("Table", list(rows), key="export_table", width=320, **KEPT)
    if rows[table] > MOST:
        st.html(sentence(f"Table {table} has {rows[table]:,} rows: too many for a browser, the "
                         "export above has it."))  # fmt: skip
        return
    catalogue = session.library().catalogue
    bar.download_button(
        "Download", lambda: exporting.table_bytes(catalogue, record.name, table, format),
        f"{record.name}-{table}.{format}", key="export.one", on_click="ignore",
        icon=":material/download:",
    )  # fmt: skip
    bar.caption(counted(rows[table], "rows"))

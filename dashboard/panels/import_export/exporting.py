"""A cache in other formats: a job of the dashboard; single tables at once."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import Event

import pandas as pd
import streamlit as st

from core.drawing.cards import sentence
from core.drawing.spans import block, escape, heading
from dashboard import exports, session
from dashboard.commands import counted
from dashboard.exports import Options
from dashboard.panels import working
from dashboard.panels.import_export import place
from dashboard.session import KEPT
from data import exporting
from data.errors import Stopped
from data.exports import folder
from data.exports.folder import Exported, Format
from data.records import CacheRecord, Progress

EVERY = 0.5  # seconds between looks at the job
MOST = 500_000  # rows of a table that is handed over at once


def show() -> None:
    """Whole export first, then single tables."""
    record = place.cache()
    rows = session.library().ask(exporting.counts, record.cache_id)
    n = sum(rows.values())
    st.html(heading(f"Export {record.name}", f"{n:,} rows in {len(rows)} tables"))
    chosen = st.segmented_control("Format", list(exports.NAMES), default="parquet", required=True,
                                  label_visibility="collapsed", key="export_format",
                                  **KEPT)  # fmt: skip
    format = exports.format_named(chosen)
    whole(record, options(record, format))
    if format in exports.TABLES:
        st.html(heading("One table", "downloaded by the browser"))
        single(record, rows, format)


def options(record: CacheRecord, format: Format) -> Options:
    """What there is to choose for a format."""
    st.html(block(f'<p class="mut">{escape(exports.SAYS[format])}</p>'))
    if format in exports.TABLES:
        return Options(format)
    bar = st.container(horizontal=True, vertical_alignment="bottom")
    names = [hookpoint.name for hookpoint in record.hookpoints]
    chosen = bar.multiselect("Hookpoints", names, key="export.hookpoints", width=340,
                             placeholder="all") if len(names) > 1 else []  # fmt: skip
    found = Options(format, tuple(chosen))
    if format == "delphi":
        return found
    features = bar.text_input(
        "Features", exports.FEATURES[format], key=f"export.features.{format}", width=220,
        placeholder="those explained", help="all, 0-99, 3,17, first:200, random:200",
    )  # fmt: skip
    if format == "html":
        return Options(format, tuple(chosen), features.strip())
    model = bar.text_input("Model id", key="export.model", width=160,
                           placeholder="as the subject")  # fmt: skip
    set_name = bar.text_input("Set", key="export.set", width=160, placeholder="cache and place")
    user = bar.text_input("User id", key="export.user", width=200,
                          placeholder="that of public exports")  # fmt: skip
    vectors = bar.toggle("Decoder rows", key="export.vectors",
                         disabled=bool(record.origin),
                         help="and histograms of logits; loads subject and SAE")  # fmt: skip
    return Options(format, tuple(chosen), features.strip(), vectors, model.strip(),
                   set_name.strip(), user.strip())  # fmt: skip


def whole(record: CacheRecord, options: Options) -> None:
    """Everything into a folder of the store, and the command that does the same elsewhere."""
    key = ("export", record.cache_id, options.format)
    out = folder.folder_of(session.library().catalogue, record.name, options.format)
    job = session.library().jobs.get(key)
    is_running = job is not None and job.is_running
    st.button("Export", key="export.start", icon=":material/download:", type="primary",
              disabled=is_running, on_click=_start, args=(key, record, options, out))  # fmt: skip
    if is_running:
        st.fragment(working.at_work, run_every=EVERY)(key, "export.stop")
    elif said := working.ended(job):
        st.html(sentence(said))
    found = folder.read_manifest(out)
    if found is not None and not is_running:
        made(found, out)
    st.caption("The same from a terminal, into any folder:")
    st.code(session.command(exports.words(record, options)), language="bash", wrap_lines=True)


def _start(key: tuple, record: CacheRecord, options: Options, out: Path) -> None:
    catalogue = session.library().patient

    def work(stop: Event, tell: Callable[[Progress], None]) -> str:
        for progress in exports.stage(catalogue, record, options, out):
            tell(progress)
            if stop.is_set() and progress.done < progress.total:
                raise Stopped("the export was cancelled")
        return str(out)

    label = f"exporting {record.name} as {exports.NAMES[options.format]}"
    session.library().jobs.start_telling(key, label, work)


def made(found: Exported, out: Path) -> None:
    """What lies in the folder, and what had to be left out."""
    when = f"{datetime.fromisoformat(found.made_at):%-d %B %Y %H:%M} UTC"
    where = out / "index.html" if found.format == "html" else out
    st.html(sentence(f"{exports.said(found)} as of {when} lie in", str(where)))
    if found.notes:
        lines = "".join(f"<li>{escape(note)}</li>" for note in found.notes)
        st.html(block(f'<ul class="mut">{lines}</ul>'))
    if found.format not in exports.TABLES:
        return
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
    kind: exporting.Format = "csv" if format == "csv" else "parquet"
    bar.download_button(
        "Download", lambda: exporting.table_bytes(catalogue, record.name, table, kind),
        f"{record.name}-{table}.{kind}", key="export.one", on_click="ignore",
        icon=":material/download:",
    )  # fmt: skip
    bar.caption(counted(rows[table], "rows"))

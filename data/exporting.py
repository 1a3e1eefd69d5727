"""The catalogue's tables of one cache as Parquet or CSV files that other programs read.

A folder holds one file a table, and manifest.json: rows by table, cache, time, schema. The tables
are read one after the other, each in a visit of its own, so that nobody waits for the whole;
explanations that came after the start are left out with all that hangs on them.

Left out: replies of language models as they came (one may serve several caches) and what is saved
for pages. Activations stay in the cache's own files; the text of contexts is a table of its own,
see data/exports/texts.py. Columns of lists and structs are JSON in CSV; cells are never changed, so
text that begins as a formula does stays what it is.
"""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from data import caches
from data.catalogue import VERSION, Catalogue, Connection, schema_sha256
from data.durable import reporting, sync
from data.errors import NotFound
from data.exports import texts
from data.exports.folder import drafted, place_of, write_manifest
from data.records import CacheRecord, Progress

Format = Literal["parquet", "csv"]
OPTIONS = {"parquet": "format parquet, compression zstd", "csv": "format csv, header"}

AS_TEXT = (
    "cells hold text as it is stored, also where it begins with =, +, - or @: have a spreadsheet "
    "import every column as text"
)
WITHOUT = "activations are not in the tables; example_text holds the text of every stored context"

HERE = "hookpoint_id in (select hookpoint_id from hookpoint where cache_id = {cache})"
KNOWN = HERE + " and explanation_id <= {last}"  # of table explanation
ABOUT = f"explanation_id in (select explanation_id from explanation where {KNOWN})"
COMPARED = HERE.replace("hookpoint_id in", "first_id in")
DIFFED = HERE.replace("hookpoint_id in", "first_hookpoint in")
OF_DIFF = f"diff_id in (select diff_id from diff where {DIFFED})"
# What of each table belongs to a cache. Whatever is referred to comes before what refers to it.
TABLES = {
    "cache": "cache_id = {cache}",
    "subject": "subject_id in (select subject_id from cache where cache_id = {cache})",
    "corpus": "corpus_id in (select corpus_id from cache where cache_id = {cache})",
    "sae": "sae_id in (select sae_id from hookpoint where cache_id = {cache})",
    "hookpoint": "cache_id = {cache}",
    "feature": HERE,
    "feature_chart": HERE,
    "feature_summary": HERE,
    "neighbour": HERE,
    "example": HERE,
    "example_interval": HERE,
    "run": "cache_id = {cache}",
    "explainer": f"explainer_id in (select explainer_id from explanation where {KNOWN})",
    "explanation": KNOWN,
    "item": HERE,
    "scorer": f"scorer_id in (select scorer_id from score where {ABOUT})",
    "score": ABOUT,
    "verdict": ABOUT,
    "simulated": ABOUT,
    "generated": ABOUT,
    "null_score": HERE,
    "decile_summary": HERE,
    "feature_measure": HERE,
    "scrambled": HERE,
    "intervention_study": f"study_id in (select study_id from intervention where {HERE})",
    "intervention": HERE,
    "intervention_prompt": HERE,
    "similarity": COMPARED,
    "similarity_pair": f"similarity_id in (select similarity_id from similarity where {COMPARED})",
    "similarity_near": f"similarity_id in (select similarity_id from similarity where {COMPARED})",
    "collection": "cache_id = {cache}",
    "collection_member": HERE,
    "diff": DIFFED,
    "diff_feature": OF_DIFF,
    "pair_feature": OF_DIFF,
    "noise_point": OF_DIFF,
    "guess": OF_DIFF,
    "note": HERE,
    "import_report": "cache_id = {cache}",
}
N_TABLES = len(TABLES) + 1  # with that of texts


def export(catalogue: Catalogue, cache: str, out: Path, format: Format) -> Iterator[Progress]:
    """Write all tables of a cache into a folder; an earlier export there is replaced at the end."""
    where = place_of(out, catalogue.store, format)
    record = caches.cache(catalogue, cache)
    caches.require_done(record)
    with drafted(where, format) as draft:
        yield from _write(catalogue, record, draft, format)
    yield Progress("exporting", N_TABLES, N_TABLES, "tables", note=f"written to {out}")


def _write(
    catalogue: Catalogue, record: CacheRecord, draft: Path, format: Format
) -> Iterator[Progress]:
    began = datetime.now(UTC)
    last = _last_explanation(catalogue)
    rows = {}
    for number, table in enumerate(TABLES):
        yield Progress("exporting", number, N_TABLES, "tables", note=table)
        rows[table] = _copy(catalogue, record, table, last, draft / f"{table}.{format}", format)
    yield Progress("exporting", len(TABLES), N_TABLES, "tables", note=texts.NAME)
    rows[texts.NAME] = texts.write_texts(
        catalogue, record, draft / f"{texts.NAME}.{format}", format
    )
    notes = [WITHOUT, *[AS_TEXT] * (format == "csv")]
    write_manifest(draft, catalogue, record.name, format, rows, notes=notes, began=began,
                   schema_version=VERSION, schema_sha256=schema_sha256())  # fmt: skip


def _last_explanation(catalogue: Catalogue) -> int:
    with catalogue.reading() as con:
        return con.value("select coalesce(max(explanation_id), 0) from explanation")


def _copy(
    catalogue: Catalogue, record: CacheRecord, table: str, last: int, file: Path, format: Format
) -> int:
    """Write one table's rows of a cache; gives their number."""
    condition = TABLES[table].format(cache=int(record.cache_id), last=int(last))
    quoted = str(file).replace("'", "''")
    with catalogue.reading() as con:
        columns = "*" if format == "parquet" else _flat(con, table)
        rows = con.value(
            f"copy (select {columns} from {table} where {condition}) "
            f"to '{quoted}' ({OPTIONS[format]})"
        )
    with reporting(file), file.open("rb") as written:
        sync(written.fileno())
    return rows


def _flat(con: Connection, table: str) -> str:
    """All columns of a table, lists and structs as JSON."""
    nested = [
        f'to_json("{row["column_name"]}") as "{row["column_name"]}"'
        for row in con.rows(f"describe {table}")
        if row["column_type"].endswith("[]") or row["column_type"].startswith("STRUCT")
    ]
    return f"* replace ({', '.join(nested)})" if nested else "*"


def counts(con: Connection, cache_id: int) -> dict[str, int]:
    """Rows that each table has of a cache."""
    last = con.value("select coalesce(max(explanation_id), 0) from explanation")
    each = (
        f"select {number} as place, '{table}' as name, count(*) as n from {table} where "
        + condition.format(cache=int(cache_id), last=int(last))
        for number, (table, condition) in enumerate(TABLES.items())
    )
    found = con.rows(" union all ".join(each) + " order by place")
    rows = {row["name"]: row["n"] for row in found}
    return rows | {texts.NAME: rows["example"]}


def table_bytes(catalogue: Catalogue, cache: str, table: str, format: Format) -> bytes:
    """One table of a cache as the content of a file."""
    if table not in TABLES and table != texts.NAME:
        raise NotFound(f"no table '{table}' is exported; there are: {', '.join(TABLES)}")
    record = caches.cache(catalogue, cache)
    with tempfile.TemporaryDirectory(prefix="gloss-") as folder:
        file = Path(folder) / f"{table}.{format}"
        if table == texts.NAME:
            caches.require_done(record)
            texts.write_texts(catalogue, record, file, format)
        else:
            _copy(catalogue, record, table, _last_explanation(catalogue), file, format)
        return file.read_bytes()

"""The catalogue's tables of one cache as Parquet or CSV files that other programs read.

A folder holds one file a table and manifest.json: rows by table, cache, time, schema. It is written
beside its final name and then renamed, so a folder with a manifest is whole. The tables are read
one after the other, each in a visit of its own, so that nobody waits for the whole; explanations
that came after the start are left out with all that hangs on them.

Left out: replies of language models as they came (one may serve several caches) and what is saved
for pages. Activations stay in the cache's own files.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from data import caches
from data.catalogue import VERSION, Catalogue, Connection, schema_sha256
from data.durable import discard, rename_folder, reporting, sync, write_file
from data.errors import BadInput, NotFound
from data.records import CacheRecord, Progress

Format = Literal["parquet", "csv"]
MANIFEST = "manifest.json"
KIND = "gloss export"
OPTIONS = {"parquet": "format parquet, compression zstd", "csv": "format csv, header"}

HERE = "hookpoint_id in (select hookpoint_id from hookpoint where cache_id = {cache})"
KNOWN = HERE + " and explanation_id <= {last}"  # of table explanation
ABOUT = f"explanation_id in (select explanation_id from explanation where {KNOWN})"
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
    "note": HERE,
    "import_report": "cache_id = {cache}",
}


class Exported(NamedTuple):
    """What manifest.json says of a folder."""

    cache: str
    format: str
    made_at: str  # UTC, ISO 8601
    rows: dict[str, int]  # by table


def export(catalogue: Catalogue, cache: str, out: Path, format: Format) -> Iterator[Progress]:
    """Write all tables of a cache into a folder; an earlier export there is replaced at the end."""
    out = Path(out).expanduser().absolute()
    _require_free(out)
    record = caches.cache(catalogue, cache)
    draft = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    discard(draft)
    with reporting(draft):
        draft.mkdir(parents=True)
    try:
        yield from _write(catalogue, record, draft, format)
        _replace(draft, out)
    finally:
        discard(draft)
    yield Progress("exporting", len(TABLES), len(TABLES), "tables", note=f"written to {out}")


def _write(
    catalogue: Catalogue, record: CacheRecord, draft: Path, format: Format
) -> Iterator[Progress]:
    began = datetime.now(UTC)
    last = _last_explanation(catalogue)
    rows = {}
    for number, table in enumerate(TABLES):
        yield Progress("exporting", number, len(TABLES), "tables", note=table)
        rows[table] = _copy(catalogue, record, table, last, draft / f"{table}.{format}", format)
    manifest = {
        "kind": KIND,
        "store": catalogue.store.absolute().name,
        "cache": record.name,
        "format": format,
        "schema_version": VERSION,
        "schema_sha256": schema_sha256(),
        "made_at": began.isoformat(timespec="seconds"),
        "rows": rows,
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    write_file(draft / MANIFEST, [text.encode("utf-8")])


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
        rows = con.value(
            f"copy (select * from {table} where {condition}) to '{quoted}' ({OPTIONS[format]})"
        )
    with reporting(file), file.open("rb") as written:
        sync(written.fileno())
    return rows


def _require_free(out: Path) -> None:
    """Refuse a folder that holds anything but an earlier export."""
    if out.is_dir() and any(out.iterdir()) and read_manifest(out) is None:
        raise BadInput(f"--out {out} holds other files: name a folder that is new or empty")
    if out.exists() and not out.is_dir():
        raise BadInput(f"--out {out} is a file: name a folder")


def _replace(draft: Path, out: Path) -> None:
    """Put the new folder in place of the old one, which is only deleted after that."""
    before = out.with_name(f".{out.name}.{os.getpid()}.before")
    if out.exists():
        rename_folder(out, before)
    rename_folder(draft, out)
    discard(before)


def read_manifest(folder: Path) -> Exported | None:
    """What a folder says of itself, None when it is no export."""
    try:
        found = json.loads((folder / MANIFEST).read_text("utf-8"))
        if found["kind"] != KIND:
            return None
        rows = {str(table): int(n) for table, n in found["rows"].items()}
        made_at = datetime.fromisoformat(found["made_at"]).isoformat()
        return Exported(str(found["cache"]), str(found["format"]), made_at, rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def counts(con: Connection, cache_id: int) -> dict[str, int]:
    """Rows that each table has of a cache."""
    last = con.value("select coalesce(max(explanation_id), 0) from explanation")
    each = (
        f"select {number} as place, '{table}' as name, count(*) as n from {table} where "
        + condition.format(cache=int(cache_id), last=int(last))
        for number, (table, condition) in enumerate(TABLES.items())
    )
    found = con.rows(" union all ".join(each) + " order by place")
    return {row["name"]: row["n"] for row in found}


def table_bytes(catalogue: Catalogue, cache: str, table: str, format: Format) -> bytes:
    """One table of a cache as the content of a file."""
    if table not in TABLES:
        raise NotFound(f"no table '{table}' is exported; there are: {', '.join(TABLES)}")
    record = caches.cache(catalogue, cache)
    with tempfile.TemporaryDirectory(prefix="gloss-") as folder:
        file = Path(folder) / f"{table}.{format}"
        _copy(catalogue, record, table, _last_explanation(catalogue), file, format)
        return file.read_bytes()


def folder_of(catalogue: Catalogue, cache: str, format: Format) -> Path:
    """Where a page puts an export: STORE/exports/CACHE-FORMAT."""
    name = re.sub(r"[^\w .-]", "_", cache)
    return catalogue.store.absolute() / "exports" / f"{name}-{format}"

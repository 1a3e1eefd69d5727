"""Where an export goes: a folder that is whole or not there, and never over somebody's files.

It is written beside its final name and then renamed. manifest.json says what it is: kind, cache,
format, time, rows, and which names at its top are ours. Such a folder is replaced by the next
export into it, whatever its format; one that holds anything else is refused.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from data.catalogue import Catalogue
from data.durable import discard, rename_folder, write_file
from data.errors import BadInput, StoreTrouble

Format = Literal["parquet", "csv", "neuronpedia", "delphi", "html"]
MANIFEST = "manifest.json"
KIND = "gloss export"


class Exported(NamedTuple):
    """What manifest.json says of a folder."""

    cache: str
    format: str
    made_at: str  # UTC, ISO 8601
    rows: dict[str, int]  # by table or part
    notes: tuple[str, ...] = ()  # what was left out, a sentence each


@contextmanager
def drafted(out: Path) -> Iterator[Path]:
    """Give a new folder to write into; it gets its name at the end, or is deleted."""
    out = Path(out).expanduser().absolute()
    require_free(out)
    draft = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    _discard_abandoned(out)
    try:
        with _said(out, draft):
            discard(draft)
            draft.mkdir(parents=True)
            yield draft
            _replace(draft, out)
    finally:
        discard(draft)


@contextmanager
def _said(out: Path, draft: Path) -> Iterator[None]:
    """Turn what the disk refuses into one line about the folder that was asked for."""
    try:
        yield
    except OSError as error:
        raise _unwritten(out, error) from error
    except StoreTrouble as error:
        if str(draft) not in str(error):
            raise
        raise _unwritten(out, error.__cause__ or error) from error


def _unwritten(out: Path, error: BaseException) -> StoreTrouble:
    reason = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
    return StoreTrouble(
        f"the export to {out} could not be written ({reason}) and nothing is left of it: free "
        "some space there, or name another --out, and run the command again"
    )


def require_free(out: Path) -> None:
    """Refuse a folder that holds anything but an earlier export."""
    if out.exists() and not out.is_dir():
        raise BadInput(f"--out {out} is a file: name a folder")
    if not out.is_dir():
        return
    try:
        names = {path.name for path in out.iterdir()}
    except OSError as error:
        raise BadInput(f"--out {out} cannot be read ({error.strerror}): name another") from error
    if names and (read_manifest(out) is None or names - _ours(out)):
        raise BadInput(f"--out {out} holds other files: name a folder that is new or empty")


def _ours(folder: Path) -> set[str]:
    """Names at the top of an earlier export that belong to it."""
    found = json.loads((folder / MANIFEST).read_text("utf-8"))
    files = found.get("files")
    if not isinstance(files, list):  # of tables, which says so by its rows
        files = [f"{table}.{found['format']}" for table in found["rows"]]
    return {MANIFEST, *map(str, files)}


def _discard_abandoned(out: Path) -> None:
    """Delete what killed exports to this folder left behind."""
    name = re.compile(re.escape(f".{out.name}.") + r"(\d+)\.tmp")
    with suppress(OSError):  # a folder above that is not there, or may not be listed
        for path in out.parent.iterdir():
            if (found := name.fullmatch(path.name)) and not _is_alive(int(found[1])):
                discard(path)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _replace(draft: Path, out: Path) -> None:
    """Put the new folder in place of the old one, which is only deleted after that."""
    before = out.with_name(f".{out.name}.{os.getpid()}.before")
    if out.exists():
        rename_folder(out, before)
    rename_folder(draft, out)
    discard(before)


def write_manifest(
    draft: Path, catalogue: Catalogue, cache: str, format: Format, rows: Mapping[str, int],
    *, notes: Sequence[str] = (), began: datetime | None = None, **more: Any,
) -> Exported:  # fmt: skip
    """Say what the folder is, as the last file that is written into it."""
    began = began or datetime.now(UTC)
    found = {
        "kind": KIND,
        "store": catalogue.store.absolute().name,
        "cache": cache,
        "format": format,
        **more,
        "made_at": began.isoformat(timespec="seconds"),
        "rows": dict(rows),
        "notes": list(notes),
        "files": sorted(path.name for path in draft.iterdir()),
    }
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    write_file(draft / MANIFEST, [text.encode("utf-8", "replace")])
    return Exported(cache, format, found["made_at"], dict(rows), tuple(notes))


def read_manifest(folder: Path) -> Exported | None:
    """What a folder says of itself, None when it is no export."""
    try:
        found = json.loads((folder / MANIFEST).read_text("utf-8"))
        if found["kind"] != KIND:
            return None
        rows = {str(table): int(n) for table, n in found["rows"].items()}
        made_at = datetime.fromisoformat(found["made_at"]).isoformat()
        notes = tuple(map(str, found.get("notes", ())))
        return Exported(str(found["cache"]), str(found["format"]), made_at, rows, notes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def folder_of(catalogue: Catalogue, cache: str, format: Format) -> Path:
    """Where a page puts an export: STORE/exports/CACHE-FORMAT."""
    name = re.sub(r"[^\w .-]", "_", cache)
    return catalogue.store.absolute() / "exports" / f"{name}-{format}"

"""Where an export goes: a folder that is whole or not there, and never over somebody's files.

It is written beside its final name and then renamed. manifest.json says what it is: kind, cache,
format, time, rows, and every file with its bytes. Such a folder is replaced by the next export of
its format into it; one that holds anything else, or a file that was changed, is refused.
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
from data.durable import NO_ROOM, discard, rename_folder, write_file
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


def place_of(out: Path, store: Path, format: Format | None = None) -> Path:
    """Where --out leads once links are followed; refused when it is taken or inside the store.

    Below STORE/exports there is room for exports, nowhere else in a store.
    """
    try:
        found, home = Path(out).expanduser().resolve(), Path(store).resolve()
    except (OSError, RuntimeError) as error:  # links in a circle, or a home that nobody has
        raise BadInput(f"--out {out} leads nowhere: name another folder") from error
    inside = found.is_relative_to(home) and (home / "exports") not in found.parents
    if inside or home.is_relative_to(found):
        raise BadInput(f"--out {out} is inside the store {store}, or holds it: name a folder "
                       "outside of it")  # fmt: skip
    if format is not None:
        require_free(found, format)
    return found


def below(draft: Path, *parts: str, of: str) -> Path:
    """A path inside a draft, of names that others chose; one that leads elsewhere is refused.

    of: the hookpoint that is named when it does.
    """
    names = [piece for part in parts for piece in part.split("/")]
    if any(name in ("", ".", "..") or "\0" in name for name in names):
        raise BadInput(
            f"hookpoint {of!r} cannot be exported: its name would be a path outside of the export; "
            "name the others with --hookpoint"
        )
    return draft.joinpath(*names)


@contextmanager
def drafted(out: Path, format: Format) -> Iterator[Path]:
    """Give a new folder to write into; it gets its name at the end, or is deleted.

    out: of `place_of`.
    """
    require_free(out, format)
    draft = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    _discard_abandoned(out)
    with said(out):
        try:
            discard(draft)
            draft.mkdir(parents=True)
            yield draft
            require_free(out, format)  # it took a while
            _replace(draft, out)
        finally:
            with suppress(StoreTrouble):  # what stopped it is said
                discard(draft)


@contextmanager
def said(out: Path) -> Iterator[None]:
    """Turn what the disk refuses into one line about what was asked for."""
    try:
        yield
    except OSError as error:
        raise _unwritten(out, error) from error
    except StoreTrouble as error:
        if f".{out.name}.{os.getpid()}." not in str(error) and str(out) not in str(error):
            raise
        raise _unwritten(out, error.__cause__ or error) from error


def _unwritten(out: Path, error: BaseException) -> StoreTrouble:
    number, reason = _reason(error)
    hint = "free some space there, or name" if number is None or number in NO_ROOM else "name"
    return StoreTrouble(
        f"the export to {out} could not be written ({reason}) and nothing is left of it: {hint} "
        "another --out, and run the command again"
    )


def _reason(error: BaseException) -> tuple[int | None, str]:
    """Number and words of what a disk refused; DuckDB says it as JSON."""
    if isinstance(error, OSError):
        return error.errno, error.strerror or str(error)
    said = str(error).partition("{")
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        found = json.loads(said[1] + said[2])
        number = found.get("errno")
        if number:
            return int(number), os.strerror(int(number))
        return None, str(found["exception_message"]).splitlines()[0]
    return None, (str(error).splitlines() or [type(error).__name__])[0]


def require_free(out: Path, format: Format) -> None:
    """Refuse a folder that holds anything but an earlier export of the same format."""
    _recover(out)
    if out.exists() and not out.is_dir():
        raise BadInput(f"--out {out} is a file: name a folder")
    if not out.is_dir():
        return
    try:
        with said(out):
            there = _sizes(out)
    except StoreTrouble as error:
        raise BadInput(f"--out {out} cannot be read: name another") from error
    if not there:
        return
    found = read_manifest(out)
    if found is None:
        raise BadInput(f"--out {out} holds other files: name a folder that is new or empty")
    if found.format != format:
        raise BadInput(
            f"--out {out} holds an export as {found.format}: name another folder, or delete it"
        )
    ours = _ours(out)
    if ours is None:
        raise BadInput(
            f"--out {out} holds an export that does not list its files with their sizes, as those "
            "of an earlier Gloss: delete it, or name another folder"
        )
    foreign = [name for name, size in there.items() if ours.get(name) != size]
    if foreign:
        raise BadInput(
            f"--out {out} holds other files than its export wrote, as {foreign[0]}: take them "
            "out, or name a folder that is new or empty"
        )


def _sizes(folder: Path) -> dict[str, int]:
    """Every file of a folder but the manifest, and its bytes; -1 of links and empty folders."""
    found: dict[str, int] = {}

    def refuse(error: OSError) -> None:
        raise error

    for here, folders, names in os.walk(folder, onerror=refuse):
        where = Path(here)
        for name in names:
            path = where / name
            is_odd = path.is_symlink() or not path.is_file()
            found[path.relative_to(folder).as_posix()] = -1 if is_odd else path.stat().st_size
        for name in folders:
            if (where / name).is_symlink():
                found[(where / name).relative_to(folder).as_posix()] = -1
        if not names and not folders and where != folder:
            found[where.relative_to(folder).as_posix()] = -1
    found.pop(MANIFEST, None)
    return found


def _ours(folder: Path) -> dict[str, int] | None:
    """The files of an earlier export and their bytes, as it says itself; None = it does not."""
    found = json.loads((folder / MANIFEST).read_text("utf-8")).get("files")
    return found if isinstance(found, dict) else None


def _leftovers(out: Path, ending: str) -> list[Path]:
    """What killed exports to this folder left behind beside it."""
    name = re.compile(re.escape(f".{out.name}.") + rf"(\d+)\.{ending}")
    with suppress(OSError):  # a folder above that is not there, or may not be listed
        return sorted(
            path
            for path in out.parent.iterdir()
            if (found := name.fullmatch(path.name)) and not _is_alive(int(found[1]))
        )
    return []


def _recover(out: Path) -> None:
    """Bring an export back that a kill between two renames left without its name."""
    for before in _leftovers(out, "before"):
        if not os.path.lexists(out):
            with said(out):
                rename_folder(before, out)


def _discard_abandoned(out: Path) -> None:
    """Delete what killed exports to this folder left behind."""
    for path in _leftovers(out, "tmp") + _leftovers(out, "before"):
        with suppress(StoreTrouble):  # another's: it is in nobody's way
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
    is_there = out.exists()
    if is_there:
        rename_folder(out, before)
    try:
        rename_folder(draft, out)
    except BaseException:
        if is_there:
            before.replace(out)
        raise
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
        "files": dict(sorted(_sizes(draft).items())),  # bytes of each
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

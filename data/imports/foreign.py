"""A foreign folder: its files, a hash of what they hold, and JSON out of them.

Nothing is unpickled, nothing outside the folder is followed, and no size is believed before it is
looked at. Whatever is wrong becomes one BadInput that names the file.
"""

import hashlib
import math
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from data.errors import BadInput
from data.strict_json import RepeatedKey, loads

MOST_FILES = 4_000_000
DEEPEST = 40  # levels of settings
MOST_JSON = 256_000_000  # bytes in one file


def files_below(root: Path) -> dict[str, Path]:
    """Every file of a folder by its path inside, "/" between parts; links out are refused."""
    if not root.exists():
        raise BadInput(f"{root} does not exist: give the folder of a run")
    if not root.is_dir():
        raise BadInput(f"{root} is a file: give the folder of the run that it belongs to")
    home, found = root.resolve(), {}
    for here, folders, names in os.walk(root, onerror=_refuse):
        for name in (*folders, *names):
            path = Path(here, name)
            if path.is_symlink() and not path.resolve().is_relative_to(home):
                raise BadInput(f"{shown(path)} is a link out of {root}: put the file itself there")
        for name in names:
            path = Path(here, name)
            _require_regular(path)
            found[path.relative_to(root).as_posix()] = path
        if len(found) > MOST_FILES:
            raise BadInput(f"{root} holds more than {MOST_FILES:,} files: give a smaller folder")
    return dict(sorted(found.items()))


def _require_regular(path: Path) -> None:
    """Refuse what is no file: opening a pipe waits for ever."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise BadInput(f"{shown(path)} cannot be read ({error.strerror or error})") from error
    if not stat.S_ISREG(mode):
        raise BadInput(f"{shown(path)} is no regular file but a pipe, socket or device: take it "
                       "out of the folder")  # fmt: skip


def _refuse(error: OSError) -> None:
    raise BadInput(f"{error.filename} cannot be read ({error.strerror})") from error


def shown(path: Path | str) -> str:
    """A path for a message, whatever bytes its name has."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def clean(text: str) -> str:
    """A text in which halves of characters, which no database takes, are replaced."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def plain(found: Any, depth: int = 0) -> Any:
    """JSON that every database takes: whole characters, and null for what is no finite number."""
    if depth > DEEPEST:
        raise BadInput("the settings of the run are nested too deeply: this is no such run")
    if isinstance(found, str):
        return clean(found)
    if isinstance(found, float) and not math.isfinite(found):
        return None
    if isinstance(found, dict):
        return {clean(key): plain(value, depth + 1) for key, value in found.items()}
    return [plain(one, depth + 1) for one in found] if isinstance(found, list) else found


def read_bytes(path: Path, limit: int = MOST_JSON) -> bytes:
    """A whole file, unless it is too large to be what it should be."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise BadInput(f"{shown(path)} has {size:,} bytes, more than the {limit:,} allowed")
            return file.read(limit + 1)
    except OSError as error:
        raise BadInput(f"{shown(path)} cannot be read ({error.strerror or error})") from error


def read_json(path: Path, kind: type, limit: int = MOST_JSON) -> Any:
    """The JSON of a file, which must be of a kind (dict, list, str); bare NaN is accepted."""
    raw = read_bytes(path, limit)
    if not raw.strip():
        raise BadInput(f"{shown(path)} is empty: fetch it again")
    return parsed(raw, kind, shown(path))


def parsed(raw: bytes, kind: type, where: str) -> Any:
    """Foreign JSON of a kind; where: what it is, in words, for an error."""
    try:
        found = loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadInput(f"{where} is not UTF-8 text: fetch the file again") from error
    except RepeatedKey as error:
        raise BadInput(f"{where} has '{clean(str(error))[:40]}' twice in one object: which of the "
                       "two is meant cannot be told") from error  # fmt: skip
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where} is not JSON, or is cut off: fetch the file again") from error
    if not isinstance(found, kind):
        raise BadInput(f"{where} holds no JSON {WORDS[kind]}: it is no file of such a run")
    return found


WORDS = {dict: "object", list: "list", str: "string", object: "value"}


def file_sha256(path: Path) -> str:
    """Hash of a file, read as a stream."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"{shown(path)} cannot be read ({error.strerror or error})") from error


def content_sha256(files: Iterable[tuple[str, Path]]) -> str:
    """Hash of files by the names they have inside their folder: where that lies does not count."""
    digest = hashlib.sha256()
    for name, path in sorted(files):
        raw = name.encode("utf-8", "surrogateescape")
        digest.update(len(raw).to_bytes(8, "little") + raw + file_sha256(path).encode())
    return digest.hexdigest()

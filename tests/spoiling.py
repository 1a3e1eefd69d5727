"""Files spoilt at random, seeded: bytes and JSON values that no honest tool writes."""

import gzip
import json
import zlib
from pathlib import Path
from random import Random
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**70, -(2**70), 1e308, float("nan"), float("inf"), 0.5, "", "x",
    "\ud800", "\0", "../../etc/passwd", "9" * 400, [], [[]], {}, {"a": [None]}, [1, "a"], "-1", 1,
)  # fmt: skip


def spoilt(path: Path, rng: Random) -> str:
    """Spoil a file in one way; says how."""
    raw = path.read_bytes()
    way = rng.choice(["flip", "cut", "zeros", "repeat", "empty", "json", "json", "json", "json"])
    if way == "json":
        changed = _json(raw, path.suffix == ".gz", rng)
        if changed is not None:
            path.write_bytes(changed)
            return way
        way = "flip"
    path.write_bytes(_bytes(raw, way, rng))
    return way


def _bytes(raw: bytes, way: str, rng: Random) -> bytes:
    at = rng.randrange(len(raw) or 1)
    if way == "cut":
        return raw[:at]
    if way == "empty":
        return b""
    if way == "repeat":
        return raw[:at] + raw[rng.randrange(at + 1) :]
    span = rng.choice([1, 1, 2, 8])
    fresh = bytes(span) if way == "zeros" else rng.randbytes(span)
    return raw[:at] + fresh + raw[at + span :]


def _json(raw: bytes, is_packed: bool, rng: Random) -> bytes | None:
    """Put something odd into a JSON file, or into a line of one; None where it is none."""
    try:
        text = (gzip.decompress(raw) if is_packed else raw).decode()
        lines = text.splitlines() if is_packed else [text]
        at = rng.randrange(len(lines))
        lines[at] = json.dumps(_changed(json.loads(lines[at]), rng))
    except (ValueError, OSError, EOFError, zlib.error):
        return None
    changed = ("\n".join(lines) + "\n" * is_packed).encode()
    return gzip.compress(changed) if is_packed else changed


def _changed(value: Any, rng: Random) -> Any:
    """One value somewhere inside becomes odd, is dropped, or comes twice."""
    if not value or not isinstance(value, dict | list) or rng.random() < 0.1:
        return rng.choice(ODD)
    key = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
    how = rng.random()
    if how < 0.75:
        value[key] = _changed(value[key], rng)
    elif how < 0.9:
        del value[key]
    elif isinstance(value, list):
        value.append(value[key])
    else:
        value[str(rng.choice(ODD))] = value[key]
    return value

"""Pairs of texts from a file: JSON lines with "a" (with the fact) and "b" (without it).

Knows nothing of subjects and stores.
"""

import json
from pathlib import Path
from typing import NamedTuple

from data.durable import reporting
from data.errors import BadInput
from data.imports.foreign import clean, shown

MOST = 5_000  # pairs
LONGEST = 20_000  # characters of a text


class TextPair(NamedTuple):
    """One prompt twice."""

    a: str  # with the fact, or however the user means it
    b: str


def read_pairs(path: Path) -> list[TextPair]:
    """Read all pairs; whatever is no pair is refused with its line."""
    lines = read_lines(path, 'JSON lines such as {"a": "...", "b": "..."}')
    name = shown(path)
    found = [_pair(name, n, line) for n, line in enumerate(lines, 1) if line.strip()]
    if len(found) < 2:
        raise BadInput(f"{name} has {len(found)} pairs: a difference needs at least 2")
    if len(found) > MOST:
        raise BadInput(f"{name} has {len(found):,} pairs, more than {MOST:,}: give a part of them")
    return found


def read_lines(path: Path, wanted: str) -> list[str]:
    """The lines of a UTF-8 file, with or without a byte order mark; wanted: what it should hold.

    Only CR and LF end a line: texts may hold the other separators that Unicode knows.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise BadInput(f"{shown(path)} is no file: give {wanted}")
    with reporting(path):
        raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{shown(path)} is no UTF-8 text: {error.reason} at byte {error.start}"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _pair(name: str, number: int, line: str) -> TextPair:
    try:
        stored = json.loads(line)
    except ValueError as error:
        raise BadInput(f"{name}, line {number} is no JSON: {error}") from error
    except RecursionError as error:
        raise BadInput(f"{name}, line {number} is nested too deeply: write one pair") from error
    texts = [stored.get(name) if isinstance(stored, dict) else None for name in ("a", "b")]
    for key, text in zip("ab", texts, strict=True):
        if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
            raise BadInput(
                f'{name}, line {number}: "{key}" must be a text of 1 to {LONGEST:,} characters'
            )
    return TextPair(*(clean(str(text)) for text in texts))

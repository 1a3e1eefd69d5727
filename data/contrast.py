"""Pairs of texts from a file: JSON lines with "a" (with the fact) and "b" (without it).

Knows nothing of subjects and stores.
"""

import json
from pathlib import Path
from typing import NamedTuple

from data.durable import reporting
from data.errors import BadInput

MOST = 5_000  # pairs
LONGEST = 20_000  # characters of a text


class TextPair(NamedTuple):
    """One prompt twice."""

    a: str  # with the fact, or however the user means it
    b: str


def read_pairs(path: Path) -> list[TextPair]:
    """Read all pairs; whatever is no pair is refused with its line."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise BadInput(f'{path} is no file: give JSON lines such as {{"a": "...", "b": "..."}}')
    with reporting(path):
        raw = path.read_bytes()
    try:
        lines = raw.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is no UTF-8 text: {error.reason} at byte {error.start}") from error
    found = [_pair(path, n, line) for n, line in enumerate(lines, 1) if line.strip()]
    if len(found) < 2:
        raise BadInput(f"{path} has {len(found)} pairs: a difference needs at least 2")
    if len(found) > MOST:
        raise BadInput(f"{path} has {len(found):,} pairs, more than {MOST:,}: give a part of them")
    return found


def _pair(path: Path, number: int, line: str) -> TextPair:
    try:
        stored = json.loads(line)
    except ValueError as error:
        raise BadInput(f"{path}, line {number} is no JSON: {error}") from error
    texts = [stored.get(name) if isinstance(stored, dict) else None for name in ("a", "b")]
    for name, text in zip("ab", texts, strict=True):
        if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
            raise BadInput(
                f'{path}, line {number}: "{name}" must be a text of 1 to {LONGEST:,} characters'
            )
    return TextPair(*(str(text) for text in texts))

"""Configuration files of SAEs: JSON that others wrote, read with a suspicious eye.

What is kept goes into the catalogue, so it is made fit for it: bare NaN and infinity, which JSON
does not have, become words, and so do whole numbers beyond 64 bits.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data.errors import BadInput
from data.imports.foreign import clean, read_json, shown

MOST_BYTES = 4_000_000  # of a configuration
DEEPEST = 32  # objects and lists inside each other
LARGEST = 2**31 - 1  # width, features or k
REQUIRED = object()


def read_settings(path: Path) -> dict[str, Any]:
    """Read a configuration; anything but a JSON object is refused."""
    if not path.is_file():
        raise BadInput(f"{shown(path)} is missing: an SAE of this format cannot be read without it")
    found = read_json(path, object, MOST_BYTES)
    if not isinstance(found, dict):
        raise BadInput(f"{shown(path)} is not the configuration of an SAE (no JSON object)")
    return _tidy(path, found, 1)


def _tidy(path: Path, value: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise BadInput(f"{shown(path)} is nested more than {DEEPEST} deep: no SAE is described so")
    if isinstance(value, dict):
        return {clean(key): _tidy(path, part, depth + 1) for key, part in value.items()}
    if isinstance(value, list):
        return [_tidy(path, part, depth + 1) for part in value]
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)
    if isinstance(value, int) and abs(value) >= 2**63:
        return hex(value)
    return value


def part(path: Path, settings: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Give an object inside the settings; absent or null is empty."""
    found = settings.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadInput(f"{shown(path)}: {key} = {said(found)} is not an object")
    return found


def count(
    path: Path, settings: Mapping[str, Any], key: str, default: Any = REQUIRED, *, least: int = 1
) -> int:
    """Read a whole number; 4.0 is 4, but "4", true and null are mistakes to be told."""
    value = _given(path, settings, key, default)
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or value < least:
        raise BadInput(
            f"{shown(path)}: {key} = {said(value)} is not a whole number from {least} on"
        )
    if value > LARGEST:
        raise BadInput(f"{shown(path)}: {key} = {said(value)} is more than any SAE has")
    return int(value)


def number(path: Path, settings: Mapping[str, Any], key: str) -> float | None:
    """Read a number above 0; None where the key is absent or null."""
    value = settings.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise BadInput(f"{shown(path)}: {key} = {said(value)} is not a number above 0")
    return float(value)


def switch(path: Path, settings: Mapping[str, Any], key: str, default: bool) -> bool:
    """Read true or false; nothing else counts as either."""
    value = settings.get(key, default)
    if not isinstance(value, bool):
        raise BadInput(f"{shown(path)}: {key} = {said(value)} is not true or false")
    return value


def choice(
    path: Path,
    settings: Mapping[str, Any],
    key: str,
    known: tuple[str, ...],
    default: Any = REQUIRED,
) -> str:
    """Read a word that must be one of those known."""
    value = _given(path, settings, key, default)
    if not isinstance(value, str) or value not in known:
        raise BadInput(
            f"{shown(path)}: {key} = {said(value)} is not supported ({', '.join(known)} are)"
        )
    return value


def word(settings: Mapping[str, Any], key: str) -> str | None:
    """Give a text that is there and not empty."""
    value = settings.get(key)
    return value if isinstance(value, str) and value else None


def _given(path: Path, settings: Mapping[str, Any], key: str, default: Any) -> Any:
    value = settings.get(key, default)
    if value is REQUIRED:
        raise BadInput(f"{shown(path)} does not say {key}, which is required")
    return value


def said(value: Any) -> str:
    """Spell a value as in the file, cut where it is long."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."

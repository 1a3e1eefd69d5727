"""Foreign JSON: an object that names a key twice is refused, not cut down to its last value."""

import json
from typing import Any


class RepeatedKey(ValueError):
    """An object has a key twice; the message is the key."""


def loads(text: str | bytes) -> Any:
    """Parse JSON; bare NaN is accepted. Raises ValueError, of which RepeatedKey is one."""
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        raise RepeatedKey(next(key for key, _ in pairs if key in seen or seen.add(key)))
    return found

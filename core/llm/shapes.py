"""Parts of an endpoint's JSON, each of the kind that it must be, or Garbled."""

import math
from collections.abc import Mapping
from typing import Any

from core.llm.failures import Garbled


def mapping(value: object) -> Mapping[str, Any]:
    """Take an object."""
    if not isinstance(value, Mapping):
        raise Garbled(f"{type(value).__name__} for an object")
    return value


def string(value: object) -> str:
    """Take a text."""
    if not isinstance(value, str):
        raise Garbled(f"{type(value).__name__} for a text")
    return value


def number(value: object) -> float | None:
    """Take a number; None for null and for infinity, which no JSON can hold."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Garbled(f"{type(value).__name__} for a number")
    return float(value) if math.isfinite(value) else None


def plain(text: str) -> str:
    """Make text that any column holds: halves of a character are joined, single ones replaced.

    >>> plain("\\ud83d\\ude00 \\ud83d")
    '😀 �'
    """
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

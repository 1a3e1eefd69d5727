"""Embeddings read from an endpoint's answer."""

import json
import math

from core.llm.failures import Garbled, Later
from core.llm.shapes import mapping


def vectors_in(body: bytes, n: int) -> list[list[float] | None]:
    """Read the vectors of n texts, in their order; None where one is missing or has no numbers."""
    try:
        entries = mapping(json.loads(body)).get("data")
        if not isinstance(entries, list):
            raise Garbled("no data")
        found: list[list[float] | None] = [None] * n
        for place, entry in enumerate(map(mapping, entries)):
            index = entry.get("index", place)
            if isinstance(index, int) and 0 <= index < n:
                found[index] = _numbers(entry.get("embedding"))
        return found
    except (ValueError, RecursionError) as error:
        raise Later(f"embeddings of no known shape ({error})", billed=True) from error


def _numbers(values: object) -> list[float] | None:
    if not isinstance(values, list) or not values:
        return None
    numbers = [v for v in values if isinstance(v, int | float) and math.isfinite(v)]
    return [float(value) for value in numbers] if len(numbers) == len(values) else None

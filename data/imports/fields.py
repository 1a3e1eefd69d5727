"""The fields of a foreign row: each asked for by name and kind, with words for what is wrong.

A row is an object of a JSON file and the words that say where it stands. NaN is refused where a
measured value must be; where a figure may be missing it is None.
"""

import math
from typing import Any

from data.errors import BadInput
from data.imports.foreign import clean

TEXTS, NUMBERS = {str}, {int, float}  # looked at a list at a time: exports have millions of values
LONGEST = 65_535  # entries of a list


class Fields:
    """One object of a foreign file."""

    def __init__(self, where: str, found: dict[str, Any]) -> None:
        self.where, self.found = where, found

    def wrong(self, what: str) -> BadInput:
        """The error for this row; to be raised."""
        return BadInput(f"{self.where} {what}")

    def text(self, key: str) -> str | None:
        """A text that may be missing, null or empty: None then."""
        value = self.found.get(key)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise self.wrong(f"has a '{key}' that is no text")
        return clean(value)

    def index(self, key: str, last: int) -> int:
        """A number of a feature, as text or number."""
        value = self.found.get(key)
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 12:
            value = int(value)
        if type(value) is not int or not 0 <= value <= last:
            raise self.wrong(f"has no '{key}' that is a number from 0 to {last:,}")
        return value

    def number(self, key: str) -> float | None:
        """A figure; None where it is missing, null or not finite."""
        value = self.found.get(key)
        if value is None:
            return None
        if type(value) not in NUMBERS:
            raise self.wrong(f"has a '{key}' that is no number")
        return finite(value)

    def entries(self, key: str, longest: int = LONGEST) -> list[Any]:
        """A list; [] where it is missing or null."""
        value = self.found.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(f"has a '{key}' that is no list")
        if len(value) > longest:
            raise self.wrong(f"has {len(value):,} entries in '{key}'")
        return value

    def strings(self, key: str) -> list[str]:
        """A list of texts; [] where it is missing or null."""
        value = self.entries(key)
        if not set(map(type, value)) <= TEXTS:
            raise self.wrong(f"has something else than texts in '{key}'")
        return value

    def figures(self, key: str) -> list[float | None]:
        """A list of figures, None where one is null or not finite."""
        value = self.entries(key)
        if not set(map(type, value)) <= NUMBERS | {type(None)}:
            raise self.wrong(f"has something else than numbers in '{key}'")
        return [None if one is None else finite(one) for one in value]

    def values(self, key: str) -> list[float]:
        """A list of measured values; NaN and what no float holds are refused."""
        value = self.entries(key)
        if not set(map(type, value)) <= NUMBERS:
            raise self.wrong(f"has something else than numbers in '{key}'")
        try:
            found = list(map(float, value))
        except OverflowError as error:
            raise self.wrong(f"has a number in '{key}' that is too large") from error
        if not all(map(math.isfinite, found)):
            raise self.wrong(f"has NaN or infinity in '{key}'")
        return found


def finite(value: float) -> float | None:
    """A number as a float; None where it is not finite or no float holds it."""
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None

"""A pasted or stored list of features, read whatever shape it has.

    [["layers.1", 17], ...]                                  pairs
    [{"hookpoint": "layers.1", "feature": 17, "label": ..}]  objects; also {"features": [...]}
    {"layers.1": [17, 40], ...}                              numbers by hookpoint
    layers.1/17 what it is                                   lines: an address, then a label
    {"Name": "resid_1/17", "Annotation": ..}                 lines of JSON, as the annotations of
                                                             Sparse Feature Circuits are published

In: text of anybody's. Out: entries as they were written; what an entry means is for members.py.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from data.errors import BadInput
from data.imports.foreign import clean, shown
from data.strict_json import RepeatedKey, loads

MOST = 5_000  # entries
LARGEST = 4_000_000  # characters
LONGEST = 500  # characters of a label, the rest is cut
HOOKPOINTS = ("hookpoint", "module")
NUMBERS = ("feature", "index", "latent")
LABELS = ("label", "annotation", "description")
LINE = re.compile(r"(?P<address>\S+)(?:[\s,;]+(?P<label>.*))?")


class Entry(NamedTuple):
    """One feature as the list names it."""

    address: str  # HOOKPOINT/INDEX, or what else stands there
    label: str | None = None


def read_list(text: str) -> list[Entry]:
    """Read a list; BadInput where it is none.

    >>> read_list('[["layers.1", 17]]') == read_list("layers.1/17")
    True
    """
    if len(text) > LARGEST:
        raise BadInput(f"the list has {len(text):,} characters: {LARGEST:,} are the most")
    text = clean(text).strip().lstrip("\ufeff")
    found = list(_entries(text)) if text else []
    if not found:
        raise BadInput("the list names no feature: write one HOOKPOINT/INDEX a line, or JSON")
    if len(found) > MOST:
        raise BadInput(f"the list names {len(found):,} features: {MOST:,} are the most")
    return found


def _entries(text: str) -> Iterator[Entry]:
    whole = _json(text)
    if whole is not None:
        yield from _of_json(whole)
        return
    if text[0] == "[" or (text[0] == "{" and "\n" not in text):
        raise BadInput("the list begins like JSON but is not: a bracket, comma or quote is amiss")
    for line in filter(None, map(str.strip, text.splitlines())):
        if line[0] == "{":
            one = _json(line)
            if one is None:
                raise BadInput(f"this line begins like JSON but is not: {shown(line)[:80]}")
            yield from _of_object(one)
        else:
            yield _of_line(line)


def _json(text: str) -> Any | None:
    """The list or object that a text is; None where it is no JSON of that kind."""
    try:
        found = loads(text)
    except RepeatedKey as error:  # of two values one would be lost
        raise BadInput(f"the list has an object that names {_said(str(error))[:80]!r} twice: "
                       "put what belongs to it together") from error  # fmt: skip
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, (list, dict)) else None


def _of_json(found: Any) -> Iterator[Entry]:
    if isinstance(found, Mapping):
        if isinstance(found.get("features"), list):
            found = found["features"]
        elif _key(found, (*HOOKPOINTS, "name")) is not None:
            found = [found]
        else:
            yield from _by_hookpoint(found)
            return
    for one in found:
        if isinstance(one, Mapping):
            yield from _of_object(one)
        elif isinstance(one, list) and len(one) in (2, 3):
            yield Entry(_address(one[0], one[1]), _label(one[2]) if len(one) == 3 else None)
        elif isinstance(one, str):
            yield _of_line(one)
        else:
            yield Entry(_said(one))


def _by_hookpoint(found: Mapping[str, Any]) -> Iterator[Entry]:
    for hookpoint, numbers in found.items():
        for number in numbers if isinstance(numbers, list) else [numbers]:
            yield Entry(_address(hookpoint, number))


def _of_object(one: Mapping[str, Any]) -> Iterator[Entry]:
    """An object with a hookpoint and a number, or with a name that is both."""
    label, name = _label(_key(one, LABELS)), _key(one, ("name",))
    hookpoint, number = _key(one, HOOKPOINTS), _key(one, NUMBERS)
    if hookpoint is not None or name is None:
        yield Entry(_address(hookpoint, number), label or _label(name))
    elif name != "Name":  # the published annotations repeat their header in the middle
        yield Entry(_said(name), label)


def _key(one: Mapping[str, Any], names: tuple[str, ...]) -> Any | None:
    """The first of some keys that is there, in any case of letters."""
    lowered = {str(key).lower(): value for key, value in one.items()}
    return next((lowered[name] for name in names if lowered.get(name) is not None), None)


def _of_line(line: str) -> Entry:
    line = clean(line).strip()
    found = LINE.fullmatch(line)
    if found is None:
        return Entry(line)
    return Entry(found["address"].rstrip(",;"), _label(found["label"]))


def _address(hookpoint: Any, number: Any) -> str:
    is_whole = isinstance(number, int) and not isinstance(number, bool)
    is_digits = isinstance(number, str) and number.strip().isdecimal()
    said = str(number).strip() if is_whole or is_digits else f"{_said(number)} (no number)"
    return f"{_said(hookpoint)}/{said}"


def _said(value: Any) -> str:
    """A value as messages repeat it."""
    return clean(value).strip() if isinstance(value, str) else json.dumps(value)[:80]


def _label(value: Any) -> str | None:
    text = " ".join(clean(str(value)).split())[:LONGEST] if value is not None else ""
    return text or None

"""Reads the two replies of a debate: an entry with its quotes, and the judge's choice."""

from collections.abc import Sequence
from typing import NamedTuple

from core.replies.cleaning import BadReply, cleaned
from core.replies.explanation import FIELD, accepted, last_object


class Submitted(NamedTuple):
    """One debater's entry, before its quotes are verified."""

    explanation: str
    quotes: tuple[str, ...]


def submitted(reply: str, *, marks: Sequence[str] = (), ended: bool = True) -> Submitted:
    """Read an entry; raises BadReply."""
    found = _object(reply, FIELD, ended)
    quotes = found.get("quotes")
    if not isinstance(quotes, list) or not quotes:
        raise BadReply('there is no list "quotes"')
    if not all(isinstance(quote, str) for quote in quotes):
        raise BadReply('the list "quotes" holds something that is no text')
    return Submitted(accepted(found[FIELD], marks), tuple(quotes))


def choice(reply: str, n: int, *, ended: bool = True) -> int:
    """Read the number of the chosen entry, 1 .. n; raises BadReply."""
    value = _object(reply, "choice", ended)["choice"]
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadReply('the field "choice" is no whole number')
    if not 1 <= value <= n:
        raise BadReply(f"the choice {value} is none of the entries 1 to {n}")
    return value


def _object(reply: str, field: str, ended: bool) -> dict[str, object]:
    text = cleaned(reply)
    found = last_object(text, field)
    if found is not None:
        return found
    if not ended:
        raise BadReply("the reply was cut off at its limit")
    raise BadReply(f'there is no JSON object with the field "{field}"')

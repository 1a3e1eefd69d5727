"""What a judge answers: a verdict on each text, or the number of one text (methods.md 5).

Strict: an answer with too few or too many verdicts, or with anything but 0, 1, true and false, is
BadReply. Schema, way of writing and way of reading stand together because they must agree.
"""

import json
import re
from collections.abc import Sequence

from core.replies.cleaning import BadReply, cleaned, json_in

NUMBER = re.compile(r"[\s\"'*]*(\d+)[\s\"'*.]*")


def verdict_schema(n: int) -> str:
    """JSON schema of n verdicts, as JSON text."""
    verdicts = {
        "type": "array",
        "items": {"type": "integer", "enum": [0, 1]},
        "minItems": n,
        "maxItems": n,
    }
    return _schema("verdicts", verdicts)


def choice_schema(n: int) -> str:
    """JSON schema of one choice among n texts, as JSON text."""
    return _schema("choice", {"type": "integer", "enum": list(range(1, n + 1))})


def _schema(name: str, value: dict[str, object]) -> str:
    return json.dumps(
        {
            "type": "object",
            "properties": {name: value},
            "required": [name],
            "additionalProperties": False,
        }
    )


def written_verdicts(verdicts: Sequence[int]) -> str:
    """Write verdicts as a judge should."""
    return json.dumps({"verdicts": list(verdicts)})


def written_choice(choice: int) -> str:
    """Write a choice as a judge should."""
    return json.dumps({"choice": choice})


def verdicts(text: str, n: int) -> tuple[int, ...]:
    """Read n verdicts, 0 or 1 each, from {"verdicts": [...]} or a bare list."""
    text = cleaned(text)
    found = _field(text, "verdicts")
    if found is None:
        found = json_in(text, "[")
    if not isinstance(found, list):
        raise BadReply("the verdicts are not a list")
    strange = [value for value in found if not _is_verdict(value)]
    if strange:
        raise BadReply(f"{json.dumps(strange[0])[:40]} is neither 0 nor 1")
    if len(found) != n:
        raise BadReply(f"{_counted(len(found), 'verdict')} for {_counted(n, 'text')}")
    return tuple(int(value) for value in found)


def choice(text: str, n: int) -> int:
    """Read the number of a text, 1..n, from {"choice": ...} or a bare number."""
    text = cleaned(text)
    found = _field(text, "choice")
    if found is None:
        bare = NUMBER.fullmatch(text)
        if bare is None:
            raise BadReply("no JSON object and no bare number in the reply")
        found = int(bare[1])
    if not isinstance(found, int) or isinstance(found, bool):
        raise BadReply(f"{json.dumps(found)[:40]} is not the number of a text")
    if not 1 <= found <= n:
        raise BadReply(f"there is no text {found}, the last one is {n}")
    return found


def last_choice(text: str, n: int) -> int:
    """Read the number of a set, 1..n, from the last line of a reply that may have thought aloud.

    >>> last_choice('The second is about the body.\\n{"choice": 2}', 3), last_choice("Hm.\\n3", 3)
    (2, 3)
    """
    text = cleaned(text)
    if not text:
        raise BadReply("the reply is empty")
    return choice(text if text.startswith("{") else text.splitlines()[-1], n)


def _field(text: str, name: str) -> object:
    """Read a field of the last object in a cleaned reply; None if there is no object at all."""
    try:
        found = json_in(text, "{")
    except BadReply:
        return None
    if found.get(name) is None:
        raise BadReply(f'the JSON object has no "{name}"')
    return found[name]


def _is_verdict(value: object) -> bool:
    return isinstance(value, bool | int) and value in (0, 1)


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"

"""Answers that are texts: {"texts": [...]}, or the list alone.

Schema and way of reading stand together because they must agree.
"""

import json
from typing import Any

from core.replies.cleaning import BadReply, cleaned, json_in

LONGEST = 600  # characters; a page of text activates many features by its length alone


def texts_schema(n: int) -> str:
    """JSON schema of n texts, as JSON text."""
    texts = {"type": "array", "items": {"type": "string"}, "minItems": n, "maxItems": n}
    return json.dumps(
        {
            "type": "object",
            "properties": {"texts": texts},
            "required": ["texts"],
            "additionalProperties": False,
        }
    )


def texts_in(reply: str, most: int) -> tuple[str, ...]:
    """Read up to `most` different texts; blank, overlong and repeated ones do not count.

    >>> texts_in('{"texts": ["A pan.", "", "A pan.", "Two pots."]}', 10)
    ('A pan.', 'Two pots.')
    """
    found = field_or_list(cleaned(reply), "texts")
    if not all(isinstance(text, str) for text in found):
        raise BadReply("an entry that is no text")
    # Half of a surrogate pair is no character: no tokenizer and no store would take it.
    valid = [text.encode("utf-8", "replace").decode("utf-8").strip() for text in found]
    usable = list(dict.fromkeys(text for text in valid if text and len(text) <= LONGEST))
    if not usable:
        raise BadReply("no text in the list")
    return tuple(usable[:most])


def field_or_list(text: str, name: str) -> list[Any]:
    """Find a list in a cleaned reply: under its name in an object, or bare."""
    try:
        found = json_in(text, "{").get(name)
    except BadReply:
        found = json_in(text, "[")
    if not isinstance(found, list):
        raise BadReply(f'no list "{name}" in the reply')
    return found

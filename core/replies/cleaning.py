"""What wraps an answer and is not part of it: reasoning blocks, code fences, talk around JSON."""

import json
import re
from typing import Any

REASONING = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
OPEN_REASONING = re.compile(r"^.*</(think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
UNENDED = re.compile(r"<(think|thinking|reasoning)>.*\Z", re.DOTALL | re.IGNORECASE)
FENCE = re.compile(r"^[ \t]*```[\w-]*[ \t]*$\n?", re.MULTILINE)


class BadReply(Exception):
    """A reply that is not an answer; the message says in a few words why."""


def cleaned(text: str) -> str:
    """Take away reasoning blocks and code fences, e.g. "<think>hm</think> [1]" -> "[1]".

    Reasoning that never ends took the whole answer with it.
    """
    text = REASONING.sub("", text)
    text = OPEN_REASONING.sub("", text)  # servers often swallow the opening tag
    text = UNENDED.sub("", text)
    return FENCE.sub("", text).strip()


def json_in(text: str, opening: str) -> Any:
    """Read the last complete JSON value that begins with `opening`, "[" or "{", in a cleaned text.

    Values inside one of the same kind do not count: '[[1], [2]]' is one value, not three.
    """
    decoder, found, place = json.JSONDecoder(), [], text.find(opening)
    while place >= 0:
        try:
            value, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):  # no answer of ours is nested a thousand times
            end = place + 1
        else:
            found.append(value)
        place = text.find(opening, end)
    if not found:
        raise BadReply("no JSON in the reply")
    return found[-1]

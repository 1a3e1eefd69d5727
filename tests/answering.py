"""What a scripted endpoint says: plausible answers by schema, and verdicts that can be recomputed.

A verdict follows from the text it is about, so that a test can say for every stored verdict what
the endpoint would have said of that item, whichever call it came from.
"""

import json
import re
import zlib
from collections.abc import Sequence

from core.llm.plausible import answer
from core.llm.requests import Message, Request

TEXT = re.compile(r"^Text \d+: (.*)$", re.MULTILINE)


def plausible(body: dict) -> str:
    """Answer with the smallest value that the schema allows."""
    if "messages" not in body:
        return "\n"
    request = as_request(body)
    return answer(request, request.sha256("test", body["model"]))


def by_text(body: dict) -> str:
    """Answer verdict questions text by text, everything else plausibly."""
    if '"verdicts"' not in json.dumps(body.get("response_format", {})):
        return plausible(body)
    texts = TEXT.findall(body["messages"][-1]["content"])
    return json.dumps({"verdicts": [verdict(text) for text in texts]})


def yes(body: dict) -> str:
    """Say yes to every verdict question."""
    if '"verdicts"' not in json.dumps(body.get("response_format", {})):
        return plausible(body)
    n = len(TEXT.findall(body["messages"][-1]["content"]))
    return json.dumps({"verdicts": [1] * n})


def verdict(text: str) -> int:
    """What the endpoint says of a text."""
    return zlib.crc32(text.encode()) & 1


def as_request(body: dict) -> Request:
    """The request behind a chat body."""
    turns: Sequence[dict] = body["messages"]
    form = body.get("response_format", {}).get("json_schema", {}).get("schema")
    return Request(
        tuple(Message(turn["role"], turn["content"]) for turn in turns[:-1]),
        turns[-1]["content"],
        max_tokens=body.get("max_tokens") or body.get("max_completion_tokens") or 0,
        schema=json.dumps(form) if form else None,
    )

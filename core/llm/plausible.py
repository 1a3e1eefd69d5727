"""Answers that nobody gave: what a model might say, so that a plan runs as the real thing would.

Built from a request's schema where it has one, and as short as it allows. Which number, truth value
or name is "chosen" follows from the request itself: the same request is always answered the same,
different ones differently, so that verdicts vary and candidates are not all alike.
"""

import json
import math
import random
import re
from collections.abc import Mapping
from typing import Any

from core.llm.requests import Request, TokenLogprob

KINDS = ("names", "verbs", "numbers", "adjectives", "titles", "units", "endings", "first words")
THEMES = ("weather", "travel", "cooking", "law", "medicine", "music", "trade", "programming")
PLACES = ("letters", "recipes", "lists", "dialogue", "news reports", "headings", "code comments")
TAG = "Explanation: "  # where an answer is text: harmless where no tag is asked for
STRINGS = 3  # entries of a list of texts that says no number
QUOTE_WORDS = 4
WORDS = re.compile(rf"[A-Za-z]+(?: [a-z]+){{{QUOTE_WORDS - 1}}}")
TOKENS = re.compile(r"\t|\d+|[^\t\d]+")
TOP_VALUE = 10  # of the whole numbers that a simulation's alternatives are made of


def answer(request: Request, key: str) -> str:
    """Write an answer; key identifies the request."""
    if request.kind == "completion":
        return "\n"
    chance = random.Random(key)
    if request.schema is None:
        return TAG + _sentence(chance)
    return json.dumps(_Maker(request, chance).value(json.loads(request.schema)), ensure_ascii=False)


def shortest(said: str) -> str:
    """Cut every text in an answer to its first word: what a terse model might say."""
    try:
        return json.dumps(_terse(json.loads(said)), ensure_ascii=False)
    except ValueError:
        return " ".join(said.split()[:2])  # tag and a word


def _terse(value: object) -> object:
    if isinstance(value, str):
        return value.split()[0] if value.strip() else value
    if isinstance(value, list):
        return [_terse(one) for one in value]
    if isinstance(value, dict):
        return {name: _terse(one) for name, one in value.items()}
    return value


def logprobs(request: Request, text: str) -> tuple[TokenLogprob, ...] | None:
    """Make up log-probabilities of an answer, or of an echoed prompt; None if none are wanted."""
    if not request.logprobs:
        return None
    said = text if request.echo_from is None else request.prompt[request.echo_from :]
    share = -math.log(TOP_VALUE + 1)
    top = {str(value): share for value in range(min(request.logprobs, TOP_VALUE + 1))}
    return tuple(TokenLogprob(token, share, top) for token in TOKENS.findall(said))


class _Maker:
    """Makes the smallest value that fits a JSON schema, as far as our schemas go."""

    def __init__(self, request: Request, chance: random.Random) -> None:
        self.request, self.chance = request, chance

    def value(self, schema: Mapping[str, Any], name: str = "") -> object:
        """Make a value; name is the property it is for."""
        if schema.get("anyOf"):
            return self.value(schema["anyOf"][0], name)
        choices = [schema["const"]] if "const" in schema else schema.get("enum")
        return self.chance.choice(choices) if choices else self._typed(schema, name)

    def _typed(self, schema: Mapping[str, Any], name: str) -> object:
        match _kind(schema):
            case "object":
                inner = schema.get("properties", {})
                made = {
                    key: self.value(inner.get(key, {}), key) for key in schema.get("required", ())
                }
            case "array":
                made = self._array(schema, name)
            case "integer" | "number":
                low = math.ceil(schema.get("minimum", 0))
                made = self.chance.randint(low, max(low, math.floor(schema.get("maximum", low))))
            case "boolean":
                made = self.chance.random() < 0.5
            case "null":
                made = None
            case _:
                made = _sentence(self.chance)[: schema.get("maxLength")]
        return made

    def _array(self, schema: Mapping[str, Any], name: str) -> list[object]:
        items = schema.get("items", {})
        texts = _kind(items) == "string" and "enum" not in items
        usual = min(STRINGS, schema.get("maxItems", STRINGS)) if texts else 0
        length = schema.get("minItems", usual)
        quotes = _quotes(self.request, length, self.chance) if texts and name == "quotes" else []
        return [*quotes] or [self.value(items, name) for _ in range(length)]


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "string")
    return kind[0] if isinstance(kind, list) else kind


def _sentence(chance: random.Random) -> str:
    kind, theme, place = (chance.choice(words) for words in (KINDS, THEMES, PLACES))
    return f"{kind} that have to do with {theme}, above all in {place}.".capitalize()


def _quotes(request: Request, n: int, chance: random.Random) -> list[str]:
    """Copy a few words in a row from the question, as a debater should."""
    found = list(dict.fromkeys(WORDS.findall(request.question)))
    return chance.sample(found, min(n, len(found)))

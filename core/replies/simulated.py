"""Answers to simulation: pairs of token and value as JSON, or log-probabilities of an echo.

Strict: a token that is not there or is named twice, or a value that is no number, is BadReply.
Schema, way of writing and way of reading stand together because they must agree.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from core.llm.requests import TokenLogprob
from core.replies.cleaning import BadReply, cleaned
from core.replies.texts import field_or_list

TOP = 10.0  # values are 0..10


def pairs_schema(n_texts: int) -> str:
    """JSON schema of an answer about so many texts, as JSON text."""
    pair = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}
    one = {"type": "array", "items": pair}
    many = {"type": "array", "items": one, "minItems": n_texts, "maxItems": n_texts}
    return json.dumps(
        {
            "type": "object",
            "properties": {"values": one if n_texts == 1 else many},
            "required": ["values"],
            "additionalProperties": False,
        }
    )


def written_pairs(values: Sequence[Mapping[int, int]]) -> str:
    """Write the values of every text, by token from 1, as a model should."""
    pairs = [[[token, value] for token, value in text.items()] for text in values]
    return json.dumps({"values": pairs[0] if len(pairs) == 1 else pairs})


def values_in(reply: str, n_tokens: Sequence[int]) -> list[tuple[float, ...]]:
    """Read the values of every text: n_tokens of each, 0 where the answer names none.

    >>> values_in('{"values": [[2, 7], [3, 12]]}', [4])
    [(0.0, 7.0, 10.0, 0.0)]

    One text is answered by a list of pairs [token from 1, value], several by a list of such lists;
    the list alone will do.
    """
    found = field_or_list(cleaned(reply), "values")
    lists = [found] if len(n_tokens) == 1 else found
    if len(lists) != len(n_tokens):
        raise BadReply(f"lists for {len(lists)} texts, not {len(n_tokens)}")
    return [_values(pairs, n) for pairs, n in zip(lists, n_tokens, strict=True)]


def _values(pairs: Any, n: int) -> tuple[float, ...]:
    if not isinstance(pairs, list):
        raise BadReply("no list of pairs")
    values: dict[int, float] = {}
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadReply("an entry that is no pair [token, value]")
        token, value = pair
        if not _is_number(token) or token != int(token):
            raise BadReply("a token's number that is no whole number")
        if not 1 <= token <= n:
            raise BadReply(f"token {int(token)}, where there are 1 to {n}")
        if not _is_number(value):
            raise BadReply("a value that is no number")
        if int(token) in values:
            raise BadReply(f"token {int(token)} twice")
        values[int(token)] = min(TOP, max(0.0, float(value)))
    return tuple(values.get(token, 0.0) for token in range(1, n + 1))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def expected_values(
    echo: Sequence[TokenLogprob] | None, n_tokens: int, top: int
) -> tuple[float, ...]:
    """Read what a model expects behind each tab of an echoed table, scaled to 0..10.

    EV = sum of v p_v / sum of p_v over the whole numbers v = 0..top among the alternatives of the
    token behind the tab (Bills et al. 2023). Tabs, and nothing else, tell where values stand:
    endpoints differ in how they spell tokens that are parts of characters, and tokens cannot be
    counted, since the judge's are not the subject's.
    """
    if not echo:
        raise BadReply("the endpoint gives no log-probabilities of the prompt")
    if any("\t" in token[:-1] for token, _, _ in echo):
        raise BadReply("the judge's tokenizer joins a tab with what follows it")
    places = [i + 1 for i, (token, _, _) in enumerate(echo[:-1]) if token.endswith("\t")]
    if len(places) != n_tokens:
        raise BadReply(f"an echo of {len(places)} lines, not {n_tokens}")
    return tuple(_expected(echo[place], line, top) for line, place in enumerate(places, 1))


def _expected(read: TokenLogprob, line: int, top: int) -> float:
    share = {v: math.exp(read.top[str(v)]) for v in range(top + 1) if str(v) in read.top}
    total = sum(share.values())
    if not total > 0:  # nothing, or too little for a float
        raise BadReply(f"no number among the likeliest tokens of line {line}")
    return TOP / top * sum(v * p for v, p in share.items()) / total


def keeps_ten(echo: Sequence[TokenLogprob] | None) -> bool:
    """Say whether "10" is one token, from an echo that has it behind a tab."""
    if not echo:
        raise BadReply("the endpoint gives no log-probabilities of the prompt")
    return any(token == "10" for token, _, _ in echo)

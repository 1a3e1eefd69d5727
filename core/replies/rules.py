"""Rules of the grammar as a language model writes them, in JSON, and back.

    {"rules": [[{"where": "here", "is": "word", "any_of": ["may"], "not": false}]], "left_out": ""}

A rule is a list of conditions that all hold; each condition is one literal of core/grammar. The
canonical text of the grammar says the same, but models write JSON more reliably than a notation
they have never seen. Values become token ids through the vocabulary's text only: "word" is any case
with or without a leading space, "spelling" this case with or without it, "token" exactly so.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from core.grammar.language import Literal
from core.grammar.lexicon import lexicon
from core.grammar.stems import stem
from core.grammar.words import MAX_AFFIX, MAX_LENGTH, Words, fold
from core.replies.cleaning import BadReply, cleaned, json_in

WHERE = {
    "here": "here",
    "previous": "prev",
    "two back": "prev2",
    "within 4": "near4",
    "within 8": "near8",
    "within 16": "near16",
    "within 32": "near32",
}
TEXT = "text"  # where a condition asks for the state of the text
IS = {
    "word": "word",
    "token": "token",
    "form": "stem",
    "group": "group",
    "class": "class",
    "beginning": "prefix",
    "ending": "suffix",
    "length": "length",
}
SPELLING = "spelling"  # a set of tokens: with and without the leading space
STATES = {
    "line start": "line-start",
    "sentence start": "sentence-start",
    "document start": "document-start",
    "in quotes": "quoted",
    "in brackets": "bracketed",
    "seen before": "seen",
}
CLASSES = ("letters", "capitalised", "all-caps", "continuation", "digit", "has-digit",
           "punctuation", "symbol", "newline", "whitespace", "non-latin")  # fmt: skip
MOST_RULES, MOST_CONDITIONS, MOST_VALUES = 8, 3, 64
KEYS = {"where", "is", "any_of", "not"}

Conjunction = tuple[Literal, ...]


class ReadRules(NamedTuple):
    """What a reply says, as far as the vocabulary knows the words."""

    rules: tuple[Conjunction, ...]  # without values as yet; () = nothing can be asked
    left_out: str  # what the writer could not express; "" = nothing
    unknown: tuple[
        str, ...
    ]  # values that no token has; rules that stand on them alone are left out


def rules_in(reply: str, words: Words) -> ReadRules:
    """Read a reply; BadReply names the rule and condition that cannot be read.

    A value that no token has would make a condition that is never true: it is listed and dropped.
    """
    answer = json_in(cleaned(reply), "{")
    if not isinstance(answer.get("rules"), list) or not isinstance(answer.get("left_out"), str):
        raise BadReply('the JSON needs "rules", a list, and "left_out", a text')
    if len(answer["rules"]) > MOST_RULES:
        raise BadReply(f"{len(answer['rules'])} rules, at most {MOST_RULES} are allowed")
    unknown: dict[str, None] = {}
    found = [
        _rule(rule, f"rule {number}", words, unknown)
        for number, rule in enumerate(answer["rules"], 1)
    ]
    kept = tuple(dict.fromkeys(rule for rule in found if rule))
    return ReadRules(kept, answer["left_out"].strip(), tuple(unknown))


def _rule(rule: Any, place: str, words: Words, unknown: dict[str, None]) -> Conjunction | None:
    """Read one rule; None where it could never hold, or would hold everywhere."""
    if not isinstance(rule, list) or not 1 <= len(rule) <= MOST_CONDITIONS:
        raise BadReply(f"{place} is not a list of 1 to {MOST_CONDITIONS} conditions")
    literals = [
        _literal(condition, f"{place}, condition {number}")
        for number, condition in enumerate(rule, 1)
    ]
    if sum(literal.negated for literal in literals) > 1:
        raise BadReply(f'{place} has more than one condition with "not"')
    known = [_known(literal, words, unknown) for literal in literals]
    if any(now is None and not was.negated for was, now in zip(literals, known, strict=True)):
        return None
    return tuple(literal for literal in known if literal) or None


def _literal(condition: Any, place: str) -> Literal:
    """Read one condition; its values are not yet compared with the vocabulary."""
    if not isinstance(condition, dict) or not {"where", "is"} <= condition.keys() <= KEYS:
        raise BadReply(f'{place} needs "where", "is", "any_of" and "not", nothing else')
    where, kind = condition["where"], condition["is"]
    negated, values = condition.get("not", False), condition.get("any_of", [])
    if not isinstance(negated, bool):
        raise BadReply(f'{place}: "not" is {_said(negated)}, neither true nor false')
    if where == TEXT:
        return Literal("state", STATES[_one_of(kind, STATES, place, "is")], (), negated)
    place_of = WHERE[_one_of(where, [*WHERE, TEXT], place, "where")]
    _one_of(kind, [*IS, SPELLING], place, "is")
    if not isinstance(values, list) or not 1 <= len(values) <= MOST_VALUES:
        raise BadReply(f'{place}: "any_of" is not a list of 1 to {MOST_VALUES} values')
    read = [_value(kind, value, place) for value in values]
    return Literal(place_of, IS.get(kind, SPELLING), tuple(dict.fromkeys(read)), negated)


def _one_of(value: Any, allowed: Mapping[str, str] | Sequence[str], place: str, key: str) -> str:
    if not isinstance(value, str) or value not in allowed:
        names = ", ".join(allowed) if len(allowed) <= 16 else "the list that was given"
        raise BadReply(f'{place}: "{key}" is {_said(value)}, not one of {names}')
    return value


def _value(kind: str, value: Any, place: str) -> str:
    """Read one value as the grammar keeps it."""
    if kind == "length" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value:
        raise BadReply(f"{place}: the value {_said(value)} is not a text")
    if kind in ("token", SPELLING):
        return value
    value = fold(value)
    if kind in ("word", "form") and any(c.isspace() for c in value) and value.strip():
        raise BadReply(
            f"{place}: {_said(value)} is more than one word, give each its own condition"
        )
    long = kind in ("beginning", "ending") and len(value.strip("-") or value) > MAX_AFFIX
    if long or (kind == "length" and value not in map(str, range(1, MAX_LENGTH + 1))):
        limit = f"1 to {MAX_AFFIX} letters" if long else f"a number from 1 to {MAX_LENGTH}"
        raise BadReply(f"{place}: {kind} {_said(value)} is not {limit}")
    if kind in ("class", "group"):
        _one_of(value, CLASSES if kind == "class" else list(lexicon().names), place, kind)
    return value


def _said(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _known(literal: Literal, words: Words, unknown: dict[str, None]) -> Literal | None:
    """Keep the values that some token has; None without any."""
    if not literal.values:
        return literal
    kept: list[str] = []
    for value in literal.values:
        found = [v for v in _spellings(literal.kind, value) if _has(words, literal.kind, v)]
        kept += found if literal.kind == SPELLING else found[:1]
        if not found:
            unknown[value] = None
    kind = "token" if literal.kind == SPELLING else literal.kind
    values = tuple(dict.fromkeys(kept))
    return Literal(literal.place, kind, values, literal.negated) if values else None


def _spellings(kind: str, value: str) -> tuple[str, ...]:
    """Ways to look a value up; an ending is often written "-ing", though "-up" may be meant."""
    if kind == SPELLING:
        return (value,) if value[0].isspace() else (f" {value}", value)
    if kind in ("prefix", "suffix"):
        return (value, value.removeprefix("-") if kind == "suffix" else value.removesuffix("-"))
    return (value,)


def _has(words: Words, kind: str, value: str) -> bool:
    kind = "token" if kind == SPELLING else kind
    return (kind, stem(value) if kind == "stem" else value) in words.index


def written(rules: Sequence[Sequence[Literal]], left_out: str = "") -> str:
    """Write rules as a reply, a rule a line; `rules_in` reads it back to the same literals.

    Bigrams, positions and clusters have no form there: a KeyError.
    """
    lines = [json.dumps([_condition(x) for x in rule], ensure_ascii=False) for rule in rules]
    body = "[\n" + ",\n".join(lines) + "\n]" if lines else "[]"
    return f'{{"rules": {body}, "left_out": {json.dumps(left_out, ensure_ascii=False)}}}'


def _condition(literal: Literal) -> dict[str, object]:
    places = {place: name for name, place in WHERE.items()}
    if literal.place == "state":
        where, names = TEXT, {state: name for name, state in STATES.items()}
    else:
        where = places[literal.place]
        names = {SPELLING: SPELLING} | {kind: name for name, kind in IS.items()}
    return {
        "where": where,
        "is": names[literal.kind],
        "any_of": list(literal.values),
        "not": literal.negated,
    }

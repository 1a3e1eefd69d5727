"""The language of verifiable explanations: literals, rules, lists of rules, and their text.

A list of rules holds at a token when any of its rules does (OR); a rule holds when all of its
literals do (AND). Everything a literal asks is decided by a program from the token itself and the
tokens to its left. Methods: reference methods.md 4.2; the loose grammar it makes exact is in the
appendix of EleutherAI's post "Open source automated interpretability for SAE features" (2024).

    here:word="pizza"|"pizzas" & near16:word="crust" -> 3.25 @ 0.64 ; here:token=" Roma" -> 2 @ 1

reads: the words pizza(s) when crust occurred in the 16 tokens before; also the token Roma.
After the arrow: the mean activation of the tokens that the rule claims first, then the share of
them that are active.
"""

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import NoReturn

from data.errors import BadInput

NEAR = {"near4": 4, "near8": 8, "near16": 16, "near32": 32}
BACK = {"here": 0, "prev": 1, "prev2": 2}
PLACES = (*BACK, *NEAR)
TESTS = ("token", "word", "stem", "group", "class", "suffix", "prefix", "cluster", "length")
STATES = ("seen", "quoted", "bracketed", "line-start", "sentence-start", "document-start")
NEVER = "never"


@dataclass(frozen=True, slots=True)
class Literal:
    """One yes/no question about a token and its left context.

    place  here, prev, prev2, near4..near32: where a token test looks; "bigram": the two words
           before; "state": a condition of the text; "position": where in the sequence.
    kind   a token test, "word" for bigrams, a state's name, "range" for positions.
    values any of them will do; for "range" the first position and the one after the last.
    """

    place: str
    kind: str
    values: tuple[str, ...] = ()
    negated: bool = False

    def __str__(self) -> str:
        """Write the literal as canonical text.

        >>> str(Literal("near16", "word", ("crust",), negated=True))
        'not near16:word="crust"'
        """
        values = "|".join(_quote(value) for value in self.values)
        return f"{'not ' * self.negated}{self.place}:{self.kind}{'=' * bool(values)}{values}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A conjunction of at most three literals and what it was worth where it was learnt."""

    literals: tuple[Literal, ...]
    value: float  # mean activation of the tokens that it claims first, raw activation units
    precision: float  # share of those tokens that are active, 0..1

    def __str__(self) -> str:
        """Write the rule as canonical text."""
        body = " & ".join(map(str, self.literals))
        return f"{body} -> {_number(self.value)} @ {_number(self.precision)}"


@dataclass(frozen=True, slots=True)
class Rules:
    """An explanation: rules joined by OR, the first that holds gives the value."""

    rules: tuple[Rule, ...] = ()

    def __str__(self) -> str:
        """Write canonical one-line text; `parse` reads it back to an equal object."""
        return " ; ".join(map(str, self.rules)) or NEVER

    def __len__(self) -> int:
        """Count the rules."""
        return len(self.rules)


def parse(text: str) -> Rules:
    """Read canonical text; raise BadInput with the position where reading stopped."""
    if text.strip() == NEVER:
        return Rules()
    reader = _Reader(text)
    rules = [reader.rule()]
    while reader.take(";"):
        rules.append(reader.rule())
    if reader.at < len(reader.pieces):
        reader.fail("';' or the end")
    return Rules(tuple(rules))


_PIECE = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<arrow>->)|(?P<mark>[;&|=:@])|(?P<name>[a-z][a-z0-9-]*)"""
    r"""|(?P<number>-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)|(?P<end>$)|(?P<bad>\S))"""
)


class _Reader:
    """Recursive descent over the pieces of one text."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.pieces: list[tuple[str, str, int]] = []  # kind, text, position
        for match in _PIECE.finditer(text):
            kind = match.lastgroup or "end"
            if kind != "end":
                self.pieces.append((kind, match.group(kind), match.start(kind)))

    def fail(self, wanted: str) -> NoReturn:
        end = self.at >= len(self.pieces)
        place = len(self.text) if end else self.pieces[self.at][2]
        found = "the end" if end else repr(self.pieces[self.at][1])
        raise BadInput(
            f"rule text cannot be read at character {place}: found {found}, expected {wanted}; "
            "correct the text or learn the rule again"
        )

    def take(self, text: str) -> bool:
        found = self.at < len(self.pieces) and self.pieces[self.at][1] == text
        self.at += found
        return found

    def need(self, text: str) -> None:
        if not self.take(text):
            self.fail(f"'{text}'")

    def one_of(self, names: tuple[str, ...]) -> str:
        if self.at >= len(self.pieces) or self.pieces[self.at][1] not in names:
            self.fail("one of " + ", ".join(names))
        self.at += 1
        return self.pieces[self.at - 1][1]

    def rule(self) -> Rule:
        literals = [self.literal()]
        while self.take("&"):
            literals.append(self.literal())
        self.need("->")
        value = self.number()
        self.need("@")
        return Rule(tuple(literals), value, self.number())

    def literal(self) -> Literal:
        negated = self.take("not")
        place = self.one_of((*PLACES, "bigram", "state", "position"))
        self.need(":")
        kind = self.one_of(kinds_of(place))
        values: list[str] = []
        if place != "state":
            self.need("=")
            values.append(self.string())
            while self.take("|"):
                values.append(self.string())
        if place == "position" and not (len(values) == 2 and all(v.isdecimal() for v in values)):
            self.at -= 1
            self.fail("two whole numbers, the first position and the one after the last")
        return Literal(place, kind, tuple(values), negated)

    def string(self) -> str:
        if self.at >= len(self.pieces) or self.pieces[self.at][0] != "string":
            self.fail("a quoted value")
        try:
            value = json.loads(self.pieces[self.at][1], strict=False)
        except ValueError:
            self.fail("a quoted value with valid escapes")
        self.at += 1
        return value

    def number(self) -> float:
        if self.at >= len(self.pieces) or self.pieces[self.at][0] != "number":
            self.fail("a number")
        self.at += 1
        return float(self.pieces[self.at - 1][1])


def kinds_of(place: str) -> tuple[str, ...]:
    """Name the kinds that may follow a place."""
    special = {"bigram": ("word",), "state": STATES, "position": ("range",)}
    return special.get(place, TESTS)


def _quote(value: str) -> str:
    """Quote like JSON; whatever does not print is escaped, so that the text stays one line."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(
        c if c == " " or unicodedata.category(c)[0] not in "CZ" else json.dumps(c)[1:-1]
        for c in text
    )


def _number(value: float) -> str:
    """Write a number so that reading it gives the same number.

    >>> _number(2.0), _number(0.125)
    ('2', '0.125')
    """
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))

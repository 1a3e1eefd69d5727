"""Rules as English sentences a person reads (methods.md 4.6).

Nothing is decided here: wording only. Coverage and precision come from the exact check.
"""

from dataclasses import replace
from itertools import groupby

from core.grammar.language import NEAR, Literal, Rule, Rules
from core.grammar.lexicon import lexicon

AFFIX_MARKS = {"suffix": ("-", ""), "prefix": ("", "-")}
MOST_WORDS = 45
BUDGETS = ((8, 4, 4), (6, 3, 4), (6, 3, 3), (5, 2, 3), (5, 2, 2), (4, 1, 1))
# values of the first rule, of later rules, and rules that are spelt out; the first that is short
SUBJECT_ORDER = ("group", "class", "word", "token", "stem", "cluster", "suffix", "prefix", "length")
WHERE_ORDER = ("prev", "prev2", "bigram", "state", "position", "near4", "near8", "near16",
               "near32")  # fmt: skip
INVISIBLE = {
    " ": "a space",
    "\t": "a tab",
    "\n": "a newline",
    "\r": "a carriage return",
    "\xa0": "a no-break space",
    "\u200b": "a zero-width space",
    "\ufeff": "a byte order mark",
    "": "an empty token",
}
CLASS_NAMES = {
    "digit": "numbers",
    "has-digit": "words with a digit in them",
    "punctuation": "punctuation",
    "symbol": "symbols",
    "newline": "newlines",
    "whitespace": "white space",
    "letters": "words",
    "capitalised": "capitalised words",
    "all-caps": "words in capitals",
    "continuation": "word pieces",
    "non-latin": "text in a non-Latin script",
}
STATE_NAMES = {
    "seen": "when the same token came earlier in the text",
    "quoted": "inside quotation marks",
    "bracketed": "inside brackets",
    "line-start": "at the start of a line",
    "sentence-start": "at the start of a sentence",
    "document-start": "at the start of a document",
}
NOT_STATE_NAMES = {
    "seen": "when the same token did not come earlier in the text",
    "quoted": "outside quotation marks",
    "bracketed": "outside brackets",
    "line-start": "not at the start of a line",
    "sentence-start": "not at the start of a sentence",
    "document-start": "not at the start of a document",
}


def render(
    rules: Rules,
    coverage: float | None = None,
    precision: float | None = None,
    leading: int = 0,
) -> str:
    """Write one sentence; coverage is the share of active tokens claimed, both 0..1.

    leading: how many values of the first rule make most of its activation (emphasis.py).

    >>> from core.grammar.language import parse
    >>> print(render(parse('here:word="pizza" & prev:word="a" -> 3 @ 0.64'), 0.81, 0.64))
    Fires on “pizza” right after “a” (81 % of activations, precision 64 %).
    >>> print(render(parse('here:word="not"|"only"|"both" -> 3 @ 0.64'), leading=1))
    Fires mostly on “not”, less on “only” or “both”.
    """
    if not rules.rules:
        return "No rule tells this feature's tokens from others."
    tries = (_sentence(rules, leading, *budget) for budget in BUDGETS)
    short = (sentence for sentence in tries if len(sentence.split()) <= MOST_WORDS)
    sentence = next(short, None) or _sentence(rules, leading, *BUDGETS[-1])
    figures = []
    if coverage is not None:
        figures.append(f"{_percent(coverage)} of activations")
    if precision is not None:
        figures.append(f"precision {_percent(precision)}")
    return sentence + (f" ({', '.join(figures)})" if figures else "") + "."


def _sentence(rules: Rules, leading: int, first: int, later: int, shown: int) -> str:
    parts = [_opening(rules.rules[0], leading, first)]
    parts += [f"also on {describe(rule, later)}" for rule in rules.rules[1:shown]]
    more = len(rules) - len(parts)
    parts += [f"and {more} more rule{'s' * (more > 1)}"] if more else []
    return "; ".join(parts)


def _opening(rule: Rule, leading: int, values: int) -> str:
    """The first rule, with the values in front of the others where they make most of it."""
    if not leading:
        return f"Fires on {describe(rule, values)}"
    (literal,) = rule.literals
    front, tail = (
        replace(rule, literals=(replace(literal, values=part),))
        for part in (literal.values[:leading], literal.values[leading:])
    )
    most = max(2, values - leading)
    return f"Fires mostly on {describe(front, values)}, less on {describe(tail, most)}"


def describe(rule: Rule, values: int = 6) -> str:
    """Describe one rule as a noun phrase: what the token is, then where it stands."""
    subjects = [x for x in rule.literals if x.place == "here" and not x.negated]
    others = [x for x in rule.literals if x not in subjects]
    subjects.sort(key=lambda x: SUBJECT_ORDER.index(x.kind))
    main = _subject(subjects[0], values) if subjects else "any token"
    for literal in subjects[1:]:
        main += " " + _also(literal, values)
    for literal in [x for x in others if x.place == "here"]:
        main += f" other than {_subject(literal, min(values, 4))}"
    others = [x for x in others if x.place != "here"]
    if not others:
        return main
    others.sort(key=lambda x: WHERE_ORDER.index(x.place))
    return main + " " + " and ".join(_where(literal, min(values, 4)) for literal in others)


def _subject(literal: Literal, most: int) -> str:
    kind, values = literal.kind, literal.values
    if kind in ("class", "group"):
        names = CLASS_NAMES if kind == "class" else lexicon().names
        return _either([names.get(v) or show(v) for v in values])
    if kind == "length":
        return "words of " + _either([_visible_all(v) for v in values]) + " letters"
    head, tail = AFFIX_MARKS.get(kind, ("", ""))
    return _called(kind, values) + _list(values, most, head, tail)


def _called(kind: str, values: tuple[str, ...]) -> str:
    """Say what kind of thing the quoted values are."""
    if kind == "token" and all(value.strip() for value in values):
        return "the token " if len(values) == 1 else "the tokens "
    thing = "words" if any(v.isalnum() for v in values) else "tokens"
    said = {"stem": "forms of ", "cluster": "words like ", "suffix": f"{thing} ending in ",
            "prefix": f"{thing} beginning with "}  # fmt: skip
    return said.get(kind, "")


def _also(literal: Literal, most: int) -> str:
    """A second condition on the token itself."""
    if literal.kind == "length":
        return f"of {_either([_visible_all(v) for v in literal.values])} letters"
    if literal.kind == "suffix":
        return "ending in " + _list(literal.values, most, head="-")
    if literal.kind == "prefix":
        return "beginning with " + _list(literal.values, most, tail="-")
    return f"that are also {_subject(literal, most)}"


def _where(literal: Literal, most: int) -> str:
    place, no = literal.place, literal.negated
    if place == "state":
        return (NOT_STATE_NAMES if no else STATE_NAMES)[literal.kind]
    if place == "position":
        return _position(literal)
    if place == "bigram":
        subject = _list([v.replace("\t", " ") for v in literal.values], most)
    else:
        subject = _subject(literal, most)
    if place in NEAR:
        verb = "did not occur" if no else "occurred"
        return f"when {subject} {verb} in the {NEAR[place]} tokens before"
    return f"{'not ' * no}{'two tokens' if place == 'prev2' else 'right'} after {subject}"


def _position(literal: Literal) -> str:
    low, high = (int(value) for value in literal.values)
    no = "not " * literal.negated
    if low == 0:
        return f"{no}within the first {high} positions"
    return f"{no}at positions {low} to {high - 1} of the sequence"


def _list(values, most: int, head: str = "", tail: str = "") -> str:
    most = most if len(values) > most + 1 else len(values)  # never "or 1 other"
    shown = dict.fromkeys(show(value, head, tail) for value in values[:most])
    return _either(list(shown), len(values[most:]))


def _either(names, more: int = 0) -> str:
    """Join by commas and "or".

    >>> _either(["a", "b", "c"]), _either(["a"], 2)
    ('a, b or c', 'a or 2 others')
    """
    names = list(names) + ([f"{more} other{'s' * (more > 1)}"] if more else [])
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " or " + names[-1]


def show(value: str, head: str = "", tail: str = "") -> str:
    """Quote a value; what cannot be seen is named.

    >>> show("the"), show("\\n"), show("  "), show("s", head="-")
    ('“the”', 'a newline', '2 spaces', '“-s”')
    """
    if value in INVISIBLE:
        return INVISIBLE[value]
    if not value.strip():
        return _white_space(value)
    return f"“{head}{_visible_all(value)}{tail}”"


def _white_space(value: str) -> str:
    """Name runs of white space.

    >>> _white_space("  "), _white_space("\\n   ")
    ('2 spaces', 'a newline and 3 spaces')
    """
    runs = ["".join(run) for _, run in groupby(value)]
    if any(run[0] not in INVISIBLE for run in runs):
        return "white space"
    names = [INVISIBLE[run[0]].split(" ", 1) for run in runs]
    said = [f"{one} {name}" if len(run) == 1 else f"{len(run)} {name}s"
            for run, (one, name) in zip(runs, names, strict=True)]  # fmt: skip
    return " and ".join(said)


def _visible_all(text: str) -> str:
    return "".join(_visible(c) for c in text)


def _visible(character: str) -> str:
    if character in "\n\r\t":
        return {"\n": "⏎", "\r": "␍", "\t": "→"}[character]
    return character if character.isprintable() else f"U+{ord(character):04X}"


def _percent(share: float) -> str:
    """Write a share so that neither nothing nor everything is claimed falsely.

    >>> _percent(0.814), _percent(0.9996), _percent(0.0004)
    ('81 %', '> 99 %', '< 1 %')
    """
    if 0 < share < 0.01:
        return "< 1 %"
    if 0.995 <= share < 1:
        return "> 99 %"
    return f"{100 * share:.0f} %"

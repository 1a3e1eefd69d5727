"""The JSON files of a delphi run: explanations, verdicts, contexts seen, neighbours, simulations.

Rows of all its eras become the same records. Verdicts are strict: 1 yes, 0 no, None no usable
reply; anything else is refused with the file and the row.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from data.errors import BadInput
from data.imports.fields import LONGEST, NUMBERS, Fields
from data.imports.foreign import clean, read_json, shown
from data.imports.report import Report

Era = Literal["D", "A", "X"]
NO_EXPLANATION = {"", "Explanation could not be parsed.", "No explanation found"}
# What every row of an era has, besides what it cannot be read without.
EXPECTED: dict[Era, tuple[str, ...]] = {
    "D": ("activations", "prediction", "correct"), "A": ("prediction",), "X": ("predicted",),
}  # fmt: skip
MOST_ROWS = 1_000_000
SHARE = 0.3  # of a context's maximum, from which delphi marks a token


class ForeignExplanation(NamedTuple):
    """One explanation as written."""

    text: str | None  # None = the file says that there is none
    raw: str


class ForeignContext(NamedTuple):
    """One context as written."""

    tokens: list[str]
    activations: list[float]  # raw, as many as were written; [] where older runs kept the text only


class VerdictRow(NamedTuple):
    """One question and its answer."""

    context: ForeignContext
    activating: bool  # the only trustworthy source of the class
    distance: float | None  # as written
    predicted: bool | None  # None = no usable reply
    probability: float | None  # of "yes", 0..1
    agrees: bool  # the stored `correct` is what follows from the others, or is missing
    marked: list[int] | None  # token indices; None = not stored
    is_fuzz: bool | None  # of a list that mixes both; None = the folder says it
    era: Era
    missing: tuple[str, ...] = ()  # what such a row has, and this one has not
    kind: str | None = None  # of a silent context, as an export of ours names it; None = not stored


class SimulatedSequence(NamedTuple):
    """One context with what was expected of it."""

    tokens: list[str]
    expected: list[float]  # 0..10
    true: list[float]  # 0..10
    slice: int  # 0 = strongest, -1 = silent


def read_explanation(path: Path) -> ForeignExplanation:
    """One JSON string; older runs wrap it."""
    found = read_json(path, object)
    raw = found.get("result") if isinstance(found, dict) else found
    if not isinstance(raw, str):
        raise BadInput(f"{shown(path)} holds no text of an explanation")
    return explanation_of(clean(raw))


def explanation_of(raw: str) -> ForeignExplanation:
    """An explanation, or the fact that a text says that there is none."""
    return ForeignExplanation(None if raw.strip() in NO_EXPLANATION else raw, raw)


def read_verdicts(path: Path) -> list[VerdictRow]:
    """The rows of a detection or fuzz file, in the order in which they were asked."""
    return [_verdict(_Row(path, i, row)) for i, row in enumerate(_rows(path))]


def read_contexts(path: Path) -> list[ForeignContext]:
    """The contexts that an explainer saw."""
    return [_context(_Row(path, i, row)) for i, row in enumerate(_rows(path))]


def _rows(path: Path) -> list[Any]:
    found = read_json(path, list)
    if len(found) > MOST_ROWS:
        raise BadInput(f"{shown(path)} has {len(found):,} rows, more than any run asks about")
    return found


class _Row(Fields):
    """One element of a list; its lists must be there, and what is too large is infinite."""

    def __init__(self, path: Path, number: int, found: Any) -> None:
        self.path, self.place = path, number
        if not isinstance(found, dict):
            raise self.wrong("is not an object")
        self.found = found

    def wrong(self, what: str) -> BadInput:
        return BadInput(f"{shown(self.path)}: row {self.place} {what}")

    def entries(self, key: str, longest: int = LONGEST) -> list[Any]:
        if not isinstance(self.found.get(key), list):
            raise self.wrong(f"has no list '{key}'")
        return super().entries(key, longest)

    def numbers(self, key: str) -> list[float]:
        value = self.entries(key)
        if not set(map(type, value)) <= NUMBERS:
            raise self.wrong(f"has something else than numbers in '{key}'")
        try:
            found = list(map(float, value))
        except OverflowError:
            found = [self.finite(one, key) for one in value]
        if any(map(math.isnan, found)):
            raise self.wrong(f"has NaN in '{key}'")
        return found

    def finite(self, value: float, key: str) -> float:
        """A number that a float holds; NaN is refused, what is too large becomes infinite."""
        try:
            value = float(value)
        except OverflowError:
            value = math.inf
        if math.isnan(value):
            raise self.wrong(f"has NaN in '{key}'")
        return value

    def flag(self, key: str) -> bool:
        value = self.found.get(key)
        if not isinstance(value, bool):
            raise self.wrong(f"has no '{key}' that is true or false")
        return value

    def number(self, key: str) -> float | None:
        value = self.found.get(key)
        if value is None:
            return None
        if type(value) not in (int, float):
            raise self.wrong(f"has a '{key}' that is no number")
        return self.finite(value, key)


def _context(row: _Row) -> ForeignContext:
    if "str_tokens" in row.found:
        tokens = row.strings("str_tokens")
    elif "tokens" in row.found:
        tokens = row.strings("tokens")
    elif isinstance(row.found.get("text"), str):
        tokens = [row.found["text"]]  # older runs kept the text only
    else:
        raise row.wrong("has no 'str_tokens'")
    if not tokens:
        raise row.wrong("has an empty context")
    values = row.numbers("activations") if "activations" in row.found else []
    return ForeignContext(tokens, values)


def _verdict(row: _Row) -> VerdictRow:
    era: Era = "X" if "quantile" in row.found else "A" if "ground_truth" in row.found else "D"
    era = "D" if "activating" in row.found else era
    activating = row.flag("activating" if era == "D" else "ground_truth")
    predicted = _predicted(row, "predicted" if era == "X" else "prediction")
    stated = row.found.get("correct")
    probability = row.number("probability")
    if probability is not None and not 0 <= probability <= 1:
        raise row.wrong("has a 'probability' outside 0..1")
    agrees = stated is None or predicted is None or stated == (predicted == activating)
    return VerdictRow(
        _context(row),
        activating,
        row.number("quantile" if era == "X" else "distance"),
        predicted,
        probability,
        agrees,
        _marked(row),
        row.flag("highlighted") if era == "X" else None,
        era,
        tuple(key for key in EXPECTED[era] if key not in row.found),
        row.found["kind"] if isinstance(row.found.get("kind"), str) else None,
    )


def _predicted(row: _Row, key: str) -> bool | None:
    """True, False, 0 and 1 are verdicts; null and -1 are none."""
    value = row.found.get(key)
    if value is None or (type(value) in (int, float) and value == -1):
        return None
    if type(value) in (bool, int, float) and value in (0, 1):
        return bool(value)
    raise row.wrong(f"has a '{key}' that is no verdict")


def marked_by_delphi(values: Sequence[float]) -> list[int]:
    """Which tokens of an activating context the tool marks for fuzzing.

    >>> marked_by_delphi([0.0, 2.0, 0.5, 0.75])
    [1, 3]
    """
    top = max(values, default=0.0)
    return [i for i, value in enumerate(values) if value >= SHARE * top and value > 0]


def _marked(row: _Row) -> list[int] | None:
    if "marked" not in row.found or row.found["marked"] is None:
        return None
    marked = row.entries("marked")
    if not all(type(one) is int and 0 <= one < LONGEST for one in marked):
        raise row.wrong("has something else than token numbers in 'marked'")
    return marked


def read_neighbours(path: Path, report: Report) -> dict[int, list[tuple[float, int]]]:
    """Nearest features with their values, nearest first as written; NaN is left out and counted."""
    found: dict[int, list[tuple[float, int]]] = {}
    for key, pairs in read_json(path, dict).items():
        if not key.isdecimal() or len(key) > 9 or not isinstance(pairs, list):
            raise BadInput(f"{shown(path)}: '{key[:40]}' has no list of neighbours")
        if int(key) in found:
            raise BadInput(f"{shown(path)} has two lists of neighbours of feature {int(key)}")
        found[int(key)] = [_pair(path, key, pair) for pair in pairs if not _is_nan(pair)]
        damaged = len(found[int(key)]) < len(pairs)
        report.add("neighbours_damaged", damaged, f"{shown(path.name)}, feature {key}")
    return found


def _is_nan(pair: Any) -> bool:
    return isinstance(pair, list) and bool(pair) and pair[0] != pair[0]


def _pair(path: Path, key: str, pair: Any) -> tuple[float, int]:
    is_pair = isinstance(pair, list) and len(pair) == 2 and type(pair[0]) in (int, float)
    if not is_pair or type(pair[1]) is not int or not 0 <= pair[1] < 2**32:
        raise BadInput(f"{shown(path)}: a neighbour of {key} is no [value, feature]")
    return float(pair[0]), pair[1]


def read_simulations(path: Path) -> list[SimulatedSequence]:
    """The contexts of the overall group, else of all groups; what each token was expected to be."""
    groups = _rows(path)
    whole = [g for g in groups if isinstance(g, dict) and g.get("distance") == 0]
    found = []
    for number, group in enumerate(whole or groups):
        row = _Row(path, number, group)
        for place, inside in enumerate(row.entries("scored_sequence_simulations")):
            found.append(_simulated(_Row(path, place, inside)))
    return found


def _simulated(row: _Row) -> SimulatedSequence:
    """What was expected stands inside a row; older runs have it beside what was true."""
    inner, key = row, "predicted_activations"
    if key not in row.found:
        if not isinstance(row.found.get("simulation"), dict):
            raise row.wrong("has no 'simulation'")
        inner, key = _Row(row.path, row.place, row.found["simulation"]), "expected_activations"
    expected, true = inner.numbers(key), row.numbers("true_activations")
    tokens = inner.strings("tokens")
    if not len(expected) == len(true) == len(tokens) or not tokens:
        raise row.wrong("has unequal numbers of tokens and activations")
    where = row.number("distance")
    if where is not None and not -1 <= where <= LONGEST:
        raise row.wrong("has a 'distance' that names no slice")
    return SimulatedSequence(tokens, expected, true, -1 if where is None else int(where))

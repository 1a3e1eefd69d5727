"""Score files of delphi's further scorers, which no command of it writes (formats 2.5).

    intruder                [{prediction, correct_index, correct}]
    embedding               [{text, distance, similarity}]
    surprisal               [{text, distance, no_explanation[], explanation[]}]
    surprisal_intervention  [{final_score}]

The class of a row is told by the sign of `distance` alone; 0 may be either, and is left out.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from data.imports.fields import Fields
from data.imports.foreign import read_json, shown


class Measured(NamedTuple):
    """What a file measures, row by row; one of the lists is used."""

    metric: str  # auroc, accuracy, or the name of the figure
    values: list[float]  # what is ranked, or averaged
    positive: list[bool]  # class of each value, where they are ranked
    n_ambiguous: int = 0  # rows whose class, or whose failure, cannot be told
    n_failed: int = 0  # rows without a value


def read_measured(path: Path, scorer: str) -> Measured:
    """Read a file of one of the scorers above, by our name of it."""
    rows = []
    for number, found in enumerate(read_json(path, list)):
        where = f"{shown(path)}: row {number}"
        if not isinstance(found, dict):
            raise Fields(where, {}).wrong("is not an object")
        rows.append(Fields(where, found))
    return READERS[scorer](rows)


def _intruder(rows: list[Fields]) -> Measured:
    """Whether the context that does not belong was found; a lost reply looks like place 0."""
    values, lost = [], 0
    for row in rows:
        right = row.found.get("correct")
        if not isinstance(right, bool):
            raise row.wrong("has no 'correct' that is true or false")
        lost += not right and row.found.get("prediction") == 0
        values.append(float(right))
    return Measured("accuracy", values, [], lost)


def _ranked(rows: list[Fields], value_of: Callable[[Fields], float | None]) -> Measured:
    values, positive, ambiguous, failed = [], [], 0, 0
    for row in rows:
        value, distance = value_of(row), row.number("distance")
        if value is None:
            failed += 1
        elif not distance:
            ambiguous += 1
        else:
            values.append(value)
            positive.append(distance > 0)
    return Measured("auroc", values, positive, ambiguous, failed)


def _embedding(rows: list[Fields]) -> Measured:
    return _ranked(rows, lambda row: row.number("similarity"))


def _surprisal(rows: list[Fields]) -> Measured:
    """By how much the explanation makes the text less surprising."""

    def gain(row: Fields) -> float | None:
        before, after = row.values("no_explanation"), row.values("explanation")
        if not before or len(before) != len(after):
            raise row.wrong("has unequal numbers of losses with and without the explanation")
        return sum(before) - sum(after)

    return _ranked(rows, gain)


def _intervention(rows: list[Fields]) -> Measured:
    found: list[Any] = [row.number("final_score") for row in rows]
    values = [value for value in found if value is not None]
    return Measured("final_score", values, [], n_failed=len(found) - len(values))


READERS: dict[str, Callable[[list[Fields]], Measured]] = {
    "intruder": _intruder,
    "embedding": _embedding,
    "surprisal": _surprisal,
    "intervention": _intervention,
}

"""Verdicts as the rows of a delphi score file, in the order in which they were asked.

`distance` counts slices from 0 = strongest; -1 is a silent context. A lost reply is null. Tokens
that fuzzing marked stand in `marked`, with the `kind` of a silent context, which delphi does not
read; they are left out where they are those that delphi marks.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.examples.activating import N_DECILES
from core.exporting.reading import Known
from core.exporting.windows import Text, Windows
from data.catalogue import Row
from data.imports.delphi_rows import marked_by_delphi
from data.records import ExplanationRecord, Score

SILENT = -1.0
KINDS = ("activating", "random", "wrong-mark")  # that a row can say


@dataclass(slots=True)
class Kept:
    """What the rows so far say of the whole run, and what they could not say."""

    asked: Counter = field(default_factory=Counter)  # verdicts by scorer
    judges: Counter = field(default_factory=Counter)
    lost: Counter = field(default_factory=Counter)  # what has no place at all
    as_random: Counter = field(default_factory=Counter)  # verdicts on kinds that have no name
    all_slices: Counter = field(default_factory=Counter)
    most_active: int = 0  # verdicts of a file
    most_silent: int = 0
    wrong_marks: int = 0
    has_probabilities: bool = False

    @property
    def slices(self) -> int:
        """Into how many parts activating contexts are cut."""
        found = self.all_slices.most_common(1)
        return found[0][0] if found else N_DECILES


def rows_of(
    scorer: str, score: Score, verdicts: Sequence[Row], windows: Windows, kept: Kept
) -> list[dict[str, Any]]:
    """The rows of one file."""
    windows.load(verdicts)
    slices = score.detail.get("slices")
    n = slices if type(slices) is int and 0 < slices <= N_DECILES else N_DECILES
    kept.all_slices[n] += 1
    kept.asked[scorer] += len(verdicts)
    active = sum(verdict["kind"] == "activating" for verdict in verdicts)
    kept.most_active = max(kept.most_active, active)
    kept.most_silent = max(kept.most_silent, len(verdicts) - active)
    for verdict in verdicts:
        kind = verdict["kind"]
        kept.as_random[kind] += kind not in KINDS
        kept.wrong_marks += kind == "wrong-mark"
        kept.has_probabilities |= verdict["probability"] is not None
    kept.as_random += Counter()  # without the kinds that were never met
    return [_row(verdict, n, windows) for verdict in verdicts]


def _row(verdict: Row, n: int, windows: Windows) -> dict[str, Any]:
    window = windows.of(verdict["first_token"], verdict["length"])
    activating, predicted = verdict["kind"] == "activating", verdict["predicted"]
    row = _context(window, windows) | {
        "distance": distance(verdict["decile"], n) if activating else SILENT,
        "activating": activating,
        "prediction": predicted,
        "probability": verdict["probability"],
        "correct": None if predicted is None else predicted == activating,
    }
    marks = verdict.get("marks")
    if marks and not (activating and list(marks) == marked_by_delphi(row["activations"])):
        row["marked"] = list(marks)
        row |= {} if activating else {"kind": verdict["kind"]}
    return row


def _context(window: Text, windows: Windows) -> dict[str, Any]:
    values = np.asarray(window.activations, np.float32)
    return {
        "str_tokens": windows.strings(window),
        "activations": values.tolist() if values.any() else [0] * len(values),
    }


def seen_rows(
    length: int, known: Known, found: ExplanationRecord, windows: Windows, kept: Kept
) -> list[dict[str, Any]]:
    """The contexts that an explanation was made from, in their order.

    length: tokens of a context that is not stored, as an explainer of ours is shown it.
    """
    making = known.makings.get(found.explanation_id)
    stored = {row["first_token"]: row["length"]  # of several the one that no judge had, if any
              for row in sorted(known.stored, key=lambda row: row["split"] == "train")
              if row["kind"] == "activating"}  # fmt: skip
    about = [{"first_token": first, "length": stored.get(first, length)}
             for first in (making.seen if making else ())
             if first in stored or not known.stored]  # fmt: skip
    windows.load(about)
    rows = [_context(windows.of(*one.values()), windows) for one in about]
    rows = [row for row in rows if any(row["activations"])]
    if making and len(rows) < len(making.seen):
        kept.lost["contexts that explainers saw"] += len(making.seen) - len(rows)
    return rows


def distance(decile: int | None, n: int) -> float:
    """Slice of n from 0 = strongest; -1 where the context is in none.

    >>> [distance(decile, 10) for decile in (10, 1)], [distance(decile, 5) for decile in (10, 2)]
    ([0.0, 9.0], [0.0, 4.0])
    """
    return SILENT if not decile else float(n - n * decile // N_DECILES)

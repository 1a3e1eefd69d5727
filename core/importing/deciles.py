"""Which slice of the activating contexts a `distance` names, found out from the whole run.

Gloss counts deciles from 1 = weakest to 10 = strongest. Upstream writes 0 = strongest now, wrote
1 = strongest once, and published pages count from 1 again (formats 2.5; methods 0).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.examples.activating import N_DECILES
from core.examples.draw import ACTIVATING
from core.importing.gather import Questions
from data.imports.delphi_rows import Era
from data.imports.report import Report

STRAY = 0.05  # share of distances that may be damaged before settings are not believed
FEW = 2  # contexts a slice, from which all slices should occur


class Scale(NamedTuple):
    """How `distance` counts in a run."""

    first: int  # what the strongest slice is called, 0 or 1
    n: int  # slices
    is_known: bool = True  # False = settings and distances disagree: no distance names a slice

    def slices(self, distance: np.ndarray) -> np.ndarray:
        """Slice of each distance, 1 weakest .. n strongest; 0 where it names none, int64 [n].

        >>> Scale(first=1, n=10).slices([1, 10, 11])
        [10, 1, 0]
        """
        place = np.nan_to_num(np.asarray(distance, np.float64), nan=-1.0)
        found = self.n + self.first - place
        fits = self.is_known & (found >= 1) & (found <= self.n) & (found == np.floor(found))
        return np.where(fits, found, 0).astype(np.int64)

    def deciles(self, distance: np.ndarray) -> np.ndarray:
        """Decile of each distance, 0 where it names none, uint8 [n].

        With another number of slices than ten a slice stands at the strongest decile it reaches:
        slices 1 .. 5 of 5 at 2, 4, 6, 8, 10.
        """
        return (-(-N_DECILES * self.slices(distance) // self.n)).astype(np.uint8)


def scale_of(
    questions: Sequence[Questions], n_quantiles: object, era: Era, report: Report
) -> Scale:
    """Find out how a run counts; what had to be inferred is reported."""
    every = [q.distance[q.kind == ACTIVATING] for q in questions]
    found = np.concatenate([*every, np.empty(0, np.float32)])
    report.add("distance_missing", int(np.isnan(found).sum()), _first(questions))
    found = found[~np.isnan(found)]
    if not len(found):
        return Scale(0, N_DECILES)
    first = 1 if era == "A" or (era == "D" and found.min() == 1) else 0
    largest = int(min(found.max(), 1000)) + (1 - first)
    known = type(n_quantiles) is int and 0 < n_quantiles <= 1000
    n = n_quantiles if known and isinstance(n_quantiles, int) else _usual(era, largest)
    report.add("distance_from_1", first and era == "D", f"{len(found):,} activating contexts")
    report.add("slices_inferred", not known, f"{n} slices")
    report.add("not_deciles", n != N_DECILES, f"{n} slices",
               f"the run cut contexts into {n} slices, not ten: slice s of {n} stands at decile "
               f"{N_DECILES} s / {n}, rounded up")  # fmt: skip
    scale = Scale(first, n)
    slices = scale.slices(found)
    outside, seen = int((slices == 0).sum()), slices[slices > 0]
    # A few rows may lack the weakest slice by chance; a run as a whole does not.
    is_narrower = len(found) >= FEW * n and seen.min(initial=n) > 1
    if known and (outside > STRAY * len(found) or is_narrower):
        report.add("slices_disagree", len(found), f"{n} slices, largest distance {found.max():g}")
        return scale._replace(is_known=False)
    report.add("distance_outside", outside, f"{n} slices")
    return scale


def _first(questions: Sequence[Questions]) -> str:
    """The first feature with an activating context that has no distance."""
    lacking = (q for q in questions if np.isnan(q.distance[q.kind == ACTIVATING]).any())
    return str(next((q.address for q in lacking), ""))


def _usual(era: Era, largest: int) -> int:
    """Older runs always had ten."""
    return largest if era == "D" else max(N_DECILES, largest)

"""A store with the planted cache, its twin of equal weights and one of a subject without brackets.

The second subject differs from the first in one weight: CONTEXT_ONLY and TOKEN_IN_CONTEXT are
silent in it, all else is the same.
"""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import planted_subject

from core.pipeline.diffing import DiffRequest, diff_stage
from core.pipeline.second_subject import SecondRequest, second_stage
from data import diffs
from data.catalogue import Catalogue
from data.diffs import DiffRecord, Wanted


def make_store(folder: Path) -> Catalogue:
    """A private copy; "planted" and "tuned" are compared, "twin" is cached only."""
    shutil.copytree(template() / "store", folder, dirs_exist_ok=True)
    return Catalogue(folder)


@cache
def template() -> Path:
    """Make it once in this process; the subjects are beside it, in model and tuned."""
    place = Path(tempfile.mkdtemp(prefix="gloss-diffed-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    catalogue = planted_subject.make_store(place / "store")
    planted_subject.save_subject(place / "model")
    planted_subject.save_subject(place / "tuned", brackets=False)
    for name, subject in (("twin", "model"), ("tuned", "tuned")):
        list(second_stage(catalogue, SecondRequest("planted", str(place / subject), name)))
    list(diff_stage(catalogue, DiffRequest("planted", "tuned")))
    return place


def all_found(catalogue: Catalogue, second: str = "tuned") -> list[DiffRecord]:
    """The comparisons of features with a second cache, oldest first."""
    with catalogue.reading() as con:
        return diffs.diffs(con, "features", "planted", second)


def found(catalogue: Catalogue, second: str = "tuned") -> DiffRecord:
    """The newest of them."""
    return all_found(catalogue, second)[-1]


def rows(catalogue: Catalogue, second: str = "tuned", **wanted):
    """Its features."""
    with catalogue.reading() as con:
        return diffs.features(con, found(catalogue, second), Wanted(**wanted))

"""How scorers agree over features: Pearson and Spearman of every pair, with n in every cell.

In: one row a defined score. A pair counts features that have both; below three of them, and for a
constant, the correlation is None.
"""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from core.score import statistics
from core.score.statistics import Sums, Z
from data.records import Interval

FEWEST = 3  # features


class Cell(NamedTuple):
    """Two scorers over the features that have both."""

    n: int  # features
    pearson: Interval | None  # -1..1, with Fisher's 95 % interval
    spearman: float | None  # -1..1


class Matrix(NamedTuple):
    """All pairs of scorers."""

    names: list[str]  # "detection"; with judge and preset where a scorer has several
    cells: list[list[Cell]]  # [scorer][scorer], symmetric


def matrix(scores: pd.DataFrame) -> Matrix:
    """Correlate the columns of the table that rows of `run_figures.scores` make."""
    table = scores.pivot(index=["hookpoint_id", "feature"], columns="scorer_id", values="value")
    methods = scores.drop_duplicates("scorer_id").set_index("scorer_id").loc[table.columns]
    columns = [table[scorer_id].to_numpy(np.float64) for scorer_id in table.columns]
    cells = [[_cell(x, y) for y in columns] for x in columns]
    return Matrix(_names(methods), cells)


def _names(methods: pd.DataFrame) -> list[str]:
    """Name scorers as short as keeps them apart."""
    several = methods["scorer"].duplicated(keep=False)
    whole = methods["scorer"] + " · " + methods["judge"] + " · " + methods["preset"]
    return whole.where(several, methods["scorer"]).tolist()


def _cell(x: np.ndarray, y: np.ndarray) -> Cell:
    both = ~(np.isnan(x) | np.isnan(y))
    x, y = x[both], y[both]
    r = pearson(x, y)
    return Cell(len(x), None if r is None else fisher(r, len(x)), pearson(ranks(x), ranks(y)))


def pearson(x: np.ndarray, y: np.ndarray) -> float | None:
    """Correlation of two columns, -1..1; None below three pairs or for a constant."""
    return statistics.pearson(Sums.of(x, y)) if len(x) >= FEWEST else None


def fisher(r: float, n: int) -> Interval:
    """95 % interval of a correlation on the scale of atanh; the whole range below four pairs."""
    if n < 4:
        return Interval(r, -1.0, 1.0)
    if abs(r) >= 1.0:
        return Interval(r, r, r)
    middle, half = math.atanh(r), Z / math.sqrt(n - 3)
    return Interval(r, math.tanh(middle - half), math.tanh(middle + half))


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, ties share the mean of theirs: [3, 1, 3] -> [2.5, 1, 2.5]."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]

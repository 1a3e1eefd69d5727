"""The figures of a comparison: who is better by how much, where, and how sure that is.

In: the pairs. Out: numbers, each with its n and a 95 % interval from one bootstrap over features,
so that all figures of a page move together. A difference is the second side minus the first.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.comparing.pairs import Found, Judge, LeftOut, Paired, Pairs, Question, pair
from core.comparing.resampling import FEWEST, Ratios, ratios
from core.comparing.signed_rank import signed_rank
from core.score.statistics import benjamini_hochberg, wilson
from data.comparing import PLACES

GROUPS = 5  # of equally many features by density


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its 95 % interval; None where there are too few features for one."""

    value: float
    low: float | None
    high: float | None

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, slots=True)
class Share:
    """Right verdicts of one decile, or of one kind of non-activating context, over all pairs."""

    place: str  # "1" weakest .. "10" strongest, or a kind
    right: int
    n: int  # usable verdicts
    figure: Figure


@dataclass(frozen=True, slots=True)
class Group:
    """Some of the pairs: a hookpoint, or a fifth by density."""

    name: str
    n: int  # features
    first: Figure
    second: Figure
    difference: Figure


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides over the features that were scored under both."""

    question: Question
    names: tuple[str, ...]  # of hookpoints, by place
    pairs: Pairs
    left_out: LeftOut
    judge: Judge | None  # that scored both; None: different questions, or none
    choices: tuple[Judge, ...]
    said_by: tuple[tuple[str, ...], tuple[str, ...]]
    wins: int  # features on which the second is better
    ties: int
    losses: int
    first: Figure | None  # mean scores; None without pairs
    second: Figure | None
    difference: Figure | None  # of the means
    median: float | None  # of the differences
    p: float | None  # signed-rank test; adjusted where one side was compared with several
    curves: tuple[tuple[Share, ...], tuple[Share, ...]]  # of either side, by place
    by_hookpoint: tuple[Group, ...]
    by_density: tuple[Group, ...]

    @property
    def n(self) -> int:
        """Features compared."""
        return len(self.pairs.feature)

    @property
    def n_unranked(self) -> int:
        """Pairs of which a side had more than a tenth of failed replies."""
        return int((~self.pairs.is_ranked).sum())

    def address(self, i: int) -> str:
        """The feature of pair i as HOOKPOINT/INDEX."""
        return f"{self.names[self.pairs.place[i]]}/{self.pairs.feature[i]}"

    def largest(self, n: int, *, second: bool) -> list[int]:
        """Pairs in which one side is better by most, the most first."""
        gain = self.pairs.difference if second else -self.pairs.difference
        gain = np.where(self.pairs.is_ranked, gain, 0)
        order = np.argsort(-gain, kind="stable")[:n]
        return [int(i) for i in order if gain[i] > 0]


def compare(found: Found) -> Comparison:
    """All figures of one comparison."""
    paired = pair(found.first, found.second)
    pairs, difference = paired.pairs, paired.pairs.difference
    sums = _Sums(len(difference))
    for side in (0, 1):
        sums.add_shares(("curve", side), paired, side)
    everything = np.ones((len(difference), 1), np.float32)
    hookpoints = [i for i in range(len(found.names)) if (pairs.place == i).any()]
    by_place = _one_hot(pairs.place, hookpoints)
    fifth, labels = _fifths(pairs.density)
    by_fifth = _one_hot(fifth, range(len(labels)))
    for name, which in (("all", everything), ("place", by_place), ("fifth", by_fifth)):
        for part, values in enumerate((pairs.first, pairs.second, difference)):
            sums.add_means((name, part), values, which)
    known = sums.ratios()
    first, second, mean = (_figures(known["all", part])[0] for part in range(3))
    return Comparison(
        question=found.question, names=found.names, pairs=pairs, left_out=paired.left_out,
        judge=found.judge, choices=found.choices, said_by=found.said_by,
        wins=int((difference > 0).sum()), ties=int((difference == 0).sum()),
        losses=int((difference < 0).sum()),
        first=first, second=second, difference=mean,
        median=float(np.median(difference)) if len(difference) else None,
        p=signed_rank(difference),
        curves=(_curve(paired, 0, known["curve", 0]), _curve(paired, 1, known["curve", 1])),
        by_hookpoint=_groups(known, "place", [found.names[i] for i in hookpoints], by_place),
        by_density=_groups(known, "fifth", labels, by_fifth),
    )  # fmt: skip


def adjusted(found: Sequence[Comparison]) -> list[Comparison]:
    """The same with p values of several comparisons adjusted (Benjamini and Hochberg)."""
    known = [one.p for one in found if one.p is not None]
    better = iter(benjamini_hochberg(np.array(known)).tolist())
    return [one if one.p is None else replace(one, p=next(better)) for one in found]


class _Sums:
    """Columns to be summed over features and divided, so that one bootstrap serves all."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._above: dict[tuple[str, int], np.ndarray] = {}
        self._below: dict[tuple[str, int], np.ndarray] = {}

    def add_shares(self, name: tuple[str, int], paired: Paired, side: int) -> None:
        self._above[name], self._below[name] = paired.right[side], paired.n[side]

    def add_means(self, name: tuple[str, int], values: np.ndarray, which: np.ndarray) -> None:
        self._above[name], self._below[name] = values[:, None].astype(np.float32) * which, which

    def ratios(self) -> dict[tuple[str, int], Ratios]:
        """The ratios of all columns, under the names they were added by."""
        parts = [np.concatenate(list(d.values()), axis=1) for d in (self._above, self._below)]
        found = ratios(*parts) if self._n else Ratios(*np.full((3, parts[0].shape[1]), np.nan))
        ends = np.cumsum([part.shape[1] for part in self._above.values()])[:-1]
        split = zip(*(np.split(part, ends) for part in found), strict=True)
        return {name: Ratios(*part) for name, part in zip(self._above, split, strict=True)}


def _one_hot(values: np.ndarray, chosen: Sequence[int]) -> np.ndarray:
    """Which of the chosen numbers each value is, float32 [n, chosen]."""
    return (values[:, None] == np.array(chosen, np.int64)[None, :]).astype(np.float32)


def _fifths(density: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The fifth by density of each pair, 0 rarest, and the range of each in percent.

    -1 where the density is not known, as in some imports.
    """
    fifth = np.full(len(density), -1)
    known = np.flatnonzero(np.isfinite(density))
    n = len(known)
    if n < GROUPS * FEWEST:
        return fifth, []
    fifth[known[np.argsort(density[known], kind="stable")]] = np.arange(n) * GROUPS // n
    spans = [density[fifth == i] * 100 for i in range(GROUPS)]
    return fifth, [f"{span.min():.2g}–{span.max():.2g} %" for span in spans]


def _figures(found: Ratios) -> list[Figure | None]:
    rows = zip(*(part.tolist() for part in found), strict=True)
    return [
        None if math.isnan(value) else Figure(value, _known(low), _known(high))
        for value, low, high in rows
    ]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _curve(paired: Paired, side: int, found: Ratios) -> tuple[Share, ...]:
    right, n = (part[side].sum(axis=0, dtype=float).tolist() for part in (paired.right, paired.n))
    return tuple(
        Share(place, int(r), int(m), _widened(figure, int(r), int(m)))
        for place, r, m, figure in zip(PLACES, right, n, _figures(found), strict=True)
        if figure is not None
    )


def _widened(figure: Figure, right: int, n: int) -> Figure:
    """All right or all wrong does not vary over resamples: there the interval is Wilson's."""
    pooled = wilson(right, n)
    if pooled is None or 0 < right < n:
        return figure
    return Figure(figure.value, pooled.low, pooled.high)


def _groups(
    known: dict[tuple[str, int], Ratios], name: str, labels: Sequence[str], which: np.ndarray
) -> tuple[Group, ...]:
    parts = zip(*(_figures(known[name, part]) for part in range(3)), strict=True)
    counts = which.sum(axis=0).astype(int).tolist()
    return tuple(
        Group(label, n, first, second, difference)
        for label, n, (first, second, difference) in zip(labels, counts, parts, strict=True)
        if first and second and difference
    )

"""From similarities to one figure: the mean over matched pairs beside what chance gives.

Matching looks for the best partner among many, so its mean is above zero for SAEs that share
nothing. Every figure therefore stands beside the same figure of a control, and what is read is the
difference, with a 95 % interval: percentiles of 2,000 draws of the pairs (with replacement) and of
one of the controls. Pairs of one matching are not independent, so the interval is a guide.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from core.likeness.matching import Method, Similarities, matched, nearest
from core.seeds import generator

NEAREST = 3  # of the other side, kept for every feature
DRAWS = 2_000
SHARED = 0.7  # cosine above which directions count as the same (EleutherAI, December 2024)


class Near(NamedTuple):
    """A feature's most similar ones of the other side, most similar first."""

    feature: np.ndarray  # int64 [rows]
    rank: np.ndarray  # 1 = most similar
    other: np.ndarray  # int64 [rows]
    value: np.ndarray  # float32 [rows]


class Likeness(NamedTuple):
    """Two sets of features compared by one measure."""

    first: np.ndarray  # feature of each pair, int64 [pairs]
    second: np.ndarray  # its partner, int64 [pairs]
    value: np.ndarray  # similarity of each pair, float64 [pairs]
    method: Method  # how they were matched
    n: tuple[int, int]  # features that took part, of either side
    mean: float | None  # over pairs; None = there is none
    baseline: float | None  # mean of the control's means
    low: float | None  # 95 % interval of mean - baseline
    high: float | None
    near: tuple[Near, Near]  # of either side
    encoder: np.ndarray | None = None  # cosine of the encoder directions, of each pair
    detail: dict[str, int] | None = None  # what only this measure has


def likeness(
    similarities: Similarities,
    names: tuple[np.ndarray, np.ndarray],
    controls: Sequence[Callable[[], Similarities]],
    *,
    seed: int,
    pair_values: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> Likeness:
    """Match two sets of features and measure how alike the pairs are.

    names: the feature number of every row and column; controls: each makes similarities by chance
    of the same shape; pair_values: the pairs' similarities from rows and columns, to more digits
    than the matrix has.
    """
    found = matched(similarities)
    value = (pair_values or _looked_up(similarities))(found.first, found.second)
    chance = [mean_of(make()) for make in controls] if len(value) else []
    low, high = interval(value, chance, seed)
    rows, columns = names
    return Likeness(
        first=rows[found.first],
        second=columns[found.second],
        value=value,
        method=found.method,
        n=similarities.shape,
        mean=float(value.mean()) if len(value) else None,
        baseline=float(np.mean(chance)) if chance else None,
        low=low,
        high=high,
        near=_near(similarities, rows, columns),
    )


def mean_of(similarities: Similarities) -> float:
    """The mean over matched pairs, of a control."""
    found = matched(similarities)
    return float(_looked_up(similarities)(found.first, found.second).mean())


def _looked_up(similarities: Similarities) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Similarities of pairs as the matrix has them, block by block."""

    def of(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        step = max(1, 2**24 // max(1, similarities.shape[1]))
        parts = [
            similarities.rows(first[lo : lo + step])[
                np.arange(len(first[lo : lo + step])), second[lo : lo + step]
            ]
            for lo in range(0, len(first), step)
        ]
        return np.concatenate([np.empty(0), *parts]).astype(np.float64)

    return of


def interval(
    values: np.ndarray, chance: Sequence[float], seed: int
) -> tuple[float | None, float | None]:
    """95 % interval of mean(values) - mean(chance); None with fewer than two pairs or no chance."""
    if len(values) < 2 or not chance:
        return None, None
    rng = generator(seed)
    means = np.array([values[rng.integers(len(values), size=len(values))].mean()
                      for _ in range(DRAWS)])  # fmt: skip
    differences = means - rng.choice(np.asarray(chance), DRAWS)
    low, high = np.quantile(differences, [0.025, 0.975])
    return float(low), float(high)


def _near(similarities: Similarities, rows: np.ndarray, columns: np.ndarray) -> tuple[Near, Near]:
    forth, back = nearest(similarities, NEAREST)

    def flat(found, own: np.ndarray, other: np.ndarray) -> Near:
        n, k = found.other.shape
        return Near(
            np.repeat(own, k), np.tile(np.arange(1, k + 1), n), other[found.other.ravel()],
            found.value.ravel(),
        )  # fmt: skip

    return flat(forth, rows, columns), flat(back, columns, rows)

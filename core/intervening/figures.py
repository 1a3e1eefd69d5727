"""From what a judge said after clean and pushed texts to a score with its errors; pure functions.

The score is the mean over prompts of log p(z | steered) - log p(z | clean), in nats, and its error
that of a mean, sd / sqrt(n). Differences are heavy-tailed, so the interval is a bootstrap's; over
features it resamples features (arXiv 2410.13928; methods.md 5.9, 6.1; the interval and figures a
token are ours). A prompt without both answers is left out and counted.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.intervening.verdict import Said
from core.score.statistics import RESAMPLES
from core.seeds import generator, text_seed
from data.records import Interval


class Figures(NamedTuple):
    """A score of one explanation."""

    value: float | None  # nats; None = no prompt has both answers
    low: float | None  # 95 % interval; None of fewer than two prompts
    high: float | None
    error: float | None  # standard error over prompts, nats
    per_token: float | None  # nats a token of the explanation
    n: int  # prompts
    failed: int  # prompts without an answer on either side


def differences(clean: Sequence[Said | None], steered: Sequence[Said | None]) -> list[float | None]:
    """Log-probability after the pushed text minus that after the clean one, nats a prompt.

    >>> differences([Said(-9., 3), None], [Said(-6.5, 3), Said(-1., 3)])
    [2.5, None]
    """
    return [
        None if a is None or b is None else b.total - a.total
        for a, b in zip(clean, steered, strict=True)
    ]


def figures(values: Sequence[float | None], n_tokens: int | None, seed: int) -> Figures:
    """Sum up one explanation's differences; n_tokens: of the explanation, as the judge cuts it.

    >>> figures([1.0, 3.0, None], 2, 0)
    Figures(value=2.0, low=1.0, high=3.0, error=1.0, per_token=1.0, n=2, failed=1)
    """
    known = np.array([value for value in values if value is not None], np.float64)
    failed = len(values) - len(known)
    if not len(known):
        return Figures(None, None, None, None, None, 0, failed)
    mean = float(known.mean())
    interval = mean_interval(known, seed)
    error = float(known.std(ddof=1) / math.sqrt(len(known))) if len(known) > 1 else None
    return Figures(
        mean, interval and interval.low, interval and interval.high, error,
        mean / n_tokens if n_tokens else None, len(known), failed,
    )  # fmt: skip


def mean_interval(values: np.ndarray, seed: int) -> Interval | None:
    """95 % percentile interval of the mean of values [n] by bootstrap; None of fewer than two.

    All values equal gives an interval of no width: nothing varies.
    """
    if len(values) < 2:
        return None
    means = _means(values, seed)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high))


def difference(values: np.ndarray, others: np.ndarray, seed: int) -> Interval | None:
    """Mean of values minus mean of others, two separate samples, with a 95 % bootstrap interval."""
    if len(values) < 2 or len(others) < 2:
        return None
    apart = _means(values, seed) - _means(others, text_seed(f"{seed}|others"))
    low, high = np.percentile(apart, [2.5, 97.5])
    return Interval(float(values.mean() - others.mean()), float(low), float(high))


def _means(values: np.ndarray, seed: int) -> np.ndarray:
    drawn = generator(seed).integers(0, len(values), size=(RESAMPLES, len(values)))
    return values[drawn].mean(axis=1)

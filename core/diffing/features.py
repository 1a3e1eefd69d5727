"""Every feature in two subjects on the same sequences: how much it differs, and whether it holds.

In: the columns of two caches over the same tokens through the same SAE. Out: differences of mean
activation and of firing rate a token, second minus first, paired by sequence, and the AUROC of
sequences (methods.md 8). Half of the sequences chooses the features (sign-flip test,
Benjamini-Hochberg), the other half confirms them and gives the effects, which therefore are not
inflated by having been chosen. Sequences count as independent; where long documents run through
many of them, p is somewhat too small. Memory is bounded by blocks of features.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from core import seeds
from core.diffing.settings import DiffSettings
from core.diffing.statistics import Spans, auroc_spans, mean_spans, sign_flip
from core.score.statistics import benjamini_hochberg
from data.activations import Columns, FeatureBlock, ranges
from data.cachefiles import CacheFiles
from data.errors import BadInput

CELLS = 4_000_000  # activations of both subjects plus values a sequence, of a block of features
FEWEST = 20  # sequences: below, a half has too few for any test


class Sequences(NamedTuple):
    """What the units are."""

    length: int  # tokens
    ordinary: np.ndarray  # tokens that may activate, int64 [sequences]
    chooses: np.ndarray  # the half that chooses, bool [sequences]


class Effect(NamedTuple):
    """One figure of every feature of a block or of all."""

    first: np.ndarray  # over all sequences, float64 [features]
    second: np.ndarray
    spans: Spans  # second minus first on held-out sequences
    sign: np.ndarray  # of the difference on the half that chooses
    p: np.ndarray  # there; NaN where the feature fires in neither subject
    p_held: np.ndarray  # on the held-out half; NaN where p is above the level


class Block(NamedTuple):
    """The figures of features lo .. hi - 1."""

    lo: int
    hi: int
    mean: Effect
    rate: Effect
    auroc: Spans


class Tested(NamedTuple):
    """A figure of every feature with its tests over all of them."""

    effect: Effect
    q: np.ndarray  # Benjamini-Hochberg over the features that fire
    q_held: np.ndarray  # over those chosen; 1 where the sign turned; NaN: not chosen


def sequences(files: CacheFiles, seed: int) -> Sequences:
    """Count the ordinary tokens of every sequence and divide the sequences in halves."""
    n, length = files.meta.n_sequences, files.meta.sequence_length
    if n < FEWEST:
        raise BadInput(
            f"a difference is chosen on one half of the sequences and confirmed on the other: "
            f"{n} sequences are too few, make caches of at least {FEWEST}"
        )
    special, parts = np.array(files.meta.special_ids, np.int64), []
    for first in range(0, n, step := max(1, CELLS // length)):
        count = min(step, n - first)
        tokens = files.tokens.flat(first * length, count * length).reshape(count, length)
        parts.append((~np.isin(tokens, special)).sum(axis=1))
    order = seeds.permutation(seeds.seed_of(seed, "", 0, "diff-halves"), n)
    chooses = np.zeros(n, bool)
    chooses[order[: n // 2]] = True
    return Sequences(length, np.concatenate(parts), chooses)


def blocks(
    first: Columns, second: Columns, units: Sequences, settings: DiffSettings, hookpoint: str
) -> Iterator[Block]:
    """Measure all features, block by block, in order."""
    n = len(units.ordinary)
    for lo, hi in ranges(first.counts() + second.counts() + n, CELLS):
        seed = seeds.seed_of(settings.seed, hookpoint, lo, "diff-draws")
        pair = [_a_token(columns.block(lo, hi), units) for columns in (first, second)]
        (first_mean, first_rate), (second_mean, second_rate) = pair
        held = ~units.chooses
        yield Block(
            lo, hi,
            _effect(first_mean, second_mean, units, settings, seed),
            _effect(first_rate, second_rate, units, settings, seed + 1),
            auroc_spans(first_mean[:, held], second_mean[:, held]),
        )  # fmt: skip


def _a_token(block: FeatureBlock, units: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """Mean activation and firing rate a token, of each feature in each sequence, [features, n]."""
    n_features, n = len(block.indptr) - 1, len(units.ordinary)
    row = np.repeat(np.arange(n_features, dtype=np.int64), np.diff(block.indptr))
    cell = row * n + block.token.astype(np.int64) // units.length
    tokens = np.maximum(1, units.ordinary)
    total = np.bincount(cell, block.activation, n_features * n).reshape(n_features, n)
    times = np.bincount(cell, minlength=n_features * n).reshape(n_features, n)
    return (total / tokens).astype(np.float32), (times / tokens).astype(np.float32)


def _effect(
    first: np.ndarray, second: np.ndarray, units: Sequences, settings: DiffSettings, seed: int
) -> Effect:
    """One figure [features, n] of both subjects, tested and estimated."""
    difference, chooses = second - first, units.chooses
    p = sign_flip(difference[:, chooses], seed)
    p[~(first.any(axis=1) | second.any(axis=1))] = np.nan
    p_held = np.full(len(p), np.nan)
    open_ = np.flatnonzero(p <= settings.level)
    p_held[open_] = sign_flip(difference[open_][:, ~chooses], seed ^ 1)
    return Effect(
        first=first.mean(axis=1, dtype=np.float64),
        second=second.mean(axis=1, dtype=np.float64),
        spans=mean_spans(difference[:, ~chooses], seed),
        sign=np.sign(difference[:, chooses].sum(axis=1, dtype=np.float64)),
        p=p,
        p_held=p_held,
    )


def joined(parts: Sequence[Effect]) -> Effect:
    """The effects of all blocks as one."""
    return Effect(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("first", "second")),
        spans=joined_spans([part.spans for part in parts]),
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("sign", "p", "p_held")
        },
    )


def joined_spans(parts: Sequence[Spans]) -> Spans:
    """The spans of all blocks as one."""
    return Spans(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def tested(effect: Effect, level: float) -> Tested:
    """Adjust for the number of features: all that fire, then all that were chosen of them.

    A feature counts as confirmed where q_held is at most the level: it has the sign that it was
    chosen with, on sequences that took no part in choosing it.
    """
    q = np.full(len(effect.p), np.nan)
    alive = np.flatnonzero(~np.isnan(effect.p))
    q[alive] = benjamini_hochberg(effect.p[alive])
    chosen = np.flatnonzero(q <= level)
    q_held = np.full(len(q), np.nan)
    q_held[chosen] = benjamini_hochberg(effect.p_held[chosen])
    turned = chosen[np.sign(effect.spans.value[chosen]) != effect.sign[chosen]]
    q_held[turned] = 1.0
    return Tested(effect, q, q_held)

"""Figures of every feature from its activations and the tokens: position, tokens, shape.

Methods.md 7: position after Voita et al. (2309.04827), its share of the entropy ours; distinct ids
of tokens and predecessors after EleutherAI's post of July 2024, read as the strongest 80 % by
value; single tokens as delphi means them, its sort set right; token entropies after 2501.17727.

In: the columns of one hookpoint and the token file. Out: arrays, one entry a feature, NaN (counts:
-1) where there is too little to measure. Vectorised over a block of features, in memory bounded by
the block's activations. An activation's strength is its absolute value: SAEs and neurons may have
negative ones. Knows no flag.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from core.seeds import draws, seeds_of
from core.statistics import MAX_FEATURES, grid, pairs, positional_information
from data.activations import Columns, FeatureBlock, ranges
from data.cachefiles import CacheFiles
from data.flags import ENTROPY_FIRINGS, FEW_TOKENS, FIRINGS, HALF, SEQUENCES, STRONGEST, TOP

BLOCK = 1_000_000  # activations at once: about 150 MB at the peak


class Measures(NamedTuple):
    """Figures of features lo .. hi - 1; NaN, of counts -1: not measured."""

    lo: int
    hi: int
    information: np.ndarray  # nats, float64 [f]
    position_share: np.ndarray  # of the entropy of firing, float64 [f]
    n_tokens: np.ndarray  # distinct ids among the strongest, int64 [f]
    n_previous: np.ndarray  # distinct ids right before those, int64 [f]
    tokens: list[list[int] | None]  # those ids, most frequent first; None: more than FEW_TOKENS
    previous: list[list[int] | None]
    strongest_share: np.ndarray  # float64 [f]
    stronger_share: np.ndarray
    token_entropy: np.ndarray  # nats, float64 [f]
    token_entropy_weighted: np.ndarray
    skewness: np.ndarray
    crossing_share: np.ndarray


@dataclass(frozen=True, slots=True)
class Corpus:
    """What all hookpoints of a cache share."""

    tokens: np.ndarray  # int32, flat
    sequence_length: int
    ordinary: np.ndarray  # sequences with an ordinary token there, by position, int64
    tiles: np.ndarray  # context of each position, within its sequence, int64
    n_tiles: int  # contexts of a sequence
    crossing: np.ndarray | None  # whether a document begins inside a context; None: not known

    @classmethod
    def open(cls, files: CacheFiles) -> "Corpus":
        """Read the tokens of a cache, held once (4 B each)."""
        meta = files.meta
        matrix = files.tokens.matrix()
        tiles = np.arange(meta.sequence_length) // meta.context_length
        n_tiles = int(tiles[-1]) + 1
        starts = files.tokens.documents() if files.tokens.documents_path.exists() else None
        return cls(
            tokens=matrix.reshape(-1),
            sequence_length=meta.sequence_length,
            ordinary=ordinary_sequences(matrix, meta.special_ids),
            tiles=tiles,
            n_tiles=n_tiles,
            crossing=None if starts is None else _crossing(starts, files, tiles, n_tiles),
        )

    def context(self, token: np.ndarray) -> np.ndarray:
        """Number of the context that each token (flat index) stands in."""
        sequence, position = np.divmod(token.astype(np.int64), self.sequence_length)
        return sequence * self.n_tiles + self.tiles[position]


def ordinary_sequences(matrix: np.ndarray, special_ids: Sequence[int]) -> np.ndarray:
    """Count the sequences with an ordinary token at each position, int64 [sequence_length]."""
    return (~np.isin(matrix, special_ids)).sum(axis=0)


def _crossing(
    starts: np.ndarray, files: CacheFiles, tiles: np.ndarray, n_tiles: int
) -> np.ndarray:  # fmt: skip
    """Find contexts in which a document begins after their first token, bool [contexts]."""
    meta = files.meta
    sequence, position = np.divmod(starts.astype(np.int64), meta.sequence_length)
    after_bos = (position == 1) & (meta.bos_id is not None)  # nothing is shown before it
    inside = (position % meta.context_length != 0) & ~after_bos
    crossing = np.zeros(meta.n_sequences * n_tiles, bool)
    crossing[(sequence * n_tiles + tiles[position])[inside]] = True
    return crossing


def measures(
    columns: Columns, corpus: Corpus, *, seed: int, hookpoint: str, first: int = 0,
    block: int = BLOCK,
) -> Iterator[Measures]:  # fmt: skip
    """Go through all features from `first` on, so many activations at once."""
    for begin, end in ranges(columns.counts()[first:], block):
        for lo in range(first + begin, first + end, MAX_FEATURES):
            hi = min(lo + MAX_FEATURES, first + end)
            yield of_block(lo, columns.block(lo, hi), corpus, seed=seed, hookpoint=hookpoint)


def of_block(
    lo: int, block: FeatureBlock, corpus: Corpus, *, seed: int, hookpoint: str
) -> Measures:
    """Measure consecutive features that begin with `lo`."""
    n_active = np.diff(block.indptr)
    features = np.arange(lo, lo + len(n_active))
    fires = _Fires(
        feature=np.repeat(np.arange(len(n_active)), n_active),
        token=block.token.astype(np.int64),
        value=np.abs(block.activation),
        n_active=n_active,
    )
    strongest = _sorted(fires, block.indptr, seeds_of(seed, hookpoint, features, "strongest"))
    stronger = seeds_of(seed, hookpoint, features, "stronger half")
    by_count, by_value = _entropies(fires, corpus)
    return Measures(
        lo,
        lo + len(n_active),
        *_position(fires, corpus),
        *_distinct(strongest, corpus),
        _top_share(strongest, corpus),
        _half_share(strongest, corpus, stronger),
        by_count,
        by_value,
        _skewness(fires),
        _crossing_share(fires, corpus),
    )


class _Fires(NamedTuple):
    """All firings of a block, feature by feature."""

    feature: np.ndarray  # int64 [n], ascending
    token: np.ndarray  # flat index, int64 [n]
    value: np.ndarray  # absolute activation, float32 [n]
    n_active: np.ndarray  # int64 [f]

    def of(self, chosen: np.ndarray) -> "_Fires":
        """Some of them; bool [n] or indices in order of features."""
        feature = self.feature[chosen]
        counts = np.bincount(feature, minlength=len(self.n_active))
        return _Fires(feature, self.token[chosen], self.value[chosen], counts)

    def ranks(self) -> np.ndarray:
        """Place of each firing within its feature, from 0."""
        begin = np.cumsum(self.n_active) - self.n_active
        return np.arange(len(self.feature)) - begin[self.feature]


def _sorted(fires: _Fires, indptr: np.ndarray, seeds: np.ndarray) -> _Fires:
    """Sort every feature's firings, strongest first; equal ones in an order drawn for it.

    feature 12 bits | strength, descending 16 | draw 36: sorted as one number.
    """
    bits = fires.value.astype(np.float16).view(np.uint16).astype(np.uint64)
    drawn = draws(seeds[fires.feature], fires.token) >> np.uint64(28)
    key = fires.feature.astype(np.uint64) << np.uint64(52)
    key |= (np.uint64(0xFFFF) - bits) << np.uint64(36) | drawn
    return fires.of(np.argsort(key))


def _position(fires: _Fires, corpus: Corpus) -> tuple[np.ndarray, np.ndarray]:
    """Information of the position about firing (7.1), and its share of the entropy of firing.

    f_p is the share of the sequences that have an ordinary token at p, where methods.md has all
    sequences: else every feature were positional where sequences are filled up.
    """
    n, length = len(fires.n_active), corpus.sequence_length
    kept = corpus.ordinary >= SEQUENCES
    if not kept.any():
        return np.full(n, np.nan), np.full(n, np.nan)
    counts = grid(fires.feature, fires.token % length, n, length)[:, kept].astype(np.float64)
    information = positional_information(counts, corpus.ordinary[kept])
    entropy = _binary_entropy((counts / corpus.ordinary[kept]).mean(axis=1))
    few = counts.sum(axis=1) < FIRINGS
    information[few] = np.nan
    share = np.divide(information, entropy, out=np.full(n, np.nan), where=entropy > 0)
    return information, share


def _binary_entropy(share: np.ndarray) -> np.ndarray:
    """Entropy of a yes or no, nats; 0 ln 0 = 0."""
    out = np.zeros_like(share)
    for part in (share, 1 - share):
        out -= part * np.log(part, out=np.zeros_like(part), where=part > 0)
    return np.maximum(out, 0)


class _Distinct(NamedTuple):
    n_tokens: np.ndarray
    n_previous: np.ndarray
    tokens: list[list[int] | None]
    previous: list[list[int] | None]


def _distinct(strongest: _Fires, corpus: Corpus) -> _Distinct:
    """Distinct ids among the strongest 80 % of active tokens, and right before those (7.2).

    All that are as strong as the weakest of the ceil(0.8 n) strongest belong to them, so that the
    number does not depend on how equal ones are ordered. A sequence's first token has none before.
    """
    n = strongest.n_active
    wanted = np.ceil(STRONGEST * n).astype(np.int64)
    end = np.cumsum(n) - n + np.maximum(wanted - 1, 0)
    edge = np.where(n > 0, strongest.value[np.minimum(end, len(strongest.value) - 1)], 0) \
        if len(strongest.value) else np.zeros(len(n))  # fmt: skip
    chosen = strongest.of(strongest.value >= edge[strongest.feature])
    known = n >= FIRINGS
    own = _ids(chosen, corpus.tokens[chosen.token], known)
    inside = chosen.of(chosen.token % corpus.sequence_length > 0)
    before = _ids(inside, corpus.tokens[inside.token - 1], known)
    return _Distinct(own[0], before[0], own[1], before[1])


def _ids(
    fires: _Fires, ids: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, list[list[int] | None]]:
    """Count the distinct ids of each known feature, and list them where they are few."""
    feature, token, count, _ = pairs(fires.feature, ids, fires.value)
    n = np.bincount(feature.astype(np.int64), minlength=len(known))
    few = known & (n <= FEW_TOKENS) & (n > 0)
    listed: list[list[int] | None] = [None] * len(known)
    order = np.argsort(-count.astype(np.int64), kind="stable")  # of equal ones the lower id first
    order = order[np.argsort(feature[order], kind="stable")]
    begin = np.cumsum(n) - n
    for row in np.flatnonzero(few).tolist():
        own = order[begin[row] : begin[row] + n[row]]
        listed[row] = token[own].astype(np.int64).tolist()
    return np.where(known & (n > 0), n, -1), listed


def _top_share(strongest: _Fires, corpus: Corpus) -> np.ndarray:
    """Share of the most frequent id among the 50 strongest tokens (7.2)."""
    shares = _largest_share(strongest.of(strongest.ranks() < TOP), corpus)
    shares[strongest.n_active < FIRINGS] = np.nan
    return shares


def _half_share(strongest: _Fires, corpus: Corpus, seeds: np.ndarray) -> np.ndarray:
    """Share of the most frequent id among 100 tokens drawn from the stronger half (7.2)."""
    half = (strongest.n_active + 1) // 2
    upper = strongest.of(strongest.ranks() < half[strongest.feature])
    key = upper.feature.astype(np.uint64) << np.uint64(52)
    key |= draws(seeds[upper.feature], upper.token) >> np.uint64(12)
    shuffled = upper.of(np.argsort(key))
    shares = _largest_share(shuffled.of(shuffled.ranks() < HALF), corpus)
    shares[strongest.n_active < ENTROPY_FIRINGS] = np.nan
    return shares


def _largest_share(fires: _Fires, corpus: Corpus) -> np.ndarray:
    """Share of each feature's most frequent id; NaN without any."""
    feature, _, count, _ = pairs(fires.feature, corpus.tokens[fires.token], fires.value)
    largest = np.zeros(len(fires.n_active))
    np.maximum.at(largest, feature.astype(np.int64), count.astype(np.float64))
    return np.divide(largest, fires.n_active, out=np.full(len(largest), np.nan),
                     where=fires.n_active > 0)  # fmt: skip


def _entropies(fires: _Fires, corpus: Corpus) -> tuple[np.ndarray, np.ndarray]:
    """Entropy of the ids a feature fires on, by firings and by activation (2501.17727).

    H = -sum q ln q = ln S - (sum s ln s) / S, with s the firings (activation) of an id, S of all.
    """
    feature, _, count, total = pairs(fires.feature, corpus.tokens[fires.token], fires.value)
    row = feature.astype(np.int64)
    by_count, by_value = (
        _entropy(row, weight, len(fires.n_active)) for weight in (count.astype(np.float64), total)
    )
    few = fires.n_active < ENTROPY_FIRINGS
    by_count[few] = by_value[few] = np.nan
    return by_count, by_value


def _entropy(row: np.ndarray, weight: np.ndarray, n: int) -> np.ndarray:
    logs = np.log(weight, out=np.zeros_like(weight), where=weight > 0)
    whole = np.bincount(row, weights=weight, minlength=n)
    mixed = np.bincount(row, weights=weight * logs, minlength=n)
    out = np.full(n, np.nan)
    some = whole > 0
    out[some] = np.maximum(np.log(whole[some]) - mixed[some] / whole[some], 0)
    return out


def _skewness(fires: _Fires) -> np.ndarray:
    """Third standardised moment of the activations; NaN below 3 firings or where all are alike."""
    n, row = len(fires.n_active), fires.feature
    counts = np.maximum(fires.n_active, 1)
    value = fires.value.astype(np.float64)
    apart = value - (np.bincount(row, weights=value, minlength=n) / counts)[row]
    square, cube = (np.bincount(row, weights=apart**k, minlength=n) / counts for k in (2, 3))
    out = np.full(n, np.nan)
    some = (fires.n_active >= 3) & (square > 1e-12)
    out[some] = cube[some] / square[some] ** 1.5
    return out


def _crossing_share(fires: _Fires, corpus: Corpus) -> np.ndarray:
    """Share of a feature's activating contexts in which another document begins."""
    n = len(fires.n_active)
    if corpus.crossing is None:
        return np.full(n, np.nan)
    context = corpus.context(fires.token)
    is_new = np.ones(len(context), bool)
    is_new[1:] = (context[1:] != context[:-1]) | (fires.feature[1:] != fires.feature[:-1])
    row, context = fires.feature[is_new], context[is_new]
    every = np.bincount(row, minlength=n)
    cross = np.bincount(row, weights=corpus.crossing[context], minlength=n)
    return np.divide(cross, every, out=np.full(n, np.nan), where=every > 0)

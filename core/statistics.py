"""What is known of every feature from its activations alone: counts, peaks, positions, tokens.

In: the columns of one hookpoint and the token file. Out: one struct of arrays per block of
features, in the columns of schema.sql's `feature` and `feature_chart`. All vectorised over a block;
memory is bounded by the block's activations, except that tokens are held once (4 B each).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from data.activations import Columns, FeatureBlock, ranges
from data.cachefiles import CacheMeta

TOP_TOKENS = 20  # tokens a feature
BLOCK = 2_000_000  # activations at once: about 150 MB at the peak
MAX_FEATURES = 4096  # a block's features must fit into 12 bits of a sort key


class FeatureStatistics(NamedTuple):
    """Statistics of features lo .. hi - 1, one row a feature."""

    lo: int
    hi: int
    n_active: np.ndarray  # int64 [f], tokens with a stored activation
    density: np.ndarray  # float32 [f], n_active / unmasked tokens
    max_activation: np.ndarray  # float32 [f], 0 where the feature never fires
    mean_activation: np.ndarray  # float32 [f], over active tokens; 0 where it never fires
    position_counts: np.ndarray  # uint32 [f, sequence_length], firings by position
    top_token: np.ndarray  # int64 [f], id fired on most; -1 where it never fires
    top_token_share: np.ndarray  # float32 [f], of its firings
    top_offsets: np.ndarray  # int32 [f + 1], feature i has top_offsets[i] : top_offsets[i + 1]
    top_ids: np.ndarray  # int64 [t], most frequent first, at most 20 a feature
    top_counts: np.ndarray  # int64 [t], firings on this token
    top_means: np.ndarray  # float32 [t], mean activation there


def statistics(
    columns: Columns, tokens: np.ndarray, meta: CacheMeta, *, block: int = BLOCK
) -> Iterator[FeatureStatistics]:
    """Go through all features, so many activations at once.

    tokens: int32 [n_sequences, sequence_length], the whole token file.
    """
    flat = tokens.reshape(-1)
    for first, last in ranges(columns.counts(), block):
        for lo in range(first, last, MAX_FEATURES):
            hi = min(lo + MAX_FEATURES, last)
            yield of_block(lo, columns.block(lo, hi), flat, meta)


def of_block(
    lo: int, block: FeatureBlock, tokens: np.ndarray, meta: CacheMeta
) -> FeatureStatistics:
    """Compute the statistics of a block of consecutive features that begins with `lo`."""
    n_active = np.diff(block.indptr)
    feature = np.repeat(np.arange(len(n_active)), n_active)
    largest = _over_runs(np.maximum, block.activation, block.indptr)
    total = np.bincount(feature, weights=block.activation, minlength=len(n_active))
    position = block.token % np.uint32(meta.sequence_length)
    top = _top_tokens(feature, tokens[block.token], block.activation, n_active)
    return FeatureStatistics(
        lo=lo,
        hi=lo + len(n_active),
        n_active=n_active,
        density=(n_active / max(1, meta.n_unmasked)).astype(np.float32),
        max_activation=largest,
        mean_activation=(total / np.maximum(n_active, 1)).astype(np.float32),
        position_counts=grid(feature, position, len(n_active), meta.sequence_length),
        **top._asdict(),
    )


def _over_runs(reduce: np.ufunc, values: np.ndarray, indptr: np.ndarray) -> np.ndarray:
    """Reduce each run of values; 0 for empty runs, which reduceat gives a neighbour's value."""
    out = np.zeros(len(indptr) - 1, values.dtype)
    filled = np.flatnonzero(np.diff(indptr))
    if len(filled):
        out[filled] = reduce.reduceat(values, indptr[filled])
    return out


def grid(row: np.ndarray, column: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Count pairs, uint32 [rows, columns]."""
    flat = np.bincount(row * columns + column, minlength=rows * columns)
    return flat.reshape(rows, columns).astype(np.uint32)


class _TopTokens(NamedTuple):
    top_token: np.ndarray
    top_token_share: np.ndarray
    top_offsets: np.ndarray
    top_ids: np.ndarray
    top_counts: np.ndarray
    top_means: np.ndarray


def _top_tokens(
    feature: np.ndarray, token: np.ndarray, activation: np.ndarray, n_active: np.ndarray
) -> _TopTokens:
    """Rank the token ids that each feature fires on, by how often; equal counts by lower id."""
    pair_feature, pair_token, count, total = pairs(feature, token, activation)
    # feature 12 bits | most frequent first 32 | token id 20: sorted as one number.
    key = pair_feature << 52 | (0xFFFFFFFF - count) << 20 | pair_token
    order = np.argsort(key)
    pair_feature, pair_token = pair_feature[order].astype(np.int64), pair_token[order]
    begin = np.searchsorted(pair_feature, np.arange(len(n_active)))
    chosen = np.flatnonzero(np.arange(len(order)) - begin[pair_feature] < TOP_TOKENS)
    kept = np.bincount(pair_feature[chosen], minlength=len(n_active))
    offsets = np.concatenate([[0], np.cumsum(kept)])
    ids, counts = pair_token[chosen].astype(np.int64), count[order][chosen].astype(np.int64)
    top, share = np.full(len(n_active), -1), np.zeros(len(n_active), np.float32)
    alive = np.flatnonzero(kept)
    top[alive] = ids[offsets[alive]]
    share[alive] = counts[offsets[alive]] / n_active[alive]
    means = (total[order][chosen] / counts).astype(np.float32)
    return _TopTokens(top, share, offsets.astype(np.int32), ids, counts, means)


def pairs(
    feature: np.ndarray, token: np.ndarray, activation: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Count and sum up each (feature, token id): uint64 features, ids, counts; float64 sums.

    feature 12 bits | token id 20 | half-precision activation 16 sort as one number, several times
    as fast as an indirect sort.
    """
    key = feature.astype(np.uint64) << 36 | token.astype(np.uint64) << 16
    key = np.sort(key | activation.astype(np.float16).view(np.uint16))
    pair = key >> 16
    starts = np.flatnonzero(np.concatenate([[True], pair[1:] != pair[:-1]])[: len(pair)])
    count = np.diff(np.append(starts, len(pair))).astype(np.uint64)
    value = (key & 0xFFFF).astype(np.uint16).view(np.float16).astype(np.float64)
    total = np.add.reduceat(value, starts) if len(starts) else value
    pair = pair[starts]
    return pair >> 20, pair & 0xFFFFF, count, total


def positional_information(
    position_counts: np.ndarray, n_sequences: int | np.ndarray
) -> np.ndarray:  # fmt: skip
    """Say how much a position tells about whether a feature fires: nats, float64 [f].

    I = mean over positions of f_p ln(f_p / f) + (1 - f_p) ln((1 - f_p) / (1 - f)), with f_p the
    share of sequences in which it fires at p and f their mean (Voita et al., 2309.04827); 0 ln 0 =
    0, where other code leaves the whole position out. Give the positions that can fire: not BOS.
    """
    return positional_terms(position_counts / n_sequences).mean(axis=1)


def positional_terms(share: np.ndarray) -> np.ndarray:
    """What each position adds to that information, nats, for shares f_p [f, position]."""
    mean = share.mean(axis=1, keepdims=True)
    return _entropy_terms(share, mean) + _entropy_terms(1 - share, 1 - mean)


def _entropy_terms(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    ratio = np.divide(part, whole, out=np.ones_like(part), where=(part > 0) & (whole > 0))
    return part * np.log(ratio)

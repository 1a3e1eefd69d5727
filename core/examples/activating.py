"""The activating contexts of a block of features: folded, ranked, cut into deciles.

In: a FeatureBlock (posting lists one after another). Out: one entry for each distinct context in
which a feature is active, feature by feature, weakest first. One feature is a block of one, so a
feature's contexts are the same whether it was asked for alone or among thousands.

Deciles (methods.md 2.2): sort by peak, ties in the feature's own random order; rank r of n is in
decile 1 + floor(10 r / n). All contexts take part, of both splits, copies once.
"""

from typing import NamedTuple, Protocol

import numpy as np

from core import seeds
from core.examples.contexts import Contexts

N_DECILES = 10
RARE, SCARCE, REDUCED = 10, 40, 200  # contexts below which a feature is called so (methods.md 2.3)
REASONS = (None, "dead", "rare", "scarce", "reduced")
TIED_SHARE = 0.1  # of contexts with one and the same peak, above which deciles are arbitrary


class Block(Protocol):
    """Posting lists of consecutive features."""

    @property
    def indptr(self) -> np.ndarray: ...  # int64 [features + 1]
    @property
    def token(self) -> np.ndarray: ...  # flat index, ascending within a feature, uint32 [n]
    @property
    def activation(self) -> np.ndarray: ...  # raw activation, float32 [n]


class Stream(NamedTuple):
    """What names the random streams of a block."""

    run_seed: int
    hookpoint: str
    features: np.ndarray  # ids of the block's features, int64 [features]

    def seeds(self, purpose: str) -> np.ndarray:
        """Seed of each feature for one purpose, uint64 [features]."""
        return seeds.seeds_of(self.run_seed, self.hookpoint, self.features, purpose)


class Activating(NamedTuple):
    """Distinct activating contexts, feature by feature, weakest first."""

    row: np.ndarray  # feature's place in the block, int64 [n]
    tile: np.ndarray  # int64 [n]
    peak: np.ndarray  # largest activation in the context, raw, float32 [n]
    decile: np.ndarray  # 1 weakest .. 10 strongest, uint8 [n]
    split: np.ndarray  # TRAIN or TEST, uint8 [n]
    multiplicity: np.ndarray  # activating copies folded into it, itself counted, int64 [n]
    n_contexts: np.ndarray  # entries of each feature, int64 [features]
    edges: np.ndarray  # peaks that bound the deciles, NaN below 10 contexts, float32 [features, 11]
    tied: np.ndarray  # more than a tenth of the contexts share one peak, bool [features]
    reason: np.ndarray  # index into REASONS, uint8 [features]
    busy_row: np.ndarray  # of each active group: feature's place in the block, int64 [m]
    busy_group: np.ndarray  # groups with an active token, negative values too, int64 [m]

    def of(self, row: int) -> slice:
        """Entries of one feature of the block."""
        ends = np.cumsum(self.n_contexts)
        return slice(int(ends[row] - self.n_contexts[row]), int(ends[row]))


def activating(contexts: Contexts, block: Block, stream: Stream) -> Activating:
    """Find the activating contexts of every feature of a block."""
    n_features = len(block.indptr) - 1
    row, tile, peak = _tiles(contexts, block)
    busy_row, busy_group = row, contexts.group[tile].astype(np.int64)
    # A context with negative activations only is neither activating nor silent: it drops out here.
    positive = peak > 0
    if not positive.all():
        row, tile, peak = row[positive], tile[positive], peak[positive]
    row, tile, peak, multiplicity = _fold(contexts, row, tile, peak)
    count = np.bincount(row, minlength=n_features)
    order = _weakest_first(row, tile, peak, stream)
    row, tile, peak = row[order], tile[order], peak[order]
    rank = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    decile = 1 + (N_DECILES * rank) // np.maximum(count[row], 1)
    return Activating(
        row=row,
        tile=tile,
        peak=peak,
        decile=decile.astype(np.uint8),
        split=contexts.split[tile],
        multiplicity=multiplicity[order],
        n_contexts=count,
        edges=_edges(peak, count),
        tied=_tied(row, peak, count),
        reason=_reasons(np.diff(block.indptr), count),
        busy_row=busy_row,
        busy_group=busy_group,
    )


def peak_places(contexts: Contexts, token: np.ndarray, activation: np.ndarray) -> np.ndarray:
    """Find the strongest token of each tile of one feature, flat index, int64 [tiles]."""
    flat, tile = _inside(contexts, token)
    if not len(flat):
        return np.empty(0, np.int64)
    # Stable and last: within a tile the strongest, and of equals the first one.
    order = np.lexsort((-flat, activation[_kept(contexts, token)], tile))
    return flat[order][np.diff(tile[order], append=-1) != 0]


def _kept(contexts: Contexts, token: np.ndarray) -> np.ndarray | slice:
    """Entries inside a tile; what is left over at the end of a sequence belongs to none."""
    used = contexts.tiles_per_sequence * contexts.length
    if used == contexts.sequence_length:
        return slice(None)
    return token % np.asarray(contexts.sequence_length, token.dtype) < used


def _inside(contexts: Contexts, token: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep tokens inside tiles: flat index and tile, int64 [n] each."""
    flat = token[_kept(contexts, token)].astype(np.int64)
    if contexts.tiles_per_sequence * contexts.length == contexts.sequence_length:
        return flat, flat // contexts.length
    sequence, position = np.divmod(flat, contexts.sequence_length)
    return flat, sequence * contexts.tiles_per_sequence + position // contexts.length


def _tiles(contexts: Contexts, block: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reduce posting lists to active tiles: row, tile, peak, [n] each, tiles ascending."""
    kept = _kept(contexts, block.token)
    _, tile = _inside(contexts, block.token)
    row = np.repeat(np.arange(len(block.indptr) - 1), np.diff(block.indptr))[kept]
    activation = block.activation[kept]
    if not len(tile):
        return row, tile, activation
    begins = np.empty(len(tile), dtype=bool)
    begins[0] = True
    np.not_equal(tile[1:], tile[:-1], out=begins[1:])
    begins[1:] |= row[1:] != row[:-1]
    start = np.flatnonzero(begins)
    return row[start], tile[start], np.maximum.reduceat(activation, start)


def _fold(
    contexts: Contexts, row: np.ndarray, tile: np.ndarray, peak: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Keep one activating tile of each group of copies, the first with train tiles first."""
    multiplicity = np.ones(len(row), dtype=np.int64)
    copied = np.flatnonzero(contexts.copied[tile])
    if not len(copied):
        return row, tile, peak, multiplicity
    group = contexts.group[tile[copied]]
    order = copied[np.lexsort((tile[copied], contexts.split[tile[copied]], group, row[copied]))]
    group = contexts.group[tile[order]]
    begins = (np.diff(group, prepend=-1) != 0) | (np.diff(row[order], prepend=-1) != 0)
    start = np.flatnonzero(begins)
    multiplicity[order[start]] = np.diff(start, append=len(order))
    kept = np.ones(len(row), dtype=bool)
    kept[order[~begins]] = False
    return row[kept], tile[kept], peak[kept], multiplicity[kept]


def _weakest_first(
    row: np.ndarray, tile: np.ndarray, peak: np.ndarray, stream: Stream
) -> np.ndarray:
    """Order by feature, then peak, then the feature's own random order, int64 [n]."""
    run = _dense(sort_by((row, peak_bits(peak))), row, peak)
    tie = seeds.draws(stream.seeds("ties")[row], tile) >> np.uint64(40)  # 24 bits
    return sort_by((run, tie))


def _dense(order: np.ndarray, row: np.ndarray, peak: np.ndarray) -> np.ndarray:
    """Number the runs of equal (feature, peak) in ascending order, int64 [n]."""
    changes = (np.diff(row[order], prepend=-1) != 0) | (np.diff(peak[order], prepend=0) != 0)
    run = np.empty(len(order), dtype=np.int64)
    run[order] = np.cumsum(changes) - 1
    return run


def peak_bits(peak: np.ndarray) -> np.ndarray:
    """Map positive float32 to integers in the same order, int64 [n]."""
    return peak.astype(np.float32).view(np.uint32).astype(np.int64)


def sort_by(keys: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Order stably by the first key, then the second (both integers >= 0), int64 [n].

    Key, key and index packed into one word sort ten times as fast as an argsort; where they do
    not fit into 64 bits the slow way gives the same order.
    """
    first, second = (np.asarray(key) for key in keys)
    n = len(first)
    if not n:
        return np.empty(0, dtype=np.int64)
    index_bits = max(n - 1, 1).bit_length()
    low_bits = index_bits + int(second.max()).bit_length()
    if int(first.max()).bit_length() + low_bits > 64:
        return np.lexsort((second, first))
    word = first.astype(np.uint64) << np.uint64(low_bits)
    word |= second.astype(np.uint64) << np.uint64(index_bits)
    word |= np.arange(n, dtype=np.uint64)
    word.sort()
    return (word & np.uint64((1 << index_bits) - 1)).astype(np.int64)


def _edges(peak: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Weakest peak of each decile and the strongest of all, float32 [features, 11]."""
    edges = np.full((len(count), N_DECILES + 1), np.nan, dtype=np.float32)
    enough = np.flatnonzero(count >= RARE)
    step = np.arange(N_DECILES + 1)
    rank = -(-step * count[enough, None] // N_DECILES)  # the first rank of the next decile
    rank = np.minimum(rank, count[enough, None] - 1)
    start = (np.cumsum(count) - count)[enough, None]
    edges[enough] = peak[start + rank]
    return edges


def _tied(row: np.ndarray, peak: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Say for which features one value is shared by too many contexts, bool [features]."""
    changes = (np.diff(row, prepend=-1) != 0) | (np.diff(peak, prepend=0) != 0)
    start = np.flatnonzero(changes)
    length = np.diff(start, append=len(row))
    shared = (length > TIED_SHARE * count[row[start]]) & (length > 1)
    tied = np.zeros(len(count), dtype=bool)
    tied[row[start][shared]] = True
    return tied


def _reasons(n_active: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Say why a feature does not get the full protocol, index into REASONS, uint8 [features]."""
    bounds = np.array([RARE, SCARCE, REDUCED])
    code = np.array([2, 3, 4, 0], dtype=np.uint8)[np.searchsorted(bounds, count, side="right")]
    code[n_active == 0] = 1
    return code

"""Non-activating contexts: silent on every token, each text once, train and test apart.

    random     uniform over the silent contexts of a split: tests gross separation only
    token      silent, but with one of the feature's 5 most frequent peak tokens: tests context
    neighbour  strong contexts of the nearest features in which this one is silent (harder.py)
    similar    texts that read like the activating train contexts (similar.py)

A context counts as silent when no copy of it is active anywhere: the label of a text must not
depend on which of its copies is shown.
"""

from typing import NamedTuple

import numpy as np

from core import seeds
from core.examples.activating import Activating, Stream, peak_places, sort_by
from core.examples.contexts import NO_POOL, SPLITS, Activations, Contexts

N_PEAK_TOKENS = 5
PLENTY = 0.5  # of a pool silent: above it, drawing and rejecting is the cheap way
CELLS = 16_000_000  # (feature, tile) marks held at once, bytes


class Drawn(NamedTuple):
    """Contexts drawn for a block of features, feature by feature."""

    row: np.ndarray  # feature's place in the block, int64 [n]
    tile: np.ndarray  # int64 [n]


def random_contexts(
    contexts: Contexts,
    found: Activating,
    stream: Stream,
    side: int,
    *,
    size: int,
    silent: np.ndarray,
) -> Drawn:
    """Draw up to `size` silent contexts for each feature that is not dead, in random order.

    Where most of a pool is silent, tiles are drawn and active ones rejected; where it is not,
    the silent ones are listed and ordered. Which way depends on the feature alone. `silent` is how
    many silent contexts each feature has in the pool of this side, int64 [features].
    """
    n_features, pool = len(found.n_contexts), contexts.pool[side]
    if not size or not len(pool):
        return _joined([])
    seed = stream.seeds(f"neg-random-{SPLITS[side]}")
    starts = np.searchsorted(found.busy_row, np.arange(n_features + 1))
    alive = np.diff(starts) > 0
    step = max(1, CELLS // contexts.n_tiles)
    parts = []
    for low in range(0, n_features, step):
        rows = np.flatnonzero(alive[low : low + step]) + low
        busy = _marks(contexts, found, starts, low, min(low + step, n_features))
        easy = silent[rows] >= np.maximum(PLENTY * len(pool), 2 * size)
        parts.append(_rejecting(contexts, busy, rows[easy], seed, pool, size=size, low=low))
        parts += [
            _listing(contexts, busy[row - low], row, int(seed[row]), pool, size)
            for row in rows[~easy]
        ]
    return _joined(parts)


def silent_in_pools(contexts: Contexts, found: Activating) -> np.ndarray:
    """Count the distinct silent contexts of train and of test, int64 [features, 2]."""
    row, group = found.busy_row, found.busy_group
    repeated = np.flatnonzero(contexts.copied[group])
    single = np.ones(len(row), dtype=bool)
    single[repeated] = False
    single[repeated[_once(row[repeated], group[repeated])]] = True
    key = row[single] * 3 + contexts.pool_of[group[single]]
    n_features = len(found.n_contexts)
    busy = np.bincount(key, minlength=3 * n_features).reshape(n_features, 3)[:, :NO_POOL]
    return np.array([len(pool) for pool in contexts.pool]) - busy


def token_contexts(
    contexts: Contexts, activations: Activations, seed: int, side: int, size: int
) -> np.ndarray:
    """Draw silent contexts that contain one of a feature's favourite tokens, tiles int64 [n]."""
    matrix = contexts.tokens.matrix()
    peaks = peak_places(contexts, activations.token, activations.activation)
    ids, count = np.unique(matrix.ravel()[peaks], return_counts=True)
    favourite = np.zeros(int(matrix.max(initial=0)) + 1, dtype=bool)
    favourite[ids[np.lexsort((ids, -count))[:N_PEAK_TOKENS]]] = True
    favourite[[i for i in contexts.special_ids if i < len(favourite)]] = False
    used = matrix[:, : contexts.tiles_per_sequence * contexts.length]
    holds = np.any(favourite[used].reshape(-1, contexts.length), axis=1)
    pool = contexts.pool[side]
    busy = busy_groups(contexts, activations)
    left = pool[holds[pool] & ~busy[contexts.group[pool]]].astype(np.int64)
    return left[np.argsort(seeds.draws(seed, left), kind="stable")[:size]]


def busy_groups(contexts: Contexts, activations: Activations) -> np.ndarray:
    """Mark the groups in which one feature is active anywhere, bool [tiles]."""
    sequence, position = np.divmod(activations.token.astype(np.int64), contexts.sequence_length)
    place = position // contexts.length
    inside = place < contexts.tiles_per_sequence
    busy = np.zeros(contexts.n_tiles, dtype=bool)
    tile = sequence[inside] * contexts.tiles_per_sequence + place[inside]
    busy[contexts.group[tile]] = True
    return busy


def _marks(
    contexts: Contexts, found: Activating, starts: np.ndarray, low: int, high: int
) -> np.ndarray:
    """Mark active groups of the features low .. high - 1, bool [features, tiles]."""
    busy = np.zeros((high - low, contexts.n_tiles), dtype=bool)
    part = slice(starts[low], starts[high])
    busy[found.busy_row[part] - low, found.busy_group[part]] = True
    return busy


def _rejecting(
    contexts: Contexts,
    busy: np.ndarray,
    rows: np.ndarray,
    seed: np.ndarray,
    pool: np.ndarray,
    *,
    size: int,
    low: int,
) -> Drawn:
    """Draw with numbers 0, 1, 2, … and keep the first `size` that are silent and new.

    How many numbers are looked at once does not change the result: a feature that comes out short
    looks at twice as many.
    """
    parts, tries = [], size + size // 2 + 8
    while len(rows):
        tile = pool[seeds.below(seed[rows][:, None], np.arange(tries), len(pool))]
        good = ~busy[(rows - low)[:, None], contexts.group[tile]] & ~_seen_before(tile)
        nth = np.cumsum(good, axis=1)
        done = nth.max(axis=1) >= size
        place, draw = np.nonzero(good & (nth <= size) & done[:, None])
        parts.append(Drawn(rows[place], tile[place, draw].astype(np.int64)))
        rows, tries = rows[~done], 2 * tries
    return _joined(parts)


def _seen_before(tile: np.ndarray) -> np.ndarray:
    """Mark repetitions of an earlier value in the same row, bool [rows, draws].

    >>> _seen_before([[7, 3, 7], [1, 1, 1]])
    [[False, False, True], [False, True, True]]
    """
    width = tile.shape[1]
    word = tile.astype(np.int64) * width + np.arange(width)
    word.sort(axis=1)
    value, place = np.divmod(word, width)
    seen = np.zeros(tile.shape, dtype=bool)
    np.put_along_axis(seen, place[:, 1:], value[:, 1:] == value[:, :-1], axis=1)
    return seen


def _listing(
    contexts: Contexts, busy: np.ndarray, row: int, seed: int, pool: np.ndarray, size: int
) -> Drawn:
    """List all silent contexts of one feature and keep `size` of them; fewer where there are."""
    left = pool[~busy[contexts.group[pool]]].astype(np.int64)
    left = left[np.argsort(seeds.draws(seed, left), kind="stable")[:size]]
    return Drawn(np.full(len(left), row, dtype=np.int64), left)


def _joined(parts: list[Drawn]) -> Drawn:
    """Put parts together, features in order, draws within a feature as they were."""
    empty = np.empty(0, dtype=np.int64)
    row = np.concatenate([empty, *(part.row for part in parts)])
    tile = np.concatenate([empty, *(part.tile for part in parts)])
    order = np.argsort(row, kind="stable")
    return Drawn(row[order], tile[order])


def _once(row: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Choose one entry of each (feature, group), int64 [m]."""
    order = sort_by((row, group))
    group, row = group[order], row[order]
    return order[(np.diff(group, prepend=-1) != 0) | (np.diff(row, prepend=-1) != 0)]

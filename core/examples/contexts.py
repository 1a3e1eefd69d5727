"""Contexts of a cache: every sequence cut into tiles, copies folded, sequences split.

In: the tokens of a cache. Out: for every tile its group of exact copies and its side of the split;
windows of tokens and activations. Knows no feature; what a feature draws is in draw.py.

A tile is `length` tokens aligned at position 0 of its sequence; what is left over at a sequence's
end is no example. Whole sequences go to train (a third) or test, so that nothing the explainer
saw is next to what the judge sees. Copies are folded across the split with train tiles first:
explainers that read all train tokens would otherwise have seen a test context word for word.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np

from core import seeds
from data.cachefiles import CacheFiles, CacheMeta
from data.errors import BadInput

TRAIN, TEST, NO_POOL = 0, 1, 2
SPLITS = ("train", "test")
FEWEST_SEQUENCES = 12  # below this, hashing whole sequences may leave one side empty
ROWS = 4096  # sequences hashed at once: bounds memory, changes nothing else


class Tokens(Protocol):
    """The token file, as far as contexts need it."""

    def matrix(self) -> np.ndarray:
        """Read all tokens, int32 [sequence, position]."""
        ...

    def windows(self, first: np.ndarray, width: int) -> np.ndarray:
        """Read windows of tokens, int32 [n, width]."""
        ...


class Activations(Protocol):
    """One feature's activations in order of their tokens."""

    @property
    def token(self) -> np.ndarray: ...  # flat index, ascending, uint32 [n]
    @property
    def activation(self) -> np.ndarray: ...  # raw activation, float32 [n]


class Windows(NamedTuple):
    """Contexts as they are read."""

    tokens: np.ndarray  # ids, int32 [n, length]
    activations: np.ndarray  # raw activation, 0 where silent, float32 [n, length]


@dataclass(frozen=True, eq=False)
class Contexts:
    """All contexts of a cache; built once, shared by all of its features."""

    tokens: Tokens
    seed: int  # of the run
    sequence_length: int  # tokens
    length: int  # tokens in a context
    special_ids: tuple[int, ...]
    group: np.ndarray  # first tile, in corpus order, with the same tokens, int32 [tiles]
    copied: np.ndarray  # the tile's tokens occur in another tile too, bool [tiles]
    split: np.ndarray  # TRAIN or TEST, uint8 [tiles]
    selection: np.ndarray  # train tiles kept for choosing among explanations, bool [tiles]
    pool: tuple[np.ndarray, np.ndarray]  # distinct tiles of train, of test, int32 [u] each
    pool_of: np.ndarray  # pool that a group's distinct tile is in, NO_POOL if none, uint8 [tiles]
    train: np.ndarray  # sequences of the train split, bool [sequences]
    selection_sequences: np.ndarray  # train sequences kept for selection, bool [sequences]
    split_by: Literal["sequence", "context"]  # context: too few sequences, sides not independent

    @classmethod
    def open(cls, files: CacheFiles, length: int | None = None) -> "Contexts":
        """Cut, fold and split the contexts of a cache; `length` in tokens, the cache's if None."""
        return cls.cut(files.tokens, files.meta, length)

    @classmethod
    def cut(cls, tokens: Tokens, meta: CacheMeta, length: int | None = None) -> "Contexts":
        """Cut, fold and split contexts, wherever the tokens are kept."""
        matrix = tokens.matrix()
        length = length or meta.context_length
        if length > meta.sequence_length:
            raise BadInput(
                f"contexts of {length} tokens do not fit sequences of {meta.sequence_length}: "
                "choose a shorter context"
            )
        per_sequence = meta.sequence_length // length
        group, copied = fold(matrix, length)
        division = divide(meta.seed, len(matrix), per_sequence)
        split = division.split
        chosen = _where(_train_first(group, split) & ~_blank(matrix, length, meta.special_ids))
        pool_of = np.full(len(group), NO_POOL, dtype=np.uint8)
        pool_of[group[chosen]] = split[chosen]
        return cls(
            tokens=tokens,
            seed=meta.seed,
            sequence_length=meta.sequence_length,
            length=length,
            special_ids=tuple(meta.special_ids),
            group=group,
            copied=copied,
            split=split,
            selection=division.selection,
            pool=(chosen[split[chosen] == TRAIN], chosen[split[chosen] == TEST]),
            pool_of=pool_of,
            train=division.train,
            selection_sequences=division.selection_sequences,
            split_by=division.unit,
        )

    @property
    def n_tiles(self) -> int:
        """Contexts in the cache, copies included."""
        return len(self.group)

    @property
    def n_distinct(self) -> int:
        """Contexts in the cache, each text once."""
        return len(self.pool[TRAIN]) + len(self.pool[TEST])

    @property
    def tiles_per_sequence(self) -> int:
        """Contexts cut from one sequence."""
        return self.sequence_length // self.length

    def first_token(self, tile: np.ndarray) -> np.ndarray:
        """Flat index of each tile's first token, uint64 [n]."""
        sequence, place = np.divmod(np.asarray(tile, dtype=np.int64), self.tiles_per_sequence)
        return (sequence * self.sequence_length + place * self.length).astype(np.uint64)

    def tile_at(self, first_token: np.ndarray) -> np.ndarray:
        """Tile that starts at each flat index, int64 [n]; the inverse of first_token."""
        sequence, position = np.divmod(np.asarray(first_token, np.int64), self.sequence_length)
        return sequence * self.tiles_per_sequence + position // self.length

    def start(self, first_token: np.ndarray) -> np.ndarray:
        """Position of each context's first token within its sequence, int64 [n]."""
        return np.asarray(first_token, np.int64) % self.sequence_length

    def window(self, first_token: np.ndarray, activations: Activations) -> Windows:
        """Read contexts with one feature's activations in them."""
        tokens = self.tokens.windows(np.asarray(first_token, np.uint64), self.length)
        return Windows(tokens, spread(activations, first_token, self.length))

    def special(self, tokens: np.ndarray) -> np.ndarray:
        """Mark positions that can never be active, bool, shaped like `tokens`."""
        return np.isin(tokens, self.special_ids).reshape(tokens.shape)


def spread(activations: Activations, first: np.ndarray, width: int) -> np.ndarray:
    """Lay one feature's activations out over windows, float32 [n, width].

    >>> spread(FeatureActivations(token=[3, 4, 9], activation=[1., 2., 5.]), [2, 8], 4)
    [[0., 1., 2., 0.], [0., 5., 0., 0.]]
    """
    first = np.asarray(first, dtype=np.int64)
    # Searching in the type of the posting list spares numpy a copy of all of it.
    kind = activations.token.dtype
    low = np.searchsorted(activations.token, first.astype(kind))
    high = np.searchsorted(activations.token, (first + width).astype(kind))
    window, entry = ranges(low, high)
    out = np.zeros((len(first), width), dtype=np.float32)
    out[window, activations.token[entry].astype(np.int64) - first[window]] = activations.activation[
        entry
    ]
    return out


def ranges(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the ranges low .. high - 1 one after another: which range, and which index.

    >>> ranges([5, 0, 7], [7, 0, 8])
    [0, 0, 2], [5, 6, 7]
    """
    count = high - low
    which = np.repeat(np.arange(len(count)), count)
    offset = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    return which, low[which] + offset


def fold(matrix: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Find tiles with the same tokens: first of each group int32 [tiles], has copies bool [tiles].

    A tile is known by a 64-bit sum of random numbers, one for each (token, place); two different
    tiles of a corpus of 10^9 tokens share one with a chance below 10^-4.
    """
    per_sequence = matrix.shape[1] // length
    code = seeds.draws(0, np.arange(int(matrix.max(initial=0)) + 1))
    weight = seeds.draws(1, np.arange(length)) | np.uint64(1)
    digest = np.empty((len(matrix), per_sequence), dtype=np.uint64)
    for low in range(0, len(matrix), ROWS):
        rows = matrix[low : low + ROWS, : per_sequence * length]
        tiles = rows.reshape(len(rows), per_sequence, length)
        digest[low : low + ROWS] = code[tiles] @ weight
    _, first, inverse, count = np.unique(
        digest.ravel(), return_index=True, return_inverse=True, return_counts=True
    )
    return first[inverse].astype(np.int32), count[inverse] > 1


class Division(NamedTuple):
    """Who belongs to train, to its selection part, and to test."""

    split: np.ndarray  # TRAIN or TEST, uint8 [tiles]
    selection: np.ndarray  # train tiles kept for choosing among explanations, bool [tiles]
    train: np.ndarray  # sequences, bool [n]
    selection_sequences: np.ndarray  # bool [n]
    unit: Literal["sequence", "context"]  # what was assigned as a whole


def divide(run_seed: int, n_sequences: int, per_sequence: int) -> Division:
    """Assign a third of the sequences to train, and a fifth of those to selection, by hash.

    Too few sequences are split by context: then both sides share sequences, every sequence counts
    as train, and `unit` says so.
    """
    train = _share(run_seed, n_sequences, "split") < 1 / 3
    kept = train & (_share(run_seed, n_sequences, "selection") < 1 / 5)
    if n_sequences >= FEWEST_SEQUENCES and 0 < train.sum() < n_sequences:
        side = np.where(np.repeat(train, per_sequence), TRAIN, TEST).astype(np.uint8)
        return Division(side, np.repeat(kept, per_sequence), train, kept, "sequence")
    n_tiles = n_sequences * per_sequence
    train = _share(run_seed, n_tiles, "split-context") < 1 / 3
    kept = train & (_share(run_seed, n_tiles, "selection-context") < 1 / 5)
    side = np.where(train, TRAIN, TEST).astype(np.uint8)
    every, no = np.ones(n_sequences, dtype=bool), np.zeros(n_sequences, dtype=bool)
    return Division(side, kept, every, no, "context")


def _share(run_seed: int, count: int, purpose: str) -> np.ndarray:
    """Draw a number in 0..1 for each of `count` things, float64 [count]."""
    return seeds.draws(seeds.text_seed(f"{run_seed}|{purpose}"), np.arange(count)) / 2.0**64


def _train_first(group: np.ndarray, split: np.ndarray) -> np.ndarray:
    """Choose one tile of each group, the first one with train tiles counted first."""
    order = np.lexsort((np.arange(len(group)), split, group))
    chosen = np.zeros(len(group), dtype=bool)
    chosen[order[np.diff(group[order], prepend=-1) != 0]] = True
    return chosen


def _blank(matrix: np.ndarray, length: int, special_ids: tuple[int, ...]) -> np.ndarray:
    """Find tiles in which no token is ordinary text (padding), bool [tiles]."""
    per_sequence = matrix.shape[1] // length
    special = np.isin(matrix[:, : per_sequence * length], special_ids)
    return np.all(special.reshape(-1, length), axis=1)


def _where(mask: np.ndarray) -> np.ndarray:
    return np.flatnonzero(mask).astype(np.int32)

"""Draw the contexts that explainers and judges of a feature see.

In: a block of features and a preset. Out: struct of arrays, one entry a context, feature by
feature: the train sample, the test contexts by decile, and random silent contexts of both splits.
Harder kinds of silent contexts come on request (harder.py). Reading the text of a context is
Contexts.window.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

from core import seeds
from core.examples import negatives
from core.examples.activating import (
    N_DECILES,
    RARE,
    REASONS,
    Activating,
    Block,
    Stream,
    activating,
    sort_by,
)
from core.examples.contexts import TEST, TRAIN, Activations, Contexts
from core.examples.presets import PRESETS, Preset
from data.errors import BadInput

KINDS = ("activating", "random", "token", "neighbour", "similar", "wrong-mark")
ACTIVATING, RANDOM, TOKEN, NEIGHBOUR = 0, 1, 2, 3
NO_SOURCE = -1
BLOCK = 1_000_000  # activations drawn from at once: about 100 MB


class Columns(Protocol):
    """Posting lists of a hookpoint, as far as drawing needs them."""

    @property
    def n_features(self) -> int: ...
    def counts(self) -> np.ndarray: ...
    def slice(self, feature: int) -> Activations: ...
    def block(self, lo: int, hi: int) -> Block: ...


class FeatureExamples(NamedTuple):
    """The contexts of one feature; an entry's place is its slot."""

    feature: int
    kind: np.ndarray  # index into KINDS, uint8 [n]
    split: np.ndarray  # 0 train, 1 test, uint8 [n]
    decile: np.ndarray  # 1 weakest .. 10 strongest, 0 where silent, uint8 [n]
    first_token: np.ndarray  # flat index, uint64 [n]
    peak: np.ndarray  # largest activation, raw, 0 where silent, float32 [n]
    multiplicity: np.ndarray  # activating copies it stands for, 1 where silent, int32 [n]
    source: np.ndarray  # feature whose context it is, NO_SOURCE unless neighbour, int32 [n]
    decile_edges: np.ndarray | None  # 11 peaks that bound the deciles; None below 10 contexts
    n_contexts: int  # distinct activating contexts
    reason: str | None  # dead, rare, scarce, reduced; None = full protocol
    tied: bool  # more than a tenth of the contexts share one peak: deciles are arbitrary there
    removed: dict[str, int]  # neighbour contexts taken out, by rule; empty unless asked for
    interval: np.ndarray | None = None  # low, high, share of tokens; NaN = none, float32 [n, 3]
    length: np.ndarray | None = None  # tokens of each as it was imported, int64 [n]; None = drawn

    @property
    def is_stored(self) -> bool:
        """Whether they are what an import brought instead of a draw from all contexts."""
        return self.length is not None

    def rows(self, kind: str, split: str) -> np.ndarray:
        """Slots of one kind in one split, int64 [m]."""
        side = TEST if split == "test" else TRAIN
        return np.flatnonzero((self.kind == KINDS.index(kind)) & (self.split == side))

    def at(self, slot: np.ndarray) -> "FeatureExamples":
        """Some of them in the order of their slots as given, int64 [m]."""
        return self._replace(
            **{name: value[slot] for name in BY_SLOT if (value := getattr(self, name)) is not None}
        )


BY_SLOT = (
    "kind", "split", "decile", "first_token", "peak", "multiplicity", "source", "interval", "length"
)  # fmt: skip


class BlockExamples(NamedTuple):
    """The contexts of consecutive features; arrays as in FeatureExamples, one after another."""

    features: np.ndarray  # ids, int64 [features]
    indptr: np.ndarray  # entries of feature i are indptr[i] .. indptr[i + 1] - 1, int64
    kind: np.ndarray
    split: np.ndarray
    decile: np.ndarray
    first_token: np.ndarray
    peak: np.ndarray
    multiplicity: np.ndarray
    decile_edges: np.ndarray  # NaN where there are too few contexts, float32 [features, 11]
    n_contexts: np.ndarray  # int64 [features]
    reason: np.ndarray  # index into REASONS, uint8 [features]
    tied: np.ndarray  # bool [features]

    def of(self, place: int) -> FeatureExamples:
        """Cut out one feature, by its place in the block."""
        part = slice(self.indptr[place], self.indptr[place + 1])
        return FeatureExamples(
            feature=int(self.features[place]),
            kind=self.kind[part],
            split=self.split[part],
            decile=self.decile[part],
            first_token=self.first_token[part],
            peak=self.peak[part],
            multiplicity=self.multiplicity[part],
            source=np.full(part.stop - part.start, NO_SOURCE, dtype=np.int32),
            decile_edges=self.decile_edges[place] if self.n_contexts[place] >= RARE else None,
            n_contexts=int(self.n_contexts[place]),
            reason=REASONS[self.reason[place]],
            tied=bool(self.tied[place]),
            removed={},
        )


def draw(
    contexts: Contexts,
    columns: Columns,
    feature: int,
    preset: Preset = PRESETS["gloss"],
    *,
    hookpoint: str,
) -> FeatureExamples:
    """Draw one feature's contexts, the same as it has in a block."""
    stream = Stream(contexts.seed, hookpoint, np.array([feature]))
    return draw_from(contexts, alone(columns.slice(feature)), stream, preset).of(0)


def draw_all(
    contexts: Contexts,
    columns: Columns,
    preset: Preset = PRESETS["gloss"],
    *,
    hookpoint: str,
    lo: int = 0,
    hi: int | None = None,
) -> Iterator[BlockExamples]:
    """Draw the contexts of the features lo .. hi - 1, block by block."""
    hi = columns.n_features if hi is None else hi
    ends = np.concatenate([[0], np.cumsum(columns.counts()[lo:hi])])
    while lo < hi:
        here = len(ends) - 1 - (hi - lo)
        fits = int(np.searchsorted(ends, ends[here] + BLOCK, side="right")) - 1 - here
        n = min(max(1, fits), 4096)
        stream = Stream(contexts.seed, hookpoint, np.arange(lo, lo + n))
        yield draw_from(contexts, columns.block(lo, lo + n), stream, preset)
        lo += n


def draw_from(contexts: Contexts, block: Block, stream: Stream, preset: Preset) -> BlockExamples:
    """Draw the contexts of a block that is in memory."""
    check_length(contexts, preset)
    found = activating(contexts, block, stream)
    left = negatives.silent_in_pools(contexts, found)
    sizes = {TRAIN: preset.train_random, TEST: preset.test_random}
    train = quantiles(found, stream.seeds("train"), TRAIN, size=preset.train)
    test = quantiles(found, stream.seeds("test"), TEST, size=preset.test)
    return _assembled(
        contexts,
        found,
        stream,
        [train, test],
        [
            negatives.random_contexts(
                contexts, found, stream, side, size=size, silent=left[:, side]
            )
            for side, size in sizes.items()
        ],
    )


def quantiles(
    found: Activating, seed: np.ndarray, side: int, *, size: int, among: np.ndarray | None = None
) -> np.ndarray:
    """Draw an equal share of each decile, entries of `found`, int64 [n], weakest decile first.

    A decile with too few gives what it has. `among` restricts the entries, bool [entries].
    """
    usable = found.split == side if among is None else (found.split == side) & among
    entry = np.flatnonzero(usable)
    segment = found.row[entry] * N_DECILES + found.decile[entry] - 1
    priority = seeds.draws(seed[found.row[entry]], found.tile[entry]) >> np.uint64(38)  # 26 bits
    order = sort_by((segment, priority))
    segment = segment[order]
    begins = np.diff(segment, prepend=-1) != 0
    start = np.flatnonzero(begins)
    nth = np.arange(len(order)) - start[np.cumsum(begins) - 1]
    return entry[order[nth < shares(size)[segment % N_DECILES]]]


def shares(size: int) -> np.ndarray:
    """Spread `size` evenly over the deciles, int64 [10]; 25 gives 2 3 2 3 2 3 2 3 2 3."""
    return np.diff(size * np.arange(N_DECILES + 1) // N_DECILES)


def alone(activations: Activations) -> "OneFeature":
    """Dress one feature as a block."""
    indptr = np.array([0, len(activations.token)], dtype=np.int64)
    return OneFeature(indptr, activations.token, activations.activation)


class OneFeature(NamedTuple):
    """A block of one feature."""

    indptr: np.ndarray
    token: np.ndarray
    activation: np.ndarray


def check_length(contexts: Contexts, preset: Preset) -> None:
    """Refuse a preset whose contexts have another length."""
    if preset.context_length != contexts.length:
        raise BadInput(
            f"preset {preset.name} has contexts of {preset.context_length} tokens, these have "
            f"{contexts.length}: open the contexts with length={preset.context_length}"
        )


def _assembled(
    contexts: Contexts,
    found: Activating,
    stream: Stream,
    active: list[np.ndarray],
    silent: list[negatives.Drawn],
) -> BlockExamples:
    """Lay the drawn contexts out feature by feature: train, test, silent train, silent test."""
    entry = np.concatenate(active)
    row = np.concatenate([found.row[entry], *(part.row for part in silent)])
    tile = np.concatenate([found.tile[entry], *(part.tile for part in silent)])
    order = np.argsort(row, kind="stable")
    n_silent = len(row) - len(entry)
    sizes = [len(part) for part in active] + [len(part.row) for part in silent]
    count = np.bincount(row, minlength=len(found.n_contexts))
    return BlockExamples(
        features=stream.features,
        indptr=np.concatenate([[0], np.cumsum(count)]),
        kind=np.repeat([ACTIVATING, ACTIVATING, RANDOM, RANDOM], sizes).astype(np.uint8)[order],
        split=np.repeat([TRAIN, TEST, TRAIN, TEST], sizes).astype(np.uint8)[order],
        decile=_padded(found.decile[entry], n_silent, 0)[order],
        first_token=contexts.first_token(tile[order]),
        peak=_padded(found.peak[entry], n_silent, 0)[order],
        multiplicity=_padded(found.multiplicity[entry].astype(np.int32), n_silent, 1)[order],
        decile_edges=found.edges,
        n_contexts=found.n_contexts,
        reason=found.reason,
        tied=found.tied,
    )


def _padded(values: np.ndarray, count: int, fill: int) -> np.ndarray:
    return np.concatenate([values, np.full(count, fill, dtype=values.dtype)])

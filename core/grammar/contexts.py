"""Contexts as a language model would see them: a few activating ones and a silent background."""

from typing import NamedTuple

import numpy as np

from core.grammar.corpus import Corpus
from core.grammar.settings import Settings
from core.grammar.words import Words

WIDTH = 32  # tokens of a context drawn from a corpus
BACKGROUND = 1000  # silent contexts drawn from a corpus
STRONGEST = 200  # contexts that `mix` takes its first half from


class Contexts(NamedTuple):
    """What a feature looks like in a few places, and what other text looks like.

    Rows shorter than w are padded with a special id.
    """

    tokens: np.ndarray  # int32 [n, w]
    activation: np.ndarray  # float32 [n, w], >= 0
    background: np.ndarray  # int32 [m, v], contexts in which the feature is silent


class Rows(NamedTuple):
    """Tokens of some contexts without the padding."""

    token: np.ndarray  # int32 [t]
    column: np.ndarray  # int64 [t], place in the context
    context: np.ndarray  # int64 [t], number of the context, ascending
    n: int  # contexts


def rows_of(words: Words, tokens: np.ndarray) -> tuple[Rows, np.ndarray]:
    """Leave the padding and special tokens out; also gives where the rest is, bool [n, w]."""
    inside = ~words.special[tokens]
    context, column = np.nonzero(inside)
    return Rows(tokens[inside], column, context, len(tokens)), inside


def sample_contexts(
    corpus: Corpus,
    token: np.ndarray,
    activation: np.ndarray,
    settings: Settings,
    seed: int,
    chosen: np.ndarray | None = None,
) -> Contexts:
    """Draw train contexts of 32 tokens, activating and silent; `chosen` first tokens win."""
    rng = np.random.default_rng(seed)
    dense = np.zeros(corpus.n_tokens, np.float32)
    dense[token] = activation
    starts = _tile_starts(corpus)
    peaks = np.maximum.reduceat(dense, starts) if len(starts) else np.zeros(0)
    train = corpus.train[starts // corpus.length] if len(starts) else np.zeros(0, bool)
    if chosen is None:
        order = np.flatnonzero(train & (peaks > 0))
        order = order[np.argsort(peaks[order], kind="stable")]
        chosen = starts[_pick(order, settings.examples or len(order), settings.sampling, rng)]
    silent = rng.permutation(starts[train & (peaks <= 0)])[:BACKGROUND]
    first = np.asarray(chosen, np.int64)
    own = _tiles(corpus, first)

    return Contexts(corpus.text.tokens[own], dense[own], corpus.text.tokens[_tiles(corpus, silent)])


def _tile_starts(corpus: Corpus) -> np.ndarray:
    per = np.arange(0, corpus.length - corpus.length % WIDTH or corpus.length, WIDTH)
    return (np.arange(corpus.n_sequences)[:, None] * corpus.length + per).ravel()


def _tiles(corpus: Corpus, first: np.ndarray) -> np.ndarray:
    """List the flat indices of contexts: int64 [n, width]."""
    return first[:, None] + np.arange(min(WIDTH, corpus.length))


def _pick(ascending: np.ndarray, n: int, sampling: str, rng: np.random.Generator) -> np.ndarray:
    """Choose contexts out of those sorted by peak, weakest first."""
    n = min(n, len(ascending))
    if sampling == "top":
        return ascending[len(ascending) - n :]
    if sampling == "random":
        return rng.permutation(ascending)[:n]
    if sampling == "mix":
        strong = rng.permutation(ascending[-STRONGEST:])[: n // 2]
        rest = np.setdiff1d(ascending, strong)
        return np.concatenate([strong, rng.permutation(rest)[: n - len(strong)]])
    tenth = np.arange(len(ascending)) * 10 // max(1, len(ascending))
    shuffled = rng.permutation(len(ascending))
    rank = np.empty(len(ascending), np.int64)
    for decile in range(10):  # equally many of every decile, the rest by chance
        members = shuffled[tenth[shuffled] == decile]
        rank[members] = np.arange(len(members))
    return ascending[shuffled[np.argsort(rank[shuffled], kind="stable")][:n]]

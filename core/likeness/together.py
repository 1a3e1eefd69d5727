"""Two sets of features compared by where they fire: Jaccard index over the same tokens.

    J(f, g) = tokens on which both fire / tokens on which one does

Counted exactly from the feature-sorted activations, on all tokens or on every s-th sequence where
there are very many. The control pairs every text with another: one side is moved on by some
sequences, so that rates and positions within a sequence stay and only the text differs. The
index is that of methods.md 2.4, here between SAEs; comparing by it, and the control, are ours.
"""

from typing import NamedTuple

import numpy as np

from core.likeness.figures import Likeness, likeness
from core.likeness.matching import Dense
from core.seeds import below

CONTROLS = 3  # moves
BLOCK = 512  # features of one side counted at once


class Firings(NamedTuple):
    """Where some features fire; feature i at token[indptr[i] : indptr[i + 1]]."""

    feature: np.ndarray  # numbers, int64 [n]
    indptr: np.ndarray  # int64 [n + 1]
    token: np.ndarray  # int64, ascending within a feature, below n_tokens


class Text(NamedTuple):
    """What both sides were read on."""

    n_sequences: int
    length: int  # tokens a sequence

    @property
    def n_tokens(self) -> int:
        """All positions."""
        return self.n_sequences * self.length


def by_firing(first: Firings, second: Firings, text: Text, *, seed: int) -> Likeness:
    """Match features by the tokens that they share."""

    def moved(number: int) -> Dense:
        step = 1 + int(below(seed, np.array(number), max(1, text.n_sequences - 1)))
        elsewhere = (second.token + step * text.length) % text.n_tokens
        return Dense(jaccard(first, second._replace(token=elsewhere), text.n_tokens))

    controls = [lambda number=number: moved(number) for number in range(CONTROLS)]
    return likeness(
        Dense(jaccard(first, second, text.n_tokens)),
        (first.feature, second.feature),
        controls if text.n_sequences > 1 else [],
        seed=seed,
    )


def jaccard(first: Firings, second: Firings, n_tokens: int) -> np.ndarray:
    """Jaccard index of every pair, float32 [n, m]; 0 where neither ever fires.

    f on tokens 1 2 3, g on 2 3 4 5: both on 2, one of them on 5, so 2 / 5.
    """
    from scipy import sparse  # late: a page that looks needs none of it

    def matrix(side: Firings):
        ones = np.ones(len(side.token), np.int32)
        return sparse.csr_matrix(
            (ones, side.token, side.indptr), shape=(len(side.feature), n_tokens)
        )

    others = matrix(second).T.tocsr()
    a, b = np.diff(first.indptr), np.diff(second.indptr)
    own = matrix(first)
    out = np.zeros((len(a), len(b)), np.float32)
    for lo in range(0, len(a), BLOCK):
        both = (own[lo : lo + BLOCK] @ others).toarray().astype(np.float32)
        either = a[lo : lo + BLOCK, None] + b[None, :] - both
        np.divide(both, either, out=out[lo : lo + BLOCK], where=either > 0)
    return out

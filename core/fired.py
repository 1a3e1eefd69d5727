"""What fires on a text: one feature token by token, or all of them, ranked and summed.

Activations are raw, as a cache stores them; places count the tokens of the text from 0, BOS left
out. numpy only: knows nothing of subjects, SAEs or stores.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Probed(NamedTuple):
    """One feature on one text, token by token; BOS is left out, as it is no part of the text."""

    pieces: tuple[str, ...]  # "" for special tokens and the rest of a split character
    activations: np.ndarray  # raw, 0 where silent, float32 [tokens]

    @property
    def peak(self) -> float | None:
        """Largest activation, raw; None of a text without tokens."""
        return float(self.activations.max()) if len(self.activations) else None


class Peak(NamedTuple):
    """A feature at the token where it is strongest in a text."""

    feature: int
    activation: float  # raw
    token: int  # place in the text, from 0


class Fired(NamedTuple):
    """A feature that is active somewhere in a text."""

    feature: int
    peak: float  # largest activation, raw
    token: int  # place of the peak in the text (the first of equals), from 0
    total: float  # sum of its activations over the tokens chosen, raw


class Everything(NamedTuple):
    """All features on one text, as they are stored; in the order of tokens."""

    pieces: tuple[str, ...]
    token: np.ndarray  # place in the text, from 0, int64 [n]
    feature: np.ndarray  # int32 [n]
    activation: np.ndarray  # raw, float32 [n]
    ids: np.ndarray  # of the tokens, int64 [tokens]

    def of(self, feature: int) -> Probed:
        """One feature, spelled out."""
        here = self.feature == feature
        values = np.zeros(len(self.pieces), np.float32)
        values[self.token[here]] = self.activation[here]
        return Probed(self.pieces, values)

    def peaks(self, most: int = 20) -> list[Peak]:
        """The strongest features, each at its strongest token (the first of equals)."""
        return [Peak(one.feature, one.peak, one.token) for one in self.fired()[:most]]

    def fired(self, tokens: Sequence[int] = ()) -> list[Fired]:
        """Every feature once, by its sum over some tokens (places in the text), then by its peak.

        Feature a with 3 at token 0 and 1 at token 2, b with 2 at token 2: fired() gives a, b;
        fired([2]) gives b, a.
        """
        feature, where = np.unique(self.feature, return_inverse=True)
        chosen = np.isin(self.token, np.asarray(tokens, np.int64))
        total = np.bincount(where[chosen], self.activation[chosen], minlength=len(feature))
        order = np.lexsort((self.token, -self.activation, where))
        peak = order[np.unique(where[order], return_index=True)[1]]
        rank = np.lexsort((feature, -self.activation[peak], -total))
        rows = (feature[rank], self.activation[peak][rank], self.token[peak][rank], total[rank])
        return [Fired(*row) for row in zip(*(array.tolist() for array in rows), strict=True)]

    def strongest(self) -> np.ndarray:
        """The strongest feature of each token, -1 where none is active, int64 [tokens]."""
        out = np.full(len(self.pieces), -1, np.int64)
        order = np.argsort(self.activation, kind="stable")  # of several the last one stays
        out[self.token[order]] = self.feature[order]
        return out

"""What a feature does in both subjects on the same text: contexts with the activations of each.

In: the activations of one feature in two caches over the same tokens. Out: contexts in which the
two differ most, as token ids and activations of both sides. Knows nothing of pages.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.examples.contexts import spread
from data.activations import FeatureActivations
from data.cachefiles import CacheFiles

SEVERAL = 8  # candidates looked at for each context that is shown: copies are left out


class Both(NamedTuple):
    """One context in both subjects."""

    first_token: int  # flat index
    tokens: np.ndarray  # ids, int32 [length]
    first: np.ndarray  # activations, raw, float32 [length]
    second: np.ndarray

    @property
    def peak(self) -> float:
        """The largest activation in either subject."""
        return float(max(self.first.max(), self.second.max()))


def contexts(
    files: CacheFiles, first: FeatureActivations, second: FeatureActivations, n: int
) -> list[Both]:
    """Choose the contexts whose peaks differ most between the subjects, then the strongest.

    Contexts tile their sequence, what is left at its end belongs to none; copies are shown once.
    """
    start = _chosen(files, first, second, SEVERAL * n)
    if not len(start):
        return []
    length = files.meta.context_length
    tokens = files.tokens.windows(start, length)
    sides = [spread(one, start, length) for one in (first, second)]
    out: list[Both] = []
    seen: set[bytes] = set()
    for place, at in enumerate(start.tolist()):
        same = tokens[place].tobytes()
        if same not in seen and len(out) < n:
            seen.add(same)
            out.append(Both(at, tokens[place], sides[0][place], sides[1][place]))
    return out


def _chosen(
    files: CacheFiles, first: FeatureActivations, second: FeatureActivations, n: int
) -> np.ndarray:
    """First tokens of contexts by how far apart their peaks are, int64 [n or fewer]."""
    length, whole = files.meta.context_length, files.meta.sequence_length
    tiles = whole // length
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for one in (first, second):
        token = one.token.astype(np.int64)
        place = token % whole // length
        kept = place < tiles
        found.append((token[kept] // whole * tiles + place[kept], one.activation[kept]))
    every = np.unique(np.concatenate([tile for tile, _ in found]))
    peaks = np.zeros((2, len(every)), np.float32)
    for side, (tile, value) in enumerate(found):
        np.maximum.at(peaks[side], np.searchsorted(every, tile), value)
    order = np.lexsort((-peaks.max(axis=0), -np.abs(peaks[1] - peaks[0])))[:n]
    return every[order] // tiles * whole + every[order] % tiles * length


def pieces(files: CacheFiles, tokens: Sequence[int]) -> list[str]:
    """Spell tokens; special ones are not shown."""
    special = set(files.meta.special_ids)
    spelled = files.vocabulary.pieces(list(tokens))
    return ["" if t in special else piece for t, piece in zip(tokens, spelled, strict=True)]

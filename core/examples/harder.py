"""Harder silent contexts, on request: `token` and `neighbour` (methods.md 2.4).

They are appended to a feature's examples, so that asking for them changes no slot and no draw of
the others. If too few are found, fewer are returned: random ones never fill the place of hard ones.

A neighbour that fires together with the feature leaves only unrepresentative contexts without it:
judged on those, scores fell to chance in EleutherAI's study. Hence the filter:
(a) the feature is silent in the context and in the 16 tokens on either side;
(b) a neighbour is skipped if the feature is active in more than half of its contexts, or if their
    token positions have a Jaccard index above 1/2;
(c) a context is dropped if more than 90 % of its token ids occur in one activating context;
(d) what each rule took out is counted.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core import seeds
from core.examples.activating import Stream, activating
from core.examples.contexts import SPLITS, TEST, Activations, Contexts
from core.examples.draw import (
    ACTIVATING,
    NEIGHBOUR,
    NO_SOURCE,
    TOKEN,
    Columns,
    FeatureExamples,
    alone,
)
from core.examples.negatives import busy_groups, token_contexts

PER_NEIGHBOUR = 10  # contexts taken from one neighbour
LOOKED_AT = 100  # strongest contexts of a neighbour that may be looked at to find them
MARGIN = 16  # tokens on either side in which the feature is silent
TOGETHER = 0.5  # share of contexts, and Jaccard index, above which a neighbour is skipped
OVERLAP = 0.9  # of a context's distinct token ids found in one activating context


class Neighbour(NamedTuple):
    """A near feature, by decoder cosine or by co-firing."""

    feature: int
    similarity: float  # -1..1


class Found(NamedTuple):
    """Contexts taken from neighbours."""

    tile: np.ndarray  # int64 [n]
    peak: np.ndarray  # of the neighbour, raw, float32 [n]
    source: np.ndarray  # neighbour, int32 [n]


def with_token(
    contexts: Contexts,
    activations: Activations,
    examples: FeatureExamples,
    *,
    hookpoint: str,
    size: int,
    side: int = TEST,
) -> FeatureExamples:
    """Append silent contexts that contain one of the feature's five most frequent peak tokens."""
    seed = seeds.seed_of(contexts.seed, hookpoint, examples.feature, f"neg-token-{SPLITS[side]}")
    tile = token_contexts(contexts, activations, seed, side, size)
    nothing = np.zeros(len(tile), dtype=np.float32)
    no_source = np.full(len(tile), NO_SOURCE, dtype=np.int32)
    return appended(contexts, examples, TOKEN, side, Found(tile, nothing, no_source))


def with_neighbours(
    contexts: Contexts,
    columns: Columns,
    activations: Activations,
    examples: FeatureExamples,
    nearest: Sequence[Neighbour],
    *,
    hookpoint: str,
    size: int,
    side: int = TEST,
) -> FeatureExamples:
    """Append strong contexts of the nearest features, nearest first, and what the rules removed."""
    busy = busy_groups(contexts, activations)
    positives = examples.first_token[examples.kind == ACTIVATING]
    positive_tokens = contexts.tokens.windows(positives, contexts.length)
    removed: Counter[str] = Counter(neighbour=0, active=0, overlap=0)
    parts: list[Found] = []
    for neighbour in nearest:
        wanted = min(PER_NEIGHBOUR, size - sum(len(part.tile) for part in parts))
        if wanted <= 0:
            break
        if neighbour.feature == examples.feature:
            continue
        other = columns.slice(neighbour.feature)
        strongest = _strongest(contexts, other, neighbour.feature, hookpoint, side)
        if _together(contexts, activations, other, strongest.all_tiles, busy):
            removed["neighbour"] += min(PER_NEIGHBOUR, len(strongest.tile))
            continue
        taken = _filtered(contexts, activations, strongest, busy, positive_tokens, wanted, removed)
        busy[contexts.group[taken.tile]] = True  # a text is taken once
        parts.append(taken)
    examples = examples._replace(removed=dict(removed))
    return appended(contexts, examples, NEIGHBOUR, side, _joined(parts))


class _Strongest(NamedTuple):
    tile: np.ndarray  # of the split, strongest first, int64 [n]
    peak: np.ndarray  # float32 [n]
    source: int
    all_tiles: np.ndarray  # distinct activating tiles of both splits, int64 [m]


def _strongest(
    contexts: Contexts, other: Activations, feature: int, hookpoint: str, side: int
) -> _Strongest:
    """Order a neighbour's contexts of one split, strongest first."""
    stream = Stream(contexts.seed, hookpoint, np.array([feature]))
    found = activating(contexts, alone(other), stream)
    entry = np.flatnonzero(found.split == side)[::-1][:LOOKED_AT]
    return _Strongest(found.tile[entry], found.peak[entry], feature, found.tile)


def _together(
    contexts: Contexts,
    own: Activations,
    other: Activations,
    other_tiles: np.ndarray,
    busy: np.ndarray,
) -> bool:
    """Say whether a neighbour fires with the feature so often that its leftovers mislead."""
    if not len(other_tiles):
        return True
    both = len(np.intersect1d(own.token, other.token, assume_unique=True))
    jaccard = both / (len(own.token) + len(other.token) - both)
    return jaccard > TOGETHER or bool(busy[contexts.group[other_tiles]].mean() > TOGETHER)


def _filtered(
    contexts: Contexts,
    own: Activations,
    strongest: _Strongest,
    busy: np.ndarray,
    positive_tokens: np.ndarray,
    wanted: int,
    removed: Counter[str],
) -> Found:
    """Take the strongest contexts that pass rules (a) and (c), counting those that do not."""
    near = busy[contexts.group[strongest.tile]] | _near(contexts, own, strongest.tile)
    tokens = contexts.tokens.windows(contexts.first_token(strongest.tile), contexts.length)
    alike = overlap(tokens, positive_tokens) > OVERLAP
    good = np.flatnonzero(~near & ~alike)[:wanted]
    looked_at = int(good[-1]) + 1 if len(good) == wanted else len(near)
    removed["active"] += int(near[:looked_at].sum())
    removed["overlap"] += int((alike & ~near)[:looked_at].sum())
    source = np.full(len(good), strongest.source, dtype=np.int32)
    return Found(strongest.tile[good], strongest.peak[good], source)


def _near(contexts: Contexts, own: Activations, tile: np.ndarray) -> np.ndarray:
    """Say which tiles have the feature active inside or within MARGIN tokens, bool [n]."""
    first = contexts.first_token(tile).astype(np.int64)
    begin = first - first % contexts.sequence_length
    low = np.maximum(first - MARGIN, begin)
    high = np.minimum(first + contexts.length + MARGIN, begin + contexts.sequence_length)
    kind = own.token.dtype
    place = np.searchsorted(own.token, low.astype(kind))
    return np.searchsorted(own.token, high.astype(kind)) > place


def overlap(tokens: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """Share of each context's distinct ids in the positive that holds most of them, 0..1 [n].

    >>> overlap([[1, 2, 2, 3]], [[1, 2, 9, 9], [7, 7, 7, 7]])
    [0.667]
    """
    if not len(positives):
        return np.zeros(len(tokens))
    shares = []
    for row in tokens:
        ids = np.unique(row)
        held = (positives[:, :, None] == ids).any(axis=1)  # [positive, id]
        shares.append(held.mean(axis=1).max())
    return np.array(shares, dtype=np.float64)


def _joined(parts: list[Found]) -> Found:
    return Found(
        np.concatenate([np.empty(0, np.int64), *(part.tile for part in parts)]),
        np.concatenate([np.empty(0, np.float32), *(part.peak for part in parts)]),
        np.concatenate([np.empty(0, np.int32), *(part.source for part in parts)]),
    )


def appended(
    contexts: Contexts, examples: FeatureExamples, kind: int, side: int, found: Found
) -> FeatureExamples:
    """Put silent contexts behind the others; their peak is 0, being this feature's."""
    n = len(found.tile)
    return examples._replace(
        kind=np.append(examples.kind, np.full(n, kind, np.uint8)),
        split=np.append(examples.split, np.full(n, side, np.uint8)),
        decile=np.append(examples.decile, np.zeros(n, np.uint8)),
        first_token=np.append(examples.first_token, contexts.first_token(found.tile)),
        peak=np.append(examples.peak, np.zeros(n, np.float32)),
        multiplicity=np.append(examples.multiplicity, np.ones(n, np.int32)),
        source=np.append(examples.source, found.source),
    )

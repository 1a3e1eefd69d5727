"""Everything known of a hookpoint's features, as rows of the catalogue.

Counts, peaks, positions and tokens from the activations; logit effects and neighbours from the
decoder; deciles and the reason why a feature is not explained in full from its contexts.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from core.examples import Contexts
from core.examples.activating import REASONS, Activating, Stream, activating
from core.similarity import decoder_neighbours
from core.statistics import FeatureStatistics, statistics
from data.activations import ranges
from data.cachefiles import CacheFiles
from data.caches import HookpointTables
from data.records import HookpointRecord

if TYPE_CHECKING:
    from core.effects import Effects
    from core.quality import Sample
    from core.sae import Sae
    from core.subject import Subject

N_NEIGHBOURS = 10
BINS = 40  # of the histogram of peaks
BLOCK = 1_000_000  # activations ranked at once: about 100 MB
TOKEN_COUNT = pa.struct([("token", pa.uint32()), ("n", pa.uint32()), ("mean", pa.float32())])
EFFECT = pa.struct([("token", pa.uint32()), ("value", pa.float32())])


def hookpoint_tables(
    files: CacheFiles, hookpoint: HookpointRecord, sample: "Sample", sae: "Sae"
) -> HookpointTables:
    """Measure every feature of a finished hookpoint; sample: of its cache, for the SAE's fit."""
    norms = None if sae.weights.W_dec is None else sae.weights.W_dec.float().norm(dim=1)
    effects = _effects(sample.subject, sae, files)
    feature, chart = _measured(
        files, hookpoint, None if norms is None else norms.cpu().numpy(), effects
    )
    n_activations = int(files.columns(hookpoint.hookpoint_id).counts().sum())
    fvu, l0, _ = sample.quality(hookpoint.name, sae)
    losses = sample.losses(hookpoint.name, sae)
    neighbours = _neighbours(hookpoint, sae)
    return HookpointTables(n_activations, fvu, l0, feature, chart, neighbours, losses)


def tables_without_model(
    files: CacheFiles, hookpoint: HookpointRecord, neighbour: pa.Table
) -> HookpointTables:
    """Measure every feature from its activations alone: no decoder, no logits, no fit."""
    feature, chart = _measured(files, hookpoint, None, [])
    n_activations = int(files.columns(hookpoint.hookpoint_id).counts().sum())
    l0 = n_activations / max(1, files.meta.n_unmasked)
    return HookpointTables(n_activations, None, l0, feature, chart, neighbour)


def _measured(
    files: CacheFiles, hookpoint: HookpointRecord, norms: np.ndarray | None,
    effects: list["Effects"],
) -> tuple[pa.Table, pa.Table]:  # fmt: skip
    """The rows of feature and of feature_chart; norms: of the decoder, float32 [features]."""
    columns = files.columns(hookpoint.hookpoint_id)
    matrix = files.tokens.matrix()
    blocks = list(statistics(columns, matrix, files.meta))
    protocol = _protocol(files, hookpoint)
    features = np.arange(hookpoint.n_features)
    feature = pa.table(
        {
            "hookpoint_id": _constant(hookpoint.hookpoint_id, len(features)),
            "feature": pa.array(features.astype(np.uint32)),
            "n_active": _joined(blocks, "n_active", np.uint64),
            "n_contexts": pa.array(protocol.n_contexts.astype(np.uint32)),
            "density": _joined(blocks, "density", np.float32),
            "max_activation": _joined(blocks, "max_activation", np.float32),
            "mean_activation": _joined(blocks, "mean_activation", np.float32),
            "top_token": _top_token(blocks),
            "top_token_share": _joined(blocks, "top_token_share", np.float32),
            "decoder_norm": pa.nulls(len(features), pa.float32())
            if norms is None
            else pa.array(norms),
            "reason": pa.array(protocol.reasons, pa.string()),
        }
    )
    chart = pa.table(
        {
            "hookpoint_id": _constant(hookpoint.hookpoint_id, len(features)),
            "feature": pa.array(features.astype(np.uint32)),
            "bin_width": pa.array(protocol.bin_width),
            "counts": _lists(protocol.counts),
            "position_counts": _lists(np.concatenate([b.position_counts for b in blocks])),
            "decile_edges": _edges(protocol.edges),
            "top_tokens": _top_tokens(blocks),
            "promoted": _logits(effects, "promoted", len(features)),
            "suppressed": _logits(effects, "suppressed", len(features)),
        }
    )
    return feature, chart


class Protocol(NamedTuple):
    """What a feature's distinct contexts say of it, copies counted once."""

    n_contexts: np.ndarray  # int64 [features]
    bin_width: np.ndarray  # activation units, float32 [features]
    counts: np.ndarray  # contexts by peak, uint32 [features, BINS]
    edges: np.ndarray  # peaks that bound the deciles, NaN where too few, float32 [features, 11]
    reasons: list[str | None]


def _protocol(files: CacheFiles, hookpoint: HookpointRecord) -> Protocol:
    """Rank every feature's contexts, block by block."""
    contexts = Contexts.open(files)
    columns = files.columns(hookpoint.hookpoint_id)
    parts, counts, widths = [], [], []
    for lo, hi in ranges(columns.counts(), BLOCK):
        stream = Stream(contexts.seed, hookpoint.name, np.arange(lo, hi))
        found = activating(contexts, columns.block(lo, hi), stream)
        width, histogram = _histogram(found)
        parts.append(found)
        widths.append(width)
        counts.append(histogram)
    return Protocol(
        n_contexts=np.concatenate([part.n_contexts for part in parts]),
        bin_width=np.concatenate(widths),
        counts=np.concatenate(counts),
        edges=np.concatenate([part.edges for part in parts]),
        reasons=[REASONS[code] for part in parts for code in part.reason.tolist()],
    )


def _histogram(found: Activating) -> tuple[np.ndarray, np.ndarray]:
    """Width of a bin and contexts by peak, of each feature of a block."""
    n = len(found.n_contexts)
    largest = np.zeros(n, np.float32)
    np.maximum.at(largest, found.row, found.peak)
    width = largest / np.float32(BINS)
    place = np.minimum((found.peak / width[found.row]).astype(np.int64), BINS - 1)
    counts = np.bincount(found.row * BINS + place, minlength=n * BINS)
    return width, counts.reshape(n, BINS).astype(np.uint32)


def _effects(subject: "Subject", sae: "Sae", files: CacheFiles) -> list["Effects"]:
    """Logit effects in chunks; none where the SAE has no decoder or the subject no head."""
    from core.effects import logit_effects

    W_U = subject.unembedding()
    W_dec = sae.weights.W_dec
    if W_U is None or W_dec is None or W_dec.shape[1] != W_U.shape[0]:
        return []
    return list(logit_effects(W_dec, W_U, vocabulary_size=len(files.vocabulary)))


def _neighbours(hookpoint: HookpointRecord, sae: "Sae") -> pa.Table:
    """The nearest decoder directions, one row a pair."""
    empty = np.empty((0, 0))
    W_dec = sae.weights.W_dec
    found = (
        (empty, empty)
        if W_dec is None
        else decoder_neighbours(W_dec.float().cpu().numpy(), N_NEIGHBOURS)
    )
    other, value = np.asarray(found[0]), np.asarray(found[1])
    n, k = other.shape
    return pa.table(
        {
            "hookpoint_id": _constant(hookpoint.hookpoint_id, n * k),
            "feature": pa.array(np.repeat(np.arange(n), k).astype(np.uint32)),
            "measure": pa.array(["cosine"] * (n * k), pa.string()),
            "rank": pa.array(np.tile(np.arange(1, k + 1), n).astype(np.uint16)),
            "other": pa.array(other.ravel().astype(np.uint32)),
            "value": pa.array(value.ravel().astype(np.float32)),
        }
    )


def _constant(value: int, n: int) -> pa.Array:
    return pa.array(np.full(n, value, np.uint32))


def _joined(blocks: list[FeatureStatistics], name: str, dtype: type) -> pa.Array:
    return pa.array(np.concatenate([getattr(b, name) for b in blocks]).astype(dtype))


def _lists(rows: np.ndarray) -> pa.Array:
    """A list column from equally long rows."""
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows.ravel()))


def _edges(edges: np.ndarray) -> pa.Array:
    """Decile edges; null where there are too few contexts."""
    return pa.array(
        [None if np.isnan(row[0]) else row.tolist() for row in edges], pa.list_(pa.float32())
    )


def _top_token(blocks: list[FeatureStatistics]) -> pa.Array:
    top = np.concatenate([b.top_token for b in blocks])
    return pa.array(np.maximum(top, 0).astype(np.uint32), mask=top < 0)


def _top_tokens(blocks: list[FeatureStatistics]) -> pa.Array:
    """Most frequent tokens of each feature with counts and means."""
    sizes = np.concatenate([np.diff(b.top_offsets) for b in blocks])
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    entries = pa.StructArray.from_arrays(
        [
            _joined(blocks, "top_ids", np.uint32),
            _joined(blocks, "top_counts", np.uint32),
            _joined(blocks, "top_means", np.float32),
        ],
        fields=list(TOKEN_COUNT),
    )
    return pa.ListArray.from_arrays(pa.array(offsets), entries)


def _logits(effects: list["Effects"], name: str, n: int) -> pa.Array:
    """Ten tokens and their effects a feature; null where there are none."""
    if not effects:
        return pa.nulls(n, pa.list_(EFFECT))
    ids = np.concatenate([getattr(e, f"{name}_ids") for e in effects])
    values = np.concatenate([getattr(e, name) for e in effects])
    entries = pa.StructArray.from_arrays(
        [pa.array(ids.ravel().astype(np.uint32)), pa.array(values.ravel().astype(np.float32))],
        fields=list(EFFECT),
    )
    offsets = np.arange(len(ids) + 1, dtype=np.int32) * ids.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), entries)

"""Everything known of a hookpoint's features, as rows of the catalogue.

Counts, peaks, positions and tokens from the activations; logit effects and neighbours from the
decoder; deciles and the reason why a feature is not explained in full from its contexts.
"""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from core.examples import Contexts, draw_all
from core.examples.activating import REASONS
from core.similarity import decoder_neighbours
from core.statistics import FeatureStatistics, statistics
from data.cachefiles import CacheFiles
from data.caches import HookpointTables
from data.records import HookpointRecord

if TYPE_CHECKING:
    from core.effects import Effects
    from core.sae import Sae
    from core.subject import Subject

N_NEIGHBOURS = 10
TOKEN_COUNT = pa.struct([("token", pa.uint32()), ("n", pa.uint32()), ("mean", pa.float32())])
EFFECT = pa.struct([("token", pa.uint32()), ("value", pa.float32())])


def hookpoint_tables(
    files: CacheFiles, hookpoint: HookpointRecord, subject: "Subject", sae: "Sae"
) -> HookpointTables:
    """Measure every feature of a finished hookpoint."""
    columns = files.columns(hookpoint.hookpoint_id)
    matrix = files.tokens.matrix()
    blocks = list(statistics(columns, matrix, files.meta))
    contexts, edges, reasons = _protocol(files, hookpoint)
    effects = _effects(subject, sae, files)
    features = np.arange(hookpoint.n_features)
    norms = None if sae.weights.W_dec is None else sae.weights.W_dec.float().norm(dim=1)
    feature = pa.table(
        {
            "hookpoint_id": _constant(hookpoint.hookpoint_id, len(features)),
            "feature": pa.array(features.astype(np.uint32)),
            "n_active": _joined(blocks, "n_active", np.uint64),
            "n_contexts": pa.array(contexts.astype(np.uint32)),
            "density": _joined(blocks, "density", np.float32),
            "max_activation": _joined(blocks, "max_activation", np.float32),
            "mean_activation": _joined(blocks, "mean_activation", np.float32),
            "top_token": _top_token(blocks),
            "top_token_share": _joined(blocks, "top_token_share", np.float32),
            "decoder_norm": pa.nulls(len(features), pa.float32())
            if norms is None
            else pa.array(norms.cpu().numpy()),
            "reason": pa.array(reasons, pa.string()),
        }
    )
    chart = pa.table(
        {
            "hookpoint_id": _constant(hookpoint.hookpoint_id, len(features)),
            "feature": pa.array(features.astype(np.uint32)),
            "bin_width": _joined(blocks, "bin_width", np.float32),
            "counts": _lists(np.concatenate([b.counts for b in blocks])),
            "position_counts": _lists(np.concatenate([b.position_counts for b in blocks])),
            "decile_edges": _edges(edges),
            "top_tokens": _top_tokens(blocks),
            "promoted": _logits(effects, "promoted", len(features)),
            "suppressed": _logits(effects, "suppressed", len(features)),
        }
    )
    n_activations = int(columns.counts().sum())
    return HookpointTables(n_activations, feature, chart, _neighbours(hookpoint, sae))


def _protocol(
    files: CacheFiles, hookpoint: HookpointRecord
) -> tuple[np.ndarray, np.ndarray, list[str | None]]:
    """Distinct contexts, decile edges [features, 11] and the reason, of every feature."""
    contexts = Contexts.open(files)
    columns = files.columns(hookpoint.hookpoint_id)
    parts = list(draw_all(contexts, columns, hookpoint=hookpoint.name))
    reasons = [REASONS[code] for part in parts for code in part.reason.tolist()]
    counts = np.concatenate([part.n_contexts for part in parts])
    return counts, np.concatenate([part.decile_edges for part in parts]), reasons


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

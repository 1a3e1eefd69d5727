"""A cache of nothing but the contexts that a run without activations has.

Each context is one sequence of the token file, filled up at its end; the strings of the run are
the vocabulary. What a feature does elsewhere is unknown, so such a cache gives its contexts as they
came, and nothing is drawn.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from core.importing.gather import PAD, Contexts
from data import durable
from data.activations import merge, write_shard
from data.cachefacts import HookpointTables
from data.cachefiles import CacheFiles, CacheMeta, HookpointMeta, write_meta
from data.errors import BadInput
from data.imports.delphi_run import DelphiRun
from data.records import CacheRecord, HookpointRecord
from data.tokens import sha256, token_dtype, write_documents, write_tokens
from data.vocabulary import Vocabulary

ROWS = 65_536  # contexts written at once
MOST_PADDED = 2**32 - 2**20  # tokens of the token file


# Of a hookpoint: feature, its first context, and the one behind its last.
Owned = Callable[[str], Sequence[tuple[int, int, int]]]


class Placed(NamedTuple):
    """Where the contexts of a run stand in its cache."""

    first_token: np.ndarray  # flat index, uint64 [contexts]
    length: np.ndarray  # tokens shown, uint16 [contexts]
    peak: np.ndarray  # largest activation there, float32 [contexts]
    disagrees: np.ndarray | None = None  # values differ from the cache's, bool [contexts]


def sequence_length(contexts: Contexts) -> int:
    """Tokens of the longest context."""
    return int(contexts.length.max(initial=1))


def n_features(run: DelphiRun, hookpoint: str) -> int:
    """The last feature that is mentioned, and all before it; more where the SAE's size is known."""
    return max(run.width or 0, max(run.features(hookpoint), default=0) + 1)


def require_room(contexts: Contexts, root: Path) -> None:
    """Refuse contexts that do not fit into a token file once they are filled up."""
    length = sequence_length(contexts)
    if max(1, len(contexts.peak)) * length > MOST_PADDED:
        raise BadInput(f"{root} has contexts of up to {length:,} tokens, too many to fill up")


def write_contexts(
    folder: Path, record: CacheRecord, contexts: Contexts, owned: Owned
) -> CacheFiles:
    """Write the files of the cache; what was begun before is written over."""
    length = sequence_length(contexts)
    vocabulary = Vocabulary([text.encode("utf-8", "surrogatepass") for text in contexts.vocabulary])
    dtype = token_dtype(len(vocabulary))
    vocabulary.save(folder / "vocabulary.json")
    write_tokens(folder, _blocks(contexts, length), dtype)
    write_documents(folder, np.arange(max(1, len(contexts.peak))) * length)
    meta = CacheMeta(
        sequence_length=length,
        n_sequences=max(1, len(contexts.peak)),
        special_ids=(PAD,),
        context_length=length,
        subject=record.subject,
        dtype="unknown",
        corpus=record.corpus,
        tokenizer_sha256=vocabulary.sha256,
        vocabulary_size=len(vocabulary),
        hookpoints=tuple(_meta(hookpoint) for hookpoint in record.hookpoints),
        n_documents=len(contexts.peak),
        n_unmasked=len(contexts.token),
        tokens_sha256=sha256(folder / f"tokens.{dtype}"),
        exhausted=True,
    )
    for hookpoint in record.hookpoints:
        _write_hookpoint(folder, hookpoint, contexts, owned(hookpoint.name))
    write_meta(folder, meta)
    return CacheFiles.open(folder)


def _meta(hookpoint: HookpointRecord) -> HookpointMeta:
    return HookpointMeta(hookpoint.hookpoint_id, hookpoint.name, hookpoint.sae_source,
                         hookpoint.sae_kind, "", hookpoint.n_features, 0)  # fmt: skip


def _blocks(contexts: Contexts, length: int):
    """The token file, so many contexts at a time."""
    n = len(contexts.peak)
    for low in range(0, n, ROWS):
        high = min(low + ROWS, n)
        ends = contexts.ends[low : high + 1]
        rows = np.full((high - low, length), PAD, np.uint32)
        row = np.repeat(np.arange(high - low), np.diff(ends))
        place = np.arange(ends[0], ends[-1]) - ends[row]
        rows[row, place] = contexts.token[ends[0] : ends[-1]]
        yield rows
    if not n:
        yield np.full((1, length), PAD, np.uint32)


def _write_hookpoint(
    folder: Path,
    hookpoint: HookpointRecord,
    contexts: Contexts,
    owned: Sequence[tuple[int, int, int]],
) -> None:
    length = sequence_length(contexts)
    feature, token, value = [], [], []
    for number, first, last in owned:
        low, high = contexts.ends[first], contexts.ends[last]
        active = low + np.flatnonzero(contexts.value[low:high])
        context = np.searchsorted(contexts.ends, active, side="right") - 1
        token.append(context * length + active - contexts.ends[context])
        value.append(contexts.value[active])
        feature.append(np.full(len(active), number, np.int64))
    where = folder / str(hookpoint.hookpoint_id)
    durable.discard(where)
    empty = [np.empty(0, np.int64)]
    write_shard(
        where, 0,
        feature=np.concatenate([*feature, *empty]),
        token=np.concatenate([*token, *empty]),
        activation=np.concatenate([*value, np.empty(0, np.float32)]),
        n_features=hookpoint.n_features,
    )  # fmt: skip
    merge(where)


def placed(contexts: Contexts) -> Placed:
    """Where each context stands: one a sequence."""
    length = sequence_length(contexts)
    first = np.arange(len(contexts.peak), dtype=np.uint64) * np.uint64(length)
    return Placed(first, contexts.length.astype(np.uint16), contexts.peak)


def feature_tables(
    files: CacheFiles,
    hookpoint: HookpointRecord,
    features: Sequence[int],
    neighbour: pa.Table,
    largest: Mapping[int, float],
) -> HookpointTables:
    """What is known of the features of such a cache: that they are there, and a largest activation.

    largest: of the contexts that are known, by feature; one without contexts has none.
    """
    n = len(features)
    feature = pa.table(
        {
            "hookpoint_id": pa.array([hookpoint.hookpoint_id] * n, pa.uint32()),
            "feature": pa.array(features, pa.uint32()),
            "max_activation": pa.array([largest.get(f) for f in features], pa.float32()),
        }
    )
    chart = pa.table({"hookpoint_id": pa.array([], pa.uint32())})
    stored = int(files.columns(hookpoint.hookpoint_id).counts().sum())
    return HookpointTables(stored, None, None, feature, chart, neighbour)

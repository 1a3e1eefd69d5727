"""A cache of everything from a run that kept its activations, by the writers that caching uses.

So such a cache is like one of our own: it can be browsed, explained and scored. What the run did
not keep (decoder, reconstruction, document borders other than the separator) stays unknown.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.importing.gather import Gathered
from core.importing.spelling import Spelling, recovered, share_spelled
from data import durable
from data.activations import SHARD_TOKENS, FeatureActivations, merge, write_shard
from data.cachefacts import HookpointTables
from data.cachefiles import CacheFiles, CacheMeta, HookpointMeta, write_meta
from data.corpora.token_arrays import open_array
from data.errors import BadInput
from data.imports.delphi_latents import (
    LONGEST_SEQUENCE,
    MOST_TOKENS,
    Latents,
    check_shards,
    token_matrix,
)
from data.imports.delphi_run import DelphiRun
from data.imports.delphi_tensors import TensorLatents, read_latents
from data.imports.report import Report
from data.percents import percent
from data.records import CacheRecord, HookpointRecord, Progress
from data.strongest import write_strongest
from data.tokens import sha256, token_dtype, write_documents, write_tokens
from data.vocabulary import Vocabulary

CONTEXT = 32  # tokens of the contexts that are drawn from such a cache
UNKNOWN = "unknown"  # why a feature of which there are no activations is not explained
TOPK = 32  # strongest features kept for every token
TOKEN_FILES = (".npy", ".npz", ".pt", ".safetensors")
READ_AT_ONCE = 2**22  # token ids
WIDEST = 2**20  # token ids that one sort key holds


class Tables(NamedTuple):
    """The activations of a run, checked."""

    matrix: np.ndarray  # token ids, int32 [sequences, positions]
    latents: Mapping[str, Latents | TensorLatents]  # by hookpoint
    spans: np.ndarray  # first sequence of each shard of ours, then their number
    is_given: bool  # the tokens are of a file that the user named

    @property
    def model(self) -> str | None:
        """The subject, where a file of activations names it."""
        named = (getattr(latents, "model", None) for latents in self.latents.values())
        return next(filter(None, named), None)


def check_tables(
    run: DelphiRun, tokens: Path | None, spelling: Spelling | None, report: Report
) -> Tables | None:
    """Look at every activation once; nothing is written before. None: there are none to use.

    tokens: a file with the tokens of the run, which older ones do not keep.
    """
    matrix = None
    for shards in run.latents.values():
        matrix = token_matrix(shards, matrix)
    is_given = matrix is None and tokens is not None
    if is_given and tokens is not None:
        matrix = _given_tokens(tokens)
        report.add("tokens_given", 1, tokens.name)
        report.add("tokens_unchecked", spelling is None, tokens.name)
    if matrix is None:
        return _without_tokens(run, report)
    if matrix.max() >= WIDEST:
        raise BadInput(f"{run.root} has token id {int(matrix.max()):,}; at most {WIDEST:,} fit")
    _require_spelled(matrix, spelling)
    n, length = matrix.shape
    step = max(1, SHARD_TOKENS // length)
    spans = np.append(np.arange(0, n, step), n)
    latents: dict[str, Latents | TensorLatents] = {}
    for name in run.hookpoints:
        if name in run.latents:
            latents[name] = check_shards(name, run.latents[name], (n, length), spans, report)
        elif name in run.tensors:
            latents[name] = read_latents(run.tensors[name], (n, length), spans, report)
    return Tables(matrix, latents, spans, is_given)


def unknown_features(latents: Latents | TensorLatents | None, n_features: int) -> np.ndarray:
    """Which features no file of activations is about, bool [n_features].

    These may fire as any other: nothing is known of them (formats 2.2). Files without ranges are
    about all features.
    """
    if isinstance(latents, TensorLatents):
        return np.zeros(n_features, bool)
    found = np.ones(n_features, bool)
    for shard in latents.shards if latents is not None else ():
        found[shard.first : shard.last + 1] = False
    return found


def without(unknown: np.ndarray, tables: HookpointTables) -> HookpointTables:
    """Measured tables in which nothing is said of some features, bool [features]."""
    if not unknown.any():
        return tables
    mask = pa.array(unknown)
    feature = tables.feature
    for place, name in enumerate(feature.column_names):
        if name not in ("hookpoint_id", "feature"):
            column = feature[name].combine_chunks()
            word = UNKNOWN if name == "reason" else None
            said = pc.if_else(mask, pa.scalar(word, column.type), column)  # type: ignore[attr-defined]
            feature = feature.set_column(place, name, said)
    chart = tables.feature_chart.filter(pa.array(~unknown))
    return replace(tables, feature=feature, feature_chart=chart)


def _given_tokens(path: Path) -> np.ndarray:
    """The tokens of a file that the user names, int32 [sequences, positions]."""
    if not path.is_file():
        raise BadInput(f"--tokens {path} is no file: give the tokens of the run")
    if path.suffix not in TOKEN_FILES:
        raise BadInput(f"--tokens {path} is none of {', '.join(TOKEN_FILES)}")
    found = open_array(path)
    if len(found.shape) != 2 or found.shape[1] > LONGEST_SEQUENCE or found.size >= MOST_TOKENS:
        raise BadInput(f"--tokens {path} is no table of sequences that can be: {found.shape}")
    flat = np.concatenate(list(found.flat(READ_AT_ONCE, found.size)))
    if flat.min() < 0 or flat.max() >= 2**31:
        raise BadInput(f"--tokens {path} holds something that is no token id")
    return flat.astype(np.int32).reshape(found.shape)


def _without_tokens(run: DelphiRun, report: Report) -> None:
    """Activations alone mean nothing: refused, unless there is something else to import."""
    if not any(run.features(hookpoint) for hookpoint in run.hookpoints):
        raise BadInput(f"{run.root} has activations without tokens, which mean nothing alone: give "
                       "the file with its tokens as --tokens FILE")  # fmt: skip
    n = sum(map(len, (*run.latents.values(), *run.tensors.values())))
    report.add("tokens_missing", n, run.root.name)


def _require_spelled(matrix: np.ndarray, spelling: Spelling | None) -> None:
    """Refuse a tokenizer that knows fewer ids than there are: it is another subject's."""
    used = int(matrix.max()) + 1
    if spelling is not None and len(spelling.vocabulary) < used:
        raise BadInput(
            f"the tokenizer in {spelling.source} has {len(spelling.vocabulary):,} tokens, the run "
            f"uses id {used - 1:,}: give its subject with --subject"
        )


def write_tables(
    folder: Path,
    record: CacheRecord,
    tables: Tables,
    gathered: Gathered,
    spelling: Spelling | None,
    report: Report,
) -> Iterator[Progress]:
    """Write the files of the cache; what was begun before is written over."""
    total = sum(latents.n_activations for latents in tables.latents.values())
    done = 0
    width = _width(tables, spelling)
    documents = _documents(tables.matrix, spelling and spelling.eos_id)
    write_tokens(folder, [tables.matrix], token_dtype(width))
    write_documents(folder, documents)
    for hookpoint in record.hookpoints:
        latents = tables.latents.get(hookpoint.name)
        for n in _write_hookpoint(folder, hookpoint, latents, tables):
            done += n
            yield Progress("writing activations", done, total, "activations")
    write_meta(folder, _meta(folder, record, tables, spelling, width, len(documents)))
    vocabulary = _vocabulary(CacheFiles.open(folder), record, tables, gathered, spelling, report)
    vocabulary.save(folder / "vocabulary.json")


def _width(tables: Tables, spelling: Spelling | None) -> int:
    """Number of token ids."""
    return len(spelling.vocabulary) if spelling else int(tables.matrix.max()) + 1


def _documents(matrix: np.ndarray, separator: int | None) -> np.ndarray:
    """Flat index at which documents start: behind each separator, as far as it was kept."""
    after = np.flatnonzero(matrix.ravel() == separator) + 1 if separator is not None else []
    starts = np.append([0], np.asarray(after, np.int64))
    return np.unique(starts[starts < matrix.size])


def _write_hookpoint(
    folder: Path,
    hookpoint: HookpointRecord,
    latents: Latents | TensorLatents | None,
    tables: Tables,
) -> Iterator[int]:
    """Write the shards of a hookpoint, then merge them; gives the activations of each."""
    where, length = folder / str(hookpoint.hookpoint_id), tables.matrix.shape[1]
    durable.discard(where)
    for number, (low, high) in enumerate(zip(tables.spans, tables.spans[1:], strict=False)):
        feature = token = np.empty(0, np.int64)
        activation = np.empty(0, np.float32)
        if latents is not None:
            feature, token, activation = latents.span(number)
        write_shard(where, number, feature=feature, token=token, activation=activation,
                    n_features=hookpoint.n_features)  # fmt: skip
        write_strongest(where, number, token=token - low * length, feature=feature,
                        activation=activation, n_tokens=int(high - low) * length, k=TOPK,
                        n_features=hookpoint.n_features)  # fmt: skip
        yield len(token)
    merge(where)


def _meta(
    folder: Path,
    record: CacheRecord,
    tables: Tables,
    spelling: Spelling | None,
    width: int,
    n_documents: int,
) -> CacheMeta:
    n, length = tables.matrix.shape
    return CacheMeta(
        sequence_length=length,
        n_sequences=n,
        special_ids=(),  # upstream masks nothing: every position may have activations
        context_length=min(CONTEXT, length),
        subject=record.subject,
        dtype="unknown",
        corpus=record.corpus,
        tokenizer_sha256=spelling.vocabulary.sha256 if spelling else "",
        vocabulary_size=width,
        requested_tokens=n * length,
        eos_id=spelling.eos_id if spelling else None,
        hookpoints=tuple(
            HookpointMeta(h.hookpoint_id, h.name, h.sae_source, h.sae_kind, "", h.n_features, TOPK)
            for h in record.hookpoints
        ),
        n_documents=n_documents,
        n_unmasked=n * length,
        tokens_sha256=sha256(folder / f"tokens.{token_dtype(width)}"),
        exhausted=True,
    )


def _vocabulary(
    files: CacheFiles,
    record: CacheRecord,
    tables: Tables,
    gathered: Gathered,
    spelling: Spelling | None,
    report: Report,
) -> Vocabulary:
    if spelling is not None:
        return spelling.vocabulary
    found = recovered(gathered, tables.matrix, activations_of(files, record))
    share = share_spelled(found, tables.matrix)
    report.add("recovered_vocabulary", 1, f"{percent(share)} of the tokens have their text")
    return found


def activations_of(
    files: CacheFiles, record: CacheRecord
) -> Callable[[str, int], FeatureActivations]:
    """Read features of a written cache by hookpoint and number."""
    opened = {h.name: files.columns(h.hookpoint_id) for h in record.hookpoints}
    return lambda hookpoint, feature: opened[hookpoint].slice(feature)

"""Tokens x subject x SAEs -> activations on disk: the stage `cache`.

Documents are tokenised first; then the subject runs batch by batch up to the last hookpoint, the
SAEs encode, and about 65,536 tokens at a time become a shard. Stored is what is stronger than
1e-5 at positions that are not special. Killed at any moment, the same call goes on after the last
finished shard, and since every shard begins with a fresh batch, the result is the same to the bit.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Literal

import numpy as np

from core.encoding import Found, Gathered, encode_batch
from core.sae import Sae, TopK, require_fit
from core.subject import Subject
from core.tokenising import Corpus, write_corpus
from data import durable, tensorfile
from data.activations import SHARD_TOKENS, merge, shard_path, write_shard
from data.cachefiles import CacheFiles, CacheMeta, HookpointMeta, read_meta, write_meta
from data.errors import BadInput, StoreBusy
from data.records import Progress
from data.strongest import topk_path, write_strongest
from data.tokens import TokenFile, copy_tokens, sha256
from data.vocabulary import Vocabulary

MOST_TOKENS = 2**32 - 2**20  # flat indices are 32 bits wide
DEFAULT_LENGTH = 256  # tokens a sequence, as in the paper


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """What a cache is made of, besides the subject and the SAEs."""

    corpus: str = field(default="python-docs", metadata={"help": "text, as typed"})
    tokens: int = field(default=1_000_000, metadata={"help": "tokens to run, at least"})
    sequence_length: int | None = field(
        default=None, metadata={"help": "tokens run at once; default 256 or what the subject takes"}
    )
    bos: Literal["first", "none"] = field(
        default="first", metadata={"help": "begin sequences with BOS, if the subject has one"}
    )
    packing: Literal["pack", "one-per-document", "stored"] = field(
        default="pack", metadata={"help": "join documents, or a sequence each; stored = as read"}
    )
    column: str | None = field(default=None, metadata={"help": "of the corpus, with the text"})
    split_at: str | None = field(
        default=None, metadata={"help": "blank-lines or a line: where text files are split"}
    )
    shuffle_seed: int | None = field(
        default=None, metadata={"help": "of a permutation of the documents; none = file order"}
    )
    batch_size: int = field(default=16, metadata={"help": "sequences run at once"})
    topk: int = field(default=32, metadata={"help": "strongest features kept for every token"})
    seed: int = field(default=0, metadata={"help": "of splits and draws"})
    shard_tokens: int = field(
        default=SHARD_TOKENS, metadata={"help": "tokens a shard: what a kill can cost"}
    )


Saes = Mapping[int, tuple[str, Sae]]  # hookpoint_id -> hookpoint, SAE


def plan(subject: Subject, saes: Saes, settings: CacheSettings) -> CacheMeta:
    """Decide everything that identifies a cache, refusing what cannot work before any work."""
    length = sequence_length(subject, settings)
    if min(settings.tokens, settings.batch_size, settings.topk, settings.shard_tokens) < 1:
        raise BadInput("tokens, batch size, topk and shard tokens must be at least 1")
    if settings.tokens > MOST_TOKENS:
        raise BadInput(f"a cache holds at most {MOST_TOKENS:,} tokens: ask for fewer")
    if not saes:
        raise BadInput("a cache needs at least one SAE: give --sae")
    for hookpoint, sae in saes.values():
        require_fit(subject, hookpoint, sae)
    vocabulary = Vocabulary.from_tokenizer(subject.tokenizer)
    return CacheMeta(
        sequence_length=length,
        special_ids=subject.special_ids,
        seed=settings.seed,
        subject=subject.name,
        subject_sha256=subject.sha256,
        architecture=subject.architecture,
        dtype=subject.dtype,
        runs_on=subject.runs_on,
        corpus=settings.corpus,
        tokenizer_sha256=vocabulary.sha256,
        vocabulary_size=max(len(vocabulary), subject.vocabulary_size),
        requested_tokens=settings.tokens,
        bos_id=subject.bos_id if settings.bos == "first" else None,
        eos_id=subject.eos_id,
        packing=settings.packing,
        column=settings.column,
        split_at=settings.split_at,
        shuffle_seed=settings.shuffle_seed,
        batch_size=settings.batch_size,
        shard_tokens=settings.shard_tokens,
        hookpoints=tuple(
            _describe(subject, number, *saes[number], settings.topk) for number in sorted(saes)
        ),
    )


def _describe(subject: Subject, number: int, hookpoint: str, sae: Sae, topk: int) -> HookpointMeta:
    return HookpointMeta(
        hookpoint_id=number,
        name=subject.resolve(hookpoint),
        sae_source=sae.origin.source,
        sae_kind=sae.kind,
        sae_sha256=sae.sha256,
        n_features=sae.n_features,
        topk=min(topk, sae.k if isinstance(sae, TopK) else sae.n_features),
        read_as=sae.origin.read_as,
    )


def sequence_length(subject: Subject, settings: CacheSettings) -> int:
    """Choose the sequence length, never above what the subject was trained on."""
    longest = subject.max_length
    length = settings.sequence_length
    if length is None:
        length = min(DEFAULT_LENGTH, longest or DEFAULT_LENGTH)
    context = CacheMeta(length).context_length
    if length < context:
        limit = f" ({subject.name} takes no more)" if settings.sequence_length is None else ""
        raise BadInput(
            f"sequences of {length} tokens{limit} do not hold a context of {context}: "
            f"give --sequence-length {context} or more"
        )
    if longest is not None and length > longest:
        raise BadInput(
            f"the subject {subject.name} was trained on {longest} tokens at once, not {length}: "
            f"give --sequence-length {longest} or less"
        )
    return length


def build(
    folder: Path,
    subject: Subject,
    saes: Saes,
    corpus: Corpus,
    settings: CacheSettings,
) -> Iterator[Progress]:
    """Make a cache, or finish one that was begun with the same settings.

    corpus: documents, or sequences of token ids. What is not tokenised yet is read again from its
    beginning: its order is always the same, so the tokens are too.
    """
    meta = plan(subject, saes, settings)
    with _alone(folder):
        meta = _begin(folder, meta)
        _clean(folder, meta)
        if not _tokens_complete(folder, meta):
            yield Progress("tokenising", 0, meta.requested_tokens, "tokens")
            written = write_corpus(folder, meta, subject, corpus)
            meta = written.meta
            yield Progress("tokenising", meta.n_tokens, meta.n_tokens, "tokens", note=written.note)
        yield from _encode(folder, meta, subject, saes)
        yield from merge_all(folder, meta)


def build_beside(
    folder: Path, other: CacheFiles, meta: CacheMeta, subject: Subject, saes: Saes
) -> Iterator[Progress]:
    """Make a cache over the very tokens of another one, or finish one that was begun.

    meta: as the other's, with this subject and these hookpoints. Nothing is tokenised again.
    """
    for hookpoint, sae in saes.values():
        require_fit(subject, hookpoint, sae)
    with _alone(folder):
        begun = _begin(folder, replace(meta, n_sequences=0, tokens_sha256=""))
        _clean(folder, begun)
        if not _tokens_complete(folder, begun):
            yield Progress("copying tokens", 0, meta.n_tokens, "tokens")
            copy_tokens(other.folder, folder, meta.token_dtype, meta.tokens_sha256)
            write_meta(folder, meta)
            yield Progress("copying tokens", meta.n_tokens, meta.n_tokens, "tokens")
        yield from _encode(folder, meta, subject, saes)
        yield from merge_all(folder, meta)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second process from making the same cache."""
    with durable.reporting(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreBusy(f"another process is making the cache {folder}: wait for it") from error
        yield
    finally:
        os.close(descriptor)


def _begin(folder: Path, meta: CacheMeta) -> CacheMeta:
    """Write cache.json, or compare it with what was begun."""
    if not (folder / "cache.json").exists():
        write_meta(folder, meta)
        return meta
    begun = read_meta(folder)
    mine, theirs = meta.identity(), begun.identity()
    differing = [name for name, value in mine.items() if value != theirs[name]]
    if differing:
        name = differing[0]
        raise BadInput(
            f"the cache {folder.name} was begun with {name} = {theirs[name]}, not {mine[name]}: "
            "give another --name, or the same settings to go on"
        )
    return begun


def _clean(folder: Path, meta: CacheMeta) -> None:
    """Delete what a killed process left half-written."""
    durable.discard_unfinished(folder)
    for hookpoint in meta.hookpoints:
        inside = folder / str(hookpoint.hookpoint_id)
        for place in (inside, inside / "shards", inside / "topk"):
            durable.discard_unfinished(place)


def _tokens_complete(folder: Path, meta: CacheMeta) -> bool:
    path = folder / f"tokens.{meta.token_dtype}"
    return bool(meta.tokens_sha256) and path.exists() and sha256(path) == meta.tokens_sha256


def _encode(folder: Path, meta: CacheMeta, subject: Subject, saes: Saes) -> Iterator[Progress]:
    """Run the subject and the SAEs that are not done over every shard that is not there yet."""
    place = subject.device
    chosen = {
        h.hookpoint_id: (h.name, saes[h.hookpoint_id][1].to(place))
        for h in meta.hookpoints
        if not _merged(folder, h)
    }

    def encode(ids: np.ndarray, first: int) -> dict[int, Found]:
        return encode_batch(subject, chosen, ids, first, meta.special_ids)

    yield from fill(folder, meta, encode)


Encode = Callable[[np.ndarray, int], Mapping[int, Found]]  # ids [batch, sequence], first flat index


def fill(folder: Path, meta: CacheMeta, encode: Encode) -> Iterator[Progress]:
    """Write every shard that is not there yet, whatever encodes its batches."""
    tokens = CacheFiles(folder, meta).tokens
    waiting = [h for h in meta.hookpoints if not _merged(folder, h)]
    missing = [n for n in range(meta.n_shards) if not _complete(folder, n, waiting)]
    done = before = meta.n_tokens - sum(shard_tokens(meta, number)[1] for number in missing)
    note = f"resumed, {meta.n_shards - len(missing)} of {meta.n_shards} shards kept" if done else ""
    start = monotonic()
    yield Progress("caching", done, meta.n_tokens, "tokens", None, note)
    gathered = {hookpoint.hookpoint_id: Gathered() for hookpoint in waiting}
    for number in missing:
        for first, ids in _batches(tokens, meta, number):
            for hookpoint_id, part in encode(ids, first).items():
                gathered[hookpoint_id].add(part)
            done += ids.size
            rate = (done - before) / max(monotonic() - start, 1e-9)
            yield Progress("caching", done, meta.n_tokens, "tokens", rate, note)
        for hookpoint in waiting:
            _write(folder, meta, number, hookpoint, gathered[hookpoint.hookpoint_id].take())


def _merged(folder: Path, hookpoint: HookpointMeta) -> bool:
    return (folder / str(hookpoint.hookpoint_id) / "columns").is_dir()


def _complete(folder: Path, number: int, waiting: Sequence[HookpointMeta]) -> bool:
    """Say whether a shard is on disk, undamaged, for every hookpoint that is not merged yet."""
    paths = [
        path(folder / str(hookpoint.hookpoint_id), number)
        for hookpoint in waiting
        for path in (topk_path, shard_path)
    ]
    return all(path.exists() and tensorfile.intact(path) for path in paths)


def shard_tokens(meta: CacheMeta, number: int) -> tuple[int, int]:
    """Say which tokens a shard holds: first flat index and count."""
    size = meta.sequences_per_shard * meta.sequence_length
    return number * size, min(size, meta.n_tokens - number * size)


def _batches(tokens: TokenFile, meta: CacheMeta, number: int) -> Iterator[tuple[int, np.ndarray]]:
    """Cut a shard into batches [sequences, sequence_length], the last one as short as it comes."""
    first, count = shard_tokens(meta, number)
    size = meta.batch_size * meta.sequence_length
    for start in range(first, first + count, size):
        ids = tokens.flat(start, min(size, first + count - start))
        yield start, ids.reshape(-1, meta.sequence_length)


def _write(
    folder: Path, meta: CacheMeta, number: int, hookpoint: HookpointMeta, found: Found
) -> None:
    """Write a shard and its token-major copy."""
    inside = folder / str(hookpoint.hookpoint_id)
    first, count = shard_tokens(meta, number)
    write_strongest(
        inside,
        number,
        token=found.token - first,
        feature=found.feature,
        activation=found.activation,
        n_tokens=count,
        k=hookpoint.topk,
        n_features=hookpoint.n_features,
    )
    write_shard(inside, number, n_features=hookpoint.n_features, **found._asdict())


def merge_all(folder: Path, meta: CacheMeta) -> Iterator[Progress]:
    """Turn every hookpoint's shards into columns."""
    total = len(meta.hookpoints)
    for done, hookpoint in enumerate(meta.hookpoints):
        yield Progress("merging", done, total, "hookpoints")
        merge(folder / str(hookpoint.hookpoint_id))
    yield Progress("merging", total, total, "hookpoints")

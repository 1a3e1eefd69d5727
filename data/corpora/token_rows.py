"""A corpus that is token ids already: sequences of equal length, taken as they are.

Files of arrays, tables with a column of ids, a cache of Gloss. Nothing here knows what the ids
mean: whether they fit a subject is checked where the subject is known.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.corpora import tables, token_arrays
from data.corpora.columns import inside
from data.corpora.files import ARRAYS, Found
from data.corpora.streams import whole
from data.errors import BadInput

BLOCK = 1_024  # sequences read at once
NAMED = re.compile(r"(?P<model>.+)_(?P<total>\d+)_tokens_(?P<length>\d+)_ctx")
PACKED_BY = (
    "sae_lens_version", "tokenizer_name", "original_dataset", "original_split",
    "original_column_name", "context_size", "shuffled", "seed", "begin_batch_token",
    "begin_sequence_token", "sequence_separator_token", "disable_concat_sequences",
)  # fmt: skip


class Block(NamedTuple):
    """Sequences that stand one after the other in one file."""

    ids: np.ndarray  # int64 [sequences, length]
    source: str
    row: int  # of the first one, from 1


@dataclass(frozen=True)
class TokenRows:
    """Sequences of token ids; iterate for blocks of them."""

    name: str  # as typed, for messages
    length: int  # tokens a sequence
    read: Callable[[], Iterator[Block]]
    identity: str | None = None  # says which tokens they are without reading; None = what they are
    facts: Mapping[str, Any] = field(default_factory=dict)  # what the files say of themselves
    tokenizer_sha256: str | None = None  # of the vocabulary, where the files say it
    is_narrow: bool = False  # ids of 16 bits, which hold no vocabulary above 65,536

    def __iter__(self) -> Iterator[Block]:
        return self.read()

    def sha256(self, n_sequences: int) -> str:
        """Hash the first sequences, as far as there are so many."""
        digest, left = hashlib.sha256(self.length.to_bytes(8, "little")), n_sequences
        for block in self:
            digest.update(np.ascontiguousarray(block.ids[:left], "<i8").tobytes())
            left -= len(block.ids)
            if left <= 0:
                break
        return digest.hexdigest()

    def all_begin_with(self, token: int) -> bool:
        """Say whether every one of the first sequences begins with a token."""
        first = next(iter(self))
        return bool((first.ids[:, 0] == token).all())


def of_files(
    name: str, files: Sequence[Found], column: str | None, length: int | None
) -> TokenRows:
    """Open files of token ids; all must have sequences of one length.

    length: that of the sequences, for files that are one long row of ids.
    """
    parts = [_part(file, column, length) for file in _without_copies(files)]
    lengths: dict[int, str] = {}
    for part in parts:
        lengths.setdefault(part.length, part.source)
    if len(lengths) > 1:
        said = ", ".join(f"{source} of {tokens}" for tokens, source in lengths.items())
        raise BadInput(f"Corpus {name} mixes sequences of several lengths ({said}): give one of "
                       "them")  # fmt: skip
    facts = _facts(name, files, parts[0].length)

    def read() -> Iterator[Block]:
        for part in parts:
            row = 1
            for ids in part.blocks():
                yield Block(ids, part.source, row)
                row += len(ids)

    narrow = any(part.is_narrow for part in parts)
    return TokenRows(name, parts[0].length, read, facts=facts, is_narrow=narrow)


class _Part(NamedTuple):
    """The sequences of one file."""

    source: str
    length: int
    blocks: Callable[[], Iterator[np.ndarray]]  # int64 [sequences, length]
    is_narrow: bool = False


def _part(file: Found, column: str | None, length: int | None) -> _Part:
    if file.suffix not in ARRAYS:
        name = tables.token_column(file.path, column)
        if name is None:
            raise BadInput(f"{file.path} has no column of token ids, other files do: give one kind")
        return _table_part(file, name)
    found = token_arrays.open_array(file.path)
    size = found.shape[1] if len(found.shape) == 2 else length
    if size is None:
        raise BadInput(
            f"{file.path} is one row of {found.shape[0]:,} ids: say with --sequence-length how "
            "many are a sequence"
        )
    if not size or found.size < size:
        raise BadInput(f"{file.path} has {found.size} ids, less than one sequence of {size}")

    def blocks() -> Iterator[np.ndarray]:
        whole_rows = found.size // size * size
        for ids in found.flat(BLOCK * size, whole_rows):
            yield ids.reshape(-1, size)

    return _Part(file.source, size, blocks, is_narrow=found.dtype == np.uint16)


def _table_part(file: Found, column: str) -> _Part:
    def lists() -> Iterator[tuple[Any, int]]:
        row = 0
        for batch in tables.batches(file.path, column, BLOCK):
            for one in batch.to_pylist():
                row += 1
                yield one, row

    place = str(file.path)
    length = _first_length(place, lists(), column)
    return _Part(file.source, length, lambda: _blocks(place, lists(), column, length))


def of_lists(
    name: str,
    rows: Callable[[], Iterable[tuple[Mapping, int]]],
    column: str,
    first_row: tuple[Mapping, int],
    identity: str | None,
) -> TokenRows:
    """Take the sequences out of a column of rows, which come with their numbers."""
    length = _first_length(name, [first_row], column)

    def read() -> Iterator[Block]:
        first = first_row[1]
        for ids in _blocks(name, rows(), column, length):
            yield Block(ids, name, first)
            first += len(ids)

    return TokenRows(name, length, read, identity=identity)


def _first_length(place: str, rows: Iterable[tuple[Mapping, int]], column: str) -> int:
    row, number = next(iter(rows), ({}, 0))
    found = inside(row, column)
    if not isinstance(found, list) or not found:
        raise BadInput(f"{place}, row {number}: column {column!r} holds no list of token ids")
    return len(found)


def _blocks(
    place: str, rows: Iterable[tuple[Mapping, int]], column: str, length: int
) -> Iterator[np.ndarray]:
    waiting = iter(rows)
    while group := list(islice(waiting, BLOCK)):
        lists = [inside(row, column) for row, _ in group]
        for found, (_, number) in zip(lists, group, strict=True):
            if not isinstance(found, list) or len(found) != length:
                said = len(found) if isinstance(found, list) else "no list"
                raise BadInput(f"{place}, row {number}: {said} token ids, not {length} as before")
        yield _whole_numbers(place, lists)


def _whole_numbers(place: str, lists: Sequence[object]) -> np.ndarray:
    try:
        found = np.array(lists)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{place} holds token ids that are no numbers") from error
    if found.dtype.kind not in "iu":
        raise BadInput(f"{place} holds token ids that are no whole numbers")
    return found.astype(np.int64)


def of_cache(name: str, folder: Path) -> TokenRows:
    """Take the sequences of a cache of Gloss."""
    from data.cachefiles import CacheFiles

    files = CacheFiles.open(folder)
    meta, tokens = files.meta, files.tokens
    size = BLOCK * meta.sequence_length

    def read() -> Iterator[Block]:
        for first in range(0, len(tokens), size):
            ids = tokens.flat(first, min(size, len(tokens) - first)).astype(np.int64)
            yield Block(ids.reshape(-1, meta.sequence_length), folder.name,
                        first // meta.sequence_length + 1)  # fmt: skip

    return TokenRows(name, meta.sequence_length, read, tokenizer_sha256=meta.tokenizer_sha256,
                     facts={"corpus": meta.corpus, "subject": meta.subject})  # fmt: skip


def _without_copies(files: Sequence[Found]) -> list[Found]:
    """Keep the first of the shards of a delphi run: every one holds the same tokens."""
    found, has_shard = [], False
    for file in files:
        if file.suffix == ".safetensors" and token_arrays.is_shard(file.path):
            if has_shard:
                continue
            has_shard = True
        found.append(file)
    return found


def _facts(name: str, files: Sequence[Found], length: int) -> dict[str, Any]:
    """What file names and sae_lens.json say of the sequences."""
    facts: dict[str, Any] = {}
    beside = files[0].path.parent / "sae_lens.json"
    if beside.is_file():
        facts |= _packed_by(beside)
    named = NAMED.fullmatch(files[0].path.stem)
    if named:
        facts |= {"subject": named["model"], "context_size": int(named["length"])}
    said = facts.get("context_size")
    if isinstance(said, int) and said != length:
        raise BadInput(f"Corpus {name} says that its sequences have {said} tokens, they have "
                       f"{length}: fetch it again")  # fmt: skip
    return facts


def _packed_by(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(whole(path))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not valid JSON: fetch it again") from error
    if not isinstance(found, dict):
        raise BadInput(f"{path} holds no JSON object: fetch it again")
    return {key: found[key] for key in PACKED_BY
            if isinstance(found.get(key), str | int | bool | None) and key in found}  # fmt: skip

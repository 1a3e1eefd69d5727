"""The tokens of a cache: one flat file of integers, and where its documents start and come from.

    tokens.u16|u32     flat index = sequence * sequence_length + position; u16 while the vocabulary
                       is at most 65,536 ids
    documents.u64      flat index at which each document starts, ascending
    sources.u64        [documents, 2]: number of the source, row in it (1 = the first)
    sources.json       the names of the sources: files or datasets

Sources are missing where they are not known. Knows nothing of text, tokenizers or activations.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data import durable
from data.durable import Extent, read_into
from data.errors import BadInput, StoreTrouble

FEW = 4096  # windows up to which one pread each beats reading spans
SPAN = 4_194_304  # tokens read at once


def token_dtype(vocabulary_size: int) -> str:
    """Name the narrowest integer that holds every id."""
    return "u16" if vocabulary_size <= 65_536 else "u32"


class Source(NamedTuple):
    """Where a token comes from."""

    name: str  # file below the corpus' folder, or dataset
    row: int  # line or row of the document, from 1
    offset: int  # tokens from the document's first one


class TokenFile:
    """Reads windows out of the token file."""

    def __init__(
        self,
        folder: Path,
        dtype: str,
        n_sequences: int,
        sequence_length: int,
        *,
        few: int = FEW,
        span: int = SPAN,
    ) -> None:
        self.path = folder / f"tokens.{dtype}"
        self.documents_path = folder / "documents.u64"
        self.n_sequences = n_sequences
        self.sequence_length = sequence_length  # tokens
        self.few = few  # windows read one by one
        self.span = span  # tokens read at once for more windows
        count = n_sequences * sequence_length
        self.extent = Extent(self.path, 0, count, np.dtype({"u16": "<u2", "u32": "<u4"}[dtype]))
        with durable.reporting(self.path):
            if self.path.stat().st_size != count * self.extent.dtype.itemsize:
                raise StoreTrouble(f"{self.path} has a wrong size: make the cache again")

    def __len__(self) -> int:
        return self.extent.size

    def flat(self, first: int, count: int) -> np.ndarray:
        """Read consecutive tokens, int32 [count]."""
        return durable.read(self.extent, first, count).astype(np.int32)

    def matrix(self) -> np.ndarray:
        """Read everything, int32 [n_sequences, sequence_length]."""
        return self.flat(0, len(self)).reshape(self.n_sequences, self.sequence_length)

    def documents(self) -> np.ndarray:
        """Read the flat index at which each document starts, uint64 [documents], ascending."""
        with durable.reporting(self.documents_path):
            count = self.documents_path.stat().st_size // 8
        return durable.read(Extent(self.documents_path, 0, count, np.dtype("<u8")))

    @cached_property
    def _sources(self) -> tuple[list[str], np.ndarray] | None:
        """Names, and [documents, 2]; None where they are not known."""
        path, names = self.path.with_name("sources.u64"), self.path.with_name("sources.json")
        if not path.exists() or not names.exists():
            return None
        with durable.reporting(path):
            count, raw = path.stat().st_size // 8, names.read_bytes()
        table = durable.read(Extent(path, 0, count, np.dtype("<u8"))).reshape(-1, 2)
        return json.loads(raw), table

    def windows(self, first: np.ndarray, width: int) -> np.ndarray:
        """Gather windows of `width` tokens, int32 [n, width], in the order asked for."""
        first = np.asarray(first, dtype=np.int64)
        if first.size and (first.min() < 0 or first.max() + width > len(self)):
            raise BadInput(f"a window of {width} tokens reaches outside of {self.path}")
        gather = self._few if len(first) <= self.few else self._many
        return gather(first, width)

    def _few(self, first: np.ndarray, width: int) -> np.ndarray:
        out = np.empty((len(first), width), self.extent.dtype)
        itemsize = self.extent.dtype.itemsize
        with self.path.open("rb", buffering=0) as file:
            for row, start in zip(out, first.tolist(), strict=True):
                read_into(file.fileno(), row, start * itemsize, self.path)
        return out.astype(np.int32)

    def _many(self, first: np.ndarray, width: int) -> np.ndarray:
        out = np.empty((len(first), width), np.int32)
        span = first // self.span
        steps = np.arange(width)
        for number in np.unique(span).tolist():
            rows = np.flatnonzero(span == number)
            start = number * self.span
            tokens = self.flat(start, min(self.span + width, len(self) - start))
            out[rows] = tokens[(first[rows] - start)[:, None] + steps]
        return out


def source_of(tokens: TokenFile, token: int) -> Source | None:
    """Trace a token (flat index) back to its document; None where the source is not known.

    A special token counts for the document before it, as far as there is one.
    """
    starts, known = tokens.documents(), tokens._sources
    number = int(np.searchsorted(starts, token, side="right")) - 1
    if known is None or number < 0 or number >= len(known[1]):
        return None
    names, table = known
    source, row = table[number].tolist()
    return Source(names[source], row, token - int(starts[number]))


def write_tokens(folder: Path, blocks: Iterable[np.ndarray], dtype: str) -> None:
    """Write the token file as its blocks come, in bounded memory."""
    wanted = {"u16": "<u2", "u32": "<u4"}[dtype]
    parts = (np.ascontiguousarray(block, wanted) for block in blocks)
    durable.write_file(folder / f"tokens.{dtype}", parts)


def write_documents(folder: Path, starts: np.ndarray) -> None:
    """Write the flat index at which each document starts, ascending."""
    durable.write_file(folder / "documents.u64", [np.asarray(starts, "<u8")])


def write_sources(folder: Path, names: Sequence[str], table: np.ndarray) -> None:
    """Write which source and row each document comes from, [documents, 2]."""
    durable.write_file(folder / "sources.u64", [np.ascontiguousarray(table, "<u8")])
    durable.write_file(folder / "sources.json", [json.dumps(list(names)).encode("utf-8")])


def sha256(path: Path) -> str:
    """Hash a file without loading it whole."""
    with durable.reporting(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_tokens(source: Path, folder: Path, dtype: str, known: str) -> None:
    """Copy the tokens of a cache, with vocabulary, documents and sources, beside another subject.

    known: the hash that the token file must have; the token file comes last.
    """
    name = f"tokens.{dtype}"
    others = ["vocabulary.json", "documents.u64", "sources.u64", "sources.json"]
    for one in [*(other for other in others if (source / other).exists()), name]:
        with durable.reporting(source / one), (source / one).open("rb") as file:
            durable.write_file(folder / one, iter(lambda: file.read(SPAN), b""))
    if sha256(folder / name) != known:
        raise StoreTrouble(f"{source / name} is damaged: make that cache again")

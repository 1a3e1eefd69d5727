"""The text of every stored context as a table, for those who have no tokens to look it up in.

One row a row of `example`: hookpoint_id, feature, slot, text, and pieces = the text token by token,
"" where a token is special or goes on with a character; offsets in `marks` count in pieces.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.cachefiles import CacheFiles
from data.catalogue import Catalogue, Row
from data.durable import reporting, sync
from data.records import CacheRecord

NAME = "example_text"
FEATURES = 128  # whose contexts are read together
SCHEMA = pa.schema(
    [
        ("hookpoint_id", pa.uint32()),
        ("feature", pa.uint32()),
        ("slot", pa.uint16()),
        ("text", pa.string()),
        ("pieces", pa.list_(pa.string())),
    ]
)
STORED = """
select feature, slot, first_token, length
from example
where hookpoint_id = ? and feature between ? and ?
order by feature, slot
"""


class Said(NamedTuple):
    """One context."""

    hookpoint_id: int
    feature: int
    slot: int
    text: str
    pieces: list[str]


def write_texts(
    catalogue: Catalogue, record: CacheRecord, file: Path, format: Literal["parquet", "csv"]
) -> int:
    """Write the table of a cache that is done; gives its rows."""
    blocks = _blocks(catalogue, record)
    with reporting(file):
        n = _parquet(file, blocks) if format == "parquet" else _csv(file, blocks)
        with file.open("rb") as written:
            sync(written.fileno())
    return n


def _parquet(file: Path, blocks: Iterable[list[Said]]) -> int:
    n = 0
    with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        for block in blocks:
            columns = dict(zip(SCHEMA.names, zip(*block, strict=True), strict=True))
            writer.write_table(pa.table(columns, SCHEMA))
            n += len(block)
    return n


def _csv(file: Path, blocks: Iterable[list[Said]]) -> int:
    n = 0
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(SCHEMA.names)
        for block in blocks:
            for said in block:
                writer.writerow([*said[:4], json.dumps(said.pieces, ensure_ascii=False)])
            n += len(block)
    return n


def _blocks(catalogue: Catalogue, record: CacheRecord) -> Iterator[list[Said]]:
    """The contexts of some features at a time, none empty."""
    files = CacheFiles.open(catalogue.store / record.folder)
    beside = _beside(files.folder)
    for hookpoint in record.hookpoints:
        for low in range(0, hookpoint.n_features, FEATURES):
            asked = [hookpoint.hookpoint_id, low, low + FEATURES - 1]
            with catalogue.reading() as con:
                rows = con.rows(STORED, asked)
            if rows:
                pieces = _pieces(files, beside, rows)
                yield [
                    Said(asked[0], row["feature"], row["slot"], "".join(one), one)
                    for row, one in zip(rows, pieces, strict=True)
                ]


def _pieces(
    files: CacheFiles, beside: dict[int, list[str]], rows: list[Row]
) -> Iterator[list[str]]:
    """The pieces of each context."""
    n, special = len(files.tokens), set(files.meta.special_ids)
    within: dict[int, list[int]] = {}  # first tokens by length
    for row in rows:
        if row["first_token"] < n:
            length = min(row["length"], n - row["first_token"])
            within.setdefault(length, []).append(row["first_token"])
    ids = {
        (first, length): found
        for length, firsts in within.items()
        for first, found in zip(
            firsts, files.tokens.windows(np.array(firsts), length).tolist(), strict=True
        )
    }
    for row in rows:
        first = row["first_token"]
        if first >= n:
            yield beside.get(first, [])
            continue
        tokens = ids[first, min(row["length"], n - first)]
        pieces = files.vocabulary.pieces(tokens)
        yield [
            "" if token in special else piece for token, piece in zip(tokens, pieces, strict=True)
        ]


def _beside(folder: Path) -> dict[int, list[str]]:
    """Contexts of an import that its tokens do not hold, by their first token."""
    path = folder / "annex.json"
    if not path.exists():
        return {}
    with reporting(path):
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))["contexts"]
    return {int(first): [_whole(piece) for piece in one[0]] for first, one in found.items()}


def _whole(piece: str) -> str:
    """Text that a file can hold, whatever an import said."""
    return piece.encode("utf-8", "replace").decode("utf-8")

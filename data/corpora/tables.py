"""Parquet and Arrow files, some rows at a time: only the column that is wanted is decoded.

Arrow files are files or streams, as `datasets` writes them. Every batch is validated before it is
looked at: offsets in a foreign file may point anywhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from data.corpora import streams
from data.corpora.columns import (
    CHATS_REFUSED,
    TEXT_COLUMNS,
    TOKEN_COLUMNS,
    TextColumn,
    text_column,
)
from data.corpora.document import Choice, Document
from data.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 128  # decoded at once: what a row may come to is not known before
BUFFER = 2**20  # bytes read at once; a mapped file would end the process if it was cut meanwhile
MOST_GROUP = 2**33  # bytes of a row group, all columns


def read(path: Path, source: str, choice: Choice) -> Iterator[Document]:
    """Read one document a row."""
    with _decoding(path):
        name = _text_name(schema(path), path, choice.column)
    column = TextColumn(name)
    row = 0
    for batch in batches(path, name):
        with _decoding(path):
            found = batch.to_pylist()
        for one in found:
            row += 1
            yield Document(column.of(one, f"{path}, row {row}"), source, row)


def token_column(path: Path, column: str | None) -> str | None:
    """The column that holds token ids, where one was named or no text is there."""
    with _decoding(path):
        known = schema(path)
        for name in [column] if column else [*TEXT_COLUMNS, *TOKEN_COLUMNS]:
            kind = _kind(known, name)
            if kind is not None and (kind == "list<int" or column or name in TEXT_COLUMNS):
                return name if kind == "list<int" else None
    return None


def _text_name(known: "pa.Schema", path: Path, column: str | None) -> str:
    name = column or text_column(known.names, str(path))
    kind = _kind(known, name)
    if kind is None:
        shown = ", ".join(str(one)[:40] for one in known.names[:8])
        raise BadInput(f"{path}: no column {name!r}; it has {shown}")
    if kind.startswith("list<struct"):
        raise BadInput(f"{path}: column {name!r} holds {CHATS_REFUSED}")
    if kind not in ("string", "null"):
        raise BadInput(f"{path}: column {name!r} holds {kind}, not strings")
    return name


def _kind(known: "pa.Schema", name: str) -> str | None:
    """What a column holds: "string", "list<int", "list<struct" or Arrow's own name."""
    from pyarrow import types

    found = _field(known, name)
    if found is None:
        return None
    if types.is_dictionary(found):
        found = found.value_type
    if types.is_string(found) or types.is_large_string(found) or types.is_string_view(found):
        return "string"
    if types.is_list(found) or types.is_large_list(found) or types.is_fixed_size_list(found):
        inner = found.value_type
        return "list<int" if types.is_integer(inner) else f"list<{inner}"[:60]
    return str(found)[:60]


def _field(known: "pa.Schema", name: str) -> "pa.DataType | None":
    """The type of a column, nested ones by their path."""
    from pyarrow import types

    if known.names.count(name) == 1:
        return known.field(name).type
    first, *rest = name.split(".")
    if not rest or known.names.count(first) != 1:
        return None
    found = known.field(first).type
    for part in rest:
        index = found.get_field_index(part) if types.is_struct(found) else -1
        if index < 0:
            return None
        found = found.field(index).type
    return found


def schema(path: Path) -> "pa.Schema":
    """The columns of a file."""
    with _decoding(path), _reader(path) as reader:
        return reader.schema_arrow if _is_parquet(path) else reader.schema


def batches(path: Path, column: str, rows: int = ROWS) -> Iterator["pa.RecordBatch"]:
    """Decode a column, `rows` at a time."""
    with _decoding(path), _reader(path) as reader:
        found = _parquet(reader, path, column, rows) if _is_parquet(path) else _arrow(reader)
        for batch in found:
            batch.validate(full=True)
            top = column if column in batch.schema.names else column.partition(".")[0]
            kept = batch.select([top])
            for first in range(0, kept.num_rows, rows):
                yield kept.slice(first, rows)


def _parquet(reader, path: Path, column: str, rows: int) -> Iterator["pa.RecordBatch"]:
    for number in range(reader.num_row_groups):
        # Asking for the size of a column instead ends the process where its metadata is damaged.
        size = reader.metadata.row_group(number).total_byte_size
        if size > MOST_GROUP:
            raise BadInput(
                f"{path}: row group {number} has {size:,} bytes, more than the {MOST_GROUP:,} "
                "allowed: write smaller groups"
            )
        yield from reader.iter_batches(
            rows, row_groups=[number], columns=[column], use_threads=False
        )


def _arrow(reader) -> Iterator["pa.RecordBatch"]:
    if hasattr(reader, "num_record_batches"):
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)
    else:
        yield from reader


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet"


@contextmanager
def _reader(path: Path) -> Iterator:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.stat().st_size:
        raise BadInput(f"{path} is empty: fetch it again")
    if _is_parquet(path):
        with pq.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False) as reader:
            yield reader
        return
    with pa.OSFile(str(path)) as source:
        is_file = source.read(6) == b"ARROW1"
        source.seek(0)
        with (pa.ipc.open_file if is_file else pa.ipc.open_stream)(source) as reader:
            yield reader


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turn what pyarrow raises for a damaged file into one line."""
    import pyarrow as pa

    try:
        with streams.readable(path):
            yield
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: holds text that is not UTF-8: write the file again") from error
    except (pa.ArrowException, ValueError, KeyError, TypeError, IndexError) as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise BadInput(f"{path}: cannot be read ({said[0][:200]})") from error

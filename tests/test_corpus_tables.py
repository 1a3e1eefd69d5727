"""Parquet and Arrow corpora: which column, which rows, in bounded memory, saved datasets."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.corpora import tables
from data.corpora.document import Choice
from data.corpus import documents
from data.errors import BadInput

TABLE = pa.table({
    "id": [1, 2, 3, 4],
    "text": ["one", None, "", "two é"],
    "meta": [{"title": t, "n": 1} for t in "ABCD"],
    "chat": [[{"role": "user", "content": "x"}]] * 4,
})  # fmt: skip


def texts(path, **choice):
    return [str(document) for document in documents(str(path), Choice(**choice))]


def write_arrow(path, table, make=pa.ipc.new_file, rows=3):
    with pa.OSFile(str(path), "wb") as sink, make(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)


def test_parquet_is_read_by_row_group_with_the_rows_numbered(tmp_path):
    pq.write_table(TABLE, tmp_path / "a.parquet", row_group_size=2)
    found = list(documents(str(tmp_path / "a.parquet")))
    assert [(str(d), d.source, d.row) for d in found] == [
        ("one", "a.parquet", 1), ("two é", "a.parquet", 4)
    ]  # fmt: skip
    assert texts(tmp_path, column="meta.title") == ["A", "B", "C", "D"]


@pytest.mark.parametrize("make", [pa.ipc.new_file, pa.ipc.new_stream])
def test_arrow_files_and_streams_are_read(tmp_path, make):
    write_arrow(tmp_path / "a.arrow", TABLE, make)
    assert texts(tmp_path) == ["one", "two é"]
    assert texts(tmp_path, column="meta.title") == ["A", "B", "C", "D"]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_every_kind_of_string_is_text(tmp_path, kind):
    column = pa.array(["a", "b", "a"]).cast(kind)
    write_arrow(tmp_path / "a.arrow", pa.table({"content": column}))
    pq.write_table(pa.table({"content": column}), tmp_path / "b.parquet")
    assert texts(tmp_path) == ["a", "b", "a"] * 2


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("id", "column 'id' holds int64, not strings"),
        ("title", "no column 'title'; it has id, text, meta, chat"),
        ("meta.x", r"no column 'meta\.x'"),
        ("meta", "column 'meta' holds struct<.*, not strings"),
        ("chat", "column 'chat' holds chats .* are not text yet"),
    ],
)
def test_a_column_that_is_no_text_is_named(tmp_path, column, words):
    pq.write_table(TABLE, tmp_path / "a.parquet")
    with pytest.raises(BadInput, match=rf"a\.parquet: {words}"):
        texts(tmp_path, column=column)


def test_a_table_without_a_known_column_says_what_it_has(tmp_path):
    pq.write_table(TABLE.select(["id"]), tmp_path / "a.parquet")
    with pytest.raises(BadInput, match=r"expected .* one of text, content.*; it has id: name one"):
        texts(tmp_path)


def test_only_a_few_rows_are_decoded_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "ROWS", 8)
    pq.write_table(pa.table({"text": [f"t{n}" for n in range(100)]}), tmp_path / "a.parquet")
    sizes = [batch.num_rows for batch in tables.batches(tmp_path / "a.parquet", "text", 8)]
    assert max(sizes) == 8
    assert sum(sizes) == 100


def test_a_row_group_that_says_it_is_huge_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MOST_GROUP", 100)
    pq.write_table(TABLE, tmp_path / "a.parquet")
    with pytest.raises(BadInput, match=r"row group 0 has .* bytes, more than the 100 allowed"):
        texts(tmp_path)


def saved(folder, names, **state):
    folder.mkdir()
    for number, name in enumerate(names):
        write_arrow(folder / name, pa.table({"text": [f"{number}"]}), pa.ipc.new_stream)
    files = {"_data_files": [{"filename": name} for name in names]}
    (folder / "state.json").write_text(json.dumps(files | state))
    (folder / "dataset_info.json").write_text("{}")
    return folder


def test_a_saved_dataset_is_read_in_its_own_order(tmp_path):
    assert texts(saved(tmp_path / "a", ["b.arrow", "a.arrow"])) == ["0", "1"]


def test_a_saved_dataset_names_no_file_elsewhere(tmp_path):
    folder = saved(tmp_path / "a", ["a.arrow"])
    for name in ("../x.arrow", "/etc/passwd", None, "gone.arrow"):
        (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
        with pytest.raises(BadInput, match=r"which is not beside it|no such file"):
            texts(folder)


def test_a_dataset_of_splits_asks_for_one(tmp_path):
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(BadInput, match="holds train, test: give the folder of one"):
        texts(tmp_path)


def test_a_selection_is_not_mistaken_for_the_whole(tmp_path):
    folder = saved(tmp_path / "a", ["a.arrow"], _indices_data_files=[{"filename": "i.arrow"}])
    with pytest.raises(BadInput, match="a selection of a dataset: save it after flatten_indices"):
        texts(folder)

"""Datasets of the hub: what a specification says, streamed through a fake and a local folder."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.pipeline.corpora import text_of
from data.corpora import hub
from data.corpora.document import Choice
from data.corpora.hub import Address, read_address
from data.corpus import open_corpus
from data.errors import BadInput

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """Rows by split; keeps what it was asked for."""

    def __init__(self, n=10, rows=None, total=None, error=None):
        self.rows_ = rows if rows is not None else [{"id": i, "text": f"t{i}"} for i in range(n)]
        self.total, self.error, self.asked = total, error, []

    def resolve(self, address):
        if self.error:
            raise self.error
        return COMMIT

    def count(self, address):
        return self.total

    def rows(self, address):
        self.asked.append(address)
        yield from self.rows_


def read(spec, fake, **choice):
    found = open_corpus(spec, Choice(**choice), hub=fake)
    return [str(document) for document in found]


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        ("hf:name", Address("name")),
        ("hf:org/name", Address("org/name")),
        ("hf:org/name:en", Address("org/name", "en")),
        ("hf:org/name::test", Address("org/name", split="test")),
        ("hf:o/n::train[:1%]:body", Address("o/n", last="1%", column="body")),
        ("hf:o/n:c:train[5:-10]@v1", Address("o/n", "c", first="5", last="-10", revision="v1")),
        ("hf:o/n:::a.b@refs/pr/2", Address("o/n", column="a.b", revision="refs/pr/2")),
    ],
)
def test_a_specification_is_taken_apart(spec, want):
    assert read_address(spec) == want


@pytest.mark.parametrize(
    "spec", ["hf:", "hf:a/b/c", "hf:../x", "hf:a:b:c:d:e", "hf:a::train[x:]", "hf:a@", "hf:a::t[1]"]
)
def test_a_wrong_specification_shows_the_right_one(spec):
    with pytest.raises(BadInput, match=r"write it as hf:REPO\[:config\]"):
        open_corpus(spec, hub=FakeHub())


@pytest.mark.parametrize(
    ("part", "want"),
    [
        ("[:3]", [0, 1, 2]), ("[8:]", [8, 9]), ("[2:4]", [2, 3]), ("[:25%]", [0, 1]),
        ("[-2:]", [8, 9]), ("[:-8]", [0, 1]), ("[-30%:-20%]", [7]), ("[:]", list(range(10))),
    ],
)  # fmt: skip
def test_slices_are_those_of_a_list_percent_rounded(part, want):
    assert read(f"hf:o/n::train{part}", FakeHub(total=10)) == [f"t{n}" for n in want]


def test_percent_of_an_unknown_number_and_empty_slices_are_refused():
    with pytest.raises(BadInput, match="does not say how many rows split train has"):
        read("hf:o/n::train[:1%]", FakeHub())
    with pytest.raises(BadInput, match="the slice is empty"):
        read("hf:o/n::train[5:5]", FakeHub())


def test_documents_know_their_row_and_the_text_is_known_by_the_commit():
    fake = FakeHub(3)
    found = open_corpus("hf:o/n:en:train[1:]", hub=fake)
    assert [(str(d), d.source, d.row) for d in found] == [("t1", "o/n", 2), ("t2", "o/n", 3)]
    assert {address.revision for address in fake.asked} == {None, COMMIT} - {None}
    assert text_of(found, 100) == f"hf:o/n:en:train[1:]:text@{COMMIT}"
    shuffled = open_corpus("hf:o/n:en:train[1:]", Choice(shuffle_seed=4), hub=fake)
    assert text_of(shuffled, 100) == f"hf:o/n:en:train[1:]:text@{COMMIT} shuffled by 4"


def test_a_column_is_named_in_one_place():
    rows = [{"a": "x", "text": "y"}]
    assert read("hf:o/n", FakeHub(rows=rows)) == ["y"]
    assert read("hf:o/n:::a", FakeHub(rows=rows)) == ["x"]
    assert read("hf:o/n", FakeHub(rows=rows), column="a") == ["x"]
    with pytest.raises(BadInput, match="names column a, --column b"):
        read("hf:o/n:::a", FakeHub(rows=rows), column="b")
    with pytest.raises(BadInput, match="row 1: expected an object with"):
        read("hf:o/n:::b", FakeHub(rows=rows))


def test_an_empty_dataset_and_one_that_is_not_there_are_one_line():
    with pytest.raises(BadInput, match="there is nothing in it"):
        read("hf:o/n", FakeHub(0))
    with pytest.raises(BadInput, match=r"cannot be read from the hub: no answer \(no route") as e:
        read("hf:o/n", FakeHub(error=ConnectionError("no route\nto host")))
    assert "\n" not in str(e.value)


def test_a_dataset_of_token_ids_gives_sequences():
    rows = [{"input_ids": [n, n + 1, n + 2]} for n in range(5)]
    found = open_corpus("hf:o/n::train[1:]", hub=FakeHub(rows=rows))
    (block,) = found
    assert (found.length, block.ids.tolist()[0], block.row) == (3, [1, 2, 3], 2)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    def missing():
        raise ImportError("no module named datasets")

    monkeypatch.setattr(hub, "_datasets", missing)
    with pytest.raises(BadInput, match=r"pip install 'gloss-sae\[datasets\]'"):
        open_corpus("hf:o/n")


def test_a_local_folder_is_streamed_by_the_library_itself(tmp_path):
    pytest.importorskip("datasets", reason="the extra `datasets` is not installed")
    pq.write_table(pa.table({"n": [1, 2], "text": ["a", "b"]}), tmp_path / "a.parquet")
    found = open_corpus(f"hf:{tmp_path}")
    assert [(str(d), d.row) for d in found] == [("a", 1), ("b", 2)]
    assert found.identity is None, "a folder may change: its text counts"
    with pytest.raises(BadInput, match="Bad split: test"):
        open_corpus(f"hf:{tmp_path}::test")

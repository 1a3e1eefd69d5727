"""Text in: what each specification yields, in which order, and which mistakes are named."""

import gzip
import json
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from data.corpora import order
from data.corpora.document import Choice
from data.corpus import documents, open_corpus, python_docs, versions
from data.errors import BadInput


def test_one_text_file_is_one_document(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\ufeffFirst line\n\nsecond é\n", encoding="utf-8")
    assert list(documents(str(tmp_path / "a.txt"))) == ["First line\n\nsecond é\n"]


def test_json_lines_are_documents_and_empty_ones_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one", "id": 1}\n\n{"text": "  "}\n{"text": "two"}', encoding="utf-8")
    assert list(documents(str(path))) == ["one", "two"]


def test_a_folder_is_read_in_sorted_order_without_links_that_lead_out(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    (inside / "b").mkdir(parents=True)
    (inside / "b" / "x.md").write_text("third")
    (inside / "a.jsonl").write_text('{"text": "first"}')
    (inside / "ab.txt").write_text("second")
    (inside / "c.bin").write_bytes(b"\xff")
    (tmp_path / "secret.txt").write_text("secret")
    (inside / "link.txt").symlink_to(tmp_path / "secret.txt")
    (inside / "folder").symlink_to(tmp_path)
    (inside / "._ab.txt").write_bytes(b"\x00\x05\x16\x07")
    (inside / ".hidden.txt").write_text("hidden")
    assert list(documents(str(inside))) == ["first", "second", "third"]
    assert list(documents(str(inside / ".hidden.txt"))) == ["hidden"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{"text": "a"}\n{"text": \n', "line 2: not valid JSON"),
        (b'{"text": "a"}\n\n{"title": "b"}\n', 'line 3: expected an object with "text"'),
        (b'{"title": "b"}\n', "line 1: expected an object with one of text, .*; it has title"),
        (b'{"messages": [{"role": "user"}]}\n', "line 1: chats .* are not text"),
        (b'{"text": [{"role": "user"}]}\n', 'line 1: "text" is a list of objects; chats'),
        (b"[1, 2]\n", "line 1: expected an object with one of text, .*, found list"),
        (b'{"text": 5}\n', 'line 1: "text" is int'),
        (b'{"text": "a"}\n{"text": "\xff"}\n', "line 2: not UTF-8"),
        (b"[" * 100_000, "line 1: not valid JSON"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(BadInput, match=f"a.jsonl, {complaint}"):
        list(documents(str(tmp_path)))


@pytest.mark.parametrize("spec", ["nowhere", "", "~nobody-here/x", "x" * 5000, "a\0b", "/dev/null"])
def test_what_cannot_be_read_is_refused_before_the_first_document(spec: str) -> None:
    with pytest.raises(BadInput, match="possible are python-docs"):
        documents(spec)


def test_formats_of_other_tools_are_refused_by_suffix(tmp_path: Path) -> None:
    for name in ("a.csv", "a.tar.gz", "a.parquet.gz"):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(BadInput, match=f"{name[1:]} files cannot be read"):
            documents(str(tmp_path / name))
    with pytest.raises(BadInput, match="the folder holds no"):
        documents(str(tmp_path))


def texts(path: Path, **choice) -> list[str]:
    return [str(document) for document in documents(str(path), Choice(**choice))]


ROWS = [{"text": "one", "meta": {"title": "A"}}, {"text": None}, {"text": ""}, {"text": "two"}]
LINES = "\ufeff" + "\n".join(json.dumps(row) for row in ROWS)


def zstd(raw: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packed:
        packed.write(raw)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", LINES.encode()),
        ("a.ndjson.gz", gzip.compress(LINES[:30].encode()) + gzip.compress(LINES[30:].encode())),
        ("a.jsonl.zst", zstd(LINES[:40].encode()) + zstd(LINES[40:].encode())),
        ("a.json", json.dumps(ROWS).encode()),
        ("a.json.gz", gzip.compress(LINES.encode())),
        ("a.json", ("\ufeff \n" + json.dumps(ROWS, indent=1)).encode()),
        ("a.jsonl", b'"one"\n{"text": NaN}\n"two"\n'),
    ],
    ids=["lines", "gzip", "zstd", "list", "gzip of lines", "BOM", "strings and NaN"],
)
def test_rows_of_json_are_documents_however_they_are_packed(tmp_path: Path, name, content) -> None:
    (tmp_path / name).write_bytes(content)
    assert texts(tmp_path / name) == ["one", "two"]


def test_one_object_over_several_lines_is_a_document(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for text in (json.dumps({"text": "a"}, indent=1), '\n{"text":\n"a"}\n', '{"text": "a"}'):
        path.write_text(text)
        assert texts(path) == ["a"]
    for text in ('{\n "text": "a"\n', '{"text": "a"\n{"text": "b"}\n'):
        path.write_text(text)
        with pytest.raises(
            BadInput, match=r"a\.json: not valid JSON .*holds a list of objects, one"
        ):
            texts(path)
    path.write_text('{"text" "a"}\n{"text": "b"}\n')
    with pytest.raises(BadInput, match="line 1: not valid JSON"):
        texts(path)


def test_a_column_is_taken_by_name_by_path_or_as_the_first_known_one(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"body": "b", "content": "c", "x": {"y": "d"}, "x.z": "e"}')
    assert texts(tmp_path) == ["c"]
    assert texts(tmp_path, column="body") == ["b"]
    assert texts(tmp_path, column="x.y") == ["d"]
    assert texts(tmp_path, column="x.z") == ["e"]
    with pytest.raises(BadInput, match=r'line 1: expected an object with "x\.w"'):
        texts(tmp_path, column="x.w")


def test_text_is_split_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n\none\nline\n \n\n---\ntwo\r\n---\r\n\nthree")
    assert texts(tmp_path, split_at="---") == ["\n\none\nline\n \n\n", "two\r\n", "\nthree"]
    found = list(documents(str(tmp_path), Choice(split_at="blank-lines")))
    assert [str(one) for one in found] == ["one\nline\n", "---\ntwo\r\n---\r\n", "three"]
    assert [(one.source, one.row) for one in found] == [("a.txt", 3), ("a.txt", 7), ("a.txt", 11)]


def test_documents_know_their_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.jsonl").write_text('{"text": "x"}\n\n{"text": ""}\n{"text": "y"}')
    found = open_corpus(str(tmp_path))
    assert [(str(d), d.source, d.row) for d in found] == [
        ("x", "b/c.jsonl", 1), ("y", "b/c.jsonl", 4)
    ]  # fmt: skip
    assert found.n_empty == 1


def test_a_seed_permutes_all_rows_as_datasets_does(tmp_path: Path) -> None:
    rows = [f"text {n}" if n % 5 else "" for n in range(40)]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in rows))
    found = open_corpus(str(tmp_path), Choice(shuffle_seed=22))
    order = np.random.default_rng(22).permutation(40)
    assert [d.row for d in found] == [n + 1 for n in order.tolist() if n % 5]
    assert [str(d) for d in found] == [rows[d.row - 1] for d in found]
    assert found.n_empty == 8


def test_a_negative_seed_of_the_order_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(BadInput, match="--shuffle-seed -1 is below 0"):
        open_corpus(str(tmp_path), Choice(shuffle_seed=-1))


def test_what_is_too_much_to_shuffle_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(order, "MOST_SHUFFLED", 10)
    (tmp_path / "a.txt").write_text("eleven chars")
    with pytest.raises(BadInput, match="more than 10 bytes, too many to shuffle"):
        texts(tmp_path, shuffle_seed=1)


def test_lone_surrogates_do_not_reach_the_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a\\ud800b"}')
    assert list(documents(str(tmp_path))) == ["a?b"]


def test_docstrings_of_this_installation_come_fast_and_in_a_fixed_order() -> None:
    start = time.process_time()
    first = list(islice(documents("python-docs"), 60))
    assert time.process_time() - start < 4
    assert first == list(islice(documents("python-docs"), 60))
    assert all(len(document) >= 200 for document in first)
    assert len(set(first)) == 60


def test_a_missing_package_is_passed_over() -> None:
    assert len(list(islice(python_docs(["no_such_package"]), 3))) == 3


def test_versions_say_what_the_docstrings_were_read_from() -> None:
    assert versions("python-docs")["python"] == sys.version.split()[0].rstrip("+")
    assert versions("notes.txt") == {}


def test_reading_docstrings_imports_nothing_heavy() -> None:
    code = (
        "import sys; from itertools import islice; from data.corpus import documents;"
        "list(islice(documents('python-docs'), 5));"
        "assert not {'numpy', 'torch', 'transformers', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

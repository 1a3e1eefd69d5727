"""Text in: what each specification yields, in which order, and which mistakes are named."""

import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest

from data.corpus import documents, python_docs, versions
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
    assert list(documents(str(inside))) == ["first", "second", "third"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{"text": "a"}\n{"text": \n', "line 2: not valid JSON"),
        (b'{"text": "a"}\n\n{"title": "b"}\n', 'line 3: expected an object with "text"'),
        (b'"bare"\n', 'line 1: expected an object with "text"'),
        (b'{"text": 5}\n', 'line 1: "text" is int'),
        (b'{"text": "a"}\n{"text": "\xff"}\n', "line 2: not UTF-8"),
        (b"[" * 100_000, "line 1: not valid JSON"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(BadInput, match=f"a.jsonl, {complaint}"):
        list(documents(str(tmp_path)))


@pytest.mark.parametrize(
    "spec", ["nowhere", "hf:org/name", "", "~nobody-here/x", "x" * 5000, "a\0b"]
)
def test_what_cannot_be_read_is_refused_before_the_first_document(spec: str) -> None:
    with pytest.raises(BadInput, match="possible are python-docs"):
        documents(spec)


def test_formats_of_other_tools_are_refused_by_suffix(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(BadInput, match=r"\.parquet files cannot be read"):
        documents(str(tmp_path / "a.parquet"))
    with pytest.raises(BadInput, match="the folder holds no"):
        documents(str(tmp_path))


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

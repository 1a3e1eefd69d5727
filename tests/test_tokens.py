"""The token file: windows, documents, and what a wrong file leads to."""

import numpy as np
import pytest

from data.errors import BadInput, StoreTrouble
from data.tokens import (
    TokenFile,
    source_of,
    token_dtype,
    write_documents,
    write_sources,
    write_tokens,
)


@pytest.fixture(params=["u16", "u32"])
def file(tmp_path, request):
    write_tokens(tmp_path, [np.arange(40).reshape(4, 10), np.arange(40, 60)], request.param)
    write_documents(tmp_path, np.array([1, 17]))
    return TokenFile(tmp_path, request.param, 6, 10)


def test_everything_comes_back(file):
    assert file.matrix().tolist() == np.arange(60).reshape(6, 10).tolist()
    assert file.matrix().dtype == np.int32
    assert file.documents().tolist() == [1, 17]


def test_a_token_is_traced_back_to_its_document(file, tmp_path):
    assert source_of(file, 20) is None
    write_sources(tmp_path, ["a.jsonl", "b"], np.array([[1, 4], [0, 700]]))
    file = TokenFile(tmp_path, file.path.suffix[1:], 6, 10)
    assert source_of(file, 0) is None, "before the first document"
    assert source_of(file, 1) == ("b", 4, 0)
    assert source_of(file, 16) == ("b", 4, 15)
    assert source_of(file, 59) == ("a.jsonl", 700, 42)


def test_windows_keep_the_order_asked_for(file):
    got = file.windows(np.array([55, 0, 8], np.uint64), 5)
    assert got.tolist() == [[55, 56, 57, 58, 59], [0, 1, 2, 3, 4], [8, 9, 10, 11, 12]]
    assert file.windows(np.array([], np.uint64), 5).shape == (0, 5)


def test_many_windows_are_read_in_spans(file, tmp_path):
    first = np.array([55, 0, 13, 6])
    file = TokenFile(tmp_path, file.path.suffix[1:], 6, 10, few=1, span=7)
    assert np.array_equal(file.windows(first, 5), first[:, None] + np.arange(5))


def test_a_window_outside_is_refused(file):
    with pytest.raises(BadInput, match="reaches outside"):
        file.windows(np.array([56]), 5)


def test_a_cut_token_file_is_refused(file, tmp_path):
    file.path.write_bytes(file.path.read_bytes()[:-1])
    with pytest.raises(StoreTrouble, match="wrong size"):
        TokenFile(tmp_path, file.path.suffix[1:], 6, 10)


def test_the_narrowest_integer_is_taken():
    assert token_dtype(65_536) == "u16"
    assert token_dtype(65_537) == "u32"

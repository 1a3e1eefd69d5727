"""Packing documents into sequences."""

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from core.packing import Layout, Packing, _pieces
from data.errors import BadInput

BOS, EOS = tiny.BOS, tiny.EOS
TOKENIZER = tiny.tokenizer()


def pack(documents, n_sequences=99, **layout):
    options = {"sequence_length": 4, "bos_id": BOS, "eos_id": EOS, "special_ids": (BOS, EOS)}
    packing = Packing(documents, TOKENIZER, Layout(n_sequences=n_sequences, **(options | layout)))
    return np.concatenate(list(packing)).tolist(), packing


def test_documents_are_joined_and_each_sequence_begins_with_bos():
    rows, packing = pack(["abc", "de"])
    assert rows == [[BOS, *b"abc"], [BOS, EOS, *b"de"]]
    assert packing.starts.tolist() == [1, 6]
    assert packing.n_unmasked == 5
    assert packing.exhausted


def test_without_bos_and_eos_nothing_is_added():
    rows, packing = pack(["abcd", "efgh"], bos_id=None, eos_id=None)
    assert rows == [list(b"abcd"), list(b"efgh")]
    assert packing.starts.tolist() == [0, 4]


def test_the_last_sequence_is_filled_with_a_masked_token():
    rows, packing = pack(["abcd"])
    assert rows == [[BOS, *b"abc"], [BOS, *b"d", EOS, EOS]]
    assert packing.n_unmasked == 4


def test_a_rest_that_cannot_be_masked_is_left_out():
    rows, _ = pack(["abcdef"], bos_id=None, eos_id=None, special_ids=())
    assert rows == [list(b"abcd")]


def test_packing_stops_at_the_number_of_sequences_and_reads_no_further():
    def endless():
        while True:
            yield "abc" * 50_000

    rows, packing = pack(endless(), n_sequences=3)
    assert len(rows) == 3
    assert not packing.exhausted
    assert packing.starts.tolist() == [1]


def test_too_little_text_is_refused():
    with pytest.raises(BadInput, match="less than one sequence of 4"):
        pack(["ab"], bos_id=None, eos_id=None, special_ids=())
    with pytest.raises(BadInput, match="has 0 tokens"):
        pack([])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=20), max_size=8), st.booleans(), st.integers(2, 9))
def test_every_text_is_there_once_and_starts_where_it_is_said(documents, bos, length):
    wanted = [d.encode("utf-8", "replace") for d in documents if d]
    if not wanted:
        return
    rows, packing = pack(documents, 999, sequence_length=length, bos_id=BOS if bos else None)
    flat = np.array(rows).reshape(-1)
    assert bytes(flat[flat < 256].tolist()) == b"".join(wanted)
    assert flat[packing.starts.astype(int)].tolist() == [text[0] for text in wanted]
    assert packing.n_unmasked == (flat < 256).sum()


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from(["word ", "line\n", "x" * 70_000]), max_size=20).map("".join))
def test_pieces_of_a_long_document_are_the_document(text):
    pieces = list(_pieces(text))
    assert "".join(pieces) == text
    assert all(len(piece) <= 100_000 for piece in pieces)

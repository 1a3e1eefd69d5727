"""Packing documents into sequences."""

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from core.packing import PIECE, Layout, OnePerDocument, Packing, _pieces
from data.errors import BadInput

BOS, EOS = tiny.BOS, tiny.EOS
TOKENIZER = tiny.tokenizer()


def pack(documents, n_sequences=99, make=Packing, **layout):
    options = {"sequence_length": 4, "bos_id": BOS, "eos_id": EOS, "special_ids": (BOS, EOS)}
    packing = make(documents, TOKENIZER, Layout(n_sequences=n_sequences, **(options | layout)))
    return np.concatenate(list(packing)).tolist(), packing


def test_documents_are_joined_and_each_sequence_begins_with_bos():
    rows, packing = pack(["abc", "de"])
    assert rows == [[BOS, *b"abc"], [BOS, EOS, *b"de"]]
    assert packing.starts.token.tolist() == [1, 6]
    assert packing.starts.document.tolist() == [0, 1]
    assert packing.n_unmasked == 5
    assert packing.exhausted


def test_without_bos_and_eos_nothing_is_added():
    rows, packing = pack(["abcd", "efgh"], bos_id=None, eos_id=None)
    assert rows == [list(b"abcd"), list(b"efgh")]
    assert packing.starts.token.tolist() == [0, 4]


def test_the_last_sequence_is_filled_with_a_masked_token():
    rows, packing = pack(["abcd"])
    assert rows == [[BOS, *b"abc"], [BOS, *b"d", EOS, EOS]]
    assert packing.n_unmasked == 4


def test_a_rest_that_cannot_be_masked_is_left_out():
    rows, packing = pack(["abc", "def"], bos_id=None, eos_id=None, special_ids=())
    assert rows == [list(b"abcd")]
    assert packing.note.startswith("documents follow each other without a separator")
    assert "the last 2 tokens are left out" in packing.note
    assert pack(["abc", "def"])[1].note == ""


def test_packing_stops_at_the_number_of_sequences_and_reads_no_further():
    def endless():
        while True:
            yield "abc" * 50_000

    rows, packing = pack(endless(), n_sequences=3)
    assert len(rows) == 3
    assert not packing.exhausted
    assert packing.starts.token.tolist() == [1]


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
    assert flat[packing.starts.token.astype(int)].tolist() == [text[0] for text in wanted]
    assert packing.n_unmasked == (flat < 256).sum()


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from(["word ", "line\n", "x" * 70_000]), max_size=20).map("".join))
def test_pieces_of_a_long_document_are_the_document(text):
    pieces = list(_pieces(text))
    assert "".join(pieces) == text
    assert all(len(piece) <= 100_000 for piece in pieces)


def test_one_per_document_cuts_long_ones_and_fills_short_ones_up():
    rows, packing = pack(["abcdef", "", "g"], make=OnePerDocument)
    assert rows == [[BOS, *b"abc"], [BOS, *b"g", EOS, EOS]]
    assert packing.starts.token.tolist() == [1, 5]
    assert packing.starts.document.tolist() == [0, 2]
    assert (packing.n_unmasked, packing.exhausted) == (4, True)
    rows, packing = pack(["abcdef", "", "g"], 1, make=OnePerDocument, bos_id=None)
    assert rows == [list(b"abcd")]
    assert not packing.exhausted


def test_one_per_document_reads_as_far_into_a_document_as_it_needs():
    text = "a" * 150_000
    rows, _ = pack([text, "b"], make=OnePerDocument, sequence_length=120_001)
    assert rows[0] == [BOS, *text.encode()[:120_000]]
    assert rows[1][:3] == [BOS, *b"b", EOS]


def test_one_per_document_needs_something_that_can_be_masked():
    with pytest.raises(BadInput, match="no special token to fill short sequences with"):
        pack(["a"], make=OnePerDocument, bos_id=None, eos_id=None, special_ids=())
    with pytest.raises(BadInput, match="no document with a token"):
        pack([""], make=OnePerDocument)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=9), max_size=300), st.booleans(), st.integers(2, 9))
def test_one_per_document_is_the_beginning_of_each(documents, bos, length):
    if not any(documents):
        return
    rows, packing = pack(
        documents, 999, OnePerDocument, sequence_length=length, bos_id=BOS if bos else None
    )
    raw = [d.encode("utf-8", "replace") for d in documents]
    assert [bytes(token for token in row if token < 256) for row in rows] == [
        text[: length - bos] for text in raw if text
    ]
    assert packing.starts.document.tolist() == [n for n, text in enumerate(raw) if text]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("a\nb\n  c\n" + "  d" * PIECE, "a\nb\n  c\n"),  # none nearby: after the last line end
        ("x" * (PIECE - 20) + "\nab\n  c\n\n  d" + "  e" * 99, "x" * (PIECE - 20) + "\n"),
        ("x" * (PIECE - 1) + "\nabc", "x" * (PIECE - 1) + "\n"),
    ],
    ids=["far", "near", "at the end"],
)
def test_a_long_document_is_cut_before_a_line_that_is_not_indented(text, first):
    pieces = list(_pieces(text))
    assert pieces[0] == first
    assert "".join(pieces) == text

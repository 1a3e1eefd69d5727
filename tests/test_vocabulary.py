"""Token ids to bytes and text, for the kinds of tokenizers there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from data.errors import BadInput
from data.vocabulary import Vocabulary, byte_alphabet


def test_pieces_as_in_the_docstring():
    vocabulary = Vocabulary([b"a", b"\xe2\x82", b"\xac", b"b"])
    assert vocabulary.pieces([0, 1, 2, 3]) == ["a", "€", "", "b"]


@given(st.lists(st.binary(max_size=3) | st.text(max_size=2).map(str.encode), max_size=12))
def test_joined_pieces_are_the_decoded_text(tokens):
    pieces = Vocabulary(tokens).pieces(range(len(tokens)))
    assert len(pieces) == len(tokens)
    assert "".join(pieces) == b"".join(tokens).decode("utf-8", errors="replace")


@given(st.text(min_size=1, max_size=6))
def test_a_character_stands_at_its_first_byte(text):
    tokens = [bytes([byte]) for byte in text.encode()]
    pieces = Vocabulary(tokens).pieces(range(len(tokens)))
    assert [piece for piece in pieces if piece] == list(text)
    assert pieces[0] == text[0]


@given(st.lists(st.binary(max_size=4), max_size=8))
def test_saved_is_loaded(tmp_path_factory, tokens):
    path = tmp_path_factory.mktemp("v") / "vocabulary.json"
    Vocabulary(tokens).save(path)
    assert Vocabulary.load(path).bytes == tokens
    assert Vocabulary.load(path).sha256 == Vocabulary(tokens).sha256


def test_byte_level_tokens_and_added_ones():
    vocabulary = {"Ġthe": 0, "ÃŃ": 1, "Ċ": 2, "Ã": 3}
    inner = Tokenizer(models.BPE(vocabulary, []))
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens([AddedToken("<|Ġ|>", special=True)])
    inner.add_tokens([AddedToken("  Ã", normalized=False)])
    got = Vocabulary.from_tokenizer(PreTrainedTokenizerFast(tokenizer_object=inner))
    assert got.bytes == [b" the", "í".encode(), b"\n", b"\xc3", "<|Ġ|>".encode(), "  Ã".encode()]
    assert got.strings[3] == "\N{REPLACEMENT CHARACTER}"


def test_sentencepiece_tokens():
    vocabulary = {"▁the": 0, "<0x0A>": 1, "<0xE2>": 2, "é": 3}
    inner = Tokenizer(models.BPE(vocabulary, []))
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    got = Vocabulary.from_tokenizer(PreTrainedTokenizerFast(tokenizer_object=inner))
    assert got.bytes == [b" the", b"\n", b"\xe2", "é".encode()]


@given(st.text())
def test_every_text_survives_a_byte_level_tokenizer(text):
    inner = Tokenizer(models.BPE(byte_alphabet(), []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    ids = inner.encode(text).ids
    mine = Vocabulary.from_tokenizer(PreTrainedTokenizerFast(tokenizer_object=inner))
    assert "".join(mine.pieces(ids)) == text


def test_another_file_is_refused(tmp_path):
    (tmp_path / "vocabulary.json").write_text('{"tokens": [1.5]}')
    with pytest.raises(BadInput, match="not a vocabulary"):
        Vocabulary.load(tmp_path / "vocabulary.json")

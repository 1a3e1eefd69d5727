"""What every token id stands for, as bytes, and text made of them.

A token may be a part of a character, so ids map to bytes and text is made of several at a time.
Built once from a tokenizer, kept beside the tokens as vocabulary.json; pages need no tokenizer.
"""

import codecs
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from data.durable import reporting, write_file
from data.errors import BadInput


class Vocabulary:
    """The bytes of every token id."""

    def __init__(self, tokens: Sequence[bytes]) -> None:
        self.bytes = list(tokens)
        self.strings = [token.decode("utf-8", errors="replace") for token in self.bytes]
        self._whole = [_is_whole(token) for token in self.bytes]

    def __len__(self) -> int:
        return len(self.bytes)

    @property
    def sha256(self) -> str:
        """Hash of all tokens and their order."""
        digest = hashlib.sha256()
        for token in self.bytes:
            digest.update(len(token).to_bytes(4, "little") + token)
        return digest.hexdigest()

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Say what to show for each token, so that the joined pieces are the decoded text.

        A character spread over tokens stands at its first one: the bytes 'a', e2 82, ac, 'b' give
        'a', '€', '', 'b'. Bytes that are no text give the replacement character.
        """
        ids = [int(token) for token in ids]
        if all(self._whole[token] for token in ids):
            return [self.strings[token] for token in ids]
        return _split_characters([self.bytes[token] for token in ids])

    def save(self, path: Path) -> None:
        """Write vocabulary.json: text where a token is valid UTF-8, else its bytes as numbers."""
        entries = [
            text if whole else list(token)
            for text, whole, token in zip(self.strings, self._whole, self.bytes, strict=True)
        ]
        text = json.dumps({"format": 1, "tokens": entries}, ensure_ascii=False)
        write_file(path, [text.encode("utf-8")])

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read vocabulary.json."""
        try:
            with reporting(path):
                entries = json.loads(path.read_text("utf-8"))["tokens"]
            return cls([e.encode("utf-8") if isinstance(e, str) else bytes(e) for e in entries])
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{path} is not a vocabulary of Gloss: make the cache again") from error

    @classmethod
    def from_tokenizer(cls, tokenizer: "Tokenizer") -> "Vocabulary":
        """Read every id's bytes from a Hugging Face tokenizer; ids without a token are empty."""
        ids = tokenizer.get_vocab()
        spell = _speller(tokenizer)
        tokens = [b""] * (max(ids.values(), default=-1) + 1)
        for text, number in ids.items():
            tokens[number] = spell(text)
        for number, added in tokenizer.added_tokens_decoder.items():
            if number < len(tokens):
                tokens[number] = str(added).encode("utf-8")  # stands for itself, never mapped
        return cls(tokens)


class Tokenizer(Protocol):
    """What is needed of a tokenizer."""

    @property
    def added_tokens_decoder(self) -> dict: ...

    def get_vocab(self) -> dict[str, int]: ...


def _is_whole(token: bytes) -> bool:
    try:
        token.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _split_characters(tokens: list[bytes]) -> list[str]:
    """Decode a stream token by token, giving each character to the token that began it."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    pieces = [""] * len(tokens)
    begun: int | None = None  # token that holds the first byte of an unfinished character
    for number, token in enumerate(tokens):
        text = decoder.decode(token)
        if text and begun is not None:
            # An unfinished character gives exactly one: itself, or one replacement character.
            pieces[begun] += text[0]
            text = text[1:]
            begun = None
        pieces[number] += text
        unfinished = bool(decoder.getstate()[0])
        if unfinished and begun is None:
            begun = number
    if begun is not None:
        pieces[begun] += decoder.decode(b"", final=True)
    return pieces


def _speller(tokenizer: "Tokenizer"):
    """Choose how a token's written form becomes bytes, by the tokenizer's own decoder."""
    kinds = _decoder_kinds(tokenizer)
    if "ByteLevel" in kinds:
        alphabet = byte_alphabet()
        return lambda text: _from_alphabet(text, alphabet)
    if "WordPiece" in kinds:
        return lambda text: (text[2:] if text.startswith("##") else " " + text).encode("utf-8")
    return _from_sentencepiece


def _decoder_kinds(tokenizer: "Tokenizer") -> set[str]:
    """Collect the names of all steps of a fast tokenizer's decoder."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    decoder = getattr(backend, "decoder", None)
    if decoder is None:
        return set()
    state = json.loads(decoder.__getstate__())
    steps = state.get("decoders", [state])
    return {step.get("type") for step in steps}


def _from_alphabet(text: str, alphabet: dict[str, int]) -> bytes:
    if all(character in alphabet for character in text):
        return bytes(alphabet[character] for character in text)
    return text.encode("utf-8")


def _from_sentencepiece(text: str) -> bytes:
    """Spell '▁the' as ' the' and '<0x0A>' as the byte 0a."""
    if len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
        return bytes.fromhex(text[3:5])
    return text.replace("▁", " ").encode("utf-8")


def byte_alphabet() -> dict[str, int]:
    """Map the characters that byte-level BPE writes bytes with, as GPT-2 introduced them.

    Printable Latin-1 characters stand for themselves; the other 68 bytes, in order, for the
    characters from U+0100 on, so that 'Ġ' (U+0120) is the space.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    alphabet = {chr(byte): byte for byte in printable}
    return alphabet | {chr(0x100 + i): byte for i, byte in enumerate(others)}

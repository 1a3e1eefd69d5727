"""Turns documents into sequences of equal length for the subject.

    documents -> tokens, joined with EOS -> cut to sequences, each beginning with BOS

In: texts and a tokenizer. Out: blocks of token ids [sequences, sequence_length], in constant
memory, and afterwards where every document starts. Knows nothing of models, SAEs or files.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.errors import BadInput

CHUNK = 200_000  # characters tokenised at once
PIECE = 100_000  # characters; longer documents are tokenised in pieces, cut at line ends


@dataclass(frozen=True, slots=True)
class Layout:
    """How sequences are laid out."""

    sequence_length: int  # tokens
    n_sequences: int  # wanted; fewer when the corpus ends earlier
    bos_id: int | None = None  # begins every sequence
    eos_id: int | None = None  # stands between documents
    special_ids: tuple[int, ...] = ()

    @property
    def text_length(self) -> int:
        """Tokens of a sequence that come from documents."""
        return self.sequence_length - (self.bos_id is not None)

    def flat_index(self, place: np.ndarray) -> np.ndarray:
        """Find where tokens of the joined documents come to lie.

        With BOS and sequences of 4, tokens 0 1 2 | 3 lie at 1 2 3 | 5.
        """
        sequence, position = np.divmod(place, self.text_length)
        return sequence * self.sequence_length + position + (self.bos_id is not None)


class Packing:
    """Iterates over blocks of sequences; what is counted is right once the blocks are used up."""

    def __init__(self, documents: Iterable[str], tokenizer: Any, layout: Layout) -> None:
        self.layout = layout
        self.n_sequences = 0
        self.n_unmasked = 0  # positions that may activate
        self.exhausted = False  # the corpus ended before the number of sequences wanted
        self._documents = documents
        self._tokenizer = tokenizer
        self._starts: list[np.ndarray] = []
        self._special = np.array(layout.special_ids, np.int64)

    @property
    def starts(self) -> np.ndarray:
        """Flat index at which each document starts, uint64, ascending."""
        found = np.concatenate([*self._starts, np.empty(0, np.int64)])
        found = self.layout.flat_index(found.astype(np.int64))
        end = self.n_sequences * self.layout.sequence_length
        return found[found < end].astype(np.uint64)

    def __iter__(self) -> Iterator[np.ndarray]:
        wanted = self.layout.n_sequences
        waiting = np.empty(0, np.int64)  # tokens not yet in a sequence
        read = 0  # tokens of documents so far
        for texts in self._chunks():
            tokens, starts = self._tokenise(texts)
            self._starts.append(starts + read)
            read += len(tokens)
            waiting = np.concatenate([waiting, tokens])
            ready = min(len(waiting) // self.layout.text_length, wanted - self.n_sequences)
            if ready:
                taken = ready * self.layout.text_length
                yield self._block(waiting[:taken])
                waiting = waiting[taken:]
            if self.n_sequences == wanted:
                return
        yield from self._rest(waiting)
        self.exhausted = self.n_sequences < wanted

    def _chunks(self) -> Iterator[list[tuple[str, bool]]]:
        """Group pieces of documents for the tokenizer, with whether a document starts there.

        A chunk is not much larger than what is still wanted, at three characters a token.
        """
        chunk: list[tuple[str, bool]] = []
        size = 0
        for document in self._documents:
            for number, text in enumerate(_pieces(document)):
                chunk.append((text, number == 0))
                size += len(text)
                left = self.layout.n_sequences - self.n_sequences
                if size >= min(CHUNK, 3 * left * self.layout.text_length):
                    yield chunk
                    chunk, size = [], 0
        if chunk:
            yield chunk

    def _tokenise(self, texts: list[tuple[str, bool]]) -> tuple[np.ndarray, np.ndarray]:
        """Join the tokens of pieces of documents; also where documents start among them."""
        found = encode(self._tokenizer, [text for text, _ in texts])
        parts, starts, length = [], [], 0
        for ids, (_, first) in zip(found, texts, strict=True):
            part = np.array(ids, np.int64)
            ordinary = np.flatnonzero(~np.isin(part, self._special)) if first else []
            begun = length > 0 or len(self._starts) > 0
            if first and begun and self.layout.eos_id is not None:
                part = np.concatenate([[self.layout.eos_id], part])
                ordinary = np.asarray(ordinary) + 1
            if len(ordinary):
                starts.append(length + int(ordinary[0]))
            parts.append(part)
            length += len(part)
        return np.concatenate([np.empty(0, np.int64), *parts]), np.array(starts, np.int64)

    def _block(self, tokens: np.ndarray) -> np.ndarray:
        """Cut tokens into sequences, int64 [sequences, sequence_length]."""
        rows = tokens.reshape(-1, self.layout.text_length)
        if self.layout.bos_id is not None:
            bos = np.full((len(rows), 1), self.layout.bos_id, np.int64)
            rows = np.concatenate([bos, rows], axis=1)
        self.n_sequences += len(rows)
        self.n_unmasked += int(rows.size - np.isin(rows, self._special).sum())
        return rows

    def _rest(self, tokens: np.ndarray) -> Iterator[np.ndarray]:
        """Fill the last sequence with a special token, which is masked; without one it is lost."""
        filler = self.layout.eos_id if self.layout.eos_id is not None else self.layout.bos_id
        if filler is None and self.layout.special_ids:
            filler = self.layout.special_ids[0]
        if len(tokens) and filler is not None:
            missing = self.layout.text_length - len(tokens)
            yield self._block(np.concatenate([tokens, np.full(missing, filler, np.int64)]))
        if not self.n_sequences:
            raise BadInput(
                f"the corpus has {len(tokens)} tokens, less than one sequence of "
                f"{self.layout.sequence_length}: give more text or a smaller --sequence-length"
            )


def encode(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """Tokenise without special tokens, by the quickest way that the tokenizer has."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None and backend.truncation is None and backend.padding is None:
        # A third quicker than the call below, which also keeps where each token stands.
        return [found.ids for found in backend.encode_batch_fast(texts, add_special_tokens=False)]
    return tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"]


def _pieces(document: str) -> Iterator[str]:
    """Cut a long document after a line end (or a space, or anywhere), so that memory is bounded."""
    if not document.isascii():
        document = document.encode("utf-8", "replace").decode("utf-8")  # lone surrogates
    first = 0
    while len(document) - first > PIECE:
        end = _cut(document, first, first + PIECE)
        yield document[first:end]
        first = end
    if first < len(document):
        yield document[first:]


def _cut(document: str, first: int, end: int) -> int:
    """Find the last place up to `end` where hardly any tokenizer has a token across it."""
    line, space = document.rfind("\n", first, end), document.rfind(" ", first, end)
    if line > first:
        return line + 1
    return space if space > first else end

"""Turns documents into sequences of equal length for the subject.

    pack                documents -> tokens, joined with EOS -> cut to sequences
    one-per-document    documents -> tokens, cut off or filled up, which is masked -> sequences

Each sequence begins with BOS. In: texts and a tokenizer. Out: blocks of token ids
[sequences, sequence_length], in constant memory, and afterwards where every document starts. Knows
nothing of models, SAEs or files.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from data.errors import BadInput

CHUNK = 200_000  # characters tokenised at once
PIECE = 100_000  # characters; longer documents are tokenised in pieces, cut at line ends
NEAR = 10_000  # characters before a piece's end among which a better line end is looked for
BATCH = 256  # documents tokenised at once where each has a sequence of its own


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

    @property
    def filler(self) -> int | None:
        """What a sequence is filled up with: a special token, which is masked; None without one."""
        known = (self.eos_id, self.bos_id, *self.special_ids)
        return next((token for token in known if token is not None), None)


class Starts(NamedTuple):
    """Where documents start in the joined sequences."""

    token: np.ndarray  # uint64 [starts], flat index, ascending
    document: np.ndarray  # int64 [starts], which document of the corpus, from 0


class Sequences:
    """Iterates over blocks of sequences; what is counted is right once the blocks are used up."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.n_sequences = 0
        self.n_unmasked = 0  # positions that may activate
        self.exhausted = False  # the corpus ended before the number of sequences wanted
        self._special = np.array(layout.special_ids, np.int64)

    @property
    def starts(self) -> Starts:
        """Where documents start, those that have a token."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[np.ndarray]:
        """Give blocks, int64 [sequences, sequence_length]."""
        raise NotImplementedError

    def _counted(self, rows: np.ndarray) -> np.ndarray:
        self.n_sequences += len(rows)
        self.n_unmasked += int(rows.size - np.isin(rows, self._special).sum())
        return rows

    def _with_bos(self, rows: np.ndarray) -> np.ndarray:
        """Put BOS before rows [sequences, text_length], if sequences begin with it."""
        if self.layout.bos_id is None:
            return rows
        bos = np.full((len(rows), 1), self.layout.bos_id, np.int64)
        return np.concatenate([bos, rows], axis=1)


class Packing(Sequences):
    """Documents joined by EOS and cut; what is left at the end is a last, filled sequence."""

    def __init__(self, documents: Iterable[str], tokenizer: Any, layout: Layout) -> None:
        super().__init__(layout)
        self.n_dropped = 0  # tokens at the end that filled no sequence
        self._documents = documents
        self._tokenizer = tokenizer
        self._starts: list[np.ndarray] = []
        self._numbers: list[np.ndarray] = []

    @property
    def note(self) -> str:
        """What a person should know of how documents were joined, in one line."""
        found = []
        if self.layout.eos_id is None and len(self.starts.token) > 1:
            found.append("documents follow each other without a separator: the subject has no EOS")
        if self.n_dropped:
            found.append(
                f"the last {self.n_dropped:,} tokens are left out: they fill no sequence, and the "
                "subject has no special token to fill it up with"
            )
        return "; ".join(found)

    @property
    def starts(self) -> Starts:
        """Where documents start, those that have a token."""
        place = np.concatenate([*self._starts, np.empty(0, np.int64)]).astype(np.int64)
        number = np.concatenate([*self._numbers, np.empty(0, np.int64)]).astype(np.int64)
        token = self.layout.flat_index(place)
        inside = token < self.n_sequences * self.layout.sequence_length
        return Starts(token[inside].astype(np.uint64), number[inside])

    def __iter__(self) -> Iterator[np.ndarray]:
        wanted = self.layout.n_sequences
        waiting = np.empty(0, np.int64)  # tokens not yet in a sequence
        read = 0  # tokens of documents so far
        for texts in self._chunks():
            tokens, starts, numbers = self._tokenise(texts)
            self._starts.append(starts + read)
            self._numbers.append(numbers)
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

    def _chunks(self) -> Iterator[list[tuple[str, int | None]]]:
        """Group pieces of documents for the tokenizer, with the document that starts there.

        A chunk is not much larger than what is still wanted, at three characters a token.
        """
        chunk: list[tuple[str, int | None]] = []
        size = 0
        for document_number, document in enumerate(self._documents):
            for number, text in enumerate(_pieces(document)):
                chunk.append((text, document_number if number == 0 else None))
                size += len(text)
                left = self.layout.n_sequences - self.n_sequences
                if size >= min(CHUNK, 3 * left * self.layout.text_length):
                    yield chunk
                    chunk, size = [], 0
        if chunk:
            yield chunk

    def _tokenise(
        self, texts: list[tuple[str, int | None]]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Join the tokens of pieces; also where documents start among them, and which ones."""
        found = encode(self._tokenizer, [text for text, _ in texts])
        parts, starts, numbers, length = [], [], [], 0
        for ids, (_, number) in zip(found, texts, strict=True):
            part = np.array(ids, np.int64)
            ordinary = np.flatnonzero(~np.isin(part, self._special)) if number is not None else []
            begun = length > 0 or len(self._starts) > 0
            if number is not None and begun and self.layout.eos_id is not None:
                part = np.concatenate([[self.layout.eos_id], part])
                ordinary = np.asarray(ordinary) + 1
            if len(ordinary):
                starts.append(length + int(ordinary[0]))
                numbers.append(number)
            parts.append(part)
            length += len(part)
        joined = np.concatenate([np.empty(0, np.int64), *parts])
        return joined, np.array(starts, np.int64), np.array(numbers, np.int64)

    def _block(self, tokens: np.ndarray) -> np.ndarray:
        """Cut tokens into sequences, int64 [sequences, sequence_length]."""
        return self._counted(self._with_bos(tokens.reshape(-1, self.layout.text_length)))

    def _rest(self, tokens: np.ndarray) -> Iterator[np.ndarray]:
        """Fill the last sequence with a special token; without one it is lost."""
        filler = self.layout.filler
        if len(tokens) and filler is not None:
            missing = self.layout.text_length - len(tokens)
            yield self._block(np.concatenate([tokens, np.full(missing, filler, np.int64)]))
        elif self.n_sequences:
            self.n_dropped = len(tokens)
        if not self.n_sequences:
            raise BadInput(
                f"the corpus has {len(tokens)} tokens, less than one sequence of "
                f"{self.layout.sequence_length}: give more text or a smaller --sequence-length"
            )


class OnePerDocument(Sequences):
    """Every document a sequence of its own: its beginning, filled up where it is shorter."""

    def __init__(self, documents: Iterable[str], tokenizer: Any, layout: Layout) -> None:
        super().__init__(layout)
        if layout.filler is None:
            raise BadInput(
                "the subject has no special token to fill short sequences with: leave out "
                "--packing one-per-document"
            )
        self._documents = documents
        self._tokenizer = tokenizer
        self._filler = layout.filler
        self._places: list[int] = []  # of starts among the tokens of documents
        self._numbers: list[int] = []

    @property
    def starts(self) -> Starts:
        """Where documents start, those that have a token."""
        token = self.layout.flat_index(np.array(self._places, np.int64)).astype(np.uint64)
        return Starts(token, np.array(self._numbers, np.int64))

    def __iter__(self) -> Iterator[np.ndarray]:
        documents = enumerate(self._documents)
        while left := self.layout.n_sequences - self.n_sequences:
            batch = list(islice(documents, min(BATCH, left)))
            if not batch:
                self.exhausted = True
                break
            rows = list(self._rows(batch))
            if rows:
                yield self._counted(self._with_bos(np.stack(rows)))
        if not self.n_sequences:
            raise BadInput("the corpus has no document with a token: give more text")

    def _rows(self, batch: list[tuple[int, str]]) -> Iterator[np.ndarray]:
        """Tokenise documents; one without an ordinary token is passed over."""
        length = self.layout.text_length
        pieces = [_pieces(document) for _, document in batch]
        first = encode(self._tokenizer, [next(found, "") for found in pieces])
        for (number, _), ids, more in zip(batch, first, pieces, strict=True):
            while len(ids) < length and (text := next(more, "")):
                ids = [*ids, *encode(self._tokenizer, [text])[0]]  # noqa: PLW2901
            row = np.array([*ids[:length], *[self._filler] * (length - len(ids))], np.int64)
            ordinary = np.flatnonzero(~np.isin(row, self._special))
            if len(ordinary):
                self._places.append(len(self._places) * length + int(ordinary[0]))
                self._numbers.append(number)
                yield row


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
    """Find the last place up to `end` where hardly any tokenizer has a token across it.

    Between two lines, and as many tokenizers join a line end with the indentation behind it, before
    a line that begins with no space, where there is one nearby.
    """
    line = document.rfind("\n", first, end)
    if line <= first:
        space = document.rfind(" ", first, end)
        return space if space > first else end
    plain, lowest = line, max(first, end - NEAR)
    while plain > lowest:
        if not document[plain + 1].isspace():
            return plain + 1
        plain = document.rfind("\n", lowest, plain)
    return line + 1

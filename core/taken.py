"""Sequences that were cut and tokenised before: checked against the subject, taken as they are.

    -100                 masked: becomes a special token, only at the end of a sequence
    id >= vocabulary     another tokenizer: refused
    BOS, EOS             counted where they stand; nothing is added or removed

What follows a special token, or begins a sequence, counts as the start of a document: more is not
known of them. In: blocks of ids. Out: blocks [sequences, sequence_length], counts, starts.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from core.packing import Layout, Sequences, Starts
from data.corpora.token_rows import Block, TokenRows
from data.errors import BadInput
from data.percents import percent

MASKED = -100  # what labels have where nothing is to be predicted
NARROW = 65_536  # ids of 16 bits


class Taken(Sequences):
    """Iterates over sequences of a token cache; what is counted is right once they are used up."""

    def __init__(
        self, rows: TokenRows, layout: Layout, *, vocabulary_size: int, bos_id: int | None
    ) -> None:
        super().__init__(layout)
        if rows.is_narrow and vocabulary_size > NARROW:
            raise BadInput(
                f"Corpus {rows.name} keeps ids of 16 bits, the subject's vocabulary has "
                f"{vocabulary_size:,}: it was made with another tokenizer, or is damaged"
            )
        self._rows, self._limit, self._bos_id = rows, vocabulary_size, bos_id
        self._starts: list[np.ndarray] = []
        self._sources: list[np.ndarray] = []
        self._names: dict[str, int] = {}
        self._n_bos = self._n_eos = self._n_masked = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        wanted = self.layout.n_sequences
        for block in self._rows:
            block = block._replace(ids=block.ids[: wanted - self.n_sequences])  # noqa: PLW2901
            rows = self._checked(block)
            self._note(rows, block)
            yield self._counted(rows)
            if self.n_sequences == wanted:
                return
        if not self.n_sequences:
            raise BadInput(f"Corpus {self._rows.name} has no sequence: give another one")
        self.exhausted = True

    @property
    def starts(self) -> Starts:
        """Where documents start; each is known by its sequence."""
        token = np.concatenate(self._starts).astype(np.uint64)
        return Starts(token, np.arange(len(token)))

    def table(self) -> tuple[Sequence[str], np.ndarray]:
        """Names of sources, and source and row of every start, uint64 [starts, 2]."""
        return list(self._names), np.concatenate(self._sources).astype(np.uint64)

    @property
    def facts(self) -> dict[str, Any]:
        """What was measured: shares of sequences, and masked positions."""
        n = max(1, self.n_sequences)
        return {
            **self._rows.facts,
            "begin_with_bos": self._n_bos / n,
            "with_eos_inside": self._n_eos / n,
            "n_masked": self._n_masked,
        }

    @property
    def note(self) -> str:
        """What a person should know of the sequences, in one line."""
        share = self._n_bos / max(1, self.n_sequences)
        found = []
        if self._bos_id is not None and share < 1:
            found.append(
                f"{percent(share)} of the sequences begin with BOS, which the subject's tokenizer "
                "has: activations differ if it was trained so"
            )
        if "tokenizer_name" in self._rows.facts:
            found.append(f"made with the tokenizer {self._rows.facts['tokenizer_name']}")
        return "; ".join(found)

    def _checked(self, block: Block) -> np.ndarray:
        """Replace masked positions, refuse what the subject cannot read."""
        ids = block.ids
        masked = ids == MASKED
        if masked.any():
            ids = self._filled(block, masked)
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= self._limit:
            raise BadInput(
                f"{block.source} of corpus {self._rows.name} has the token id "
                f"{low if low < 0 else high}, the subject's vocabulary ends at {self._limit - 1}: "
                "it was made with another tokenizer"
            )
        return ids

    def _filled(self, block: Block, masked: np.ndarray) -> np.ndarray:
        filler = self.layout.filler
        if filler is None:
            raise BadInput(
                f"Corpus {self._rows.name} has masked positions, and the subject no special token "
                "to put there: cut its sequences without them"
            )
        resumed = masked[:, :-1] & ~masked[:, 1:] & ~np.isin(block.ids[:, 1:], self._special)
        if resumed.any():
            row = block.row + int(np.flatnonzero(resumed.any(axis=1))[0])
            raise BadInput(
                f"{block.source}, row {row} is masked before its text: only masks at the end are "
                "read, for the subject sees what stands before"
            )
        self._n_masked += int(masked.sum())
        return np.where(masked, filler, block.ids)

    def _note(self, rows: np.ndarray, block: Block) -> None:
        """Count BOS and EOS; keep where documents start and which sequences they are in."""
        special = np.isin(rows, self._special)
        before = np.concatenate([np.ones((len(rows), 1), bool), special[:, :-1]], axis=1)
        row, position = np.nonzero(before & ~special)
        first = self.n_sequences * self.layout.sequence_length
        self._starts.append(first + row * self.layout.sequence_length + position)
        number = self._names.setdefault(block.source, len(self._names))
        self._sources.append(np.stack([np.full(len(row), number), block.row + row], axis=1))
        self._n_bos += int((rows[:, 0] == self._bos_id).sum()) if self._bos_id is not None else 0
        if self.layout.eos_id is not None:
            inside = (rows[:, 1:] == self.layout.eos_id) & ~_trailing(special)[:, 1:]
            self._n_eos += int(inside.any(axis=1).sum())


def _trailing(special: np.ndarray) -> np.ndarray:
    """Mark the special positions at the end of each row."""
    return np.logical_and.accumulate(special[:, ::-1], axis=1)[:, ::-1]

"""The contexts that verdicts are about, each read once, whatever its length.

Items of several scorers share their contexts, and presets differ in how long these are.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.examples.contexts import spread
from core.importing.reading import NO_ID, StoredReader
from core.pipeline.workbench import Workbench
from data.catalogue import Row
from data.records import HookpointRecord


class Text(NamedTuple):
    """One context."""

    pieces: list[str]  # one a token; "" where it is no text, or goes on with a character
    ids: list[int]  # -1 where there is none to show
    activations: list[float]  # raw, one a token
    sequence: int | None  # None = it stands nowhere in the tokens of the cache
    position: int | None  # of its first token in the sequence


class Windows:
    """The contexts of one feature."""

    def __init__(
        self, bench: Workbench, hookpoint: HookpointRecord, feature: int, stored: list[Row]
    ) -> None:
        self._bench = bench
        self._reader = StoredReader(bench, hookpoint, feature, stored)
        self._known: dict[tuple[int, int], Text] = {}

    def load(self, verdicts: Sequence[Row]) -> None:
        """Read the contexts of many verdicts together."""
        wanted: dict[int, dict[int, None]] = {}
        for row in verdicts:
            if (row["first_token"], row["length"]) not in self._known:
                wanted.setdefault(row["length"], {})[row["first_token"]] = None
        end = len(self._bench.files.tokens)
        for length, firsts in wanted.items():
            self._read_all([first for first in firsts if first + length <= end], length)

    def of(self, first: int, length: int) -> Text:
        """The context of so many tokens that begins with a flat index."""
        key = int(first), int(length)
        if key not in self._known:
            self._known[key] = self._read(*key)
        return self._known[key]

    def _read_all(self, firsts: list[int], length: int) -> None:
        """Read contexts of one length that lie within the tokens."""
        if not firsts:
            return
        files, where = self._bench.files, np.array(firsts, np.int64)
        ids = files.tokens.windows(where, length)
        values = spread(self._reader.activations, where, length).tolist()
        hidden = np.isin(ids, np.array(files.meta.special_ids, np.int64))
        shown = np.where(hidden, NO_ID, ids).tolist()
        for i, first in enumerate(firsts):
            pieces = files.vocabulary.pieces(ids[i].tolist())
            pieces = ["" if hide else one for one, hide in zip(pieces, hidden[i], strict=True)]
            place = divmod(first, files.meta.sequence_length)
            self._known[first, length] = Text(pieces, shown[i], values[i], *place)

    def _read(self, first: int, length: int) -> Text:
        """Read one context, also one that stands nowhere in the tokens."""
        found = self._reader.window(first, length)
        inside = first < len(self._bench.files.tokens)
        size = self._bench.files.meta.sequence_length
        place = divmod(first, size) if inside else (None, None)
        return Text(found.pieces, found.ids, found.activations, *place)

    def strings(self, window: Text) -> list[str]:
        """The text of each token by itself, as other tools decode: special ones are shown too."""
        files = self._bench.files
        if window.sequence is None or window.position is None:
            return window.pieces
        first = window.sequence * files.meta.sequence_length + window.position
        ids = files.tokens.flat(first, len(window.pieces)).tolist()
        return [files.vocabulary.strings[token] for token in ids]

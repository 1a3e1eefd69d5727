"""The stored contexts of a feature of an imported cache, with their text and activations.

In: an opened cache and the feature's rows of `example`. Out: token ids, pieces of text and
activations of each context, whatever its length, also of those that stand beside the tokens.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from core.examples import FeatureExamples
from core.examples.contexts import spread
from core.examples.stored import stored_contexts
from core.importing.annex import AnnexText, read_annex
from core.pipeline.workbench import Workbench
from data.activations import FeatureActivations
from data.catalogue import Row
from data.records import HookpointRecord

NO_ID = -1  # of a token that has none, or is not text


class Window(NamedTuple):
    """A stretch of text."""

    first: int  # flat index of its first token
    pieces: list[str]  # one a token; "" where it is no text
    ids: list[int]  # NO_ID where there is none to show
    activations: list[float]  # raw, one a token


class StoredReader:
    """Reads what an import says about one feature."""

    def __init__(
        self, bench: Workbench, hookpoint: HookpointRecord, feature: int, rows: Sequence[Row]
    ) -> None:
        self._bench, self._hookpoint, self._feature = bench, hookpoint, feature
        self._stored = stored_contexts(rows, feature)
        self._lengths = {row["first_token"]: row["length"] for row in rows}
        self._special = set(bench.files.meta.special_ids)

    @property
    def examples(self) -> FeatureExamples:
        """All stored contexts."""
        return self._stored

    @cached_property
    def activations(self) -> FeatureActivations:
        """Every stored activation of the feature."""
        return self._bench.slice(self._hookpoint, self._feature)

    @cached_property
    def annex(self) -> dict[int, AnnexText]:
        """Contexts that stand nowhere in the tokens."""
        return read_annex(self._bench.files.folder)

    def length(self, first: int) -> int:
        """Tokens of a stored context; of another one, those that the cache's contexts have."""
        return self._lengths.get(first, self._bench.context_length)

    def window(self, first: int, length: int) -> Window:
        """One stretch of the cache's tokens, or a context beside them; never beyond the last."""
        if first >= len(self._bench.files.tokens):
            return self._beside(first)
        length = min(length, len(self._bench.files.tokens) - first)
        where = np.array([first])
        ids = self._bench.files.tokens.windows(where, length)[0].tolist()
        values = spread(self.activations, where, length)[0].tolist()
        pieces = self._bench.files.vocabulary.pieces(ids)
        hidden = [token in self._special for token in ids]
        return Window(
            first,
            ["" if hide else piece for piece, hide in zip(pieces, hidden, strict=True)],
            [NO_ID if hide else token for token, hide in zip(ids, hidden, strict=True)],
            values,
        )

    def _beside(self, first: int) -> Window:
        text = self.annex.get(first)
        if text is None:
            return Window(first, ["(not stored)"], [NO_ID], [0.0])
        return Window(first, text.tokens, [NO_ID] * len(text.tokens), text.activations)

    def sequence(self, first: int) -> range:
        """Flat indices of the sequence that a context stands in; the context itself beside it."""
        if first >= len(self._bench.files.tokens):
            return range(first, first + len(self.window(first, 0).pieces))
        size = self._bench.files.meta.sequence_length
        begin = first - first % size
        return range(begin, begin + size)

"""A feature's contexts as passages of text; reads the files of a cache, knows nothing of Streamlit.

In: flat indices of first tokens. Out: passages of the width asked for, in the order asked for, with
special tokens left out and document borders noted. `Reader` is all that pages ask of a feature, so
that one without stored activations can be read by other means.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from core.drawing.spans import Passage
from core.examples import FeatureExamples
from core.examples.activating import Stream, activating
from core.examples.contexts import spread
from core.examples.draw import alone
from core.pipeline.workbench import Workbench
from data.records import HookpointRecord

NO_MARKS: frozenset[int] = frozenset()


class Width(StrEnum):
    """How much text a row shows."""

    FIVE = "±5"
    SIXTEEN = "±16"
    CONTEXT = "context"
    SEQUENCE = "sequence"


AROUND = {Width.FIVE: 5, Width.SIXTEEN: 16}  # tokens either side of the peak


class Strongest(NamedTuple):
    """A feature's distinct contexts of both splits, strongest first."""

    first_token: np.ndarray  # uint64 [n]
    peak: np.ndarray  # float32 [n]
    split: np.ndarray  # 0 train, 1 test, uint8 [n]
    copies: np.ndarray  # contexts with the same tokens, int64 [n]


class Reader(Protocol):
    """What the page of a feature needs; a context is named by the flat index of its first token."""

    @property
    def drawn(self) -> FeatureExamples:
        """The contexts that explainers and judges see, with split, decile and peak."""
        ...

    @property
    def strongest(self) -> Strongest:
        """All distinct activating contexts that are known, strongest first."""
        ...

    def passages(
        self,
        first_token: np.ndarray,
        width: Width = Width.CONTEXT,
        marks: Mapping[int, frozenset[int]] | None = None,
    ) -> list[Passage]:
        """One passage for each first token, in their order; marks: offsets to outline, by row."""
        ...

    def around(self, tokens: Sequence[int]) -> dict[int, Passage]:
        """The contexts that hold some tokens, each once and under the first of its tokens."""
        ...


class FeatureReader:
    """One feature of an opened cache; its activations are read once."""

    def __init__(self, bench: Workbench, hookpoint: HookpointRecord, feature: int) -> None:
        self._bench, self._hookpoint, self._feature = bench, hookpoint, feature
        self._special = np.array(bench.files.meta.special_ids, np.int64)
        self._one = bench.slice(hookpoint, feature)

    @property
    def drawn(self) -> FeatureExamples:
        """What explainers and judges see of the feature."""
        return self._drawn

    @cached_property
    def _drawn(self) -> FeatureExamples:
        return self._bench.draw(self._hookpoint, self._feature)

    @property
    def strongest(self) -> Strongest:
        """All distinct activating contexts."""
        return self._strongest

    @cached_property
    def _strongest(self) -> Strongest:
        contexts = self._bench.contexts
        stream = Stream(contexts.seed, self._hookpoint.name, np.array([self._feature]))
        found = activating(contexts, alone(self._one), stream)
        order = np.argsort(-found.peak, kind="stable")
        return Strongest(
            contexts.first_token(found.tile[order]),
            found.peak[order],
            found.split[order],
            found.multiplicity[order],
        )

    def passages(
        self,
        first_token: np.ndarray,
        width: Width = Width.CONTEXT,
        marks: Mapping[int, frozenset[int]] | None = None,
    ) -> list[Passage]:
        """The text of contexts; marks: offsets in the context to outline, by row."""
        if not len(first_token):
            return []
        first, length = np.asarray(first_token, np.int64), self._bench.contexts.length
        start, stop = self._spans(first, width)
        size = int((stop - start).max())
        origin = np.minimum(start, len(self._bench.files.tokens) - size)  # never beyond the file
        tokens = self._bench.files.tokens.windows(origin, size)
        values = spread(self._one, origin, size)
        return [
            self._passage(
                tokens[i, lead : lead + n],
                values[i, lead : lead + n],
                int(start[i]),
                range(int(first[i] - start[i]), int(first[i] - start[i]) + length),
                (marks or {}).get(i, NO_MARKS),
            )
            for i, (lead, n) in enumerate(
                zip((start - origin).tolist(), (stop - start).tolist(), strict=True)
            )
        ]

    def around(self, tokens: Sequence[int]) -> dict[int, Passage]:
        """The contexts that hold some tokens (flat indices), with those tokens outlined.

        Contexts come in the order of the tokens, under the first of those that they hold; one that
        holds several is given once.
        """
        contexts = self._bench.contexts
        marks: dict[int, set[int]] = {}
        first: dict[int, int] = {}
        for token in tokens:
            offset = token % contexts.sequence_length % contexts.length
            marks.setdefault(token - offset, set()).add(offset)
            first.setdefault(token - offset, token)
        outlined = {i: frozenset(offsets) for i, offsets in enumerate(marks.values())}
        found = self.passages(np.array(list(marks), np.int64), Width.CONTEXT, outlined)
        return dict(zip(first.values(), found, strict=True))

    def _spans(self, first: np.ndarray, width: Width) -> tuple[np.ndarray, np.ndarray]:
        """First and one past the last flat index to show, within the context's sequence."""
        contexts = self._bench.contexts
        if width is Width.CONTEXT:
            return first, first + contexts.length
        begin = first - first % contexts.sequence_length
        end = begin + contexts.sequence_length
        if width is Width.SEQUENCE:
            return begin, end
        values = spread(self._one, first, contexts.length)
        peak, side = first + values.argmax(axis=1), AROUND[width]
        silent = ~values.any(axis=1)  # nothing to stand around: the whole context
        start = np.where(silent, first, np.maximum(begin, peak - side))
        return start, np.where(silent, first + contexts.length, np.minimum(end, peak + side + 1))

    def _passage(
        self,
        tokens: np.ndarray,
        values: np.ndarray,
        start: int,
        judged: range,
        marks: frozenset[int],
    ) -> Passage:
        """One row; judged: offsets that belong to the context itself."""
        shown = ~np.isin(tokens, self._special)
        pieces = self._bench.files.vocabulary.pieces(tokens.tolist())
        return Passage(
            pieces=[piece if keep else "" for piece, keep in zip(pieces, shown, strict=True)],
            activations=values.tolist(),
            borders=self._borders(start, len(tokens)),
            marks=frozenset(judged.start + offset for offset in marks),
            outside=frozenset(i for i in range(len(tokens)) if i not in judged),
            tokens=np.where(shown, tokens, -1).tolist(),
        )

    def _borders(self, start: int, size: int) -> frozenset[int]:
        """Offsets at which another document starts; not where a sequence does anyway."""
        documents = self._documents
        low, high = np.searchsorted(documents, [start + 1, start + size])
        length = self._bench.contexts.sequence_length
        return frozenset(
            int(index) - start for index in documents[low:high] if int(index) % length > 1
        )

    @cached_property
    def _documents(self) -> np.ndarray:
        return self._bench.files.tokens.documents().astype(np.int64)

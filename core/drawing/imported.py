"""The contexts of an imported run, with the interface of `core/drawing/reader.py`.

Contexts are the stored ones, of whatever length. Of a run with activations the strongest contexts
are those of the whole cache; of one without, those that the run has. Knows nothing of Streamlit.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from core.drawing.reader import AROUND, NO_MARKS, FeatureReader, Strongest, Width
from core.drawing.spans import Passage
from core.examples import FeatureExamples
from core.examples.draw import ACTIVATING
from core.importing.reading import NO_ID, StoredReader, Window
from core.pipeline.workbench import Workbench
from data.catalogue import Row
from data.records import HookpointRecord


class ImportedReader:
    """One feature of an imported cache; satisfies `reader.Reader`."""

    def __init__(
        self, bench: Workbench, hookpoint: HookpointRecord, feature: int, rows: Sequence[Row]
    ) -> None:
        self._bench = bench
        self._stored = StoredReader(bench, hookpoint, feature, rows)
        has_all = bench.record.has_activations
        self._whole = FeatureReader(bench, hookpoint, feature) if has_all else None

    @property
    def drawn(self) -> FeatureExamples:
        """What the run's explainer and judge saw, and what was judged since."""
        return self._stored.examples

    @property
    def strongest(self) -> Strongest:
        """All distinct activating contexts that are known, strongest first."""
        return self._strongest

    @cached_property
    def _strongest(self) -> Strongest:
        if self._whole is not None:
            return self._whole.strongest
        stored = self._stored.examples
        active = np.flatnonzero((stored.kind == ACTIVATING) & (stored.peak > 0))
        order = active[np.argsort(-stored.peak[active], kind="stable")]
        copies = stored.multiplicity[order].astype(np.int64)
        return Strongest(stored.first_token[order], stored.peak[order], stored.split[order], copies)

    def passages(
        self,
        first_token: np.ndarray,
        width: Width = Width.CONTEXT,
        marks: Mapping[int, frozenset[int]] | None = None,
    ) -> list[Passage]:
        """The text of contexts; marks: offsets in the context to outline, by row."""
        return [
            self._passage(int(first), width, (marks or {}).get(i, NO_MARKS))
            for i, first in enumerate(np.asarray(first_token).tolist())
        ]

    def around(self, tokens: Sequence[int]) -> dict[int, Passage]:
        """The contexts that hold some tokens; only a whole cache has checks that list any."""
        return self._whole.around(tokens) if self._whole is not None else {}

    def _passage(self, first: int, width: Width, marks: frozenset[int]) -> Passage:
        """One row; what lies outside of the context itself is muted."""
        size = self._stored.length(first)
        context = self._stored.window(first, size)
        judged = range(first, first + len(context.pieces))
        span = self._span(context, judged, width)
        window = context
        if span != judged and first < len(self._bench.files.tokens):
            window = self._stored.window(span.start, len(span))
        lead = first - window.first
        inside = range(lead, lead + len(judged))
        return Passage(
            pieces=window.pieces,
            activations=window.activations,
            marks=frozenset(lead + offset for offset in marks),
            outside=frozenset(i for i in range(len(window.pieces)) if i not in inside),
            tokens=[token if token != NO_ID else -1 for token in window.ids],
        )

    def _span(self, context: Window, judged: range, width: Width) -> range:
        """Flat indices to show."""
        if width is Width.CONTEXT:
            return judged
        sequence = self._stored.sequence(judged.start)
        if self._whole is None:
            sequence = judged  # what follows a context there is another context
        if width is Width.SEQUENCE:
            return sequence
        peak = int(np.argmax(context.activations))
        if not context.activations[peak]:
            return judged  # nothing to stand around
        side, at = AROUND[width], judged.start + peak
        return range(max(sequence.start, at - side), min(sequence.stop, at + side + 1))

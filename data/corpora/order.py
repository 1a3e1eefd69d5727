"""Documents in the order of a seeded permutation, the one that `datasets` shuffles with.

A permutation needs all documents before it gives the first, so they lie in a temporary file
meanwhile; memory holds 32 bytes a document.
"""

import os
import tempfile
import weakref
from array import array
from collections.abc import Callable, Iterable, Iterator

from data.corpora.document import Document
from data.errors import BadInput, StoreTrouble

MOST_SHUFFLED = 2**34  # bytes of text


class Shuffled:
    """Iterates over documents in permuted order; they are read once, at the first time."""

    def __init__(self, read: Callable[[], Iterable[Document]], seed: int) -> None:
        if seed < 0:
            raise BadInput(f"--shuffle-seed {seed} is below 0: give 0 or more, e.g. 22")
        self.seed = seed
        self._read = read
        self._ends = array("Q", [0])
        self._rows = array("Q")
        self._sources: dict[str, int] = {}
        self._source_of = array("Q")
        self._spool = None

    def __iter__(self) -> Iterator[Document]:
        import numpy as np

        if self._spool is None:
            self._spool = self._spooled()
        names, descriptor = list(self._sources), self._spool.fileno()
        for number in np.random.default_rng(self.seed).permutation(len(self._rows)).tolist():
            first, last = self._ends[number], self._ends[number + 1]
            text = _pread(descriptor, first, last - first).decode("utf-8", "surrogatepass")
            yield Document(text, names[self._source_of[number]], self._rows[number])

    def _spooled(self):
        """Write all documents one after the other; the file has no name and goes with us."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this object
        weakref.finalize(self, file.close)
        try:
            for document in self._read():
                raw = document.encode("utf-8", "surrogatepass")
                file.write(raw)
                self._note(document, len(raw))
            file.flush()
        except OSError as error:
            raise StoreTrouble(
                f"no room to shuffle the corpus in {tempfile.gettempdir()} ({error.strerror}): "
                "free some space, or leave out --shuffle-seed"
            ) from error
        return file

    def _note(self, document: Document, size: int) -> None:
        end = self._ends[-1] + size
        if end > MOST_SHUFFLED:
            raise BadInput(
                f"the corpus has more than {MOST_SHUFFLED:,} bytes, too many to shuffle: leave out "
                "--shuffle-seed, or give a part of it"
            )
        self._ends.append(end)
        self._rows.append(document.row)
        self._source_of.append(self._sources.setdefault(document.source, len(self._sources)))


def _pread(descriptor: int, first: int, count: int) -> bytes:
    parts = []
    while count and (part := os.pread(descriptor, count, first)):
        parts.append(part)
        first, count = first + len(part), count - len(part)
    return b"".join(parts)

"""Watches documents go by on their way to the tokenizer: where each is from, what they were.

In: documents, with their sources where they know them. Out: the same, and afterwards a table of
sources and one hash of all that was read.
"""

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from data.corpora.document import Document


class Origins:
    """Iterates over documents; what is noted is right once they are used up."""

    def __init__(self, documents: Iterable[str]) -> None:
        self._documents = documents
        self._digest = hashlib.sha256()
        self._names: dict[str, int] = {}
        self._sources, self._rows = array("Q"), array("Q")
        self._is_known = True

    def __iter__(self) -> Iterator[str]:
        for document in self._documents:
            raw = document.encode("utf-8", "replace")
            self._digest.update(hashlib.sha256(raw).digest())
            if isinstance(document, Document):
                self._sources.append(self._names.setdefault(document.source, len(self._names)))
                self._rows.append(document.row)
            else:
                self._is_known = False
            yield document

    @property
    def sha256(self) -> str:
        """Hash over the digests of the documents, in order: the identity of what was read."""
        return self._digest.hexdigest()

    def table(self, documents: np.ndarray) -> tuple[Sequence[str], np.ndarray] | None:
        """Names of sources, and source and row of documents, uint64 [documents, 2].

        None when not every document knew its source.
        """
        if not self._is_known:
            return None
        rows = np.stack([np.array(self._sources, np.uint64), np.array(self._rows, np.uint64)], 1)
        return list(self._names), rows[documents]

"""A corpus of texts, whatever it is read from: an iterable of documents, none of them empty."""

from collections.abc import Callable, Iterable, Iterator

from data.corpora.document import Document
from data.corpora.order import Shuffled


class Texts:
    """Iterates over documents, in the same order each time."""

    def __init__(
        self,
        name: str,
        read: Callable[[], Iterable[Document]],
        *,
        identity: str | None = None,
        shuffle_seed: int | None = None,
    ) -> None:
        self.name = name  # as typed, for messages
        self.identity = identity  # says which text it is without reading it; None = what it says
        self.n_empty = 0  # documents left out by the last iteration, as far as it went
        self._order = read if shuffle_seed is None else Shuffled(read, shuffle_seed).__iter__

    def __iter__(self) -> Iterator[Document]:
        self.n_empty = 0
        for document in self._order():
            if document and not document.isspace():
                yield _encodable(document)
            else:
                self.n_empty += 1


def _encodable(document: Document) -> Document:
    """Replace lone surrogates, which JSON and Python literals can hold but UTF-8 cannot."""
    if document.isascii():
        return document
    text = document.encode("utf-8", "replace").decode("utf-8")
    return Document(text, document.source, document.row)

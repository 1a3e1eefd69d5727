"""A text that knows where it is from, and what may be chosen when a corpus is read."""

from dataclasses import dataclass

BLANK_LINES = "blank-lines"


class Document(str):
    """A text, the file or dataset it stood in, and its row there (1 = the first line or row)."""

    __slots__ = ("row", "source")
    source: str
    row: int

    def __new__(cls, text: str, source: str, row: int) -> "Document":
        """Make one; `source` is a path inside the corpus, so that it is the same everywhere."""
        made = super().__new__(cls, text)
        made.source, made.row = source, row
        return made


@dataclass(frozen=True, slots=True)
class Choice:
    """What may be chosen when a corpus is read; another choice is another corpus."""

    column: str | None = None  # nested ones as "a.b"; None = the first known name that is there
    split_at: str | None = None  # of text files: "blank-lines" or a separator line; None = whole
    shuffle_seed: int | None = None  # of the permutation of documents; None = file order

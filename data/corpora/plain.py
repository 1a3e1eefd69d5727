"""Text files: one document each, or split at blank lines or at lines that say only a separator."""

from collections.abc import Iterator
from pathlib import Path

from data.corpora import streams
from data.corpora.document import BLANK_LINES, Choice, Document
from data.errors import BadInput


def read(path: Path, source: str, choice: Choice) -> Iterator[Document]:
    """Read the documents of a file; their row is the line they begin at."""
    if choice.split_at is None:
        yield Document("".join(_bounded(path)), source, 1)
        return
    for row, part in _parts(path, choice.split_at):
        yield Document("".join(part), source, row)


def _parts(path: Path, split_at: str) -> Iterator[tuple[int, list[str]]]:
    """Cut at the lines that separate, which belong to no document."""
    part: list[str] = []
    size, first = 0, 1
    for number, line in enumerate(streams.lines(path), start=1):
        bare = line.strip() if split_at == BLANK_LINES else line.rstrip("\r\n")
        if bare == ("" if split_at == BLANK_LINES else split_at):
            if part:
                yield first, part
            part, size, first = [], 0, number + 1
            continue
        size += len(line)
        _require_small(path, first, size)
        part.append(line)
    if part:
        yield first, part


def _bounded(path: Path) -> Iterator[str]:
    size = 0
    for line in streams.lines(path):
        size += len(line)
        _require_small(path, 1, size)
        yield line


def _require_small(path: Path, row: int, size: int) -> None:
    if size > streams.MOST_DOCUMENT:
        raise BadInput(
            f"{path}, line {row}: a document of more than {streams.MOST_DOCUMENT:,} characters "
            f"begins here: split it, e.g. with --split-at {BLANK_LINES}"
        )

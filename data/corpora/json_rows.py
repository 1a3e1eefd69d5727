"""JSON lines, one document a line, and `.json` files that are a list of them or one alone."""

import json
from collections.abc import Iterator
from pathlib import Path

from data.corpora import streams
from data.corpora.columns import TextColumn
from data.corpora.document import Choice, Document
from data.errors import BadInput
from data.filled import filled

MOST_BLANK = 1_000_000  # empty lines of one file
MAY_HOLD = "a .json file holds a list of objects, one object, or one object a line"


def read_lines(path: Path, source: str, choice: Choice) -> Iterator[Document]:
    """Read one document a line; blank lines are passed over."""
    column = TextColumn(choice.column)
    for number, line in _filled(path):
        place = f"{path}, line {number}"
        yield Document(column.of(_parsed(line, place), place), source, number)


def _filled(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, each with its number."""
    refusal = f"{path} has more than {MOST_BLANK:,} blank lines: take them out"
    return filled(streams.lines(path), MOST_BLANK, refusal)


def read_list(path: Path, source: str, choice: Choice) -> Iterator[Document]:
    """Read a file that is one JSON list, or one object over several lines; others line by line."""
    if _begins_list(path):
        rows = _whole(path)
    elif _spans_lines(path):
        rows = [_whole(path)]
    else:
        yield from read_lines(path, source, choice)
        return
    column = TextColumn(choice.column)
    for number, row in enumerate(rows, start=1):
        yield Document(column.of(row, f"{path}, row {number}"), source, number)


def _whole(path: Path):
    try:
        text = streams.whole(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 (byte {error.start + 1}); convert it") from error
    try:
        return _parsed(text, str(path))
    except BadInput as error:
        raise BadInput(f"{error}; {MAY_HOLD}") from error


def _spans_lines(path: Path) -> bool:
    """Say whether a file begins with an object that goes on behind the first line of text."""
    first = next((line.strip() for _, line in _filled(path)), "")
    if not first.startswith("{"):
        return False
    try:
        json.loads(first)
    except json.JSONDecodeError as error:
        return error.pos >= len(first)
    except (ValueError, RecursionError):
        pass
    return False


def _begins_list(path: Path) -> bool:
    with streams.opened(path) as file:
        return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["


def _parsed(text: str, place: str):
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        said = str(error).splitlines()[0] if str(error) else "nested too deeply"
        raise BadInput(f"{place}: not valid JSON ({said})") from error

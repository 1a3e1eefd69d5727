"""Which column of a row is the text.

    {"id": 1, "text": "a"}            "text", the first known name that is there
    {"meta": {"title": "a"}}          column "meta.title"
    "a"                               a bare string is a document

The first row decides for all of its file. Undefined text (null, NaN) is an empty document.
"""

from collections.abc import Iterable, Mapping
from math import isnan

from data.errors import BadInput

TEXT_COLUMNS = ("text", "content", "raw_content", "document", "body")
TOKEN_COLUMNS = ("input_ids", "tokens")
CHATS = "messages[{role, content}]"


class TextColumn:
    """Takes the text out of the rows of one file."""

    def __init__(self, column: str | None) -> None:
        self.column = column  # None until the first row is seen

    def of(self, row: object, place: str) -> str:
        """The text of a row; `place` names the row where it is wrong."""
        if isinstance(row, str):
            return row
        if not isinstance(row, Mapping):
            raise BadInput(f"{place}: expected {self._wanted()}, found {named(row)}")
        if self.column is None:
            self.column = text_column(row, place)
        found = inside(row, self.column)
        if found is MISSING:
            raise BadInput(f"{place}: expected {self._wanted()}")
        if found is None or (isinstance(found, float) and isnan(found)):
            return ""
        if not isinstance(found, str):
            raise BadInput(f'{place}: "{self.column}" {not_text(found)}')
        return found

    def _wanted(self) -> str:
        name = f'"{self.column}"' if self.column else f"one of {', '.join(TEXT_COLUMNS)}"
        return f"an object with {name}"


MISSING = object()


def inside(row: Mapping, column: str) -> object:
    """Look a column up, as it is written or part by part; MISSING when it is not there."""
    if column in row:
        return row[column]
    found: object = row
    for part in column.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None if found is None and part != column else MISSING
        found = found[part]
    return found


def text_column(row: Iterable[str], place: str) -> str:
    """Choose the column among the names of a row."""
    names = list(row)
    for name in TEXT_COLUMNS:
        if name in names:
            return name
    if "messages" in names or "conversations" in names:
        raise BadInput(f"{place}: {CHATS_REFUSED}")
    shown = ", ".join(str(name)[:40] for name in names[:8]) or "nothing"
    raise BadInput(
        f"{place}: expected an object with one of {', '.join(TEXT_COLUMNS)}; it has {shown}: "
        "name one with --column"
    )


CHATS_REFUSED = (
    f"chats ({CHATS}) are not text yet: write each as one text, in the format that the subject was "
    "trained on"
)


def not_text(found: object) -> str:
    """Say what a column holds that is no text."""
    if isinstance(found, list) and found and isinstance(found[0], Mapping):
        return f"is a list of objects; {CHATS_REFUSED}"
    return f"is {named(found)}, not a string"


def named(found: object) -> str:
    """Name a JSON kind as Python does."""
    return type(found).__name__

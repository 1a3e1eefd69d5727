"""Contexts as an explainer reads them: one line each, the strongest tokens marked.

    The| fair| opens| on| 3| May|.      May active
    The fair opens on 3 <<May>>.

Marked tokens that stand side by side share one pair of signs; a space before them stays outside.
Special tokens have no text and are never shown. Knows nothing of models or questions.
"""

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from core.explain.evidence import Shown
from core.prompts.judged_texts import Marks, Parts, fitting_marks, one_line, with_marks


class Token(NamedTuple):
    """One visible token."""

    piece: str  # as a prompt shows it
    activation: float  # raw
    marked: bool


class Line(NamedTuple):
    """A context as one line of text."""

    text: str
    flags: tuple[bool, ...]  # marked or not, one a character

    def part(self, start: int, end: int) -> "Line":
        """Cut out some characters."""
        return Line(self.text[start:end], self.flags[start:end])


def quoted(piece: str) -> str:
    """Name a token in a prompt.

    Typographic quotes: an explanation that copies them is still easy to write as JSON.
    """
    return f"“{one_line(piece)}”"


def tokens(shown: Shown, highlight: float) -> list[Token]:
    """List the visible tokens; those from `highlight` x the context's peak on are marked.

    A character spread over tokens stands at the first of them, which takes the largest activation
    of all: otherwise a mark on a later one would be a mark on nothing.
    """
    merged: list[tuple[str, float]] = []
    for piece, activation in zip(shown.pieces, shown.activations, strict=True):
        if piece:
            merged.append((one_line(piece), activation))
        elif merged:
            merged[-1] = merged[-1][0], max(merged[-1][1], activation)
    least = highlight * shown.peak
    return [Token(piece, value, value > 0 and value >= least) for piece, value in merged]


def line(shown: Shown, highlight: float) -> Line:
    """Join a context's tokens."""
    listed = tokens(shown, highlight)
    text = "".join(token.piece for token in listed)
    flags = [token.marked for token in listed for _ in token.piece]
    for start, end in runs(flags):
        run = text[start:end]
        if run.strip():  # a run of spaces keeps them: they are what is marked
            spaces = len(run) - len(run.lstrip())
            flags[start : start + spaces] = [False] * spaces
    return Line(text, tuple(flags))


def marked(one: Line, marks: Marks) -> str:
    """Write a line with signs around what is marked; unmarked space at the ends goes."""
    return with_marks(_parts(one), marks).strip(" ")


def unmarked(text: str, marks: Marks) -> str:
    """Take the signs away again."""
    return text.replace(marks[0], "").replace(marks[1], "")


def marks_for(lines: Sequence[Line]) -> Marks:
    """Choose signs that cannot be mistaken in any of the lines."""
    return fitting_marks([_parts(one) for one in lines])


def runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """Find stretches of true values, e.g. 0110 -> (1, 3)."""
    found, start = [], 0
    for flag, group in groupby(flags):
        end = start + sum(1 for _ in group)
        if flag:
            found.append((start, end))
        start = end
    return found


def _parts(one: Line) -> Parts:
    cuts = [0, *(place for run in runs(one.flags) for place in run), len(one.text)]
    return tuple(one.text[start:end] for start, end in pairwise(cuts))

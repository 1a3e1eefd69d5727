"""How contexts and explanations are shown to a judge: quoted, a line each.

In: what to show for every token, and which tokens are marked. Out: numbered lines. A line break
inside a quotation is shown as a sign, so that no context and no explanation can begin a line of its
own: whatever it says, it cannot forge a number, a description or the end of the list.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import count, groupby

import numpy as np

from data.vocabulary import Vocabulary

LINE_BREAK = "↵"
BREAKS = re.compile("\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
# Other control characters are shown as their pictures, U+2400 onwards; tabs stay.
CONTROLS = {code: 0x2400 + code for code in range(0x20) if code != 0x09} | {0x7F: 0x2421}

Parts = tuple[str, ...]  # unmarked, marked, unmarked, ...: begins and ends unmarked, if with ""
Marks = tuple[str, str]  # what stands before and behind marked text

USUAL: Marks = ("<<", ">>")
OTHERS: tuple[Marks, ...] = (("[[", "]]"), ("{{", "}}"), ("((", "))"))


def pieces(vocabulary: Vocabulary, special: Sequence[int], tokens: np.ndarray) -> list[list[str]]:
    """Say what to show for each token, int [n, length].

    Special tokens are never shown as text: those that begin a context are "", those inside stand
    between two documents, and the first of them shows as a line break. One that has no text, which
    fills up the short contexts of an import, is "" anywhere.
    """
    hidden = np.isin(tokens, np.asarray(special, dtype=np.int64))
    return [
        [
            piece if not hide else "\n" if piece and place and not gone[place - 1] else ""
            for place, (piece, hide) in enumerate(zip(vocabulary.pieces(row), gone, strict=True))
        ]
        for row, gone in zip(tokens, hidden, strict=True)
    ]


def one_line(text: str) -> str:
    """Show line breaks and other control characters, e.g. "a\\r\\nb" -> "a↵b"."""
    return BREAKS.sub(LINE_BREAK, text).translate(CONTROLS)


def plain(shown: Sequence[str]) -> str:
    """Join a context's tokens into one line."""
    return one_line("".join(shown))


def parts(shown: Sequence[str], marks: Sequence[bool] | np.ndarray) -> Parts:
    """Cut a context at its marks; adjacent marked tokens are one part.

    >>> parts(["It", " is", " June", "."], [False, True, True, False])
    ("It", " is June", ".")

    A character of several tokens stands at its first one, so a mark on a later one goes there.
    """
    runs = [(mark, "".join(text for text, _ in run)) for mark, run in _runs(shown, marks)]
    if not runs or runs[0][0]:
        runs.insert(0, (False, ""))
    if runs[-1][0]:
        runs.append((False, ""))
    return tuple(one_line(text) for _, text in runs)


def _runs(
    shown: Sequence[str], marks: Sequence[bool] | np.ndarray
) -> Iterator[tuple[bool, Iterator[tuple[str, bool]]]]:
    visible: list[tuple[str, bool]] = []
    for piece, mark in zip(shown, marks, strict=True):
        if piece:
            visible.append((piece, bool(mark)))
        elif mark and visible:
            visible[-1] = (visible[-1][0], True)
    return groupby(visible, key=lambda token: token[1])


def with_marks(text: Parts, marks: Marks = USUAL) -> str:
    """Write a context with its marks: ("a ", "b", "") -> "a <<b>>"."""
    return "".join(
        f"{marks[0]}{part}{marks[1]}" if place % 2 else part for place, part in enumerate(text)
    )


def fitting_marks(texts: Sequence[Parts]) -> Marks:
    """Choose the first pair of marks that none of the texts can be mistaken for."""
    # No mark of this row overlaps itself, so the first that no text contains will do.
    endless = ((f"⟦{n}|", f"|{n}⟧") for n in count(1))
    for marks in (USUAL, *OTHERS):
        if all(_reads_back(text, marks) for text in texts):
            return marks
    return next(marks for marks in endless if all(_reads_back(text, marks) for text in texts))


def _reads_back(text: Parts, marks: Marks) -> bool:
    """Say whether the marks that were written are exactly those that a reader finds."""
    between = "|".join(re.escape(mark) for mark in marks)
    return tuple(re.split(between, with_marks(text, marks))) == text


def in_our_words(text: str, marks: Marks) -> str:
    """Write instructions and examples of ours, which have the usual marks, with others."""
    return text.replace(USUAL[0], marks[0]).replace(USUAL[1], marks[1])


def numbered(texts: Sequence[str]) -> str:
    """List texts, one a line, from "Text 1:" on."""
    return "\n".join(f"Text {number}: {one_line(text)}" for number, text in enumerate(texts, 1))


def described(explanation: str) -> str:
    """Quote an explanation as one line."""
    return f"Description: {one_line(explanation.strip())}"


def again(question: str, defect: str) -> str:
    """Ask a question a second time, saying what was wrong with the first answer."""
    return (
        f"{question}\n\nThe answer you gave before could not be used: {one_line(defect)}. "
        "Answer once more, with the JSON object alone."
    )

"""Lines of a file that say something, where blank ones could be without end."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from data.errors import BadInput

T = TypeVar("T", str, bytes)


def filled(lines: Iterable[T], most_blank: int, refusal: str) -> Iterator[tuple[int, T]]:
    """The lines that are not blank, each with its number from 1.

    More than `most_blank` blank ones are a BadInput in the words of `refusal`: gzip folds billions
    of them into a few megabytes.
    """
    blank = 0
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, line
            continue
        blank += 1
        if blank > most_blank:
            raise BadInput(refusal)

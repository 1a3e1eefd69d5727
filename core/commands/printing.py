"""What a command prints: text that came from files and models is shown, and never obeyed.

An explanation, a token or a name may hold escape sequences that steer a terminal, marks that turn
the direction of a line, or half of a character, which no stream takes.
"""

import sys

from core.drawing.spans import NAMED

SHOWN = {code: f"[{code:04X}]" for code in NAMED if chr(code) not in "\n\t"}


def visible(text: str) -> str:
    r"""Text for a terminal: controls and direction marks by their numbers, as the pages have them.

    >>> visible("a\x1b[31mb\u202e")
    'a[001B][31mb[202E]'
    """
    return whole(text).translate(SHOWN)


def whole(text: str) -> str:
    r"""A text with halves of characters written as escapes, which JSON reads back.

    >>> whole("a\ud800")
    'a\\ud800'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def say(text: str, *, as_json: bool = False, aside: bool = False) -> None:
    """Print a line, JSON as it is; aside: beside the result, on the stream for messages."""
    print(whole(text) if as_json else visible(text), file=sys.stderr if aside else sys.stdout)

"""Explanations of a push from the tokens that it makes rise: named by a template, or by a model.

The template asks nobody: its candidates name the one, two, three ... tokens whose probability rises
most over the prompts, in quotation marks, so that a program finds them. Candidates are chosen among
on prompts that they were not written from. Tokens and number of candidates are those of methods.md
5.9, 5 (arXiv 2410.13928); the template is ours. Knows no stores and no judges.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from core.llm.requests import Client, Outcome, Reply
from core.prompts import intervention as prompts
from core.prompts.judged_texts import one_line
from core.replies.cleaning import BadReply, cleaned
from core.replies.explanation import accepted
from core.steered import Change

LONGEST_TOKEN = 30  # characters of a token that are named
SPOKEN = {  # signs that are named by a word, too
    '"': "quotation marks",
    "'": "apostrophes",
    ".": "full stops",
    ",": "commas",
    "(": "opening brackets",
    ")": "closing brackets",
}


class Shown(NamedTuple):
    """One prompt as the explainer sees it."""

    text: str
    rising: tuple[Change, ...]  # largest gain first
    pieces: tuple[str, ...]  # text of each rising token


class Candidates(NamedTuple):
    """Explanations to choose among."""

    texts: tuple[str, ...]  # each once; () = there is none
    error: str | None = None  # why there is none
    outcomes: tuple[Outcome, ...] = ()  # everything that was asked


class Wording(Protocol):
    """Writes explanations."""

    @property
    def model(self) -> str | None:
        """The language model that is asked; None = a template."""
        ...

    def candidates(self, shown: Sequence[Shown], n: int, seed: int) -> Candidates:
        """Write up to n explanations of one feature's push."""
        ...


class Template:
    """Names the tokens that rise."""

    model = None

    def candidates(self, shown: Sequence[Shown], n: int, seed: int) -> Candidates:
        """Name the one, two, ... n tokens with the largest gains over all prompts."""
        names = ranked(shown)[:n]
        if not names:
            return Candidates((), "the push makes no token rise")
        return Candidates(tuple(joined(names[:count]) for count in range(1, len(names) + 1)))


class Model:
    """Asks a language model."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.model = client.model

    def candidates(self, shown: Sequence[Shown], n: int, seed: int) -> Candidates:
        """Ask n times for a phrase; unusable answers are left out."""
        rises = [
            prompts.rise(one.text, list(zip(one.pieces, one.rising, strict=True))) for one in shown
        ]
        outcomes = self._client.ask(
            [prompts.ask_explanation(rises, attempt=i, seed=seed % 2**31) for i in range(n)]
        )
        texts: list[str] = []
        error = None
        for outcome in outcomes:
            try:
                texts.append(_phrase(outcome))
            except BadReply as bad:
                error = str(bad)
        unique = tuple(dict.fromkeys(texts))
        return Candidates(unique, None if unique else error, tuple(outcomes))


def _phrase(outcome: Outcome) -> str:
    if not isinstance(outcome, Reply):
        raise BadReply(outcome.reason)
    if outcome.finish == "length":
        raise BadReply("the reply was cut off at its limit")
    return accepted(cleaned(outcome.text).strip().strip("\"'“”").removesuffix("."))


def ranked(shown: Sequence[Shown]) -> list[str]:
    """Names of the tokens that rise, by the sum of their gains; spellings with a space are one.

    >>> ranked([Shown("", (Change(1, 0, .2), Change(2, 0, .1)), (" to", "\\n")), ...])
    ["“to”", "line breaks"]
    """
    total: dict[str, float] = {}
    for one in shown:
        for piece, change in zip(one.pieces, one.rising, strict=True):
            name = spoken(piece)
            total[name] = total.get(name, 0.0) + change.after - change.before
    return sorted(total, key=lambda name: -total[name])


def spoken(piece: str) -> str:
    """Name a token so that it can stand in a sentence, in quotation marks as others name tokens.

    >>> spoken(" import"), spoken("\\n\\n"), spoken(')')
    ('“import”', 'line breaks', 'closing brackets “)”')
    """
    bare = one_line(piece.strip())
    if not bare:
        return "line breaks" if "\n" in piece else "blank space"
    if set(bare) & set("“”"):
        return "quotation marks"
    named = f"“{bare[:LONGEST_TOKEN]}”"
    return f"{SPOKEN[bare]} {named}" if bare in SPOKEN else named


def joined(names: Sequence[str]) -> str:
    """Join names as in a sentence: a; a and b; a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]

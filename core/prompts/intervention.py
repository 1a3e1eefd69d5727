"""What a pushed text has too much of: the judge's statement, and the explainer's question.

A base language model reads a few passages, each followed by a statement that names in quotation
marks what the passage has too much of; how likely it finds an explanation in that place is read
after the feature's own passages. The explainer is shown the ends of texts with the tokens that a
push makes likelier there (arXiv 2410.13928; the wording and the texts are our own).
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from core.llm.requests import Message, Request
from core.prompts.judged_texts import LINE_BREAK
from core.prompts.marking import quoted
from core.steered import Change

STATEMENT = '\nThe passage above has too much of this: "'
CLOSING = '"'
INNER = str.maketrans('“”"', "'''")  # quotation marks inside the statement's own
ALONE = re.compile("“([^“”]+)”")  # an explanation that is one token
MAX_TOKENS = 20  # of an explanation
TEMPERATURE = 0.7
ENDS = 90  # characters of a text's end that the explainer is shown


class Shot(NamedTuple):
    """A passage and what it has too much of."""

    passage: str
    topic: str


# Longer ones come first: where the judge's memory is short, the last ones are kept.
SHOTS = (
    Shot(
        "The council met on Tuesday to settle the price of the new bridge, and after an hour the "
        "harbour, the tide, two sailing boats and a gull were all that anybody spoke of.",
        "the sea and ships",
    ),
    Shot(
        "def total(prices):\n    result = 0\n    for price in prices: # TODO TODO fix this TODO\n"
        "        TODO",
        "TODO",
    ),
    Shot("Take the second road on the left, then (after (the (church (and the (mill",
         "opening brackets"),
    Shot("We walked home late never and never spoke never of it", "never"),
)  # fmt: skip


def few_shots(n: int = len(SHOTS)) -> str:
    """Write the last n passages with their statements; `asked_about` goes behind them."""
    return "".join(
        f"{asked_about(shot.passage)}{shot.topic}{CLOSING}.\n\n" for shot in SHOTS[len(SHOTS) - n :]
    )


def asked_about(passage: str) -> str:
    """Write a passage and the statement, up to its quotation mark."""
    return f"Passage: {passage.strip()}{STATEMENT}"


def named(explanation: str) -> str:
    """Write an explanation as the statement's end: what is scored.

    One token stands in the statement's quotation marks alone, as in the few-shots.
    """
    alone = ALONE.fullmatch(explanation)
    return (alone[1] if alone else explanation).translate(INNER) + CLOSING


SYSTEM = f"""\
Somebody pushes one internal feature of a language model while it writes. You are shown how some \
texts end, and after each end the next tokens that the push makes likelier, with the growth of \
their probability in percentage points. A space inside quotation marks belongs to the token; the \
sign {LINE_BREAK} stands for a line break.

Name what the pushed model writes too much of. Answer with a phrase of one to ten words and \
nothing else: no quotation marks, no full stop, no introduction. Be concrete. If most of the \
tokens are forms of one word or sign, that word or sign is the answer."""


class Rise(NamedTuple):
    """The end of a text and what rises after it."""

    end: str
    tokens: tuple[tuple[str, float], ...]  # text of a token, growth of its probability 0..1


EXAMPLES = (
    (
        (
            Rise("He took the letter out of his", ((" coat", 0.31), (" jacket", 0.12))),
            Rise("and on the chair there lay a", ((" shirt", 0.22), (" hat", 0.2))),
        ),
        "clothes",
    ),
    (
        (
            Rise("The results are shown in", ((" [", 0.42), (" (", 0.08))),
            Rise("a method that was first used by", ((" [", 0.51), ("[", 0.03))),
        ),
        "opening square brackets",
    ),
    (
        (
            Rise("The train leaves at nine,", ((" however", 0.3), (" though", 0.14))),
            Rise("She liked the town.", ((" But", 0.33), (" However", 0.21), (" Yet", 0.05))),
        ),
        "words of contrast, such as but and however",
    ),
)  # fmt: skip


def ask_explanation(rises: Sequence[Rise], *, attempt: int, seed: int) -> Request:
    """Ask for one explanation; another attempt is another candidate."""
    prefix = [Message("system", SYSTEM)]
    for shown, answer in EXAMPLES:
        prefix += [Message("user", _shown(shown)), Message("assistant", answer)]
    return Request(
        prefix=tuple(prefix), question=_shown(rises), max_tokens=MAX_TOKENS,
        temperature=TEMPERATURE, seed=seed + attempt, attempt=attempt, purpose="intervention",
    )  # fmt: skip


def rise(text: str, tokens: Sequence[tuple[str, Change]]) -> Rise:
    """Make what is shown of one prompt from its text and the tokens that rise."""
    return Rise(text[-ENDS:], tuple((piece, one.after - one.before) for piece, one in tokens))


def _shown(rises: Sequence[Rise]) -> str:
    lines = [
        f"...{quoted(one.end)} then "
        + (", ".join(f"{quoted(piece)} +{100 * gain:.1f}" for piece, gain in one.tokens) or "none")
        for one in rises
    ]
    return "\n".join(lines)

"""Output-centric evidence as a sentence, without any model: the tokens that a feature promotes.

    Promotes “ shoulder”, “ arm”, “ wrist”.

Evidence of arXiv 2501.08319 in Gloss's words. A program can check it: it names tokens.
"""

from itertools import chain, zip_longest

from core.explain.evidence import Effect, OutputTokens
from core.prompts.marking import quoted

MOST = 10  # tokens named


def promoted(tokens: OutputTokens) -> tuple[Effect, ...]:
    """The tokens to name: of either list in turn, strongest first, spellings once."""
    pairs = zip_longest(tokens.promoted, tokens.rising)
    found: dict[str, Effect] = {}
    for one in chain.from_iterable(pairs):
        if one is not None and one.value > 0 and one.piece:
            found.setdefault(one.piece.strip() or one.piece, one)
    return tuple(found.values())[:MOST]


def sentence(some: tuple[Effect, ...]) -> str | None:
    """Write them; None = there is nothing to name."""
    return f"Promotes {', '.join(quoted(one.piece) for one in some)}." if some else None

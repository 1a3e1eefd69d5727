"""The contrastive question: what separates these texts from those? (methods.md 3.2)

Delphi's variant shows the strongest deciles alone; here every decile that there is has its place.
"""

from collections.abc import Sequence
from dataclasses import replace

from core.explain.evidence import Evidence, Shown
from core.prompts.examples_shown import Layout, numbered
from core.prompts.explain_answer import (
    ANSWER,
    EXPLANATION,
    RULES,
    Prompt,
    example,
    pairs,
    setting,
    system,
)
from core.prompts.explain_shots import SHOTS

ACTIVE, SILENT = 15, 5  # texts
TITLES = "The feature is active in these texts:", "The feature is silent in these texts:"
SILENT_TEXTS = (
    "Other texts follow in which it is silent throughout; some were chosen because they look alike."
)
TASK = f"""\
Find out what separates the first texts from the others, and say what makes the feature active. \
Whatever also occurs in a silent text is not enough to make it active. State what is there, and \
exclude by “not ...” only what would otherwise be taken for it.
{RULES}"""


def chosen(examples: Sequence[Shown], size: int) -> tuple[Shown, ...]:
    """Take examples from all deciles in turn, the strongest first; they keep their order.

    With deciles 9 3 9 9 and a size of 2 the first and the second are taken.
    """
    rank: dict[int, int] = {}
    turn = []
    for place, one in enumerate(examples):
        rank[one.decile] = rank.get(one.decile, -1) + 1
        turn.append((rank[one.decile], -one.decile, place))
    return tuple(examples[place] for place in sorted(place for *_, place in sorted(turn)[:size]))


def question(evidence: Evidence, layout: Layout) -> str:
    """Lay out both sections, numbered through."""
    first = numbered(evidence.examples, layout, evidence.max_activation)
    start = len(evidence.examples) + 1
    second = numbered(evidence.silent, layout, evidence.max_activation, start)
    return f"{TITLES[0]}\n{first}\n\n{TITLES[1]}\n{second}"


def prompt(evidence: Evidence, layout: Layout) -> Prompt:
    """Ask what separates the two sections."""
    shown = replace(
        evidence,
        examples=chosen(evidence.examples, ACTIVE),
        silent=evidence.silent[:SILENT],
    )
    turns = [(question(s.evidence, layout), example(explanation=s.contrast)) for s in SHOTS]
    opening = system(f"{setting(layout)} {SILENT_TEXTS}", TASK, ANSWER)
    return Prompt((opening, *pairs(*turns)), question(shown, layout), EXPLANATION)

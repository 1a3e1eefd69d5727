"""The question after a trial: this explanation misled a reader here and here, what is better?

The structure follows the iterative explainer of a delphi branch (methods.md 3.2), which has no
accept test that works; ours is in core/explain/iterative.py. Contexts come from the selection split
of train, never from what is scored.
"""

from collections.abc import Sequence
from typing import NamedTuple

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
from core.prompts.explain_shots import LASTING, RIGHT, active, silent

MISTAKES = 10  # texts of either kind
USUAL = 5
TRIED = """\
A reader who knew only an explanation of the feature had to say in which texts it is active. You \
get that explanation, the texts that the reader missed, the texts in which the reader expected \
the feature although it is silent, and some texts in which it is active as usual."""
TASK = f"""\
Write a better explanation that replaces the current one altogether.
- It has to cover the missed texts and rule out the false alarms, and still fit the usual texts. \
Single mistakes may be the reader's own.
- Look for the one trait that explains the mistakes: the current wording may be too wide, too \
narrow, or about the wrong thing. Do not patch it with exceptions.
{RULES}"""
SECTIONS = (
    "Missed (the feature is active, the reader said no):",
    "False alarms (the feature is silent, the reader said yes):",
    "Usual texts (the feature is active):",
)


class Feedback(NamedTuple):
    """What a trial of an explanation showed."""

    explanation: str
    missed: tuple[Shown, ...]
    false_alarms: tuple[Shown, ...]
    usual: tuple[Shown, ...]
    rejected: tuple[str, ...] = ()  # replacements that were tried and were no better

    @property
    def shown(self) -> tuple[Shown, ...]:
        """All contexts, in the order in which they are shown."""
        return (*self.missed, *self.false_alarms, *self.usual)


WIDE = Feedback(
    explanation="The word “right”.",
    missed=(),
    false_alarms=RIGHT.evidence.silent,
    usual=RIGHT.evidence.examples[2:],
)
NARROW = Feedback(
    explanation="Texts about family businesses and old buildings.",
    missed=(
        LASTING.evidence.examples[3],
        active("He has been telling that joke| since~3| before~4| I~3| was~4| born~9|."),
    ),
    false_alarms=(silent("The bakery passed from father to son in 1964."),),
    usual=LASTING.evidence.examples[:2],
    rejected=("Stories about the history of a place.",),
)
SHOTS = (
    (WIDE, RIGHT.explanation),
    (NARROW, LASTING.explanation),
)


def question(feedback: Feedback, layout: Layout, largest: float) -> str:
    """Lay out an explanation and what came of it."""
    parts = [f"Current explanation: {feedback.explanation}"]
    if feedback.rejected:
        parts.append("Tried in its place, and no better:\n" + _listed(feedback.rejected))
    groups = (feedback.missed, feedback.false_alarms, feedback.usual)
    first = 1
    for title, group in zip(SECTIONS, groups, strict=True):
        parts.append(f"{title}\n{numbered(group, layout, largest, first) or 'none'}")
        first += len(group)
    return "\n\n".join(parts)


def prompt(feedback: Feedback, evidence: Evidence, layout: Layout) -> Prompt:
    """Ask for a replacement."""
    turns = [(question(f, layout, 10.0), example(explanation=said)) for f, said in SHOTS]
    opening = system(f"{setting(layout)} {TRIED}", TASK, ANSWER)
    asked = question(feedback, layout, evidence.max_activation)
    return Prompt((opening, *pairs(*turns)), asked, EXPLANATION)


def _listed(texts: Sequence[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)

"""The staged question: list, compare, guess, conclude (chain of thought, methods.md 3.2).

The stages come before the explanation, so the answer is text with a tag at its end and not JSON.
"""

from core.explain.evidence import Evidence
from core.prompts.examples_shown import Layout
from core.prompts.explain_answer import (
    EXPLANATION,
    FIND,
    RULES,
    TAG,
    Prompt,
    pairs,
    setting,
    system,
)
from core.prompts.explain_examples import HINT, question, with_effects
from core.prompts.explain_shots import SHOTS, WITH_EFFECTS

STAGES = f"""\
Answer in four lines, each beginning as shown:
Items: up to five marked items, the strongest first
Shared: what they and the words before them have in common, and what differs
Hypothesis: what makes the feature active, and what in the texts speaks against it
{TAG} the final sentence, by the rules above"""


def prompt(evidence: Evidence, layout: Layout) -> Prompt:
    """Ask for the stages and the explanation."""
    turns = [(question(s.evidence, layout), f"{s.stages}\n{TAG} {s.explanation}") for s in SHOTS]
    opening = system(setting(layout), f"{FIND}\n{RULES}", STAGES)
    return Prompt((opening, *pairs(*turns)), question(evidence, layout), EXPLANATION, free=True)


def prompt_with_effects(evidence: Evidence, layout: Layout) -> Prompt:
    """Ask for them about contexts and effects, as for the features of a circuit (methods.md 8)."""
    turns = [
        (with_effects(s.evidence, layout), f"{s.stages}\n{TAG} {s.explanation}")
        for s in WITH_EFFECTS
    ]
    opening = system(f"{setting(layout)} {HINT}", f"{FIND}\n{RULES}", STAGES)
    asked = with_effects(evidence, layout)
    return Prompt((opening, *pairs(*turns)), asked, EXPLANATION, free=True)

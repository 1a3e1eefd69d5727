"""The plain question: what do these texts have in common?

Three variants of methods.md 3.2: marks alone (plain), with strengths (activations), and with the
tokens that the feature makes likelier or less likely (logits). The structure, a system text and
three worked pairs, is that of EleutherAI's delphi; the words are ours.
"""

from core.explain.evidence import Evidence
from core.prompts.examples_shown import Layout, numbered
from core.prompts.explain_answer import (
    ANSWER,
    EXPLANATION,
    FIND,
    RULES,
    Prompt,
    example,
    pairs,
    setting,
    system,
)
from core.prompts.explain_output import MEASURED, SHOWN, both, is_measured
from core.prompts.explain_shots import SHOTS, WITH_EFFECTS

HINT = """\
Below the texts stand tokens that the feature makes likelier or less likely to come next, with \
the size of the effect. They can decide what the texts leave open; ignore them if they show \
nothing clear."""


def question(evidence: Evidence, layout: Layout) -> str:
    """Lay out a feature's contexts."""
    return numbered(evidence.examples, layout, evidence.max_activation)


def with_effects(evidence: Evidence, layout: Layout) -> str:
    """Lay out contexts and effects."""
    return f"{question(evidence, layout)}\n\n{both(evidence, SHOWN)}"


def prompt(evidence: Evidence, layout: Layout) -> Prompt:
    """Ask about contexts; a layout without strengths makes it the plain variant."""
    turns = [(question(s.evidence, layout), example(explanation=s.explanation)) for s in SHOTS]
    opening = system(setting(layout), f"{FIND}\n{RULES}", ANSWER)
    return Prompt((opening, *pairs(*turns)), question(evidence, layout), EXPLANATION)


def prompt_with_effects(evidence: Evidence, layout: Layout) -> Prompt:
    """Ask about contexts and effects."""
    turns = [
        (with_effects(s.evidence, layout), example(explanation=s.explanation)) for s in WITH_EFFECTS
    ]
    hint = f"{HINT} {MEASURED}" if is_measured(evidence) else HINT
    opening = system(f"{setting(layout)} {hint}", f"{FIND}\n{RULES}", ANSWER)
    return Prompt((opening, *pairs(*turns)), with_effects(evidence, layout), EXPLANATION)

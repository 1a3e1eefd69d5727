"""The question about a feature's output: what does it make the model say next?

Evidence is that of arXiv 2501.08319: the vocabulary projection, the tokens with the largest logit
effects of the decoder direction, and the token change, those whose logits move most on texts in
which the feature is held at its largest. Both sides of each are shown, what rises and what falls.
"""

from collections.abc import Sequence

from core.explain.evidence import Effect, Evidence
from core.prompts.explain_answer import (
    Form,
    Prompt,
    example,
    pairs,
    schema,
    system,
)
from core.prompts.explain_shots import effects
from core.prompts.judged_texts import LINE_BREAK
from core.prompts.marking import quoted
from core.replies.explanation import FIELD

SHOWN = 50  # tokens of either kind
WORDS = 20
PHRASE = "Promotes ..."
PROJECTED = ("Likelier", "Less likely")
CHANGED = ("Measured, likelier", "Measured, less likely")
SYSTEM = f"""\
You study what one internal feature of a language model does to the next token. When the feature \
is active, it makes some tokens likelier and others less likely. You get the tokens with the \
largest effects, largest first, each with its size. A space inside quotation marks belongs to \
the token; the sign {LINE_BREAK} stands for a line break."""
MEASURED = """\
The measured lines tell how the tokens' logits really moved, on average over random texts, while \
the feature was held at its largest activation."""
TASK = f"""\
Say in a short phrase what the feature promotes.
- The likelier tokens matter most. Mention what is suppressed only if it makes the phrase clearer.
- Tokens may be whole words, beginnings or endings of words, or signs. Ask what a text would be \
about, or how it would go on, if many of them became likelier.
- Some tokens are noise: describe what most of the top ones share.
- Begin with “Promotes” and use at most {WORDS} words. Be concrete."""
ANSWER = f"Answer only with a JSON object: {example(explanation=PHRASE)}"
FORM = Form(
    f"the JSON object {example(explanation=PHRASE)}, with a phrase of at most {WORDS} words",
    schema(**{FIELD: {"type": "string"}}),
)
SHOTS = (
    (
        " shoulder 2.1| arm 1.9| wrist 1.8| knee 1.6| chest 1.5| elbow 1.5| Shoulder 1.2",
        " committee -0.9| idea -0.8| year -0.7",
        "Promotes names of parts of the body.",
    ),
    (
        "ting 1.7|ning 1.6|ing 1.6|ling 1.4|ped 0.6| Monday 0.5",
        "s -1.1|ly -0.9|ness -0.6",
        "Promotes the ending “-ing” after the beginning of a verb.",
    ),
    (
        ") 2.4|), 2.2|). 2.2|); 1.9| ) 1.1|] 0.8",
        " ( -1.5|( -1.2| the -0.5",
        "Promotes closing a parenthesis that is still open; suppresses opening another.",
    ),
)


def both(evidence: Evidence, limit: int) -> str:
    """Lay out the largest effects of either kind, one line each; measured ones below."""
    projected = lines(evidence.promoted[:limit], evidence.suppressed[:limit])
    if not is_measured(evidence):
        return projected
    changed = lines(evidence.rising[:limit], evidence.falling[:limit], CHANGED)
    return f"{projected}\n{changed}" if evidence.promoted or evidence.suppressed else changed


def is_measured(evidence: Evidence) -> bool:
    """Whether there is a token change to show."""
    return bool(evidence.rising or evidence.falling)


def lines(up: Sequence[Effect], down: Sequence[Effect], names: tuple[str, str] = PROJECTED) -> str:
    """Write two lists of effects: Likelier: “ ago” +1.50, ..."""
    return f"{names[0]}: {_listed(up)}\n{names[1]}: {_listed(down)}"


def prompt(evidence: Evidence) -> Prompt:
    """Ask what the feature promotes."""
    turns = [
        (lines(effects(up), effects(down)), example(explanation=phrase))
        for up, down, phrase in SHOTS
    ]
    seen = f"{SYSTEM} {MEASURED}" if is_measured(evidence) else SYSTEM
    opening = system(seen, TASK, ANSWER)
    return Prompt((opening, *pairs(*turns)), both(evidence, SHOWN), FORM)


def _listed(some: Sequence[Effect]) -> str:
    return ", ".join(f"{quoted(one.piece)} {one.value:+.2f}" for one in some) or "none known"

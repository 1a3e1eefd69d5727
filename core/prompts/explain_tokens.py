"""The question about a feature that fires on few tokens: which ones are they?

For features that the single-token filter flags (methods.md 7.2): a list of peak tokens says more
than many contexts.
"""

from core.explain.evidence import Evidence, PeakToken
from core.prompts.examples_shown import Layout, numbered
from core.prompts.explain_answer import (
    ANSWER,
    EXPLANATION,
    WORDS,
    Prompt,
    example,
    pairs,
    setting,
    system,
)
from core.prompts.explain_shots import active
from core.prompts.marking import quoted

CONTEXTS = 5
TOKENS = 20
LIST = """\
Above the texts stands a list of the tokens on which the feature is active most often, with the \
number of times and the mean strength there."""
TASK = f"""\
Say which tokens make the feature active.
- Name the set: one token, the forms of a word, or the class that the tokens belong to. Name a \
class only if the list bears it out.
- Rare, weak tokens at the end of the list may be noise.
- If the texts show that the token is active only in certain surroundings, say in which.
- Write one sentence of at most {WORDS} words; do not mention marks, strengths or examples."""


def shot(
    peaks: tuple[PeakToken, ...], texts: tuple[str, ...], explanation: str
) -> tuple[Evidence, str]:
    """Make a worked feature whose strongest activation is 10."""
    examples = tuple(active(text) for text in texts)
    return Evidence(0, "", examples, (), 10.0, peak_tokens=peaks), explanation


SHOTS = (
    shot(
        (PeakToken(" because", 812, 7.2), PeakToken("Because", 96, 6.5), PeakToken(" as", 3, 0.8)),
        (
            "The match was called off| because~8| the pitch was under water.",
            "Because~6| he had no ticket, he walked.",
            "She smiled| because~7| of the hat.",
        ),
        "The word “because”, capitalised or not, whatever it gives a reason for.",
    ),
    shot(
        (
            PeakToken(" seven", 240, 8.1), PeakToken("7", 198, 7.4), PeakToken(" Seven", 31, 7.9),
            PeakToken(" seventh", 22, 5.0), PeakToken(" sevent", 9, 4.4),
        ),
        (
            "There were| seven~8| chairs and one guest.",
            "The bus on line |7~7| leaves at noon.",
            "It was the| seventh~5| attempt that week.",
        ),
        "The number seven, as a digit or as a word, in counts, names and ranks.",
    ),
    shot(
        (PeakToken(" of", 1310, 6.3), PeakToken(" Of", 4, 1.1)),
        (
            "He took the letter out| of~7| the drawer.",
            "They used honey instead| of~8| sugar, half a cup of it.",
            "Two of the men ran out| of~6| breath.",
        ),
        "The word “of” after “out” or “instead”, but not where it follows a quantity.",
    ),
)  # fmt: skip


def question(evidence: Evidence, layout: Layout) -> str:
    """Lay out the list of tokens and a few contexts."""
    listed = [_peak(one, evidence.max_activation) for one in evidence.peak_tokens[:TOKENS]]
    texts = numbered(evidence.examples[:CONTEXTS], layout, evidence.max_activation)
    return "Tokens:\n" + "\n".join(listed) + "\n\n" + texts


def prompt(evidence: Evidence, layout: Layout) -> Prompt:
    """Ask for the set of tokens."""
    turns = [(question(one, layout), example(explanation=said)) for one, said in SHOTS]
    opening = system(f"{setting(layout)} {LIST}", TASK, ANSWER)
    return Prompt((opening, *pairs(*turns)), question(evidence, layout), EXPLANATION)


def _peak(one: PeakToken, largest: float) -> str:
    strength = 10 * one.mean / largest if largest > 0 else 0.0
    return f"{quoted(one.piece)}: {one.n} time{'s' * (one.n != 1)}, mean strength {strength:.1f}"

"""The two questions of a debate: an explanation with quotes for it, and which one convinces.

Proposed in EleutherAI's post of July 2024, without results. The judge sees quotes and no texts;
what a debater did not copy letter by letter is not shown to it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from core.explain.evidence import Evidence
from core.prompts.examples_shown import Layout
from core.prompts.explain_answer import (
    FIND,
    PLACEHOLDER,
    RULES,
    WORDS,
    Form,
    Prompt,
    example,
    pairs,
    schema,
    setting,
    system,
)
from core.prompts.explain_examples import question
from core.prompts.explain_shots import SHOTS
from core.prompts.judged_texts import LINE_BREAK, Marks
from core.prompts.marking import Line, marked
from core.replies.explanation import FIELD

QUOTES = 3
MOST_WORDS = 12  # of a quote
DEBATE = f"""\
Others explain the same feature from the same texts. A judge who has not seen the texts chooses \
between you by your quotes.
- Give {QUOTES} quotes of 3 to {MOST_WORDS} words, each copied letter by letter from one text, \
without the marks. A quote that is not in the texts is struck out.
- Quote what shows best when the feature is active, and how far your explanation reaches."""
ENTRY_SHAPE = example(
    quotes=["first quote", "second quote", "third quote"], explanation=PLACEHOLDER
)
ENTRY = Form(
    f"the JSON object {ENTRY_SHAPE}, with an explanation of at most {WORDS} words",
    schema(
        quotes={"type": "array", "items": {"type": "string"}},
        **{FIELD: {"type": "string"}},
    ),
)
ENTRY_ANSWER = f"Answer only with a JSON object: {ENTRY_SHAPE}"

JUDGE = f"""\
Several people have explained one internal feature of a language model: a feature that is active \
on some tokens of a text and silent on all others. They saw texts in which it is active; you see \
only what they quote. The quotes have been checked: all are genuine. Tokens on which the feature \
is active stand between OPENING and CLOSING; {LINE_BREAK} stands for a line break."""
JUDGE_TASK = """\
Choose the explanation that the quotes support best, its own and those of the others.
- It should fit what is active in all quotes and say why the rest of them is silent.
- Prefer the narrowest explanation that fits; one that could be said of any text is worth little.
- Style, length and the order of the entries do not matter.

Answer only with a JSON object: {"choice": number of the entry}"""


class Entry(NamedTuple):
    """What one debater may put before the judge."""

    explanation: str
    quotes: tuple[Line, ...]  # verified, with the marks of the text they come from


def prompt(evidence: Evidence, layout: Layout) -> Prompt:
    """Ask for an explanation and quotes."""
    turns = [
        (question(s.evidence, layout), example(quotes=list(s.quotes), explanation=s.explanation))
        for s in SHOTS
    ]
    opening = system(setting(layout), f"{FIND}\n{RULES}", DEBATE, ENTRY_ANSWER)
    return Prompt((opening, *pairs(*turns)), question(evidence, layout), ENTRY)


def judge_prompt(entries: Sequence[Entry], marks: Marks) -> Prompt:
    """Ask which entry convinces."""
    setting_ = JUDGE.replace("OPENING", marks[0]).replace("CLOSING", marks[1])
    asked = "\n\n".join(_entry(number, one, marks) for number, one in enumerate(entries, 1))
    choices = list(range(1, len(entries) + 1))
    form = Form(
        f"the JSON object {example(choice=1)}, the number being one of {_either(choices)}",
        schema(choice={"type": "integer", "enum": choices}),
    )
    return Prompt((system(setting_, JUDGE_TASK),), asked, form)


def _entry(number: int, one: Entry, marks: Marks) -> str:
    quotes = [f"- “{marked(quote, marks)}”" for quote in one.quotes]
    return "\n".join([f"Entry {number}: {one.explanation}", "Quotes:", *quotes])


def _either(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)

"""What every question about a feature shares: who is asked, the rules, the form of the answer.

The wording is ours. What the rules ask for follows methods.md 3.1: tokens, form or topic; some
contexts say little; one concrete sentence that does not speak of marks or examples.
"""

import json
from collections.abc import Mapping
from typing import NamedTuple

from core.llm.requests import Message
from core.prompts.examples_shown import Layout
from core.prompts.judged_texts import LINE_BREAK

TAG = "Explanation:"  # begins the last line of an answer that is not JSON
PLACEHOLDER = "your sentence"
WORDS = 30  # asked for; what is accepted is more generous
RULES = f"""\
- It may be a token or a part of a word, a form or a place in the text, a meaning or a topic. \
Often it is a token in certain surroundings only.
- The model reads from left to right: only a token itself and what stands before it can make the \
feature active there.
- Some examples may tell you little. Prefer what fits most of them, weak ones included, to what \
fits a few perfectly.
- Be concrete. Write one sentence of at most {WORDS} words, not a list of alternatives.
- Describe the texts themselves; do not mention marks, strengths or examples."""
FIND = "Find out what the marked tokens and the words before them have in common, and say what \
makes the feature active."


class Form(NamedTuple):
    """The form an answer has to have."""

    description: str  # what a repair asks for
    schema: str  # JSON schema, as JSON text


class Prompt(NamedTuple):
    """A question before it becomes a request."""

    prefix: tuple[Message, ...]
    question: str
    form: Form
    free: bool = False  # the first answer is text with a tag; a repair is JSON all the same


def schema(**properties: Mapping[str, object]) -> str:
    """JSON schema of an object that has exactly these properties."""
    return json.dumps(
        {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
    )


def example(**fields: object) -> str:
    """Write an answer as the model should."""
    return json.dumps(fields, ensure_ascii=False)


EXPLANATION = Form(
    f"the JSON object {example(explanation=PLACEHOLDER)}, with one sentence of at most {WORDS} "
    "words",
    schema(explanation={"type": "string"}),
)
ANSWER = f"Answer only with a JSON object: {example(explanation=PLACEHOLDER)}"


def setting(layout: Layout) -> str:
    """Say what the reader will see."""
    parts = [
        "You study one internal feature of a language model. The feature is active on some tokens "
        "of a text and silent on all others. You read texts in which it is active; the tokens on "
        f"which it is clearly active stand between {layout.marks[0]} and "
        f"{layout.marks[1]}."
    ]
    if layout.listed:
        parts.append(strengths(layout))
    parts.append(f"The sign {LINE_BREAK} stands for a line break.")
    return " ".join(parts)


def strengths(layout: Layout) -> str:
    """Say how to read the line below a text."""
    weakest = 1 if layout.scale == "ceil" else 0
    return (
        f"The line below a text lists up to {layout.listed} of these tokens with their strength, "
        f"from {weakest} (weak) to 10 (the strongest in the whole corpus). A space inside "
        "quotation marks belongs to the token."
    )


def system(*paragraphs: str) -> Message:
    """Make the system turn of several paragraphs."""
    return Message("system", "\n\n".join(paragraphs))


def pairs(*turns: tuple[str, str]) -> tuple[Message, ...]:
    """Make user and assistant turns of worked questions."""
    return tuple(
        message
        for question, answer in turns
        for message in (Message("user", question), Message("assistant", answer))
    )


def repair(defect: str, form: Form) -> str:
    """Ask once more, saying what was wrong."""
    return f"This reply cannot be used: {defect}. Answer again, only with {form.description}."

"""Asks a model to say an explanation in rules that a program can check (methods.md 4.5).

The answer's form is core/replies/rules.py. The model sees the explanation only: neither the
feature nor its contexts, so that the rules can be no better than what the explanation says.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from core.grammar.language import Literal
from core.grammar.lexicon import lexicon
from core.llm.requests import Message, Request
from core.replies.rules import (
    CLASSES,
    IS,
    MOST_CONDITIONS,
    MOST_RULES,
    SPELLING,
    STATES,
    TEXT,
    WHERE,
    Conjunction,
    written,
)

MAX_TOKENS = 1200  # a rule with thirty words takes about 150
LONGEST_QUOTE = 2000  # characters of an earlier answer shown again

INSTRUCTIONS = """\
You turn a description into rules that a program can check. The description says on which tokens \
of a text some detector reacts. A token is a word, a piece of a word, a number, a punctuation mark \
or white space, mostly with the space before it. The program goes through the text token by token \
and asks your rules at each. It knows the token itself and the tokens before it in the same text, \
never those that follow, and nothing about meaning except the word lists named below.

A rule is a list of conditions that must all hold at the token: 1 to {conditions} of them. The \
detector reacts where any of your rules holds; give at most {rules}. A condition has four parts.

"where" says which tokens are looked at:
- "here": the token itself
- "previous": the token right before it; "two back": the one before that
- "within 4", "within 8", "within 16", "within 32": any of that many tokens before it
- "text": no token but the state of the text at this place

"is" says what is compared, and "any_of" gives the values, any of which will do:
- "word": a whole word in lower case; capitals and the space before it do not matter
- "spelling": the same where capitals matter: "May" is not "may"
- "token": exactly this string, with its leading space if it has one
- "form": a word of which any form counts: "walk" stands for walks, walked and walking too
- "beginning", "ending": 1 to 4 letters that a longer token begins or ends with
- "length": number of letters, "1" to "12"; "12" means twelve or more
- "class": {classes}; "letters" is any token of letters only, "continuation" a lower-case piece \
that goes on with a word
- "group": a ready list of words, one of {groups}
- with "text": {states}; "seen before" is true where the same token came earlier; "any_of" is []

"not" is true where the condition must not hold, else false. At most one condition of a rule may \
have it.

How to translate:
- Say what the description says, neither more nor less. Do not add what you would expect.
- Where it names a kind of word, take the group that fits; without one, list the words that such \
a kind usually has, up to thirty. Where it only gives words, list those.
- Where it names a setting or a topic, ask for words of that topic within 32.
- A phrase is its last word here, and the words before it in "previous" and "two back".
- Some things cannot be said: what follows the token, tone, meaning that no word gives away. Name \
them in a few words in "left_out"; write "" there if nothing is missing. If nothing can be said \
at all, give no rules: [].

Answer with the JSON object alone."""

NEGATIONS = ("not", "n't")
BLACK_SEA = ("sea", "black", "bosphorus", "ukraine", "crimea", "odessa", "istanbul")
SHOTS: tuple[tuple[str, tuple[Conjunction, ...], str], ...] = (  # description, rules, left out
    (
        "Days of the week, above all before a time of day.",
        ((Literal("here", "group", ("weekday",)),),),
        "the time of day that follows",
    ),
    (
        "The word “not”, or the ending n't, after a form of do; never in quotation marks.",
        (
            (
                Literal("here", "word", NEGATIONS),
                Literal("prev", "group", ("do",)),
                Literal("state", "quoted", negated=True),
            ),
        ),
        "",
    ),
    (
        "The country Turkey, not the bird, in passages about the Black Sea; numbers that begin a "
        "line.",
        (
            (Literal("here", SPELLING, ("Turkey",)), Literal("near32", "word", BLACK_SEA)),
            (Literal("here", "class", ("digit",)), Literal("state", "line-start")),
        ),
        "",
    ),
    ("Sentences in which somebody regrets a decision.", (), "regret, which no word gives away"),
)
QUESTION = "Description: {text}"
REPAIR = """\

Your earlier answer was:
{answer}
It cannot be used: {defect}. Answer again, with the whole JSON object."""


def translation_request(text: str) -> Request:
    """Ask for the rules of one explanation."""
    return Request(
        prefix=_prefix(),
        question=QUESTION.format(text=" ".join(text.split())),
        max_tokens=MAX_TOKENS,
        schema=_schema(),
        purpose="translate",
    )


def repair_request(request: Request, answer: str, defect: str) -> Request:
    """Ask once more, showing what was answered and what is wrong with it."""
    answer = answer if len(answer) <= LONGEST_QUOTE else f"{answer[:LONGEST_QUOTE]} [...]"
    added = REPAIR.format(answer=answer, defect=defect)
    return replace(request, question=f"{request.question}\n{added}", attempt=1)


@lru_cache(maxsize=1)
def _prefix() -> tuple[Message, ...]:
    """Instructions and examples, the same for every explanation."""
    instructions = INSTRUCTIONS.format(
        conditions=MOST_CONDITIONS,
        rules=MOST_RULES,
        classes=_listed(CLASSES),
        groups=", ".join(lexicon().names),
        states=_listed(STATES),
    )
    turns = [Message("system", instructions)]
    for text, rules, left_out in SHOTS:
        turns.append(Message("user", QUESTION.format(text=text)))
        turns.append(Message("assistant", written(rules, left_out)))
    return tuple(turns)


def _listed(names: Iterable[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    return ", ".join(quoted[:-1]) + f" or {quoted[-1]}"


@lru_cache(maxsize=1)
def _schema() -> str:
    """JSON schema of the answer; every key is required, as strict endpoints want it."""
    condition = {
        "type": "object",
        "properties": {
            "where": {"type": "string", "enum": [*WHERE, TEXT]},
            "is": {"type": "string", "enum": [*IS, SPELLING, *STATES]},
            "any_of": {"type": "array", "items": {"type": "string"}},
            "not": {"type": "boolean"},
        },
        "required": ["where", "is", "any_of", "not"],
        "additionalProperties": False,
    }
    rules = {"type": "array", "items": {"type": "array", "items": condition}}
    whole = {
        "type": "object",
        "properties": {"rules": rules, "left_out": {"type": "string"}},
        "required": ["rules", "left_out"],
        "additionalProperties": False,
    }
    return json.dumps(whole)

"""The same rules as a judge: what they say of single contexts (methods.md 4.5).

A judge sees the tokens of its item and nothing else, so a rule about a word 16 tokens back is
undecided, hence false, at the start of a context. No cost, no noise, no failures.
"""

from typing import NamedTuple

import numpy as np

from core.grammar.language import Rules
from core.grammar.text import Text
from core.grammar.words import Words


class Prediction(NamedTuple):
    """What a list of rules says of every token of some contexts."""

    fires: np.ndarray  # bool [n, w]
    value: np.ndarray  # float32 [n, w], activation predicted: value of the first rule that holds
    precision: np.ndarray  # float32 [n, w], 0..1: precision of that rule, 0 where none holds


class Verdicts(NamedTuple):
    """Answers to items."""

    verdict: np.ndarray  # bool [n]
    probability: np.ndarray  # float32 [n], 0..1


def predict(
    rules: Rules,
    tokens: np.ndarray,
    starts: np.ndarray,
    words: Words,
    document_starts: np.ndarray | None = None,
) -> Prediction:
    """Apply rules to contexts: tokens int32 [n, w], starts [n] position of each first token.

    document_starts bool [n, w] is only known for whole sequences; without it no token of a context
    counts as the first of a document.
    """
    text = Text(words, tokens, starts, document_starts)
    everywhere = np.flatnonzero(~words.special[text.tokens])
    first = np.full(len(text.tokens), -1, np.int64)
    for index in reversed(range(len(rules))):
        first[text.all_hold(rules.rules[index].literals, everywhere)] = index
    values = np.array([*(rule.value for rule in rules.rules), 0.0], np.float32)
    shares = np.array([*(rule.precision for rule in rules.rules), 0.0], np.float32)
    grid = first.reshape(tokens.shape)
    return Prediction(grid >= 0, values[grid], shares[grid])


def detection_verdicts(
    rules: Rules, tokens: np.ndarray, starts: np.ndarray, words: Words
) -> Verdicts:
    """Say whether the feature is active somewhere in each context: any token satisfies the rules.

    The probability is the largest precision among the rules that hold.
    """
    said = predict(rules, tokens, starts, words)
    return Verdicts(np.asarray(said.fires.any(1)), said.precision.max(1, initial=0))


def fuzzing_verdicts(
    rules: Rules, tokens: np.ndarray, starts: np.ndarray, words: Words, marks: np.ndarray
) -> Verdicts:
    """Say whether the marked tokens are the right ones: every one of them satisfies the rules.

    Half of the marks was tried on the published GPT-2 items and answers no better. marks
    bool [n, w]. The probability is the mean precision over the marks. Without marks: no.
    """
    said = predict(rules, tokens, starts, words)
    n = np.maximum(marks.sum(1), 1)
    mean = (said.precision * marks).sum(1) / n
    every = (said.fires | ~marks).all(1)
    return Verdicts(np.asarray(every & marks.any(1)), mean.astype(np.float32))

"""What a rule is mostly about: the values of its set by the activation they bring in.

An SAE feature often fires strongly on a few tokens and weakly on a tail of others; a sentence
that begins with the few reads as the feature does. Only the order of a set's values changes, and
so never what the rule claims.
"""

from dataclasses import replace

import numpy as np

from core.grammar.corpus import Corpus
from core.grammar.language import Literal, Rules

SETS = ("token", "word")
MOSTLY = 0.6  # of the activation that all rules claim: above it, the values in front are "mostly"
FEW = 3  # values in front, at most


def heaviest_first(
    corpus: Corpus, literals: tuple[Literal, ...], at: np.ndarray, activation: np.ndarray
) -> tuple[Literal, ...]:
    """Sort the values of a set of tokens or words by the activation at the positions claimed.

    at: positions int64 [n]; activation: float32, of every position of the corpus.
    """
    return tuple(
        replace(literal, values=_sorted(corpus, literal, at, activation))
        if _is_set(literal)
        else literal
        for literal in literals
    )


def _is_set(literal: Literal) -> bool:
    return (
        literal.place == "here"
        and literal.kind in SETS
        and not literal.negated
        and len(literal.values) > 1
    )


def _sorted(
    corpus: Corpus, literal: Literal, at: np.ndarray, activation: np.ndarray
) -> tuple[str, ...]:
    mass = _mass(corpus, literal, at, activation[at])
    order = np.argsort(-mass, kind="stable")
    return tuple(literal.values[i] for i in order)


def _mass(corpus: Corpus, literal: Literal, at: np.ndarray, activation: np.ndarray) -> np.ndarray:
    """Activation that each value of a literal brings in, float64 [values]."""
    by_id = np.bincount(corpus.text.tokens[at], activation, minlength=len(corpus.words))
    return np.array(
        [by_id[corpus.words.table(literal.kind, (value,))].sum() for value in literal.values]
    )


def leading(corpus: Corpus, rules: Rules, token: np.ndarray, activation: np.ndarray) -> int:
    """How many values of the first rule, at most three, make most of what all rules claim.

    0 where the activation is spread, where the rule asks for more than the token, or where there
    is no tail worth telling apart. token uint32 [n] flat indices, activation float32 [n].
    """
    first = rules.rules[0] if len(rules) else None
    if first is None or len(first.literals) != 1 or not _is_set(first.literals[0]):
        return 0
    teaches = corpus.train_positions[token]
    at, value = token[teaches].astype(np.int64), activation[teaches]
    claimed = _claimed(corpus, rules, at)
    mass = _mass(corpus, first.literals[0], at, value)
    enough = np.flatnonzero(np.cumsum(mass) >= MOSTLY * value[claimed].sum())
    n = int(enough[0]) + 1 if len(enough) else 0
    return n if 0 < n <= FEW and n + 2 <= len(mass) else 0


def _claimed(corpus: Corpus, rules: Rules, at: np.ndarray) -> np.ndarray:
    """Which of some ascending positions any rule claims, bool [n]."""
    hit = np.zeros(len(at), bool)
    for rule in rules.rules:
        hit[np.searchsorted(at, corpus.text.all_hold(rule.literals, at))] = True
    return hit

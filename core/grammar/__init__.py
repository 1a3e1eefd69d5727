"""Explanations that a program can check: learn rules for a feature, say them, check them exactly.

    corpus = Corpus(tokens, vocabulary_strings, special_ids, document_starts, train, selection)
    rules = induce(corpus, token, activation, Settings(), seed)
    result = check(corpus, rules, token, activation)
    text = render(rules, result.test.tokens.recall, result.test.tokens.precision)

numpy only; what a token is like comes from its text, what a feature is like from where it is
active. Specification: reference methods.md section 4.
"""

from dataclasses import replace

import numpy as np

from core.grammar.check import ExactCheck, Figures, Part, check
from core.grammar.contexts import Contexts, sample_contexts
from core.grammar.corpus import Corpus
from core.grammar.few import induce_few
from core.grammar.induction import FEWEST, learn
from core.grammar.language import Literal, Rule, Rules, parse
from core.grammar.render import render
from core.grammar.settings import Settings
from core.grammar.verdicts import (
    Prediction,
    Verdicts,
    detection_verdicts,
    fuzzing_verdicts,
    predict,
)
from core.grammar.words import Words

__all__ = [
    "Contexts",
    "Corpus",
    "ExactCheck",
    "Figures",
    "Literal",
    "Part",
    "Prediction",
    "Rule",
    "Rules",
    "Settings",
    "Verdicts",
    "Words",
    "check",
    "detection_verdicts",
    "fuzzing_verdicts",
    "induce",
    "induce_few",
    "parse",
    "predict",
    "render",
]

FALLBACK = 40  # contexts, as many as an explainer sees by default (methods.md 1.1)


def induce(
    corpus: Corpus,
    token: np.ndarray,
    activation: np.ndarray,
    settings: Settings,
    seed: int,
    contexts: np.ndarray | None = None,
) -> Rules:
    """Learn rules for one feature from the train sequences only.

    token uint32 [n] ascending flat indices, activation float32 [n]. With settings.examples the
    rules are learnt from that many contexts and a background of silent ones, as a language model
    would see them: `contexts` (first flat index of each, int64 [m]) or drawn here by
    settings.sampling. Where every token taught nothing that shortens the description, 40 contexts
    teach what they can: a weak answer with its figures is of more use than none.
    """
    if settings.examples is None and contexts is None:
        rules = learn(corpus, token, activation, settings, seed)
        if rules.rules or corpus.train_positions[token].sum() < FEWEST:
            return rules
        settings = replace(settings, examples=FALLBACK)
    drawn = sample_contexts(corpus, token, activation, settings, seed, contexts)
    return induce_few(drawn, corpus.words, settings, seed)

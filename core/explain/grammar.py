"""The grammar explainer: one feature of a cache in, a sentence with its exact check out.

Thin: the rules are learnt, checked and worded by core/grammar. Needs no model, network or key.
"""

from typing import NamedTuple

import numpy as np

from core.grammar import Corpus, ExactCheck, Rules, Settings, check, induce, render
from core.grammar.emphasis import leading
from data.records import Score, Tally


class Explained(NamedTuple):
    """One explanation, or the reason why there is none."""

    text: str | None
    rule: str | None  # canonical text of the rules
    reason: str | None
    rules: Rules
    check: ExactCheck | None
    exact: Score | None  # the same check as a score


def explain(
    corpus: Corpus,
    token: np.ndarray,
    activation: np.ndarray,
    settings: Settings,
    seed: int,
    contexts: np.ndarray | None = None,
) -> Explained:
    """Explain one feature and check the explanation on the whole corpus.

    token uint32 [n] ascending flat indices, activation float32 [n].

    contexts: first flat index of each train context to learn from, int64 [m]; None = every train
    token, or what settings.examples draws.
    """
    rules = induce(corpus, token, activation, settings, seed, contexts)
    if not rules.rules:
        return Explained(None, None, why_not(corpus, token), rules, None, None)
    result = check(corpus, rules, token, activation)
    figures = result.test.tokens
    front = leading(corpus, rules, token, activation)
    text = render(rules, figures.recall, figures.precision, front)
    return Explained(text, str(rules), None, rules, result, score_of(result))


def why_not(corpus: Corpus, token: np.ndarray) -> str:
    """Say why no rule was learnt."""
    if not len(token):
        return "dead: never active"
    n = int(corpus.train_positions[token].sum())
    if n < 3:
        return f"rare: active on {n} train tokens, rules need 3"
    return "no rule: nothing a rule can ask tells its tokens from others"


def score_of(result: ExactCheck) -> Score:
    """Write the check as a score: F1 on test sequences, recall as TPR."""
    part = result.test
    figures = part.tokens
    silent = figures.fp + figures.tn
    return Score(
        scorer="exact",
        metric="f1",
        value=figures.f1,
        low=part.f1_low,
        high=part.f1_high,
        tpr=figures.recall,
        tnr=figures.tn / silent if silent else None,
        n=figures.n,
        failed=0,
        judge="grammar",
        preset="exact",
        by_decile={d.decile: Tally(d.n, d.recalled) for d in part.deciles},
        non_activating={},
        detail=result.as_dict(),
    )

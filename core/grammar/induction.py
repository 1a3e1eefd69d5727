"""Learn a list of rules for one feature from the train sequences (methods.md 4.3).

Sample, collect candidate literals, cover greedily, merge rules into sets, prune on the selection
sequences, then attach to each rule what its claims are worth. Everything after the sample is exact.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from core.grammar.candidates import candidates, f_measure
from core.grammar.corpus import Corpus
from core.grammar.emphasis import heaviest_first
from core.grammar.evidence import draw
from core.grammar.language import Literal, Rule, Rules
from core.grammar.scan import positions
from core.grammar.search import Cover
from core.grammar.settings import Settings

FEWEST = 3  # active learning tokens without which nothing is learnt
TOLERANCE = 0.002  # F that a rule or literal must be worth on the selection sequences


class Target(NamedTuple):
    """The feature, on every position of the corpus."""

    activation: np.ndarray  # float32 [N]
    active: np.ndarray  # bool [N], above the threshold


def target(corpus: Corpus, token: np.ndarray, activation: np.ndarray, threshold: float) -> Target:
    """Lay a feature's sparse activations out over the corpus."""
    dense = np.zeros(corpus.n_tokens, np.float32)
    dense[token] = activation
    top = float(activation.max()) if len(activation) else 0.0
    return Target(dense, dense > threshold * top)


def learn(
    corpus: Corpus, token: np.ndarray, activation: np.ndarray, settings: Settings, seed: int
) -> Rules:
    """Learn rules from every train token."""
    inside = corpus.train_positions[token]
    token, activation = token[inside], activation[inside]  # test sequences are never looked at
    aim = target(corpus, token, activation, settings.threshold)
    positives = token[aim.active[token] & corpus.learning[token]].astype(np.int64)
    if len(positives) < FEWEST:
        return Rules()
    sample = draw(corpus, positives, np.random.default_rng(seed))
    cover = Cover(corpus, sample, candidates(corpus, sample, settings), settings)
    while len(cover.rules) < settings.max_rules and cover.grow():
        pass
    if not cover.rules:
        cover.settle()
    learnt = merge([rule.literals for rule in cover.rules])
    learnt = prune(corpus, learnt, aim, settings)
    return value(corpus, learnt, aim)


def merge(rules: list[tuple[Literal, ...]]) -> list[tuple[Literal, ...]]:
    """Join rules that differ in the values of one token literal.

    here:word="cat" & prev:word="a" and here:word="dog" & prev:word="a" become one rule with a set.
    """
    out: list[tuple[Literal, ...]] = []
    for rule in rules:
        for i, other in enumerate(out):
            joined = _join(other, rule)
            if joined is not None:
                out[i] = joined
                break
        else:
            out.append(rule)
    return out


def _join(a: tuple[Literal, ...], b: tuple[Literal, ...]) -> tuple[Literal, ...] | None:
    if len(a) != len(b):
        return None
    apart = [x for x in a if x not in b]
    rest = [x for x in b if x not in a]
    if len(apart) != 1 or len(rest) != 1:
        return None
    x, y = apart[0], rest[0]
    same = (x.place, x.kind, x.negated) == (y.place, y.kind, y.negated)
    if not same or not x.values or x.negated or x.place == "position":
        return None
    values = tuple(dict.fromkeys((*x.values, *y.values)))
    return tuple(replace(z, values=values) if z == x else z for z in a)


def prune(
    corpus: Corpus, rules: list[tuple[Literal, ...]], aim: Target, settings: Settings
) -> list[tuple[Literal, ...]]:
    """Drop rules, weakest first, that are not missed on the selection sequences."""
    chosen = corpus.selection_positions
    if aim.active[chosen].sum() < 10:
        chosen = corpus.learning
    n_positive = float(aim.active[chosen].sum())
    claimed = [_only(positions(corpus, rule), chosen) for rule in rules]
    f = _f_of(corpus, claimed, aim, n_positive, settings.beta)
    kept = list(range(len(rules)))
    while len(kept) > 1:
        without = [
            _f_of(corpus, [claimed[j] for j in kept if j != i], aim, n_positive, settings.beta)
            for i in kept
        ]
        best = int(np.argmax(without))
        if without[best] < f - TOLERANCE * (f > 0) * 0.5:
            break
        f = max(f, without[best])
        kept.pop(best)
    return [rules[i] for i in kept]


def _only(found: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return found[chosen[found]]


def _f_of(
    corpus: Corpus, claimed: list[np.ndarray], aim: Target, n_positive: float, beta: float
) -> float:
    hit = np.zeros(corpus.n_tokens, bool)
    for found in claimed:
        hit[found] = True
    at = np.flatnonzero(hit)
    tp = float(aim.active[at].sum())
    return float(f_measure(tp, len(at) - tp, n_positive, beta))


def value(corpus: Corpus, rules: list[tuple[Literal, ...]], aim: Target) -> Rules:
    """Order rules by the activations they cover and attach value and precision of first claims."""
    claimed = [_only(positions(corpus, rule), corpus.train_positions) for rule in rules]
    hits = [int(aim.active[found].sum()) for found in claimed]
    order = sorted(range(len(rules)), key=lambda i: (-hits[i], len(rules[i]), str(rules[i][0])))
    free = np.ones(corpus.n_tokens, bool)
    out = []
    for i in order:
        first = claimed[i][free[claimed[i]]]
        free[first] = False
        if len(first):
            literals = heaviest_first(corpus, rules[i], first, aim.activation)
            mean = float(aim.activation[first].mean())
            out.append(Rule(literals, _short(mean), _short(float(aim.active[first].mean()))))
    return Rules(tuple(out))


def _short(number: float) -> float:
    """Round to four figures, so that the written rule is the rule."""
    return float(f"{number:.4g}")

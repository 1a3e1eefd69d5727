"""Candidate literals for one feature, and where they hold on its sample.

Token tests at t are counted exactly over the learning tokens, through the vocabulary; what lies to
the left is counted on the sample. Out come at most about 200 columns (methods.md 4.3, step 2).
"""

from typing import NamedTuple

import numpy as np

from core.grammar.corpus import Corpus
from core.grammar.evidence import Sample
from core.grammar.language import NEAR, STATES, Literal
from core.grammar.settings import Settings
from core.grammar.words import Words

KINDS_BY_FAMILY = {"token": ("token", "word")}
PREFERENCE = ("word", "token", "stem", "group", "cluster", "class", "suffix", "prefix", "length")
SET_KINDS = ("word", "token", "stem")
MOST_VALUES = 16  # in a set; longer lists are no explanation
ENOUGH = 0.97  # of the gain in F that a set could make: the last few values only lengthen it
HERE, LEFT, AROUND = 50, 30, 36  # candidates kept at t, at t-1 (half as many at t-2), before t
WIDEST = 0.75  # of the sequence: a wider range of positions says next to nothing
WINDOWS = 300  # positives whose left context is searched for words
KINDS_OF_LITERAL = 16  # for the description length


class Candidates(NamedTuple):
    """Literals and their truth on the sample."""

    literals: list[Literal]
    holds: np.ndarray  # float32 [sample, literals]
    bits: np.ndarray  # float64 [literals], description length of each


class Counted(NamedTuple):
    """Attributes with how often they are active and how often they occur (weighted)."""

    attribute: np.ndarray  # int64 [a]
    active: np.ndarray  # float64 [a]
    total: np.ndarray  # float64 [a]


def candidates(corpus: Corpus, sample: Sample, settings: Settings) -> Candidates:
    """Collect the literals worth trying for one feature and evaluate them on its sample."""
    n_positive = float(sample.active.sum())
    least = max(3.0, 0.02 * n_positive)
    here = _here(corpus, sample, settings)
    columns = _tokens(corpus, "here", here, n_positive, least, settings, HERE)
    if settings.families == "context":
        columns += _left(corpus, sample, least, settings)
        columns += _around(corpus, sample)
        columns += _bigrams(corpus, sample)
        columns += _places(corpus, sample)
    literals = [literal for literal, _ in columns]
    bits = np.array([bits + _oddity(literal) for literal, bits in columns])
    return Candidates(literals, _truth(corpus, sample, literals), bits)


def _oddity(literal: Literal) -> float:
    """Charge for what a person would hardly think of: one letter, a length, a range."""
    short = literal.kind in ("prefix", "suffix") and len(literal.values[0]) < 2
    return 6.0 * (short or literal.kind in ("length", "range"))


def _truth(corpus: Corpus, sample: Sample, literals: list[Literal]) -> np.ndarray:
    """Evaluate literals on the sample: float32 [sample, literals]."""
    holds = np.empty((len(sample.position), len(literals)), np.float32)
    near = [i for i, literal in enumerate(literals) if literal.place in NEAR]
    if near:
        words = list(dict.fromkeys(literals[i].values[0] for i in near))
        distance = _distance(corpus, sample.position, words)
        for i in near:
            literal = literals[i]
            holds[:, i] = distance[:, words.index(literal.values[0])] <= NEAR[literal.place]
    for i, literal in enumerate(literals):
        if literal.place not in NEAR:
            holds[:, i] = corpus.text.holds(literal, sample.position)
    return holds


def _distance(corpus: Corpus, position: np.ndarray, words: list[str]) -> np.ndarray:
    """Say how many tokens back each word last occurred in the row: uint8 [n, words], 255 never."""
    code = np.full(len(corpus.words), len(words), np.int64)
    for i, word in enumerate(words):
        code[corpus.words.table("word", (word,))] = i
    column = position % corpus.length
    out = np.full((len(position), len(words) + 1), 255, np.uint8)
    flat, base = out.ravel(), np.arange(len(position)) * (len(words) + 1)
    for back in range(max(NEAR.values()), 0, -1):  # nearer occurrences overwrite
        seen = code[corpus.text.tokens[np.maximum(position - back, 0)]]
        flat[base + np.where(column >= back, seen, len(words))] = back
    return out[:, :-1]


def _here(corpus: Corpus, sample: Sample, settings: Settings) -> Counted:
    attribute, active = corpus.words.count(sample.tokens, sample.active)
    allowed = KINDS_BY_FAMILY.get(settings.families, PREFERENCE)
    keep = np.array([corpus.words.kind[a] in allowed for a in attribute], bool)
    return Counted(attribute[keep], active[keep], corpus.attribute_counts[attribute[keep]])


def _tokens(
    corpus: Corpus,
    place: str,
    counted: Counted,
    n_positive: float,
    least: float,
    settings: Settings,
    most: int,
) -> list[tuple[Literal, float]]:
    """Keep the best single attributes and the best sets of one place."""
    f = f_measure(counted.active, counted.total - counted.active, n_positive, settings.beta)
    base = n_positive / max(1, corpus.n_learning)
    odds = counted.active * np.log2((counted.active + base) / (counted.total + 1) / base)
    eligible = counted.active >= least
    rank = np.argsort(-np.where(eligible, f, -1), kind="stable")[: most // 2]
    other = np.argsort(-np.where(eligible, odds, -np.inf), kind="stable")[:most]
    chosen = [i for i in dict.fromkeys([*rank.tolist(), *other.tolist()]) if eligible[i]]
    bits = np.log2(KINDS_OF_LITERAL) + np.log2(max(2, len(counted.attribute)))
    words = corpus.words
    unique = _distinct(words, counted, chosen)[:most]
    kept = [words.kind_value(counted.attribute[i]) for i in unique]
    out = [(Literal(place, kind, (value,)), bits) for kind, value in kept]
    for kind in SET_KINDS if place == "here" else ("word",):
        values = best_set(words, counted, kind, n_positive, settings.beta)
        if len(values) > 1:
            price = bits + (len(values) - 1) * np.log2(max(2, len(counted.attribute)))
            out.append((Literal(place, kind, values), price))
    return out


def _distinct(words: Words, counted: Counted, chosen: list[int]) -> list[int]:
    """Of attributes that cannot be told apart by their counts keep the one a person prefers."""
    best: dict[tuple[float, float], int] = {}
    for i in chosen:
        key = (counted.active[i], counted.total[i])
        rank = PREFERENCE.index(words.kind[counted.attribute[i]])
        if key not in best or rank < PREFERENCE.index(words.kind[counted.attribute[best[key]]]):
            best[key] = i
    kept = set(best.values())
    return [i for i in chosen if i in kept]


def best_set(
    words: Words,
    counted: Counted,
    kind: str,
    n_positive: float,
    beta: float,
    before: tuple[float, float] = (0.0, 0.0),
) -> tuple[str, ...]:
    """Find the set of values with the highest F: a prefix of the values by precision.

    Adding values in falling order of precision is optimal for F, because each adds its own true and
    false claims. Precision is shrunk, so that a value seen once does not lead. `before` are the
    true and false claims that are made anyway.
    """
    of_kind = np.array([words.kind[a] == kind for a in counted.attribute], bool)
    index = np.flatnonzero(of_kind & (counted.active >= max(2.0, 0.005 * n_positive)))
    if not len(index):
        return ()
    precision = counted.active[index] / (counted.total[index] + 2)
    index = index[np.argsort(-precision, kind="stable")]
    active, total = np.cumsum(counted.active[index]), np.cumsum(counted.total[index])
    f = f_measure(before[0] + active, before[1] + total - active, n_positive, beta)
    index = index[: int(np.argmax(f)) + 1]
    index = index[np.argsort(-counted.active[index], kind="stable")]
    active, total = np.cumsum(counted.active[index]), np.cumsum(counted.total[index])
    f = f_measure(before[0] + active, before[1] + total - active, n_positive, beta)
    nothing = float(f_measure(*before, n_positive, beta))
    enough = int(np.argmax(f - nothing >= ENOUGH * (f[-1] - nothing))) + 1
    return tuple(words.value[a] for a in counted.attribute[index[: min(enough, MOST_VALUES)]])


def f_measure(tp, fp, n_positive: float, beta: float):
    """F of true and false claims: (1 + b²) tp / ((1 + b²) tp + b² fn + fp); 0 without claims."""
    square = beta * beta
    return (1 + square) * tp / np.maximum(tp + fp + square * n_positive, 1e-12)


def _left(
    corpus: Corpus, sample: Sample, least: float, settings: Settings
) -> list[tuple[Literal, float]]:
    out = []
    n_positive = float(sample.active.sum())
    for back, place in ((1, "prev"), (2, "prev2")):
        inside = sample.position % corpus.length >= back
        tokens = corpus.text.tokens[np.maximum(sample.position - back, 0)]
        active = inside & sample.positive
        by_id = np.bincount(tokens[active], sample.weight[active], minlength=len(corpus.words))
        ids = np.flatnonzero(by_id)
        attribute, counts = corpus.words.count(ids, by_id[ids])
        total = np.maximum(corpus.attribute_counts[attribute], counts)
        out += _tokens(
            corpus,
            place,
            Counted(attribute, counts, total),
            n_positive,
            least,
            settings,
            LEFT // back,
        )
    return out


def _around(corpus: Corpus, sample: Sample) -> list[tuple[Literal, float]]:
    """Words that occurred before positives more often than before any token."""
    rows = sample.position[sample.positive][:WINDOWS]
    reaches = np.arange(1, 33)
    column = rows % corpus.length
    word = corpus.words.word[corpus.text.tokens[np.maximum(rows[:, None] - reaches, 0)]]
    word = np.where(column[:, None] >= reaches, word, -1)  # [positive, 32 back]
    out: list[tuple[float, str, Literal]] = []
    n = len(rows)
    for i, (place, reach) in enumerate(NEAR.items()):
        near = np.sort(word[:, :reach], axis=1)
        fresh = near >= 0
        fresh[:, 1:] &= near[:, 1:] != near[:, :-1]
        found, count = np.unique(near[fresh], return_counts=True)
        share = np.maximum(corpus.near_shares[i, found], 1 / max(1, corpus.n_tokens))
        lift = count * np.log2(count / n / share)
        for j in np.argsort(-np.where(count >= max(3, 0.04 * n), lift, -1), kind="stable")[:AROUND]:
            if lift[j] > 0 and count[j] >= max(3, 0.04 * n):
                value = corpus.words.value[found[j]]
                out.append((float(lift[j]), value, Literal(place, "word", (value,))))
    bits = np.log2(KINDS_OF_LITERAL) + np.log2(max(2, len(np.unique(word))))
    best: dict[str, list[tuple[float, Literal]]] = {}
    for lift, value, literal in sorted(out, key=lambda item: (-item[0], item[1])):
        if len(best.setdefault(value, [])) < 2 and len(best) <= AROUND:
            best[value].append((lift, literal))
    return [(literal, bits) for found in best.values() for _, literal in found]


def _bigrams(corpus: Corpus, sample: Sample) -> list[tuple[Literal, float]]:
    pairs = corpus.text.bigram[sample.position]
    found, count = np.unique(pairs[sample.positive & (pairs >= 0)], return_counts=True)
    if not len(found):
        return []
    least = max(3, 0.02 * sample.positive.sum())
    order = [i for i in np.argsort(-count, kind="stable")[:10] if count[i] >= least]
    bits = np.log2(KINDS_OF_LITERAL) + np.log2(max(2, len(found)))
    n = len(corpus.words.kind)
    names = [tuple(corpus.words.value[w] for w in divmod(int(found[i]), n)) for i in order]
    clear = [pair for pair in names if not any("\t" in word for word in pair)]
    return [(Literal("bigram", "word", ("\t".join(pair),)), bits) for pair in clear]


def _places(corpus: Corpus, sample: Sample) -> list[tuple[Literal, float]]:
    """States of the text, and positions around which the positives lie."""
    bits = np.log2(KINDS_OF_LITERAL)
    out = [(Literal("state", state), bits + np.log2(len(STATES))) for state in STATES]
    column = np.sort(sample.position[sample.positive] % corpus.length)
    ends = {2, 4, 8, 16, 32, 64}
    for share in (0.5, 0.9, 0.98, 1.0):
        ends.add(int(column[int(share * (len(column) - 1))]) + 1)
    low = int(column[int(0.02 * (len(column) - 1))])
    ranges = {(0, end) for end in ends} | {(low, end) for end in ends if low < end}
    ranges |= {(low, corpus.length)}
    for start, end in sorted(ranges):
        if 0 < end - start <= WIDEST * corpus.length:
            literal = Literal("position", "range", (str(start), str(end)))
            out.append((literal, bits + 2 * np.log2(corpus.length)))
    return out

"""How fast the grammar explains a feature and checks it on every token, on one core.

Made in memory: Zipf-distributed words, and features that fire on a few words, sometimes only
after some others, plus noise. Frequencies are log-normal as those of an SAE with 24 of 8,192
features active at a token; the densest fire on half of all tokens.
"""

from collections.abc import Iterator
from time import process_time
from typing import NamedTuple

import numpy as np

from core.bench.figures import Figure, at_least, context
from core.grammar import Corpus, Settings, check, induce

LENGTH = 256  # tokens a sequence
N_WORDS = 20_000
SHARE = 24 / 8192  # mean share of tokens a feature is active at
SIGMA = 1.5  # of the logarithm of a feature's frequency
DENSEST = 0.5  # of all tokens
NOISE = 0.2  # of a feature's activations, anywhere
SYLLABLES = ("ba", "den", "kor", "li", "mus", "ta", "ver", "shi", "on", "ing", "er", "al", "pre")


class Feature(NamedTuple):
    """Where one feature is active."""

    token: np.ndarray  # uint32 [n], ascending
    activation: np.ndarray  # float32 [n]


def figures(quick: bool = False) -> Iterator[Figure]:
    """Measure features a second at both sizes, tables included apart."""
    for n_tokens, bar in ((200_000, 15), (1_000_000, 5)):
        start = process_time()
        corpus = made_corpus(n_tokens)
        features = [made_feature(corpus, seed) for seed in range(20 if quick else 100)]
        explain(corpus, features[0], 0)  # builds the tables that all features share
        shared = process_time() - start
        start = process_time()
        rules = [explain(corpus, feature, i) for i, feature in enumerate(features)]
        rate = len(features) / (process_time() - start)
        size = f"{n_tokens // 1000}k tokens"
        yield at_least(f"grammar: explain and check, {size}", rate, "features/s", bar)
        yield context(f"rules in an explanation, {size}", float(np.mean(rules)), "rules")
        yield context(f"made text and shared tables, {size}", shared, "s")


def explain(corpus: Corpus, feature: Feature, seed: int) -> int:
    """Explain and check one feature; give the number of rules."""
    rules = induce(corpus, *feature, Settings(), seed)
    check(corpus, rules, *feature)
    return len(rules)


def made_corpus(n_tokens: int) -> Corpus:
    """Make sequences of made-up words, digits, marks and newlines."""
    rng = np.random.default_rng(0)
    words = ["<bos>", " ", ".", ",", "\n", " (", ")", '"', " 1", " 2000", ":"]
    drawn = rng.choice(np.array(SYLLABLES), (2 * N_WORDS, 4))
    lengths = rng.integers(1, 5, 2 * N_WORDS)
    spelt = ["".join(row[:n]) for row, n in zip(drawn, lengths, strict=True)]
    words += [f" {w}" if i % 3 else w for i, w in enumerate(dict.fromkeys(spelt))][:N_WORDS]
    ids = np.minimum(rng.zipf(1.15, (n_tokens // LENGTH, LENGTH)), len(words) - 1).astype(np.int32)
    ids[:, 0] = 0
    part = np.arange(len(ids)) % 15
    return Corpus(ids, words, (0,), train=part < 5, selection=part == 0)


def made_feature(corpus: Corpus, seed: int) -> Feature:
    """Make a feature of a few words, of random frequency."""
    rng = np.random.default_rng(seed)
    frequency = min(SHARE * rng.lognormal(-(SIGMA**2) / 2, SIGMA), DENSEST)
    wanted = max(30, int(frequency * corpus.n_tokens))
    tokens = corpus.text.tokens
    kinds = rng.permutation(np.flatnonzero(corpus.learning_counts))
    enough = np.searchsorted(np.cumsum(corpus.learning_counts[kinds]), wanted / 2) + 1
    kinds = kinds[:enough]  # words that occur about twice as often as the feature is active
    on_word = np.flatnonzero(np.isin(tokens, kinds) & corpus.valid)
    if seed % 3 == 0:
        on_word = on_word[tokens[on_word - 1] % 2 == 1]  # only after some words
    chosen = rng.permutation(on_word)[: int(wanted * (1 - NOISE))]
    anywhere = np.flatnonzero(corpus.valid)
    noise = rng.choice(anywhere, wanted - len(chosen), replace=False)
    token = np.unique(np.concatenate([chosen, noise])).astype(np.uint32)
    return Feature(token, rng.gamma(2, 1, len(token)).astype(np.float32) + 0.1)

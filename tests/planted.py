"""A made-up corpus with features planted by a formula, for tests of the grammar."""

from collections.abc import Callable

import numpy as np

from core.grammar import Corpus

WORDS = (
    "<bos>", " the", " a", " cat", " dog", " cats", " walking", " talking", " running", " red",
    " blue", " Paris", " London", " of", " in", " and", ".", ",", "\n", " (", ")", '"', " 7", " 42",
    " pizza", " crust", "ing", " said", " not", " big", " Cat", " was",
)  # fmt: skip
LENGTH = 48


def corpus(n: int = 240, seed: int = 0, **overrides) -> Corpus:
    """Build n sequences of uniformly drawn words; a third is train, a fifth of it selection."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(1, len(WORDS), (n, LENGTH)).astype(np.int32)
    tokens[:, 0] = 0
    train = np.arange(n) % 3 == 0
    settings = {"train": train, "selection": train & (np.arange(n) % 5 == 0)} | overrides
    return Corpus(tokens, WORDS, (0,), **settings)


def plant(made: Corpus, rule: Callable[[list[str], int], bool]) -> tuple[np.ndarray, np.ndarray]:
    """Activate where `rule(words of the sequence, position)` says so, with values 1 .. 2."""
    rows = made.text.tokens.reshape(made.n_sequences, made.length)
    at = [
        i * made.length + p
        for i, row in enumerate(rows)
        for words in [[WORDS[t] for t in row]]
        for p in range(1, made.length)
        if rule(words, p)
    ]
    token = np.array(at, np.uint32)
    return token, (1 + token % 7 / 7).astype(np.float32)

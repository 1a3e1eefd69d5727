"""What induction looks at: a weighted sample of learning tokens, and literals as its columns.

Positives are sampled when there are many. Negatives come from three strata, each weighted by one
over its sampling rate so that sums estimate corpus counts (methods.md 4.3, step 1): tokens whose
id is mostly active, tokens whose id is sometimes active, and everything else. The first two are
what tells "the token" from "the token in this context".
"""

from typing import NamedTuple

import numpy as np

from core.grammar.corpus import Corpus

MOST_POSITIVES = 5000
MOST_NEGATIVES = (5000, 3000, 2000)  # per stratum
OFTEN = 0.05  # share of a token's occurrences that are active, first stratum


class Sample(NamedTuple):
    """Tokens to learn from."""

    position: np.ndarray  # int64 [n], flat indices
    positive: np.ndarray  # bool [n]
    weight: np.ndarray  # float64 [n], how many learning tokens each stands for
    tokens: np.ndarray  # int64 [u], ids that are active somewhere
    active: np.ndarray  # float64 [u], exact number of active learning tokens of each id
    total: np.ndarray  # float64 [u], exact number of learning tokens of each id


def draw(corpus: Corpus, positives: np.ndarray, rng: np.random.Generator) -> Sample:
    """Sample the learning tokens around a feature's positives (flat indices, learning only)."""
    ids = corpus.text.tokens[positives]
    tokens, active = np.unique(ids, return_counts=True)
    total = corpus.learning_counts[tokens]
    often = active >= OFTEN * total
    taken = np.zeros(corpus.n_tokens, bool)
    taken[positives] = True
    few = min(len(positives), MOST_POSITIVES)
    parts = [(rng.permutation(positives)[:few], True, len(positives))]
    for group, most in ((tokens[often], MOST_NEGATIVES[0]), (tokens[~often], MOST_NEGATIVES[1])):
        chosen = _from_postings(corpus, group, most, taken, rng)
        inside = np.isin(tokens, group, assume_unique=True)
        parts.append((chosen, False, int((total - active)[inside].sum())))
    known = np.zeros(len(corpus.words), bool)
    known[tokens] = True
    rest = _elsewhere(corpus, known, MOST_NEGATIVES[2], rng)
    parts.append((rest, False, corpus.n_learning - int(total.sum())))
    return Sample(
        np.concatenate([p for p, _, _ in parts]),
        np.concatenate([np.full(len(p), label) for p, label, _ in parts]),
        np.concatenate([np.full(len(p), n / max(1, len(p))) for p, _, n in parts]),
        tokens.astype(np.int64),
        active.astype(float),
        total.astype(float),
    )


def _from_postings(
    corpus: Corpus, ids: np.ndarray, most: int, taken: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw silent learning positions of some token ids, without replacement."""
    indptr, posting = corpus.postings
    lengths = indptr[ids + 1] - indptr[ids]
    size = int(lengths.sum())
    ends = np.cumsum(lengths)
    ranks = np.arange(size)
    if size > 6 * most:
        ranks = np.unique(rng.integers(0, size, 4 * most))
    which = np.searchsorted(ends, ranks, side="right")
    found = posting[indptr[ids][which] + ranks - (ends - lengths)[which]]
    found = found[corpus.learning[found] & ~taken[found]]
    return rng.permutation(found)[:most]


def _elsewhere(
    corpus: Corpus, known: np.ndarray, most: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw learning positions of all other token ids."""
    found = np.unique(rng.integers(0, corpus.n_tokens, 6 * most))
    found = found[corpus.learning[found] & ~known[corpus.text.tokens[found]]]
    return rng.permutation(found)[:most]

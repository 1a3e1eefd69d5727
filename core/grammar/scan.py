"""Where rules hold, over the whole corpus, without asking every literal at every token."""

from typing import NamedTuple

import numpy as np

from core.grammar.corpus import Corpus
from core.grammar.language import BACK, Literal, Rules


class Claims(NamedTuple):
    """Tokens that a list of rules claims."""

    position: np.ndarray  # int64 [n], flat indices, ascending
    rule: np.ndarray  # int32 [n], index of the first rule that holds


def claims(corpus: Corpus, rules: Rules) -> Claims:
    """Find every valid token that a list of rules claims, and by which rule first."""
    first = np.full(corpus.n_tokens, -1, np.int32)
    for index in reversed(range(len(rules))):
        first[positions(corpus, rules.rules[index].literals)] = index
    found = np.flatnonzero(first >= 0)
    return Claims(found, first[found])


def positions(corpus: Corpus, literals: tuple[Literal, ...]) -> np.ndarray:
    """List the valid positions where all literals hold, ascending: int64 [n].

    The literal with the shortest posting list is looked up, the others are asked only there.
    """
    sizes = [_posting_size(corpus, literal) for literal in literals]
    best = int(np.argmin(sizes))
    if sizes[best] < corpus.n_tokens:
        start = _posting(corpus, literals[best])
        rest = (*literals[:best], *literals[best + 1 :])
    else:
        start, rest = np.flatnonzero(corpus.valid), literals
    cheap_first = sorted(rest, key=lambda literal: literal.place not in BACK)
    return corpus.text.all_hold(tuple(cheap_first), start)


def _posting_size(corpus: Corpus, literal: Literal) -> int:
    if literal.negated or literal.place not in BACK:
        return corpus.n_tokens
    ids = np.flatnonzero(corpus.words.table(literal.kind, literal.values))
    indptr = corpus.postings[0]
    return int((indptr[ids + 1] - indptr[ids]).sum())


def _posting(corpus: Corpus, literal: Literal) -> np.ndarray:
    table = corpus.words.table(literal.kind, literal.values)
    table = table & ~corpus.words.special if literal.place == "here" else table
    found = corpus.positions_of(np.flatnonzero(table))
    back = BACK[literal.place]
    if not back:
        return found
    found = found[found % corpus.length < corpus.length - back] + back
    return found[corpus.valid[found]]

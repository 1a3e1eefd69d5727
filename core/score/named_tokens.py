"""A judge without a model: which text set has most of the tokens that an explanation names?

Only explanations that name tokens can be judged so: what stands between double quotation marks and
is a token of the subject, e.g. Promotes “ shoulder”, “ arm”. Tokens are counted in what was written
while the feature was turned up; spaces round a token do not count. Sets with equally many are
drawn by lot, by seed, so that naming nothing useful is a guess among three. Trials are those of
arXiv 2501.08319, where a language model judges (methods.md 5.10); counting instead is ours.
"""

import re
from collections.abc import Sequence

import numpy as np

from core import seeds
from core.prompts.judged_texts import one_line
from core.score.steered_sets import Trial
from data.vocabulary import Vocabulary

NAME = "named tokens"
NAMES_NONE = "names-no-token"  # reason: there is nothing that a program could count
QUOTED = re.compile('“([^“”]+)”|"([^"]+)"')


def named(explanation: str, vocabulary: Vocabulary) -> frozenset[str]:
    """Find the tokens that an explanation names, without their spaces.

    >>> sorted(named("Fires on “ arm”, “knee” and “not a token”.", Vocabulary([b" arm", b" knee"])))
    ['arm', 'knee']
    """
    quoted = {folded(curly or straight) for curly, straight in QUOTED.findall(explanation)}
    if not quoted:
        return frozenset()
    return frozenset(quoted & {folded(one_line(spelling)) for spelling in vocabulary.strings})


def folded(piece: str) -> str:
    """Take a token's spaces away, unless it has nothing else."""
    return piece.strip(" ") or piece


def counts(tokens: frozenset[str], trial: Trial) -> list[int]:
    """How many new tokens of each set, turned up, are among the tokens."""
    return [
        sum(
            folded(one_line(piece)) in tokens
            for text in one.texts(1)
            for piece in text.pieces
            if piece
        )
        for one in trial.sets
    ]


def choose(tokens: frozenset[str], trials: Sequence[Trial], seed: int) -> tuple[np.ndarray, int]:
    """Choose a place in every trial, int64 [trials]; and how many choices were by lot."""
    n = np.array([counts(tokens, trial) for trial in trials])
    most = n == n.max(axis=1, keepdims=True)
    lot = seeds.draws(seed, np.arange(n.size)).reshape(n.shape)
    place = np.where(most, lot, 0).argmax(axis=1)
    return place.astype(np.int64), int((most.sum(axis=1) > 1).sum())

"""Wrong marks that look like right ones.

A judge must not be able to tell a wrongly marked context from a rightly marked one by the marks
alone. So a wrong mark is never invented: it is the pattern (which indices, how many runs, how long)
of another activating context, a donor, and most of the time it stays at the donor's indices.

1. Donors are activating contexts that are no items themselves, one for each wrong item, with the
   deciles of the rightly marked items: patterns of weak and of strong contexts differ. (An item as
   donor would put the same pattern on both sides, which a flexible classifier can learn from.)
2. The donor is fixed first and a context is sought in which its pattern fits: none of its indices
   active or special there. Fixing the context first would prefer donors with few marks. Donors that
   fit in the fewest contexts choose first.
3. A donor that fits nowhere as it is may be rotated, by a random offset that neither splits a run
   at the edge nor joins two. Rotation is the exception because it flattens the distribution of
   indices, which in features tied to a position is not flat.
4. What still does not fit is skipped and counted. If more than a fifth is skipped, nothing is
   marked wrongly in this feature: what is left would be recognisable by its few marks.
"""

from typing import NamedTuple

import numpy as np

from core import seeds

MOST_SKIPPED = 0.2  # of the donors, above which a feature gets no wrong marks at all


class Placed(NamedTuple):
    """Patterns laid over contexts."""

    target: np.ndarray  # index of the context, int64 [n], each at most once
    marks: np.ndarray  # bool [n, length]
    skipped: int  # patterns that fit nowhere
    donor: np.ndarray  # index of the pattern that each context got, int64 [n], ascending


def place(
    patterns: np.ndarray, forbidden: np.ndarray, seed: int, *, reserved: np.ndarray | None = None
) -> Placed:
    """Lay each pattern over one context in which none of its indices is forbidden.

    patterns bool [donors, length], forbidden bool [contexts, length]; reserved bool [contexts]:
    already asked about otherwise, taken only where nothing else fits.
    """
    n_donors, n_contexts = len(patterns), len(forbidden)
    if not n_donors or not n_contexts:
        return _nothing(patterns, n_donors)
    fits = ~(patterns.astype(np.float32) @ forbidden.astype(np.float32).T).astype(bool)
    priority = seeds.draws(seed, np.arange(fits.size)).reshape(fits.shape)
    if reserved is not None:
        priority = priority >> np.uint64(1) | reserved.astype(np.uint64) << np.uint64(63)
    free = np.ones(n_contexts, dtype=bool)
    target = np.full(n_donors, -1, dtype=np.int64)
    marks = patterns.copy()
    for donor in np.argsort(fits.sum(axis=1), kind="stable"):
        open_to = np.flatnonzero(fits[donor] & free)
        if len(open_to):
            target[donor] = open_to[priority[donor, open_to].argmin()]
            free[target[donor]] = False
    for donor in np.flatnonzero(target < 0):
        turned = _rotated(patterns[donor], forbidden, free, priority[donor])
        if turned is not None:
            target[donor], marks[donor] = turned
            free[target[donor]] = False
    done = target >= 0
    skipped = int((~done).sum())
    if skipped > MOST_SKIPPED * n_donors:
        return _nothing(patterns, n_donors)
    return Placed(target[done], marks[done], skipped, np.flatnonzero(done))


def _nothing(patterns: np.ndarray, skipped: int) -> Placed:
    nothing = np.empty(0, dtype=np.int64)
    return Placed(nothing, patterns[:0], skipped, nothing)


def _rotated(
    pattern: np.ndarray, forbidden: np.ndarray, free: np.ndarray, priority: np.ndarray
) -> tuple[int, np.ndarray] | None:
    """Find a free context and an offset at which a pattern fits; both are drawn at random."""
    turns = rotations(pattern)
    contexts = np.flatnonzero(free)
    if not len(turns) or not len(contexts):
        return None
    fits = ~(forbidden[contexts].astype(np.float32) @ turns.astype(np.float32).T).astype(bool)
    context, turn = np.nonzero(fits)
    if not len(context):
        return None
    # One draw for a pair: the context's priority, mixed with the turn.
    chosen = seeds.draws(priority[contexts[context]], turn).argmin()
    return int(contexts[context[chosen]]), turns[turn[chosen]]


def rotations(pattern: np.ndarray) -> np.ndarray:
    """List the rotations of a pattern that keep its runs whole and apart, bool [m, length].

    >>> rotations([1, 1, 0])  # turning by 1 gives 0 1 1; turning by 2 would split the run
    [[0, 1, 1]]
    """
    length = len(pattern)
    if pattern[0] and pattern[-1]:
        return np.empty((0, length), dtype=bool)  # any turn joins the first and the last run
    turn = np.arange(1, length)
    index = (np.arange(length) - turn[:, None]) % length
    turned = pattern[index]
    return turned[~(turned[:, 0] & turned[:, -1])]

"""Where the contexts of a run stand in the tokens of its cache.

A context is looked for by its token texts, at every offset of every sequence; of several places
one where the feature's values are the same wins, and of those one that begins at a multiple of the
context's length. Two token ids with the same text count as one: the run kept the text only.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from core import seeds
from core.examples.contexts import spread
from core.examples.draw import ACTIVATING
from core.importing.contexts import Placed
from core.importing.gather import WRONG_MARK, Contexts, Gathered
from data.activations import FeatureActivations
from data.errors import BadInput
from data.imports.report import Report
from data.vocabulary import Vocabulary

TRIED = 256  # places compared with one context
ODD = 0x9E3779B97F4A7C15  # base of the window hash
ROWS = 4096  # sequences hashed at once
LOST = 0.01  # share of activating contexts that may be missing from given tokens (formats 2.6)

DISAGREES = "values_disagree_with_cache"

Activations = Callable[[str, int], FeatureActivations]


class Places(NamedTuple):
    """All places of each text, flat indices in ascending order."""

    ends: np.ndarray  # context i has first[ends[i] : ends[i + 1]]
    first: np.ndarray  # int64

    def of(self, number: int) -> np.ndarray:
        """Places of one context."""
        return self.first[self.ends[number] : self.ends[number + 1]]


def locate(
    gathered: Gathered,
    matrix: np.ndarray,
    vocabulary: Vocabulary,
    activations: Activations,
    report: Report,
) -> Placed:
    """Find every context; one that is not found has a first token beyond the last of the cache.

    matrix: ids, int [sequences, positions]; activations: of a hookpoint's feature in the cache.
    """
    contexts = gathered.contexts
    places = _places(contexts, matrix, vocabulary)
    joined = _joined_places(contexts, matrix, vocabulary)
    active, is_joined = _active(gathered), contexts.joined
    first = np.full(len(contexts.peak), -1, np.int64)
    length, peak = contexts.length.copy(), contexts.peak.copy()
    disagrees = np.zeros(len(contexts.peak), bool)
    for address, low, high in gathered.owners:
        one = activations(*address)
        for number in range(low, high):
            if is_joined[number]:
                found, length[number] = joined(number)
            else:
                found = places.of(number)
            values = None if is_joined[number] else contexts.values(number)
            chosen = _chosen(
                values,
                _aligned_first(found, int(length[number]), matrix.shape[1]),
                int(length[number]),
                one,
                float(contexts.peak[number]),
                is_active=bool(active[number]),
            )
            if chosen is not None:
                first[number], peak[number] = chosen.first, chosen.peak
                report.add(chosen.doubt, bool(chosen.doubt), str(address))
                disagrees[number] = chosen.doubt == DISAGREES
    return _beyond(gathered, Placed(first, length, peak, disagrees), matrix.size, report)


def require_found(gathered: Gathered, placed: Placed, n_tokens: int) -> None:
    """Refuse tokens that are of another corpus: most activating contexts must stand in them."""
    active = _active(gathered)
    lost = int((active & (placed.first_token >= n_tokens)).sum())
    if lost > LOST * active.sum():
        raise BadInput(f"{lost:,} of {int(active.sum()):,} activating contexts do not stand in the "
                       "tokens that were given: they are of another corpus")  # fmt: skip


def _active(gathered: Gathered) -> np.ndarray:
    """Contexts in which the feature is said to be active, bool [contexts]."""
    out = np.zeros(len(gathered.contexts.peak), bool)
    for questions in gathered.questions:
        out[questions.context[np.isin(questions.kind, (ACTIVATING, WRONG_MARK))]] = True
    for seen in gathered.seen.values():
        out[seen] = True
    return out


class _Choice(NamedTuple):
    first: int
    peak: float
    doubt: str  # code for the report; "" = none


def _aligned_first(found: np.ndarray, length: int, sequence_length: int) -> np.ndarray:
    """Order places: whole tiles first, then as in the corpus; the first few."""
    is_tile = found % sequence_length % length == 0
    return found[np.lexsort((found, ~is_tile))[:TRIED]]


def _chosen(
    values: np.ndarray | None, found: np.ndarray, length: int, one: FeatureActivations,
    peak: float, *, is_active: bool,
) -> _Choice | None:  # fmt: skip
    """The best of a context's places: the first with the same values, else the first.

    values: as written; None where they do not belong to single tokens of the text.
    """
    if not len(found):
        return None
    there = spread(one, found, length)
    if not is_active:
        same = ~there.any(axis=1)
    elif values is None:
        same = there.max(axis=1).astype(np.float16) == np.float16(peak)
    else:
        same = (there.astype(np.float16) == values.astype(np.float16)).all(axis=1)
    if same.any():
        best, doubt = int(np.argmax(same)), ""
    elif is_active:
        best, doubt = int(np.argmax(there.max(axis=1) > 0)), DISAGREES
    else:
        best, doubt = 0, "silent_not_located"
    return _Choice(int(found[best]), float(max(0.0, there[best].max())), doubt)


def _beyond(gathered: Gathered, placed: Placed, n_tokens: int, report: Report) -> Placed:
    """Give what was not found a place of its own behind the last token."""
    missing = np.flatnonzero(placed.first_token < 0)
    first = placed.first_token.copy()
    steps = placed.length[missing]
    first[missing] = n_tokens + np.cumsum(steps) - steps
    owner = np.searchsorted([low for _, low, _ in gathered.owners], missing, side="right") - 1
    for which in np.unique(owner).tolist():
        report.add("not_located", int((owner == which).sum()), str(gathered.owners[which][0]))
    return Placed(first.astype(np.uint64), placed.length.astype(np.uint16),
                  placed.peak.astype(np.float32), placed.disagrees)  # fmt: skip


def _places(contexts: Contexts, matrix: np.ndarray, vocabulary: Vocabulary) -> Places:
    """Look all contexts up at every offset, by a hash of their token texts."""
    by_text: dict[str, int] = {}
    same = np.array([by_text.setdefault(text, i) for i, text in enumerate(vocabulary.strings)])
    ids = np.array([by_text.get(text, -1) for text in contexts.vocabulary], np.int64)
    code = seeds.draws(0, np.arange(len(same) + 1))
    numbers, firsts = [], []
    for length in np.unique(contexts.length).tolist():
        if length > matrix.shape[1]:
            continue
        here = np.flatnonzero((contexts.length == length) & ~contexts.joined)
        wanted = ids[contexts.token[contexts.ends[here][:, None] + np.arange(length)]]
        here, wanted = here[(wanted >= 0).all(axis=1)], wanted[(wanted >= 0).all(axis=1)]
        if not len(here):
            continue
        asked = _hash(code[wanted])[:, 0]
        unique, inverse = np.unique(asked, return_inverse=True)
        which, first = _windows(matrix, same, code, length, unique)
        number, entry = _pairs(inverse, which)
        numbers.append(here[number])
        firsts.append(first[entry])
    number = np.concatenate([*numbers, np.empty(0, np.int64)])
    first = np.concatenate([*firsts, np.empty(0, np.int64)])
    order = np.lexsort((first, number))
    ends = np.searchsorted(number[order], np.arange(len(contexts.peak) + 1))
    return Places(ends, first[order])


def _hash(codes: np.ndarray, length: int | None = None) -> np.ndarray:
    """Hash of each window of codes, uint64 [rows, windows]; one window a row without length.

    The sum of code x ODD^place, from sums over prefixes: ODD has an inverse modulo 2^64.
    """
    width = codes.shape[1]
    length = length or width
    with np.errstate(over="ignore"):
        power = np.full(width, ODD, np.uint64).cumprod()
        back = np.full(width, pow(ODD, -1, 2**64), np.uint64).cumprod()
        sums = np.zeros((len(codes), width + 1), np.uint64)
        np.cumsum(codes * power, axis=1, out=sums[:, 1:])
        n = width - length + 1
        return (sums[:, length:] - sums[:, :n]) * back[:n]


def _windows(
    matrix: np.ndarray, same: np.ndarray, code: np.ndarray, length: int, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Windows whose hash is wanted: which of them, and flat index, int64 [n] each."""
    which, first = [], []
    for low in range(0, len(matrix), ROWS):
        found = _hash(code[same[matrix[low : low + ROWS]]], length)
        place = np.searchsorted(wanted, found.ravel())
        hit = np.flatnonzero(wanted[np.minimum(place, len(wanted) - 1)] == found.ravel())
        row, offset = np.divmod(hit, found.shape[1])
        which.append(place[hit])
        first.append((low + row) * matrix.shape[1] + offset)
    return np.concatenate(which), np.concatenate(first)


def _pairs(inverse: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every (context, window) with the same hash: two lists of indices."""
    order = np.argsort(which, kind="stable")
    low = np.searchsorted(which[order], inverse, side="left")
    high = np.searchsorted(which[order], inverse, side="right")
    count = high - low
    number = np.repeat(np.arange(len(inverse)), count)
    inside = np.arange(len(number)) - np.repeat(np.cumsum(count) - count, count)
    return number, order[low[number] + inside]


def _joined_places(
    contexts: Contexts, matrix: np.ndarray, vocabulary: Vocabulary
) -> Callable[[int], tuple[np.ndarray, int]]:
    """Look contexts that are one string up among whole tiles, by their text."""
    known: dict[int, dict[str, list[int]]] = {}

    def tiles(length: int) -> dict[str, list[int]]:
        out: dict[str, list[int]] = {}
        for row, tokens in enumerate(matrix):
            for start in range(0, len(tokens) - length + 1, length):
                text = "".join(vocabulary.pieces(tokens[start : start + length].tolist()))
                out.setdefault(text, []).append(row * len(tokens) + start)
        return out

    def find(number: int) -> tuple[np.ndarray, int]:
        text = contexts.vocabulary[int(contexts.tokens(number)[0])]
        length = int(contexts.n_values[number])
        if not 0 < length <= matrix.shape[1]:
            return np.empty(0, np.int64), 1
        if length not in known:
            known[length] = tiles(length)
        found = np.array(known[length].get(text, []), np.int64)
        return found, length if len(found) else 1

    return find

"""Contexts cut right after the feature begins to fire, apart for explaining, choosing and scoring.

In: the tokens of a cache and one feature's activations. Out: prompts, at most one of a sequence, so
that no two of them share a token and the three kinds are apart by whole sequences; equally many of
every fifth of the contexts by their largest activation (arXiv 2410.13928; methods.md 5.9, 1; apart
by purpose and eight tokens before the cut, where there are as many: ours). Knows no model.
"""

from collections.abc import Sequence
from math import gcd
from typing import Literal, NamedTuple, Protocol

import numpy as np

from core.intervening.settings import FEWEST, QUINTILES, Sizes
from core.seeds import permutation, text_seed

Role = Literal["explain", "select", "score"]
ROLES: tuple[Role, ...] = ("explain", "select", "score")


class Active(Protocol):
    """Where a feature is on."""

    @property
    def token(self) -> np.ndarray: ...  # flat index, ascending [n]
    @property
    def activation(self) -> np.ndarray: ...  # raw, float32 [n]


class Text(NamedTuple):
    """What prompts are cut from."""

    tokens: np.ndarray  # ids, int [sequence, position]
    bos_id: int | None  # begins every sequence; None = sequences begin with text
    special_ids: tuple[int, ...]


class Prompt(NamedTuple):
    """A context up to the token at which the feature begins to fire."""

    role: Role
    first_token: int  # flat index in the cache, BOS not counted
    ids: tuple[int, ...]  # as run: with BOS, and with the token that the feature fires on
    quintile: int  # of its context by largest activation, 1 weakest .. 5
    length: int  # tokens without BOS


class Drawn(NamedTuple):
    """Prompts of one feature, or why there are none."""

    prompts: tuple[Prompt, ...]
    reason: str | None  # why there are too few to measure anything
    note: str  # where there are fewer than wanted; "" = as wanted

    def of(self, role: Role) -> list[Prompt]:
        """The prompts of one kind."""
        return [prompt for prompt in self.prompts if prompt.role == role]


def draw_prompts(text: Text, active: Active, sizes: Sizes, seed: int) -> Drawn:
    """Draw the prompts of one feature; the seed decides which contexts and which kind each is."""
    found = _starts(text, active, sizes)
    by_quintile = _quintiles(found.peak, seed)
    chosen = _chosen(text, found, by_quintile, sizes)
    n = sum(map(len, chosen))
    if n < min(FEWEST, sizes.prompts):
        reason = f"{n} prompts can be cut, {min(FEWEST, sizes.prompts)} are needed"
        return Drawn((), reason, "")
    prompts = tuple(_with_roles(chosen, sizes))
    counts = {role: sum(prompt.role == role for prompt in prompts) for role in ROLES}
    if not all(counts.values()):
        return Drawn((), f"{len(prompts)} prompts do not make three kinds", "")
    wanted = {role: getattr(sizes, role) for role in ROLES}
    short = counts != wanted
    said = " + ".join(f"{counts[role]} to {role}" for role in ROLES)
    return Drawn(prompts, None, f"reduced: {said}" if short else "")


class _Starts(NamedTuple):
    """The contexts of a feature."""

    sequence: np.ndarray
    start: np.ndarray  # position of the context's first ordinary token
    at: np.ndarray  # position at which the feature begins to fire
    peak: np.ndarray  # largest activation in the context


def _starts(text: Text, active: Active, sizes: Sizes) -> _Starts:
    """Find where the feature begins to fire in each context that has a token before it."""
    length = text.tokens.shape[1]
    context = min(sizes.context, length)
    on = active.activation > 0
    token, value = active.token[on].astype(np.int64), active.activation[on]
    sequence, position = token // length, token % length
    per_sequence = -(-length // context)
    tile = sequence * per_sequence + position // context
    _, first = np.unique(tile, return_index=True)
    if not len(first):
        return _Starts(sequence, position, position, value)  # all empty
    peak = np.maximum.reduceat(value, first)
    sequence, at = sequence[first], position[first]
    start = at // context * context
    start += (start == 0) & (text.bos_id is not None)
    usable = at > start
    return _Starts(sequence[usable], start[usable], at[usable], peak[usable])


def _quintiles(peak: np.ndarray, seed: int) -> list[np.ndarray]:
    """Indices of the contexts of each fifth, weakest first, in the feature's own random order."""
    order = permutation(seed, len(peak))
    ranked = order[np.argsort(peak[order], kind="stable")]
    quintile = np.arange(len(ranked)) * QUINTILES // max(1, len(ranked))
    shuffled = permutation(text_seed(f"{seed}|order"), len(ranked))
    return [ranked[shuffled[quintile[shuffled] == q]] for q in range(QUINTILES)]


def _chosen(
    text: Text, found: _Starts, by_quintile: Sequence[np.ndarray], sizes: Sizes
) -> list[list[Prompt]]:
    """Choose prompts, fifth by fifth in turn; those with enough tokens before them go first."""
    room = found.at - found.start
    queues = [sorted(part.tolist(), key=lambda i: room[i] < sizes.before) for part in by_quintile]
    chosen: list[list[Prompt]] = [[] for _ in queues]
    sequences: set[int] = set()
    texts: set[tuple[int, ...]] = set()
    places = [0] * len(queues)
    most = -(-sizes.prompts // len(queues))
    while any(place < len(queue) for place, queue in zip(places, queues, strict=True)):
        for q, queue in enumerate(queues):
            while places[q] < len(queue) and len(chosen[q]) < most:
                i, places[q] = queue[places[q]], places[q] + 1
                prompt = _prompt(text, found, i, q + 1)
                if int(found.sequence[i]) not in sequences and prompt.ids not in texts:
                    sequences.add(int(found.sequence[i]))
                    texts.add(prompt.ids)
                    chosen[q].append(prompt)
                    break
            if len(chosen[q]) >= most:
                places[q] = len(queue)
    return chosen


def _prompt(text: Text, found: _Starts, i: int, quintile: int) -> Prompt:
    at, start = int(found.at[i]), int(found.start[i])
    ids = text.tokens[found.sequence[i], start : at + 1].tolist()
    bos = [] if text.bos_id is None else [text.bos_id]
    flat = int(found.sequence[i]) * text.tokens.shape[1] + start
    return Prompt("score", flat, (*bos, *ids), quintile, len(ids))


def _with_roles(chosen: Sequence[Sequence[Prompt]], sizes: Sizes) -> list[Prompt]:
    """Deal the prompts of every fifth to the three kinds in the proportion that is wanted."""
    deal = _deal(sizes)
    left = {role: getattr(sizes, role) for role in ROLES}
    made: list[Prompt] = []
    for place in range(max((len(part) for part in chosen), default=0)):
        for q, part in enumerate(chosen):
            if place >= len(part) or not any(left.values()):
                continue
            role = deal[(place + q) % len(deal)]
            if not left[role]:
                role = max(ROLES, key=left.__getitem__)
            left[role] -= 1
            made.append(part[place]._replace(role=role))
    return made


def _deal(sizes: Sizes) -> list[Role]:
    """The kinds in turn, in proportion and mixed.

    >>> _deal(Sizes(10, 10, 30))
    ['score', 'explain', 'score', 'select', 'score']
    """
    wanted: dict[Role, int] = {role: getattr(sizes, role) for role in ROLES}
    shared = gcd(*wanted.values())
    period = {role: n // shared for role, n in wanted.items()}
    total, given = sum(period.values()), dict.fromkeys(ROLES, 0)
    out: list[Role] = []
    for place in range(1, total + 1):
        role = max(ROLES, key=lambda one: period[one] * place / total - given[one])
        given[role] += 1
        out.append(role)
    return out

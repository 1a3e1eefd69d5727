"""Questions to a judge: which contexts of a feature, what is marked in them, in which calls.

In: a feature's examples (core/examples) and a preset. Out: items as a struct of arrays, shared by
all explanations of the feature. Everything follows from (cache seed, hookpoint, feature, purpose).

What a preset asks about is shuffled and cut into calls of `batch`; kinds on request come behind it
in calls of their own, so that asking for them changes neither order nor company of the others.
"""

from typing import NamedTuple

import numpy as np

from core import seeds
from core.examples.contexts import TEST, Activations, Contexts, spread
from core.examples.draw import ACTIVATING, KINDS, RANDOM, FeatureExamples, shares
from core.examples.presets import Counts, Preset

WRONG_MARK = KINDS.index("wrong-mark")


class Items(NamedTuple):
    """One scorer's questions about one feature."""

    slot: np.ndarray  # place of the context in the feature's examples, int64 [n]
    kind: np.ndarray  # index into KINDS, uint8 [n]
    decile: np.ndarray  # of the context, 1 weakest .. 10 strongest, 0 = silent, uint8 [n]
    first_token: np.ndarray  # flat index, uint64 [n]
    start: np.ndarray  # position of that token in its sequence, int64 [n]
    peak: np.ndarray  # largest activation in the context, raw, float32 [n]
    marks: np.ndarray  # marked tokens, bool [n, length]; none in detection
    call: np.ndarray  # judge call, 0, 1, 2, …, int32 [n]
    base: np.ndarray  # the preset asks about it; others are on request, bool [n]
    skipped: dict[str, int]  # by kind: items that could not be made
    length: int | np.ndarray = 32  # tokens of the context, in all or int64 [n] in each

    @property
    def expected(self) -> np.ndarray:
        """The right answer, bool [n]."""
        return self.kind == ACTIVATING

    @property
    def kinds(self) -> list[str]:
        """The kind of each item, in words."""
        return [KINDS[kind] for kind in self.kind.tolist()]


class Row(NamedTuple):
    """Items of one kind before they are put in order."""

    kind: int
    slot: np.ndarray  # int64 [n]
    marks: np.ndarray  # bool [n, length]


def stream(contexts: Contexts, examples: FeatureExamples, hookpoint: str, purpose: str) -> int:
    """Seed of one purpose of this feature."""
    return seeds.seed_of(contexts.seed, hookpoint, examples.feature, purpose)


def arranged(
    contexts: Contexts,
    examples: FeatureExamples,
    base: list[Row],
    extra: list[Row],
    *,
    seed: int,
    batch: int,
    skipped: dict[str, int],
) -> Items:
    """Shuffle the items and cut them into calls: those of the preset first, then the others."""
    rows = [*base, *extra]
    slot = np.concatenate([row.slot for row in rows])
    kind = np.repeat([row.kind for row in rows], [len(row.slot) for row in rows])
    marks = np.concatenate([row.marks for row in rows])
    n_base = sum(len(row.slot) for row in base)
    n_extra = len(slot) - n_base
    order = np.concatenate(
        [seeds.permutation(seed, n_base), n_base + seeds.permutation(seed ^ 1, n_extra)]
    )
    calls = np.arange(n_base) // batch
    later = np.arange(n_extra) // batch + -(-n_base // batch)
    slot = slot[order]
    return Items(
        slot=slot,
        kind=kind[order].astype(np.uint8),
        decile=examples.decile[slot],
        first_token=examples.first_token[slot],
        start=contexts.start(examples.first_token[slot]),
        peak=examples.peak[slot],
        marks=marks[order],
        call=np.concatenate([calls, later]).astype(np.int32),
        base=np.arange(len(slot)) < n_base,
        skipped=skipped,
        length=contexts.length if examples.length is None else examples.length[slot],
    )


def activating_slots(
    examples: FeatureExamples, size: int, among: np.ndarray | None = None
) -> np.ndarray:
    """Slots of `size` activating test contexts, an equal share of each decile, int64 [n].

    An import may lack deciles: a share that is not there goes to the others. among: which may be
    taken, bool [slots].
    """
    slot = examples.rows("activating", "test")
    slot = slot if among is None else slot[among[slot]]
    decile = examples.decile[slot].astype(np.int64)
    # Slots of a decile lie together and in random order: its first ones are a sample.
    nth = np.arange(len(slot)) - np.searchsorted(decile, decile)
    if examples.is_stored:
        return slot[np.sort(np.lexsort((decile, nth))[:size])]
    return slot[nth < shares(size)[decile - 1]]


def silent_slots(
    examples: FeatureExamples, size: int | None = None
) -> list[tuple[int, np.ndarray]]:
    """Kinds of silent test contexts that a preset asks about, with up to `size` slots each.

    These are random ones; an import has whatever kinds its judges were asked about.
    """
    chosen = (examples.split == TEST) & (examples.kind != ACTIVATING)
    kinds = np.unique(examples.kind[chosen]).tolist() if examples.is_stored else []
    return [
        (kind, np.flatnonzero(chosen & (examples.kind == kind))[:size])
        for kind in kinds or [RANDOM]
    ]


def extra_slots(examples: FeatureExamples, size: int) -> list[tuple[int, np.ndarray]]:
    """Kinds on request among a feature's test contexts, with up to `size` slots each."""
    if examples.is_stored:
        return []
    chosen = (examples.split == TEST) & (examples.kind > RANDOM)
    return [
        (int(kind), np.flatnonzero(chosen & (examples.kind == kind))[:size])
        for kind in np.unique(examples.kind[chosen])
    ]


def valued(
    contexts: Contexts, activations: Activations, examples: FeatureExamples
) -> np.ndarray | None:
    """Contexts with activations by token, bool [slots]; of an import some may lack them.

    None = all that activate have them.
    """
    if not examples.is_stored:
        return None
    return np.asarray(spread(activations, examples.first_token, contexts.length).any(axis=1))


def unmarked(contexts: Contexts, kind: int, slot: np.ndarray) -> Row:
    """Items without marks."""
    return Row(kind, slot, np.zeros((len(slot), contexts.length), dtype=bool))


def detection_items(
    contexts: Contexts, examples: FeatureExamples, preset: Preset, *, hookpoint: str
) -> Items:
    """Ask of whole contexts, unmarked, whether the feature is active in them."""
    counts: Counts = preset.detection
    base = [
        unmarked(contexts, ACTIVATING, activating_slots(examples, counts.activating)),
        *(unmarked(contexts, kind, slot) for kind, slot in silent_slots(examples, counts.random)),
    ]
    extra = [
        unmarked(contexts, kind, slot) for kind, slot in extra_slots(examples, preset.on_request)
    ]
    return arranged(
        contexts,
        examples,
        base,
        extra,
        seed=stream(contexts, examples, hookpoint, "batches-detection"),
        batch=preset.batch,
        skipped={},
    )


def strong_tokens(activations: np.ndarray, share: float) -> np.ndarray:
    """Mark tokens with at least `share` of their context's maximum, bool, shaped like the input."""
    top = activations.max(axis=-1, keepdims=True)
    return (activations >= share * top) & (activations > 0)


def own_marks(
    contexts: Contexts, activations: Activations, first_token: np.ndarray, share: float
) -> np.ndarray:
    """Mark where a feature is strong in given contexts, bool [n, length]."""
    return strong_tokens(spread(activations, first_token, contexts.length), share)

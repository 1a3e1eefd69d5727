"""Fuzzing: are all marked tokens right for the explanation? (methods.md 5.2; arXiv 2410.13928)

Rightly marked are activating contexts with the tokens of at least 0.3 of the context's maximum.
Wrong are two kinds, always reported apart: silent contexts with marks (`random`: mostly tests
detection again) and activating contexts with silent tokens marked (`wrong-mark`: tests where the
feature fires). How wrong marks are made to look like right ones is in marks.py.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from core import seeds
from core.examples.activating import Stream, activating
from core.examples.contexts import Activations, Contexts, spread
from core.examples.draw import ACTIVATING, KINDS, NEIGHBOUR, FeatureExamples, alone
from core.examples.presets import Preset
from core.score import metrics
from core.score.items import (
    WRONG_MARK,
    Items,
    Row,
    activating_slots,
    arranged,
    extra_slots,
    own_marks,
    silent_slots,
    stream,
    valued,
)
from core.score.judge import Answers
from core.score.marks import place
from core.score.metrics import Setting
from data.records import Score


class Question(NamedTuple):
    """What fuzzing items of one feature are made from."""

    contexts: Contexts
    activations: Activations
    examples: FeatureExamples
    preset: Preset
    hookpoint: str


class Wanted(NamedTuple):
    """Wrong items to make of one kind."""

    kind: int
    slot: np.ndarray  # contexts that may be marked, int64 [n]
    size: int  # items, at most as many as contexts


def fuzzing_items(
    contexts: Contexts,
    activations: Activations,
    examples: FeatureExamples,
    preset: Preset,
    *,
    hookpoint: str,
    others: Mapping[int, Activations] | None = None,
) -> Items:
    """Ask of marked contexts whether the marks are right.

    others: activations of the neighbours that contexts were taken from. Where they are given, the
    neighbour's own tokens are marked in its contexts: the hardest question there is.
    """
    question = Question(contexts, activations, examples, preset, hookpoint)
    known = valued(contexts, activations, examples)
    right = activating_slots(examples, preset.fuzzing.activating, known)
    marks = own_marks(contexts, activations, examples.first_token[right], preset.mark)
    wanted, own = _wanted(examples, preset, known, has_others=others is not None)
    made, skipped = _wrong(question, wanted, right)
    n_base = len(made) if examples.is_stored else 2  # random, wrong-mark; the rest was asked for
    return arranged(
        contexts,
        examples,
        [Row(ACTIVATING, right, marks), *made[:n_base]],
        [*made[n_base:], *(_by_neighbours(question, slot, others or {}) for slot in own)],
        seed=stream(contexts, examples, hookpoint, "batches-fuzzing"),
        batch=preset.batch,
        skipped=skipped,
    )


def _wanted(
    examples: FeatureExamples, preset: Preset, known: np.ndarray | None, *, has_others: bool
) -> tuple[list[Wanted], list[np.ndarray]]:
    """List the wrong items to make, and the neighbours' contexts that carry their own marks.

    known: which contexts have activations by token, bool [slots]; None = all.
    """
    active = examples.rows("activating", "test")
    active = active if known is None else active[known[active]]
    counts = preset.fuzzing
    wanted = [
        *(Wanted(kind, silent, min(counts.random, len(silent)))
          for kind, silent in silent_slots(examples)),
        # Twice as many contexts as patterns leave a choice, so that few patterns are skipped.
        Wanted(WRONG_MARK, active, min(counts.wrong_mark, len(active) // 2)),
    ]  # fmt: skip
    own = []
    for kind, slot in extra_slots(examples, preset.on_request):
        if kind == NEIGHBOUR and has_others:
            own.append(slot)
        else:
            wanted.append(Wanted(kind, slot, len(slot)))
    return wanted, own


def _wrong(
    question: Question, wanted: list[Wanted], right: np.ndarray
) -> tuple[list[Row], dict[str, int]]:
    """Lay donors' patterns over contexts: a row for each kind, and skipped patterns by kind."""
    contexts, examples = question.contexts, question.examples
    patterns = donor_patterns(question, right, sum(want.size for want in wanted))
    rows, skipped, used = [], {}, 0
    for want in wanted:
        size = min(want.size, len(patterns) - used)
        first = examples.first_token[want.slot]
        tokens = contexts.tokens.windows(first, contexts.length)
        active = spread(question.activations, first, contexts.length) != 0
        placed = place(
            patterns[used : used + size],
            active | contexts.special(tokens),
            stream(contexts, examples, question.hookpoint, f"fuzz-marks-{KINDS[want.kind]}"),
            reserved=np.isin(want.slot, right),
        )
        used += size
        rows.append(Row(want.kind, want.slot[placed.target], placed.marks))
        if placed.skipped:
            skipped[KINDS[want.kind]] = placed.skipped
    return rows, skipped


def donor_patterns(question: Question, right: np.ndarray, size: int) -> np.ndarray:
    """Patterns of marks of activating contexts that are no items, bool [size, length].

    The deciles are those of the rightly marked items, in random order, again from the start when
    they run out. A decile without other contexts lends those of its items.
    """
    contexts, examples = question.contexts, question.examples
    if not len(right) or not size:
        return np.zeros((0, contexts.length), dtype=bool)
    seed = stream(contexts, examples, question.hookpoint, "fuzz-donors")
    first, deciles = _donors(question)
    order = seeds.permutation(seed, len(first))
    item = np.isin(first, examples.first_token[right])
    decile = examples.decile[right][seeds.permutation(seed, len(right))]
    decile = np.resize(decile, size)
    entry = np.empty(size, dtype=np.int64)
    for value in np.unique(decile):
        here = order[deciles[order] == value]
        others = here[~item[here]]
        entry[decile == value] = np.resize(others if len(others) else here, (decile == value).sum())
    return own_marks(contexts, question.activations, first[entry], question.preset.mark)


def _donors(question: Question) -> tuple[np.ndarray, np.ndarray]:
    """All activating contexts, of an import those with activations: first tokens, deciles."""
    contexts, examples = question.contexts, question.examples
    known = valued(contexts, question.activations, examples)
    if known is not None:
        slot = np.flatnonzero(known & (examples.kind == ACTIVATING))
        return examples.first_token[slot], examples.decile[slot]
    stream_of = Stream(contexts.seed, question.hookpoint, np.array([examples.feature]))
    found = activating(contexts, alone(question.activations), stream_of)
    return contexts.first_token(found.tile), found.decile


def _by_neighbours(question: Question, slot: np.ndarray, others: Mapping[int, Activations]) -> Row:
    """Mark the neighbours' own tokens in the contexts that were taken from them."""
    contexts, examples = question.contexts, question.examples
    source = examples.source[slot]
    known = np.isin(source, list(others))
    slot, source = slot[known], source[known]
    marks = np.zeros((len(slot), contexts.length), dtype=bool)
    for feature in np.unique(source).tolist():
        here = source == feature
        first = examples.first_token[slot[here]]
        marks[here] = own_marks(contexts, others[feature], first, question.preset.mark)
    return Row(NEIGHBOUR, slot, marks)


def score_fuzzing(items: Items, answers: Answers, setting: Setting) -> Score:
    """Score fuzzing verdicts. The items are constructed: there is no base rate to correct for."""
    return metrics.score(items, answers, setting)

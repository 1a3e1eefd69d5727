"""Explanations tried on the selection split: train contexts that no explainer is shown.

Best-of-k and iterative explainers choose by what a judge says here; test contexts stay untouched
(methods.md 3.2; 10, pitfall 27). The question is detection, 20 activating and 20 silent contexts:
enough to choose by, too few to report.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from core.examples import PRESETS, FeatureExamples
from core.examples.draw import ACTIVATING, RANDOM
from core.examples.sampling import explainer_contexts
from core.explain.evidence import Shown
from core.explain.trial import Tried
from core.pipeline.evidence import Gatherer
from core.score.items import Items, arranged, stream, unmarked
from core.score.judge import NO_ANSWER, YES, Judge

SIZE = 20  # contexts of either class
DRAWN = 200  # silent train contexts, of which about a fifth lies in the selection split


@dataclass(frozen=True)
class SelectionTrial:
    """Tries explanations of one feature, always on the same items."""

    gatherer: Gatherer
    feature: int
    judge_for: Callable[[str], Judge]  # of an explanation's text

    def __call__(self, text: str) -> Tried:
        """Ask the judge about the selection items with this explanation."""
        items, shown = self._items
        bench = self.gatherer.bench
        tokens = bench.files.tokens.windows(items.first_token, bench.contexts.length)
        answers = self.judge_for(text).answer("detection", items, tokens)
        usable = answers.verdict != NO_ANSWER
        said = answers.verdict == YES
        right = usable & (said == items.expected)
        return Tried(
            right=right,
            usable=usable,
            activating=items.expected,
            false_negatives=_at(shown, usable & ~said & items.expected),
            false_positives=_at(shown, said & ~items.expected),
            value=balanced(right, usable, items.expected),
            outcomes=answers.outcomes,
        )

    @cached_property
    def _items(self) -> tuple[Items, tuple[Shown, ...]]:
        """Draw the selection items and read their texts."""
        bench, name = self.gatherer.bench, self.gatherer.hookpoint.name
        active = explainer_contexts(
            bench.contexts, bench.columns(self.gatherer.hookpoint), self.feature, hookpoint=name,
            size=SIZE, part="selection",
        )  # fmt: skip
        examples = self._with_silent(active)
        items = arranged(
            bench.contexts,
            examples,
            [unmarked(bench.contexts, kind, np.flatnonzero(examples.kind == kind))
             for kind in (ACTIVATING, RANDOM)],
            [],
            seed=stream(bench.contexts, examples, name, "batches-selection"),
            batch=PRESETS["gloss"].batch,
            skipped={},
        )  # fmt: skip
        found = bench.slice(self.gatherer.hookpoint, self.feature)
        return items, self.gatherer.shown(found, items.first_token, items.decile)

    def _with_silent(self, active: FeatureExamples) -> FeatureExamples:
        bench = self.gatherer.bench
        preset = replace(PRESETS["gloss"], train_random=DRAWN)
        drawn = bench.draw(self.gatherer.hookpoint, self.feature, preset)
        slot = drawn.rows("random", "train")
        tile = bench.contexts.tile_at(drawn.first_token[slot])
        slot = slot[bench.contexts.selection[tile]][:SIZE]
        return active._replace(
            kind=np.append(active.kind, drawn.kind[slot]),
            split=np.append(active.split, drawn.split[slot]),
            decile=np.append(active.decile, drawn.decile[slot]),
            first_token=np.append(active.first_token, drawn.first_token[slot]),
            peak=np.append(active.peak, drawn.peak[slot]),
            multiplicity=np.append(active.multiplicity, drawn.multiplicity[slot]),
            source=np.append(active.source, drawn.source[slot]),
        )


def balanced(right: np.ndarray, usable: np.ndarray, expected: np.ndarray) -> float | None:
    """Balanced accuracy of usable verdicts; None where a class has none."""
    sides = [usable & expected, usable & ~expected]
    if not all(side.any() for side in sides):
        return None
    return float(np.mean([right[side].mean() for side in sides]))


def _at(shown: tuple[Shown, ...], where: np.ndarray) -> tuple[Shown, ...]:
    return tuple(shown[i] for i in np.flatnonzero(where).tolist())

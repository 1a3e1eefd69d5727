"""Intruder: do a feature's contexts have anything in common that a judge can see?

Method of arXiv 2507.08473, section 3: four activating contexts of one decile and one intruder, all
with marks; a judge names the odd one; chance is 1/5. No explanation is shown, so the score is the
feature's: low here and low in detection is a bad feature, high here and low there a bad
explanation. Its authors count an unreadable answer as wrong; we count it apart (methods.md 5.3).

The intruder is silent and carries the marks of a donor, another context of the same decile, so that
neither number nor place of the marks gives it away. The grammar answers too: with the context whose
marks satisfy the rules least; then, and only then, the score belongs to the explanation.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core import seeds
from core.examples.activating import N_DECILES, Activating, Stream, activating
from core.examples.contexts import TEST
from core.examples.draw import alone
from core.llm.requests import Client
from core.prompts import intruder as prompt
from core.score.asking import JudgeSettings
from core.score.choices import (
    Choices,
    Chooser,
    Chosen,
    GrammarFor,
    arranged_choices,
    ask_choices,
    balanced,
    satisfied,
    smallest,
    texts,
)
from core.score.items import own_marks
from core.score.marks import place
from core.score.material import Claim, Material

PER_DECILE = 5  # tasks
SHOWN = 4  # activating contexts in a task
FEW_SILENT = "few-silent"  # reason: not even one silent context for each decile
NO_MARKS = "no-marks"  # reason: donors' marks fit into too few silent contexts


def intruder_scorer(client: Client, settings: JudgeSettings | None = None) -> Chooser:
    """Ask a language model, once for a feature however many explanations it has."""

    def choose(material: Material, asked: Choices, claims: Sequence[Claim]) -> list[Chosen]:
        chosen = ask_choices(
            client,
            settings or JudgeSettings(),
            [prompt.messages(shown) for shown in texts(material, asked)],
            options=asked.options,
            purpose="intruder",
        )
        # What was asked is counted with the first explanation only: it was paid once.
        return [chosen, *[chosen._replace(outcomes=())] * (len(claims) - 1)][: len(claims)]

    return Chooser("intruder", client.model, intruder_tasks, choose)


def grammar_intruder_scorer(judge_for: GrammarFor) -> Chooser:
    """Take the context whose marks satisfy the rules least (methods.md 4.5)."""

    def choose(material: Material, asked: Choices, claims: Sequence[Claim]) -> list[Chosen]:
        seed = material.seed("intruder-ties")
        return [smallest(satisfied(material, asked, judge_for(c)), seed) for c in claims]

    return Chooser("intruder", "grammar", intruder_tasks, choose)


class _Task(NamedTuple):
    """A question before its intruder is known."""

    decile: int
    shown: np.ndarray  # entries of the activating contexts, int64 [SHOWN]
    donor: int  # entry whose marks the intruder gets


def intruder_tasks(material: Material) -> Choices | str:
    """Make 50 tasks, five a decile; fewer where contexts are few, or the reason for none."""
    silent = material.examples.first_token[material.examples.rows("random", "test")]
    most = min(PER_DECILE, len(silent) // N_DECILES)
    if not most:
        return FEW_SILENT
    contexts = material.contexts
    stream = Stream(contexts.seed, material.hookpoint, np.array([material.feature]))
    found = activating(contexts, alone(material.activations), stream)
    tasks = [task for d in range(1, 1 + N_DECILES) for task in _tasks(material, found, d, most)]
    patterns = _marks(material, found, np.array([task.donor for task in tasks], np.int64))
    forbidden = contexts.special(material.tokens(silent))
    placed = place(patterns, forbidden, material.seed("intruder-marks"))
    if not len(placed.target):
        return NO_MARKS
    kept = [tasks[donor] for donor in placed.donor]
    shown = np.stack([task.shown for task in kept])
    right = balanced(material.seed("intruder-places"), len(kept), SHOWN + 1)
    first = contexts.first_token(found.tile[shown])
    marks = _marks(material, found, shown.ravel()).reshape(*shown.shape, -1)
    return Choices(
        first_token=arranged_choices(silent[placed.target], first, right),
        marks=arranged_choices(placed.marks, marks, right),
        right=right,
        decile=np.array([task.decile for task in kept], np.uint8),
        peak=np.zeros(len(kept), np.float32),
        skipped={"marks": placed.skipped} if placed.skipped else {},
    )


def _marks(material: Material, found: Activating, entry: np.ndarray) -> np.ndarray:
    """Mark where the feature is strong in some of its contexts, bool [n, length]."""
    first = material.contexts.first_token(found.tile[entry])
    return own_marks(material.contexts, material.activations, first, material.preset.mark)


def _tasks(material: Material, found: Activating, decile: int, most: int) -> list[_Task]:
    """Make up to `most` tasks of one decile, no two contexts of a task the same.

    Contexts are used in rounds, each time in another order, so that all come about equally often.
    """
    pool = _pool(found, decile)
    tasks: list[_Task] = []
    while len(tasks) < min(most, len(pool) - SHOWN + 1):
        order = seeds.permutation(material.seed(f"intruder-{decile}-{len(tasks)}"), len(pool))
        groups = pool[order[: len(pool) // SHOWN * SHOWN]].reshape(-1, SHOWN)
        for shown in groups[: min(most, len(pool) - SHOWN + 1) - len(tasks)]:
            seed = material.seed(f"intruder-donor-{decile}-{len(tasks)}")
            tasks.append(_Task(decile, shown, _donor(found, decile, shown, seed)))
    return tasks


def _pool(found: Activating, decile: int) -> np.ndarray:
    """Test contexts of a decile; of a small one, the four nearest to its middle in strength."""
    test = np.flatnonzero(found.split == TEST)
    here = test[found.decile[test] == decile]
    if len(here) >= SHOWN:
        return here
    middle = (decile - 0.5) / N_DECILES * len(found.tile)
    return test[np.argsort(np.abs(test - middle), kind="stable")[:SHOWN]]


def _donor(found: Activating, decile: int, shown: np.ndarray, seed: int) -> int:
    """Draw a context of the decile that the task does not show, or of the nearest decile."""
    others = np.setdiff1d(np.arange(len(found.tile)), shown)
    distance = np.abs(found.decile[others].astype(np.int64) - decile)
    return int(others[np.lexsort((seeds.draws(seed, others), distance))[0]])

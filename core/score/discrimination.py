"""Discrimination: does an explanation pick its own feature out of ten near ones?

Gloss's own protocol after an idea of arXiv 2605.12874 (methods.md 5.11): the explanation, one
marked context of the feature and one of each of nine neighbours by decoder cosine; the judge names
the one that was described; chance is 1/10. Detection cannot see that two features share an
explanation; this can. Neighbours are filtered as in core/examples/harder.py: theirs are contexts in
which the feature itself is silent. With fewer usable neighbours the question is smaller and chance
higher, which the score's detail says.

Needs material with `neighbour` contexts drawn (with_neighbours, size 100), `nearest` and `others`.
"""

from collections.abc import Sequence

import numpy as np

from core import seeds
from core.llm.requests import Client
from core.prompts import discrimination as prompt
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
from core.score.items import activating_slots, own_marks
from core.score.material import Claim, Material
from core.score.undefined import FEW_NEIGHBOURS

TASKS = 20  # questions, spread over the deciles
OTHERS = 9  # neighbours in a question
FEWEST = 4  # neighbours below which nothing is asked


def discrimination_scorer(client: Client, settings: JudgeSettings | None = None) -> Chooser:
    """Ask a language model which text each explanation was written for."""

    def choose(material: Material, asked: Choices, claims: Sequence[Claim]) -> list[Chosen]:
        shown = texts(material, asked)
        return [
            ask_choices(
                client,
                settings or JudgeSettings(),
                [prompt.messages(claim.text, text) for text in shown],
                options=asked.options,
                purpose="discrimination",
            )
            for claim in claims
        ]

    return Chooser("discrimination", client.model, discrimination_tasks, choose)


def grammar_discrimination_scorer(judge_for: GrammarFor) -> Chooser:
    """Take the context whose marks satisfy the rules best."""

    def choose(material: Material, asked: Choices, claims: Sequence[Claim]) -> list[Chosen]:
        seed = material.seed("discrimination-ties")
        return [smallest(-satisfied(material, asked, judge_for(claim)), seed) for claim in claims]

    return Chooser("discrimination", "grammar", discrimination_tasks, choose)


def discrimination_tasks(material: Material) -> Choices | str:
    """Make 20 questions, or say why there are none."""
    neighbours = _neighbours(material)
    if len(neighbours) < FEWEST:
        return FEW_NEIGHBOURS
    contexts, examples = material.contexts, material.examples
    slot = activating_slots(examples, TASKS)
    own = examples.first_token[slot]
    theirs = np.stack([_contexts_of(material, near, len(slot)) for near in neighbours], axis=1)
    marks = np.stack(
        [
            own_marks(contexts, material.others[near], theirs[:, place], material.preset.mark)
            for place, near in enumerate(neighbours)
        ],
        axis=1,
    )  # [question, neighbour, position]
    right = balanced(material.seed("discrimination-places"), len(slot), len(neighbours) + 1)
    own_marked = own_marks(contexts, material.activations, own, material.preset.mark)
    return Choices(
        first_token=arranged_choices(own, theirs, right),
        marks=arranged_choices(own_marked, marks, right),
        right=right,
        decile=examples.decile[slot],
        peak=examples.peak[slot],
        skipped={},
    )


def _neighbours(material: Material) -> list[int]:
    """The nearest features that have contexts of theirs in the material, nearest first."""
    rows = material.examples.rows("neighbour", "test")
    source = set(material.examples.source[rows].tolist())
    usable = [near.feature for near in material.nearest if near.feature in source]
    return [feature for feature in usable if feature in material.others][:OTHERS]


def _contexts_of(material: Material, neighbour: int, n: int) -> np.ndarray:
    """Draw n contexts of one neighbour, uint64 [n]; they come again when they run out."""
    rows = material.examples.rows("neighbour", "test")
    rows = rows[material.examples.source[rows] == neighbour]
    order = seeds.permutation(material.seed(f"discrimination-{neighbour}"), len(rows))
    return material.examples.first_token[np.resize(rows[order], n)]

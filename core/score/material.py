"""What a scorer is given for one feature, and what it gives back for each explanation.

A scorer is made with its tools (a judge, an encoder, a local model) and then asked feature by
feature. All explanations of a feature are asked about the same items.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from core.examples import FeatureExamples, Neighbour, Preset
from core.examples.contexts import Contexts, spread
from core.llm.requests import Outcome
from core.prompts.judged_texts import pieces
from core.seeds import seed_of
from data.activations import FeatureActivations
from data.items import ItemTable
from data.records import Score
from data.vocabulary import Vocabulary


class Claim(NamedTuple):
    """One explanation that is to be scored."""

    explanation_id: int
    text: str
    rule: str | None  # canonical text of a grammar explanation


@dataclass(frozen=True)
class Material:
    """One feature's test material under one preset."""

    contexts: Contexts
    vocabulary: Vocabulary
    activations: FeatureActivations
    examples: FeatureExamples  # drawn under the preset, with the kinds that scorers asked for
    preset: Preset
    label: str  # the preset with what was asked for beyond it, e.g. "gloss+token"
    hookpoint: str
    max_activation: float  # over the corpus, raw
    nearest: tuple[Neighbour, ...] = ()  # by decoder cosine, nearest first
    others: Mapping[int, FeatureActivations] = field(default_factory=dict)  # of those neighbours

    @property
    def feature(self) -> int:
        """The feature's number."""
        return self.examples.feature

    @cached_property
    def base_rate(self) -> float | None:
        """Share of distinct contexts with the feature, 0..1; None = of an import not known."""
        if self.examples.is_stored:
            return None
        return self.examples.n_contexts / max(1, self.contexts.n_distinct)

    def seed(self, purpose: str) -> int:
        """Seed of one purpose of this feature."""
        return seed_of(self.contexts.seed, self.hookpoint, self.feature, purpose)

    def tokens(self, first_token: np.ndarray) -> np.ndarray:
        """Read contexts, int32 [n, length]; first_token uint64 [n]."""
        return self.contexts.tokens.windows(first_token, self.contexts.length)

    def values(self, first_token: np.ndarray) -> np.ndarray:
        """Read the feature's activations in contexts, float32 [n, length]."""
        return spread(self.activations, first_token, self.contexts.length)

    def pieces(self, tokens: np.ndarray) -> list[list[str]]:
        """Say what to show for each token of contexts [n, length], as prompts do."""
        return pieces(self.vocabulary, self.contexts.special_ids, tokens)


class Generated(NamedTuple):
    """A text that somebody wrote for an explanation, run through subject and SAE."""

    text: str
    max_activation: float | None  # raw, special positions left out; None = could not be run
    key: str | None  # request that it came from


@dataclass(frozen=True)
class Outcomes:
    """Everything that one scorer found out about one explanation."""

    explanation_id: int
    items: ItemTable  # shared by all explanations of the feature
    predicted: np.ndarray  # int8 [n]: 1 yes (or the right choice), 0 no, -1 no usable reply
    score: Score
    probability: np.ndarray | None = None  # of "yes", float32 [n]; NaN = not given
    value: np.ndarray | None = None  # what is ranked (similarity, information), float32 [n]
    answer: np.ndarray | None = None  # place chosen, 1.., 0 = none, uint8 [n]
    keys: tuple[str | None, ...] | None = None  # request that each verdict was read from
    simulated: tuple[tuple[float, ...] | None, ...] | None = None  # predicted 0..10 by token
    generated: tuple[Generated, ...] = ()
    asked: tuple[Outcome, ...] = ()  # all calls, repeats included


class Scorer(Protocol):
    """One way to score explanations."""

    @property
    def name(self) -> str:
        """As in METHODS."""
        ...

    @property
    def judge(self) -> str:
        """Who answers: "grammar", a model's id, an encoder's name."""
        ...

    def score(self, material: Material, claims: Sequence[Claim]) -> list[Outcomes]:
        """Score the explanations of one feature, in their order.

        A feature with too little material gives Outcomes with an undefined score that says why in
        `score.detail["reason"]`.
        """
        ...

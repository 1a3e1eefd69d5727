"""Judging one feature: its explanations asked about the feature's items by each scorer.

What a worker process of the scoring stage does, its threads, and a thread of the dashboard.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from core.examples import PRESETS, Neighbour
from core.llm.requests import spent
from core.pipeline.explaining_grammar import shared_workbench
from core.pipeline.materials import Drawer, Drawing
from core.pipeline.scorers import (
    GRAMMAR,
    Means,
    asks_grammar,
    grammar_scorer,
    groups,
    judge_name,
)
from core.pipeline.stored import require_scorers
from core.score.material import Claim, Material, Outcomes, Scorer
from core.score.neighbour import WANTED
from data.judgements import Judgement, WrittenText
from data.records import CacheRecord, HookpointRecord

DEFAULT = ("detection", "fuzzing")
SIBLINGS = ("neighbour", "discrimination")  # scorers that need the nearest features


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """What `gloss score` was asked for."""

    cache: str
    hookpoints: tuple[str, ...] = ()  # () = all of the cache
    features: str = "all"
    scorers: tuple[str, ...] = DEFAULT
    run_id: int | None = None  # only explanations of this run
    explanations: tuple[int, ...] = ()  # only these; () = all
    preset: str = "gloss"
    kinds: tuple[str, ...] = ()  # harder non-activating contexts, reported apart
    workers: int = 0
    means: Means = field(default_factory=Means)
    nulls: tuple[str, ...] = ()  # shuffled, neighbour, always-yes
    is_stored: bool = False  # contexts are those of an import; the stage finds out
    command: tuple[str, ...] = field(default=(), compare=False)  # as typed, to go on with

    @property
    def drawing(self) -> Drawing:
        """What is drawn for a feature."""
        return Drawing(self.preset, self.kinds, is_stored=self.is_stored)

    @property
    def label(self) -> str:
        """The preset with what was asked for beyond it, e.g. "gloss+token"."""
        return self.drawing.label

    def fitted(self, record: CacheRecord) -> "ScoreRequest":
        """Fit it to what a cache holds: an import may have some contexts and no more."""
        if record.has_activations:
            return self
        asked = [group.names for group in groups(self.scorers, self.means)]
        by_rules = any(asks_grammar(names, self.means) for names in asked)
        require_scorers(record, self.scorers, by_rules=by_rules, kinds=self.kinds)
        return replace(self, is_stored=True)

    def settings(self, names: Sequence[str]) -> dict[str, object]:
        """The settings of a run of some of the scorers, as a person compares them."""
        chosen: dict[str, object] = {}
        if self.explanations:
            chosen["explanations"] = list(self.explanations)
        return chosen | {
            "features": self.features,
            "scorers": list(names),
            "preset": self.preset,
            "kinds": list(self.kinds),
            "judge": judge_name(names[0], self.means) if names else self.means.judge,
        }


class Asked(NamedTuple):
    """One feature's explanations that want a score."""

    feature: int
    claims: tuple[tuple[Claim, ...], ...]  # of each scorer
    nearest: tuple[Neighbour, ...] = ()  # by decoder cosine; only where scorers need them


@dataclass(frozen=True)
class Bench:
    """Scorers with what they draw from; shared by the features of a hookpoint."""

    drawer: Drawer
    scorers: tuple[Scorer, ...]
    scorer_ids: tuple[int, ...]

    def judged(self, asked: Asked) -> list[Judgement]:
        """Judge all explanations of one feature."""
        made: list[Judgement] = []
        drawn: dict[bool, Material] = {}
        for scorer, scorer_id, claims in zip(
            self.scorers, self.scorer_ids, asked.claims, strict=True
        ):
            if not claims:
                continue
            apart = scorer.name in SIBLINGS
            if apart not in drawn:
                drawn[apart] = self.material(asked, apart=apart)
            made += [
                judgement(found, drawn[apart], scorer.name, scorer_id)
                for found in scorer.score(drawn[apart], claims)
            ]
        return made

    def material(self, asked: Asked, *, apart: bool) -> Material:
        """Draw what scorers ask about; those about siblings have negatives of their own."""
        if not apart:
            return self.drawer.material(asked.feature, asked.nearest)
        drawing = self.drawer.drawing
        own = replace(self.drawer, drawing=drawing._replace(kinds=("neighbour",), size=WANTED))
        return replace(own.material(asked.feature, asked.nearest), label=drawing.label)


def judgement(found: Outcomes, material: Material, scorer: str, scorer_id: int) -> Judgement:
    """Turn a scorer's outcome into what the catalogue keeps."""
    return Judgement(
        explanation_id=found.explanation_id,
        feature=material.feature,
        scorer_id=scorer_id,
        scorer=scorer,
        preset=material.label,
        items=found.items,
        predicted=found.predicted,
        probability=found.probability,
        score=with_usage(found).score,
        value=found.value,
        answer=found.answer,
        keys=found.keys,
        simulated=found.simulated,
        written=[WrittenText(*text) for text in found.generated],
    )


def with_usage(found: Outcomes) -> Outcomes:
    """Note in the score what its calls took."""
    usage = found.score.usage or spent(found.asked).usage
    return replace(found, score=replace(found.score, usage=usage))


@dataclass(frozen=True, slots=True)
class GrammarWork:
    """Judges a chunk of features with the grammar; pickled to the workers."""

    record: CacheRecord
    folder: Path
    hookpoint: HookpointRecord
    drawing: Drawing
    names: tuple[str, ...]
    scorer_ids: tuple[int, ...]  # as names

    def __call__(self, asked: list[Asked]) -> list[list[Judgement]]:
        """Judge each feature of the chunk."""
        length = PRESETS[self.drawing.preset].context_length
        bench = shared_workbench(self.record, self.folder, length)
        scorers = tuple(grammar_scorer(name, bench) for name in self.names)
        judging = Bench(Drawer(bench, self.hookpoint, self.drawing), scorers, self.scorer_ids)
        return [judging.judged(one) for one in asked]


__all__ = ["DEFAULT", "GRAMMAR", "SIBLINGS", "Asked", "Bench", "GrammarWork", "ScoreRequest"]

"""Sizes and definitions of the protocols: Gloss's own and the published ones (methods.md 1.1).

A preset reproduces sizes and definitions, not upstream defects: splits are disjoint by sequence
and seeds belong to a feature in all of them. Every score names its preset.
"""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items of each kind one scorer asks about."""

    activating: int  # contexts, in equal shares by decile; rightly marked in fuzzing
    random: int  # silent contexts
    wrong_mark: int = 0  # activating contexts with silent tokens marked, fuzzing only


@dataclass(frozen=True, slots=True)
class Preset:
    """One protocol: what is drawn for the explainer and for the judge."""

    name: str
    detection: Counts
    fuzzing: Counts
    train: int = 40  # contexts for the explainer
    train_random: int = 40  # silent contexts of the train split
    pool: int = 0  # activating test contexts drawn; 0 = as many as the larger scorer asks about
    on_request: int = 50  # items of each kind that is asked for: token, neighbour, similar
    context_length: int = 32  # tokens
    highlight: float = 0.3  # of the context's maximum, marked for the explainer
    mark: float = 0.3  # of the context's maximum, marked for the judge
    scale: Literal["ceil", "floor"] = "ceil"  # how activations become 0..10 in prompts
    batch: int = 5  # items in one judge call
    cited: str = field(default="Gloss", compare=False)  # where the sizes come from

    @property
    def test(self) -> int:
        """Activating test contexts to draw."""
        return self.pool or max(self.detection.activating, self.fuzzing.activating)

    @property
    def test_random(self) -> int:
        """Silent test contexts to draw; the scorers share them."""
        return max(self.detection.random, self.fuzzing.random)


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("gloss", Counts(100, 100), Counts(100, 50, 50)),
        Preset(
            "paper", Counts(100, 100), Counts(100, 100), scale="floor", cited="arXiv 2410.13928"
        ),
        Preset(
            "blog",
            Counts(50, 20),
            Counts(50, 0, 20),
            pool=70,  # 7 a decile: 5 rightly marked, 2 wrongly
            context_length=20,
            highlight=0.6,
            scale="floor",
            cited="EleutherAI, July 2024",
        ),
        Preset("delphi", Counts(50, 50), Counts(50, 50), cited="EleutherAI/delphi 0.1.1"),
        Preset("quick", Counts(20, 20), Counts(20, 10, 10), train=20, train_random=20),
    )
}

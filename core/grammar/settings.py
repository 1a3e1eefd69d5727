"""What a person can change about grammar explanations."""

from dataclasses import dataclass, field
from typing import Literal

from data.errors import BadInput

Families = Literal["token", "form", "context"]
Objective = Literal["f1", "f0.5", "f2", "mdl"]
Sampling = Literal["quantiles", "random", "top", "mix"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that changes the rules learnt for a feature; help for each is in its field."""

    families: Families = field(
        default="context",
        metadata={
            "help": "what rules may ask: token (the token itself), form (its form and meaning "
            "too), context (what stands before and the place in the text too)"
        },
    )
    max_rules: int = field(
        default=8,
        metadata={"help": "most rules in an explanation", "flag": "--rules", "low": 1, "high": 8},
    )
    max_literals: int = field(
        default=3,
        metadata={"help": "most conditions in a rule", "flag": "--literals", "low": 1, "high": 3},
    )
    objective: Objective = field(
        default="f1",
        metadata={
            "help": "what is maximised: f1, f0.5 (precision counts more), f2 (recall counts "
            "more), mdl (shortest description of the feature)"
        },
    )
    examples: int | None = field(
        default=None,
        metadata={
            "help": "learn from this many activating contexts, as a language model would see; "
            "none = from every train token"
        },
    )
    sampling: Sampling = field(
        default="quantiles",
        metadata={
            "help": "how those contexts are chosen: quantiles (equally many of every decile), "
            "random, top (the strongest), mix (half strong, half random)"
        },
    )
    threshold: float = field(
        default=0.0,
        metadata={
            "help": "a token counts as active above this share of the feature's maximum: 0, or "
            "0.3 for the core of the feature"
        },
    )

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing."""
        limits = (
            ("max_rules", self.max_rules, 1, 8),
            ("max_literals", self.max_literals, 1, 3),
            ("threshold", self.threshold, 0.0, 0.95),
            ("examples", 1 if self.examples is None else self.examples, 1, 10_000),
        )
        for name, value, low, high in limits:
            if not low <= value <= high:
                raise BadInput(f"grammar setting {name} is {value}: give {low} to {high}")

    @property
    def beta(self) -> float:
        """Weight of recall against precision in the F measure that guides the search."""
        return {"f0.5": 0.5, "f2": 2.0}.get(self.objective, 1.0)

"""What a person can change about grammar explanations."""

from dataclasses import dataclass, field
from typing import Literal

Families = Literal["token", "form", "context"]
Objective = Literal["f1", "f0.5", "f2", "mdl"]
Sampling = Literal["quantiles", "random", "top", "mix"]


def _help(text: str, default):
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that changes the rules learnt for a feature."""

    families: Families = _help(
        "what rules may ask: token (the token itself), form (also word forms, groups and "
        "classes), context (also the tokens before and the place in the text)",
        "context",
    )
    max_rules: int = _help("most rules in an explanation, 1..8", 8)
    max_literals: int = _help("most conditions in a rule, 1..3", 3)
    objective: Objective = _help(
        "what is maximised: f1, f0.5 (precision counts more), f2 (recall counts more), "
        "mdl (shortest description of the feature)",
        "f1",
    )
    examples: int | None = _help(
        "learn from this many activating contexts, as a language model would see; "
        "none = from every train token",
        None,
    )
    sampling: Sampling = _help(
        "how the contexts are chosen when examples is given: quantiles, random, top or mix",
        "quantiles",
    )
    threshold: float = _help(
        "a token counts as active above this share of the feature's maximum: 0, or 0.3 for "
        "the core of the feature",
        0.0,
    )

    @property
    def beta(self) -> float:
        """Weight of recall against precision in the F measure that guides the search."""
        return {"f0.5": 0.5, "f2": 2.0}.get(self.objective, 1.0)

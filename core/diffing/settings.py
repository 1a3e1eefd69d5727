"""Settings of the studies of two subjects; loads nothing heavy, for the command line."""

from dataclasses import dataclass, field
from typing import Literal

STRENGTHS = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)


@dataclass(frozen=True, slots=True)
class DiffSettings:
    """How features are chosen and confirmed."""

    level: float = field(
        default=0.05,
        metadata={"help": "share of false ones among the features chosen", "low": 0, "high": 1},
    )
    seed: int = field(default=0, metadata={"help": "of the halves and the draws", "low": 0})


@dataclass(frozen=True, slots=True)
class PairSettings:
    """How a text's activation is counted."""

    value: Literal["mean", "peak"] = field(
        default="mean", metadata={"help": "of a feature on a text: mean a token, or its peak"}
    )
    seed: int = field(default=0, metadata={"help": "of the draws", "low": 0})


@dataclass(frozen=True, slots=True)
class NoiseSettings:
    """What is added where, and to which prompts."""

    strengths: tuple[float, ...] = field(
        default=STRENGTHS, metadata={"help": "in units of the mean length of the vectors there"}
    )
    feature: int | None = field(
        default=None,
        metadata={"help": "step along its decoder direction too", "low": 0, "shown": "none"},
    )
    controls: int = field(
        default=4, metadata={"help": "random directions, averaged", "low": 1, "high": 100}
    )
    prompts: int = field(
        default=32, metadata={"help": "sequences of the cache", "low": 1, "high": 512}
    )
    prompt_tokens: int = field(default=48, metadata={"help": "tokens of each of those", "low": 1})
    seed: int = field(default=0, metadata={"help": "of prompts, noise and directions", "low": 0})

    @property
    def directions(self) -> tuple[str, ...]:
        """What is swept."""
        return ("noise", *["feature"] * (self.feature is not None), "random")

"""What a person can change about explanations by a language model."""

from dataclasses import dataclass, field, fields
from typing import Literal, NamedTuple, get_args

from data.errors import BadInput

ExplainerId = Literal[
    "plain", "activations", "logits", "cot", "contrastive", "single-token", "best-of-k",
    "iterative", "debate", "output",
]  # fmt: skip
Sampling = Literal["quantiles", "random", "top", "mix"]
Scale = Literal["ceil", "floor"]
OutputEvidence = Literal["cached", "projection", "token-change", "both"]
Effects = Literal["left-out", "shown"]


BEST, ITERATIVE, DEBATE = "best-of-k", "iterative", "debate"
ON_OUTPUT = ("output", "logits")  # they show what a feature makes likelier and less likely


@dataclass(frozen=True, slots=True)
class ExplainerSettings:
    """Everything that changes an explanation.

    A field's metadata has its help, its limits (low, high), and the explainers that heed it (only)
    where not all do.
    """

    explainer: ExplainerId = field(default="activations", metadata={"help": "which explainer"})
    examples: int = field(
        default=40, metadata={"help": "activating contexts shown", "low": 1, "high": 1000}
    )
    sampling: Sampling = field(
        default="quantiles",
        metadata={
            "help": "how contexts are chosen: quantiles (equally many of every decile), random, "
            "top (the strongest), mix (half strong, half random)"
        },
    )
    highlight: float = field(
        default=0.3,
        metadata={
            "help": "tokens are marked from this share of their context's strongest activation on",
            "low": 0.0,
            "high": 1.0,
        },
    )
    scale: Scale = field(
        default="ceil",
        metadata={"help": "how activations become 0..10: ceil (0 = silent), floor (the paper's)"},
    )
    listed: int = field(
        default=10,
        metadata={"help": "most strengths listed below a context", "low": 0, "high": 100},
    )
    temperature: float = field(
        default=0.0,
        metadata={"help": "of the explainer; 0 = repeatable", "low": 0.0, "high": 2.0},
    )
    max_tokens: int = field(
        default=300, metadata={"help": "most tokens of an answer", "low": 20, "high": 100_000}
    )
    candidates: int = field(
        default=5,
        metadata={"help": "explanations to choose from", "low": 1, "high": 50, "only": (BEST,)},
    )
    rounds: int = field(
        default=3, metadata={"help": "most revisions", "low": 1, "high": 20, "only": (ITERATIVE,)}
    )
    debaters: int = field(
        default=3,
        metadata={"help": "explanations in a debate", "low": 2, "high": 20, "only": (DEBATE,)},
    )
    variety: float = field(
        default=0.8,
        metadata={
            "help": "temperature where several explanations are wanted",
            "low": 0.0,
            "high": 2.0,
            "only": (BEST, DEBATE),
        },
    )

    evidence: OutputEvidence = field(
        default="cached",
        metadata={
            "help": "what output and logits show of the feature's output: cached (the ten "
            "strongest logit effects either way), projection (fifty), token-change (ten, measured "
            "on 32 texts), both; all but cached load the subject",
            "only": ON_OUTPUT,
        },
    )

    effects: Effects = field(
        default="left-out",
        metadata={
            "help": "whether cot shows, below the contexts, the tokens that the feature makes "
            "likelier and less likely: left-out, shown",
            "only": ("cot",),
        },
    )

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        choices = {"explainer": ExplainerId, "sampling": Sampling, "scale": Scale,
                   "evidence": OutputEvidence, "effects": Effects}  # fmt: skip
        for one in fields(self):
            value, known = getattr(self, one.name), one.metadata
            if one.name in choices and value not in get_args(choices[one.name]):
                allowed = ", ".join(get_args(choices[one.name]))
                raise BadInput(f"explainer setting {one.name} is {value}: give one of {allowed}")
            if "low" in known and not known["low"] <= value <= known["high"]:
                limits = f"{known['low']} to {known['high']}"
                raise BadInput(f"explainer setting {one.name} is {value}: give {limits}")

    @property
    def measures_output(self) -> bool:
        """Whether the subject is needed for what a prompt shows."""
        return self.explainer in ON_OUTPUT and self.evidence != "cached"

    def recorded(self) -> dict[str, object]:
        """Settings that matter for the chosen explainer, JSON-ready."""
        return {
            one.name: getattr(self, one.name)
            for one in fields(self)
            if self.explainer in one.metadata.get("only", (self.explainer,))
        }


class Calls(NamedTuple):
    """Calls for one feature if no reply needs a repair."""

    explainer: int
    judge: int = 0  # of the debate
    trials: int = 0  # each a small scoring of the selection split
    least: int = 0  # explainer calls if iterations end early; else as `explainer`


def expected_calls(settings: ExplainerSettings) -> Calls:
    """Count a feature's calls, at most."""
    if settings.explainer == "best-of-k":
        return Calls(settings.candidates, trials=settings.candidates, least=settings.candidates)
    if settings.explainer == "iterative":
        return Calls(1 + settings.rounds, trials=1 + settings.rounds, least=1)
    if settings.explainer == "debate":
        return Calls(settings.debaters, judge=1, least=settings.debaters)
    return Calls(1, least=1)

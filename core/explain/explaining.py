"""What all explainers have in common: what they get for a feature and what they give back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from core.explain.evidence import Evidence, Shown
from core.explain.trial import Trial
from core.llm.requests import Client, Outcome, Request
from core.seeds import seed_of

SEED_BITS = 31  # what every endpoint takes


@dataclass(frozen=True, slots=True)
class Tools:
    """Whom an explainer may ask about one feature."""

    client: Client
    judge: Client | None = None  # of the debate, preferably weaker; None = the client
    trial: Trial | None = None  # for explainers that select
    redraw: Callable[[int], Evidence] | None = None  # the train contexts of candidate 1, 2, ...
    seed: int = 0  # of the run
    attempt: int = 0  # asked again after failures: known replies are passed by


@dataclass(frozen=True, slots=True)
class Written:
    """An explanation, or the reason why there is none."""

    text: str | None
    error: str | None = None
    request: Request | None = None  # that decided; None = nothing was asked
    reply: str | None = None  # its answer as received; None = there was none
    outcomes: tuple[Outcome, ...] = ()  # of all calls, in their order
    detail: dict[str, object] = field(default_factory=dict)  # JSON-ready


class Explainer(Protocol):
    """One way to explain a feature."""

    def opening(self, evidence: Evidence, tools: Tools) -> list[Request]:
        """Write the requests that are known before any reply; [] if evidence is lacking."""
        ...

    def explain(self, evidence: Evidence, tools: Tools) -> Written:
        """Explain one feature; what cannot be explained says why."""
        ...


def request_seed(evidence: Evidence, tools: Tools, purpose: str) -> int:
    """Seed of one request, for endpoints that heed it."""
    seed = seed_of(tools.seed, evidence.hookpoint, evidence.feature, f"explain-{purpose}")
    return seed & (2**SEED_BITS - 1)


def visible_contexts(evidence: Evidence) -> Sequence[Shown]:
    """Everything that a prompt may show of this evidence."""
    return (*evidence.examples, *evidence.silent)

"""What a page asks for one feature: who explains with which settings, who judges, what it may cost.

An `Ask` is all of a request: equal asks are the same request. As a dictionary it is what a named
preset keeps; a key is never part of it, since keys are read from the environment when they are
sent.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from core.explain import EXPLAINERS
from core.explain.settings import ExplainerSettings
from core.grammar.settings import Settings
from core.llm.place import extra_of, key_of, preset_of
from core.llm.settings import EndpointSettings
from core.pipeline.judging import DEFAULT
from core.pipeline.scorers import (
    COUNTED,
    GRAMMAR,
    JUDGELESS,
    MODEL_ONLY,
    SCORERS,
    Means,
)
from data.errors import BadInput


@dataclass(frozen=True, slots=True)
class Ask:
    """One explanation and its scores, as asked for."""

    settings: Settings | ExplainerSettings  # the grammar's, or those of an explainer with a model
    endpoint: EndpointSettings | None = None  # of the explainer's model; None for the grammar
    chooser: str = ""  # another model at the same endpoint that chooses in a debate
    means: Means | None = field(default_factory=Means)  # who judges; None = nobody
    scorers: tuple[str, ...] = DEFAULT
    preset: str = "gloss"
    against: int | None = None  # explanation_id to be scored on the same items by the same judge
    seed: int = 0
    retry: bool = False  # ask again where the answer is a failure
    budget: float | None = field(default=None, compare=False)  # dollars for all of it

    @property
    def explainer(self) -> str:
        """The explainer's name, as in EXPLAINERS."""
        return GRAMMAR if isinstance(self.settings, Settings) else self.settings.explainer

    @property
    def model(self) -> str | None:
        """The explainer's model; None for the grammar."""
        return None if self.endpoint is None else self.endpoint.model

    @property
    def other_chooser(self) -> str:
        """The model that chooses in a debate, where it is another one; else ""."""
        return self.chooser if self.chooser != self.model and self.explainer == "debate" else ""

    @property
    def asks_a_model(self) -> bool:
        """Whether a call to an endpoint may be needed."""
        return self.endpoint is not None or self.model_judge is not None

    @property
    def model_judge(self) -> EndpointSettings | None:
        """The endpoint of a judge that is a language model; None = no such judge is asked."""
        means = self.means
        if means is None or means.judge == GRAMMAR or not set(self.scorers) - set(JUDGELESS):
            return None
        return replace(means.endpoint or EndpointSettings(), model=means.judge)

    def check(self) -> None:
        """Refuse what cannot be done, before anything is begun; a key that is missing too."""
        if self.explainer != GRAMMAR and (self.endpoint is None or not self.endpoint.model.strip()):
            raise BadInput(f"the explainer {self.explainer} needs a language model: name one")
        if self.means is not None:
            check_judge(self.means, self.scorers, has_rules=self.explainer == GRAMMAR)
        for endpoint in (self.endpoint, self.model_judge):
            if endpoint is not None:
                extra_of(endpoint)
                key_of(preset_of(endpoint))


def check_judge(means: Means, scorers: tuple[str, ...], *, has_rules: bool) -> None:
    """Refuse scorers that this judge cannot answer for such an explanation."""
    if not scorers:
        raise BadInput(f"no scorer is chosen; there is {', '.join(SCORERS)}")
    judged = [name for name in scorers if name not in (*JUDGELESS, *COUNTED)]
    if means.judge != GRAMMAR:
        if not means.judge.strip():
            raise BadInput("the judge is a language model without a name: name it")
        return
    if judged and not has_rules:
        raise BadInput(
            "the grammar judges rules only, and this explanation is words: choose a language "
            "model as judge, or nobody"
        )
    if alone := [name for name in judged if name in MODEL_ONLY]:
        raise BadInput(f"{alone[0]} needs a language model as judge")


def as_preset(ask: Ask) -> dict[str, Any]:
    """Write what may be chosen again for any feature, JSON-ready; an address with a key is refused.

    The explanation that it was compared with belongs to a feature and stays out.
    """
    for endpoint in (ask.endpoint, ask.means.endpoint if ask.means else None):
        if endpoint is not None:
            preset_of(endpoint)
            extra_of(endpoint)
    return {
        "explainer": ask.explainer,
        "settings": asdict(ask.settings),
        "endpoint": None if ask.endpoint is None else asdict(ask.endpoint),
        "chooser": ask.chooser,
        "means": None if ask.means is None else asdict(ask.means),
        "scorers": list(ask.scorers),
        "preset": ask.preset,
        "budget": ask.budget,
    }


def from_preset(body: Mapping[str, Any]) -> Ask:
    """Read it back; BadInput where it was written by another version."""
    try:
        grammar = body["explainer"] == GRAMMAR
        settings = (Settings if grammar else ExplainerSettings)(**body["settings"])
        if body["explainer"] not in EXPLAINERS:
            raise BadInput(f"there is no explainer {body['explainer']}")
        means = body["means"]
        if means is not None:
            means = Means(**means | {"endpoint": _endpoint(means["endpoint"])})
        return Ask(
            settings=settings,
            endpoint=_endpoint(body["endpoint"]),
            chooser=str(body["chooser"]),
            means=means,
            scorers=tuple(name for name in body["scorers"] if name in SCORERS),
            preset=body["preset"],
            budget=body["budget"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput("these settings were saved by another version: save them anew") from error


def _endpoint(body: Mapping[str, Any] | None) -> EndpointSettings | None:
    return None if body is None else EndpointSettings(**body)

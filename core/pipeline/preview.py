"""What an ask would send and cost, for one feature: nothing is asked and nothing is stored.

The stages' own code runs with a client that plans (pricing.py) and notes what it is asked first:
those are the very messages that will be sent.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import NamedTuple

from core.explain.settings import ExplainerSettings
from core.llm.client import price_at
from core.llm.planning import Plan, PlanningClient
from core.llm.requests import Message, Outcome, Request
from core.pipeline.again import answer
from core.pipeline.ask import Ask
from core.pipeline.explaining import require_evidence
from core.pipeline.explaining_model import ModelMaker
from core.pipeline.judging import SIBLINGS, Asked, ScoreRequest
from core.pipeline.materials import nearest_features
from core.pipeline.pricing import PriceOf, known_ids, planner
from core.pipeline.scorers import JUDGELESS, Tools, groups
from core.pipeline.scoring import Work, unscored_features
from core.pipeline.workbench import Workbench
from core.score.material import Claim
from data import ledger
from data.catalogue import Catalogue
from data.records import HookpointRecord

NEW = 0  # an explanation_id that none has
TYPICAL = "The token “the” at the beginning of a sentence about weather or travel, and after “in”."


class Preview(NamedTuple):
    """What would be sent first, and what everything takes."""

    messages: tuple[Message, ...]  # of the explainer's first request; () = nobody is asked
    first: Request | None  # the same with its parameters
    lacking: str | None  # why nothing can be asked about this feature
    explaining: tuple[Plan, ...]  # of the model, and of another one that chooses; () = nothing
    scoring: Plan | None  # None = no language model judges

    @property
    def is_free(self) -> bool:
        """Whether every reply is known already, so that nothing is paid."""
        plans = [*self.explaining, *([self.scoring] if self.scoring else [])]
        return bool(plans) and not any(plan.total.calls for plan in plans)


class Noting:
    """A planning client that keeps the first request."""

    def __init__(self, client: PlanningClient) -> None:
        self._client = client
        self.first: Request | None = None

    @property
    def model(self) -> str:
        """The model's name."""
        return self._client.model

    def ask(self, requests: Sequence[Request]) -> list[Outcome]:
        """Answer as the plan does."""
        if self.first is None and requests:
            self.first = requests[0]
        return self._client.ask(requests)

    def plan(self) -> Plan:
        """Add up what was asked so far."""
        return self._client.plan()


def preview(
    catalogue: Catalogue, bench: Workbench, hookpoint: HookpointRecord, feature: int, ask: Ask,
    price_of: PriceOf = price_at,
) -> Preview:  # fmt: skip
    """Foretell an ask; price_of: where the price of a model's tokens is found."""
    require_evidence(bench, ask.settings)
    known = answer(catalogue, hookpoint, feature, ask)
    made = _explained(catalogue, bench, hookpoint, feature, ask, price_of)
    if known is not None and not (ask.retry and known.status == "failed"):
        scoring = foretold_scoring(catalogue, bench, hookpoint, feature, ask, known.explanation_id,
                                   None, price_of)  # fmt: skip
        return made._replace(explaining=(), scoring=scoring)
    text = None if made.lacking else TYPICAL
    scoring = foretold_scoring(catalogue, bench, hookpoint, feature, ask, None, text, price_of)
    return made._replace(scoring=scoring)


def _explained(
    catalogue: Catalogue, bench: Workbench, hookpoint: HookpointRecord, feature: int, ask: Ask,
    price_of: PriceOf,
) -> Preview:  # fmt: skip
    """Run the explainer with a plan in the place of the model."""
    settings = ask.settings
    if not isinstance(settings, ExplainerSettings) or ask.endpoint is None:
        return Preview((), None, None, (), None)
    client = Noting(planner(catalogue, ask.endpoint, price_of))
    chooser = client
    if ask.other_chooser:
        other = replace(ask.endpoint, model=ask.other_chooser)
        chooser = Noting(planner(catalogue, other, price_of))
    maker = ModelMaker(catalogue, client, chooser, settings, ask.seed, threads=1)
    gatherer = maker.gatherer(bench, hookpoint, [feature])
    made = maker.explained(gatherer, feature, _attempt(catalogue, hookpoint, feature, ask, maker))
    if client.first is None:
        return Preview((), None, made.error or "nothing can be asked", (), None)
    plans = [client.plan()] if chooser is client else [client.plan(), chooser.plan()]
    return Preview(client.first.messages, client.first, None, tuple(plans), None)


def _attempt(
    catalogue: Catalogue, hookpoint: HookpointRecord, feature: int, ask: Ask, maker: ModelMaker
) -> int:
    """How often it was asked before; only a repetition after a failure is another attempt."""
    if not ask.retry:
        return 0
    method = ledger.known_method(
        catalogue, "explainer", maker.name, maker.model, maker.described
    )  # fmt: skip
    if method is None:
        return 0
    return ledger.attempts(catalogue, hookpoint.hookpoint_id, method, ask.seed).get(feature, 0)


def foretold_scoring(
    catalogue: Catalogue, bench: Workbench, hookpoint: HookpointRecord, feature: int, ask: Ask,
    known: int | None, text: str | None, price_of: PriceOf = price_at,
) -> Plan | None:  # fmt: skip
    """Foretell what a judge is asked; known: the explanation if it is there, text: else its words.

    None where no language model judges.
    """
    endpoint = ask.model_judge
    if endpoint is None or ask.means is None:
        return None
    wanted = tuple(number for number in (known, ask.against) if number)
    names = tuple(name for name in ask.scorers if name not in JUDGELESS)
    request = ScoreRequest(bench.record.name, (hookpoint.name,), str(feature), names,
                           explanations=wanted, preset=ask.preset,
                           means=ask.means).fitted(bench.record)  # fmt: skip
    client = planner(catalogue, endpoint, price_of)
    tools = Tools(catalogue, bench, ask.means, client, ExitStack(), planned=True)
    (group,) = groups(names, ask.means)
    work = Work(catalogue, request, bench, hookpoint, group, tools, None)
    asked = unscored_features(work, known_ids(work)) if wanted else []
    claims = asked[0].claims if asked else ((),) * len(names)
    if text is not None:
        claims = tuple((*found, Claim(NEW, text, None)) for found in claims)
    _judge(work, feature, claims)
    return client.plan()


def _judge(work: Work, feature: int, claims: tuple[tuple[Claim, ...], ...]) -> None:
    """Ask the plan about one feature, as the stage asks the judge."""
    if not any(claims):
        return
    names, nearest = work.group.names, ()
    if set(SIBLINGS) & set(names):
        nearest = nearest_features(work.catalogue, work.hookpoint).get(feature, ())
    work.judging((NEW,) * len(names)).judged(Asked(feature, claims, nearest))

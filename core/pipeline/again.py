"""One feature explained again: by any explainer, checked, and judged on the same items as before.

What the dashboard's drawer does in one of its threads. The work is that of the stages, for one
feature and without worker processes: a run of the catalogue, replies kept, cost counted, budget.
The grammar takes about a second.
"""

from collections.abc import Sequence
from dataclasses import replace
from threading import Event
from typing import NamedTuple

from core.grammar.settings import Settings
from core.llm.client import EndpointClient
from core.llm.requests import Client
from core.llm.settings import EndpointSettings
from core.pipeline.ask import Ask
from core.pipeline.explaining import ExplainRequest, explainer_of, plan_of, require_evidence
from core.pipeline.explaining_grammar import GrammarMaker, GrammarWork, exact_scorer
from core.pipeline.explaining_model import described, model_maker
from core.pipeline.judging import Asked, Bench, ScoreRequest
from core.pipeline.scorers import Means, groups, opened
from core.pipeline.scoring import Work, check, scorers_of, unscored_features
from core.pipeline.watching import Hearing, Say, Watched, nothing, watched
from core.pipeline.workbench import Workbench
from data import judgements, ledger
from data.catalogue import Catalogue
from data.errors import BudgetReached
from data.records import HookpointRecord


class Explained(NamedTuple):
    """What came of asking."""

    explanation_id: int
    has_text: bool  # something that can be scored
    spent_usd: float  # now, as far as prices are known


def reexplain(
    catalogue: Catalogue, bench: Workbench, hookpoint: HookpointRecord, feature: int, ask: Ask,
    stop: Event | None = None, say: Say = nothing,
) -> int:  # fmt: skip
    """Explain one feature, check and score the explanation, and give its explanation_id.

    The same settings again give the explanation that is there; scores that are there stay. An
    event that is set ends it within about half a second: the run is closed as cancelled and every
    reply that was paid for is kept.
    """
    ask.check()
    require_evidence(bench, ask.settings)
    hearing = Hearing(stop or Event(), say)
    made = explain_one(catalogue, bench, hookpoint, feature, ask, hearing)
    if ask.means is not None and made.has_text:
        chosen = [made.explanation_id] + ([ask.against] if ask.against else [])
        budget = None if ask.budget is None else ask.budget - made.spent_usd
        means = limited(ask.means, budget)
        score_chosen(catalogue, bench, hookpoint, feature, chosen, means, ask.scorers, ask.preset,
                     hearing=hearing)  # fmt: skip
    return made.explanation_id


def limited(means: Means, budget: float | None) -> Means:
    """Keep a judge to a budget in dollars; None = as it is."""
    if budget is None:
        return means
    if budget <= 0:
        raise BudgetReached("the budget is spent by the explanation: raise it to score it too")
    return replace(means, endpoint=replace(means.endpoint or EndpointSettings(), budget=budget))


def explain_one(
    catalogue: Catalogue, bench: Workbench, hookpoint: HookpointRecord, feature: int, ask: Ask,
    hearing: Hearing,
) -> Explained:  # fmt: skip
    """Explain and check one feature, unless that was done before."""
    known = answer(catalogue, hookpoint, feature, ask)
    if known is not None and not (ask.retry and known.status == "failed"):
        return Explained(known.explanation_id, known.has_text, 0.0)
    if isinstance(ask.settings, Settings):
        return _by_grammar(catalogue, bench, hookpoint, feature, ask, hearing)
    return _by_model(catalogue, bench, hookpoint, feature, ask, hearing)


def _by_grammar(
    catalogue: Catalogue, bench: Workbench, hookpoint: HookpointRecord, feature: int, ask: Ask,
    hearing: Hearing,
) -> Explained:  # fmt: skip
    assert isinstance(ask.settings, Settings)
    request = request_of(bench, hookpoint, feature, ask)
    maker = GrammarMaker(ask.settings, ask.seed, workers=1)
    explainer_id = explainer_of(catalogue, maker)
    plan = plan_of(request, bench, hookpoint, maker, explainer_id)
    work = GrammarWork(bench.record, bench.files.folder, hookpoint, ask.settings, ask.seed)
    with watched(catalogue, plan, hearing, None, f"Explaining {feature}") as run:
        made = work.one(bench, feature)
        return _stored(catalogue, hookpoint, explainer_id, run, made, ask)


def _by_model(
    catalogue: Catalogue, bench: Workbench, hookpoint: HookpointRecord, feature: int, ask: Ask,
    hearing: Hearing,
) -> Explained:  # fmt: skip
    request = request_of(bench, hookpoint, feature, ask)
    with model_maker(catalogue, request) as maker:
        explainer_id = explainer_of(catalogue, maker)
        plan = plan_of(request, bench, hookpoint, maker, explainer_id)
        stage = f"Asking {maker.model} to explain {feature}"
        with watched(catalogue, plan, hearing, maker.client, stage) as run:
            before = ledger.attempts(catalogue, hookpoint.hookpoint_id, explainer_id, ask.seed)
            gatherer = maker.gatherer(bench, hookpoint, [feature])
            made = maker.explained(gatherer, feature, before.get(feature, 0))
            found = _stored(catalogue, hookpoint, explainer_id, run, made, ask, maker.journal)
        clients = {id(client): client for client in (maker.client, maker.judge)}
        return found._replace(spent_usd=sum(map(spent_by, clients.values())))


def request_of(
    bench: Workbench, hookpoint: HookpointRecord, feature: int, ask: Ask
) -> ExplainRequest:
    """Word an ask as the stage would be asked."""
    endpoint = ask.endpoint and replace(ask.endpoint, budget=ask.budget)
    return ExplainRequest(
        bench.record.name, (hookpoint.name,), str(feature), ask.settings, ask.seed,
        endpoint=endpoint, judge=ask.other_chooser or None, retry_failed=ask.retry,
    )  # fmt: skip


def _stored(
    catalogue: Catalogue, hookpoint: HookpointRecord, explainer_id: int, run: Watched,
    made: ledger.NewExplanation, ask: Ask, journal: ledger.Journal | None = None,
) -> Explained:  # fmt: skip
    """Write an explanation; where somebody was faster, theirs counts."""
    run.require_wanted()
    ledger.write_explanations(
        catalogue, hookpoint.hookpoint_id, explainer_id, exact_scorer(catalogue), run.run_id,
        [made], journal,
    )  # fmt: skip
    found = answer(catalogue, hookpoint, made.feature, ask)
    assert found is not None
    return Explained(found.explanation_id, found.has_text, 0.0)


def spent_by(client: Client | None) -> float:
    """Dollars that a client has spent, as far as they are known."""
    return client.traffic.spent_usd if isinstance(client, EndpointClient) else 0.0


def score_chosen(
    catalogue: Catalogue, bench: Workbench, hookpoint: HookpointRecord, feature: int,
    explanations: Sequence[int], means: Means, scorers: tuple[str, ...], preset: str = "gloss",
    *, hearing: Hearing,
) -> None:  # fmt: skip
    """Judge those of the given explanations that lack a score, all on the same items."""
    request = ScoreRequest(bench.record.name, (hookpoint.name,), str(feature), scorers,
                           explanations=tuple(explanations), preset=preset,
                           means=means).fitted(bench.record)  # fmt: skip
    check(request)
    with opened(catalogue, bench, means) as tools:
        for group in groups(scorers, means):
            work = Work(catalogue, request, bench, hookpoint, group, tools, None)
            ids = scorers_of(catalogue, request, group.names, tools)
            if asked := unscored_features(work, ids):
                _judge(work, ids, asked[0], hearing)


def _judge(work: Work, scorer_ids: tuple[int, ...], asked: Asked, hearing: Hearing) -> None:
    """Ask one scorer after the other, storing what each found, so that a stop loses one at most."""
    catalogue, hookpoint, tools = work.catalogue, work.hookpoint, work.tools
    drawer, names = work.drawer, work.group.names
    with watched(catalogue, work.plan(scorer_ids), hearing, tools.client, "Scoring") as run:
        for place, (name, claims) in enumerate(zip(names, asked.claims, strict=True), 1):
            who = tools.judge_of(name)
            run.now(f"Scoring by {name} ({place} of {len(names)}), judged by {who}")
            judging = Bench(drawer, (work.scorer(name),), (scorer_ids[place - 1],))
            made = judging.judged(asked._replace(claims=(claims,)))
            run.require_wanted()
            judgements.write_judgements(
                catalogue, hookpoint.hookpoint_id, run.run_id, made,
                features_done=int(place == len(names)), journal=tools.journal,
            )  # fmt: skip
        judgements.summarise_deciles(catalogue, run.run_id)


class Answer(NamedTuple):
    """An explanation that was given before."""

    explanation_id: int
    status: str
    has_text: bool


NEWEST = """
select explanation_id, status, text is not null as has_text
from explanation
where hookpoint_id = ? and feature = ? and explainer_id = ? and seed = ?
order by explanation_id desc
limit 1
"""


def answer(
    catalogue: Catalogue, hookpoint: HookpointRecord, feature: int, ask: Ask
) -> Answer | None:
    """The newest answer to the same question, usable or not; None = it was never asked."""
    settings = ask.settings
    known_as = (
        GrammarMaker(settings, ask.seed, workers=1).described
        if isinstance(settings, Settings)
        else described(settings, ask.other_chooser)
    )
    method = ledger.known_method(catalogue, "explainer", ask.explainer, ask.model, known_as)
    if method is None:
        return None
    with catalogue.reading() as con:
        row = con.row(NEWEST, [hookpoint.hookpoint_id, feature, method, ask.seed])
    return None if row is None else Answer(**row)

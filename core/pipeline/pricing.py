"""What a run would cost, before it is started: the stages' own code with a client that only plans.

Nothing is asked of a model and nothing is stored. More features than SAMPLE are priced by a sample
of them. A budget or a price that is wrong shows here first.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa

from core.explain.settings import ExplainerSettings
from core.llm.client import price_at
from core.llm.place import identity, preset_of
from core.llm.planning import Plan, PlanningClient
from core.llm.prices import Price
from core.llm.requests import Message, Request
from core.llm.settings import EndpointSettings
from core.llm.tokens import counter_for, estimated
from core.pipeline import explaining
from core.pipeline.explaining import ExplainRequest, missing_features
from core.pipeline.explaining_model import ModelMaker
from core.pipeline.judging import Asked, ScoreRequest
from core.pipeline.materials import Drawer
from core.pipeline.nulls import null_tasks, paired, scored
from core.pipeline.scorers import (
    Tools,
    asks_model,
    groups,
    judge_name,
    scorer_settings,
    stored_name,
)
from core.pipeline.scoring import (
    Work,
    check,
    controls,
    open_bench,
    require_explanations,
    unscored_features,
)
from core.seeds import draws, text_seed
from data import caches, ledger
from data.catalogue import Catalogue
from data.errors import BadInput

SAMPLE = 100  # features priced exactly, over all hookpoints
HISTORY = 200  # stored replies that an estimate of tokens is corrected by
NO_METHOD = 0  # an id that no method has


def price_explaining(catalogue: Catalogue, request: ExplainRequest) -> list[Plan]:
    """Plan `gloss explain` with a language model; a debate's other judge has a plan of its own."""
    if request.endpoint is None or not isinstance(request.settings, ExplainerSettings):
        raise BadInput("the grammar asks nobody and costs nothing: --dry-run is for --model")
    record = caches.cache(catalogue, request.cache)
    bench = explaining.open_bench(catalogue, record, request.settings)
    client = planner(catalogue, request.endpoint)
    judge = client
    if request.judge and request.judge != request.endpoint.model:
        judge = planner(catalogue, replace(request.endpoint, model=request.judge))
    maker = ModelMaker(catalogue, client, judge, request.settings, request.seed, threads=1)
    named = [caches.hookpoint(record, name) for name in request.hookpoints]
    asked = []
    for hookpoint in named or record.hookpoints:
        chosen = bench.chosen(hookpoint, request.features)
        method = ledger.known_method(
            catalogue, "explainer", maker.name, maker.model, maker.described
        )
        missing = missing_features(catalogue, request, hookpoint, method or NO_METHOD, chosen)
        asked += [(hookpoint, feature) for feature in missing]
    few, factor = sampled(asked)
    for hookpoint in {hookpoint.hookpoint_id: hookpoint for hookpoint, _ in few}.values():
        features = [feature for at, feature in few if at is hookpoint]
        gatherer = maker.gatherer(bench, hookpoint, features)
        for feature in features:
            maker.explained(gatherer, feature)
    clients = [client] if judge is client else [client, judge]
    return [one.plan().scaled(factor) for one in clients]


def price_scoring(catalogue: Catalogue, request: ScoreRequest) -> list[Plan]:
    """Plan `gloss score` or `gloss translate` with a language model."""
    check(request)
    every = groups(request.scorers, request.means)
    found = [group for group in every if asks_model(group.names, request.means)]
    if not found:
        raise BadInput("no language model is asked: --dry-run is for --judge MODEL")
    record = caches.cache(catalogue, request.cache)
    request = request.fitted(record)
    bench = open_bench(catalogue, record, request.preset)
    require_explanations(catalogue, request, record)
    endpoint = replace(request.means.endpoint or EndpointSettings(), model=request.means.judge)
    client = planner(catalogue, endpoint)
    tools = Tools(catalogue, bench, request.means, client, ExitStack(), planned=True)
    named = [caches.hookpoint(record, name) for name in request.hookpoints]
    works = [
        Work(catalogue, request, bench, hookpoint, group, tools, None)
        for hookpoint in named or record.hookpoints
        for group in found
    ]
    asked = [(work, one) for work in works for one in unscored_features(work, known_ids(work))]
    few, factor = sampled(asked)
    for work in works:
        _judge(work, [one for at, one in few if at is work])
    plan = client.plan().scaled(factor)
    if request.nulls:
        plan = _with_nulls(plan, works)
    return [plan]


def sampled(asked: Sequence) -> tuple[list, float]:
    """Choose what is priced, in order, and how much of the whole each stands for."""
    if len(asked) <= SAMPLE:
        return list(asked), 1.0
    order = np.argsort(draws(text_seed("pricing"), np.arange(len(asked))), kind="stable")
    return [asked[i] for i in sorted(order[:SAMPLE].tolist())], len(asked) / SAMPLE


def known_ids(work: Work) -> list[int]:
    """The scorers' ids where they are known; one that is not has no scores yet."""
    means, label = work.request.means, work.request.label
    return [
        ledger.known_method(
            work.catalogue,
            "scorer",
            stored_name(name),
            judge_name(name, means),
            scorer_settings(name, means, label),
        )
        or NO_METHOD - place
        for place, name in enumerate(work.group.names)
    ]


def _judge(work: Work, asked: Sequence[Asked]) -> None:
    judging = work.judging((NO_METHOD,) * len(work.group.names))
    for one in asked:
        judging.judged(one)


def _with_nulls(plan: Plan, works: Sequence[Work]) -> Plan:
    """Add what null scores would take; their features are a sample already."""
    first = works[0]
    endpoint = replace(
        first.request.means.endpoint or EndpointSettings(), model=first.request.means.judge
    )
    client = planner(first.catalogue, endpoint)
    for work in works:
        tools = Tools(work.catalogue, work.bench, work.request.means, client, ExitStack(), True)
        drawer = Drawer(work.bench, work.hookpoint, work.request.drawing)
        others = partial(controls, work.catalogue, work.hookpoint)
        made = [(tools.scorer(name, others), 0) for name in work.group.names]
        chosen = work.bench.chosen(work.hookpoint, work.request.features)
        plans = paired(work.catalogue, work.request, tools, work.hookpoint, chosen)
        for scorer, _, tasks in null_tasks(
            work.catalogue, work.request, work.hookpoint, plans, made
        ):
            for task in tasks:
                scored(scorer, drawer.material(task.feature), task)
    return plan.plus(client.plan(), "nulls")


PriceOf = Callable[[Catalogue, EndpointSettings], Price | None]


def planner(
    catalogue: Catalogue, endpoint: EndpointSettings, price_of: PriceOf = price_at
) -> PlanningClient:
    """Make the client that plans for one model of an endpoint."""
    table = catalogue.store / "prices.toml"
    address, who = preset_of(endpoint).base_url, identity(endpoint)
    return PlanningClient(
        endpoint.model,
        address,
        counter_for(endpoint.model, endpoint.tokenizer or None, history(catalogue, endpoint.model)),
        price=price_of(catalogue, endpoint),
        prices=str(table),
        known=lambda requests: answered(catalogue, address, who, requests),
        reasoning=endpoint.reasoning,
        identity=who,
    )


REPLIES = """
select p.messages, r.question, r.parameters, r.input_tokens
from reply r
join request_prefix p using (prefix_id)
where r.model = ? and r.input_tokens is not null
order by r.reply_id desc
limit ?
"""


def history(catalogue: Catalogue, model: str) -> Iterator[tuple[float, int]]:
    """What was estimated, and counted by the endpoint, for stored replies of a model."""
    with catalogue.reading() as con:
        rows = con.rows(REPLIES, [model, HISTORY])
    for row in rows:
        parameters = json.loads(row["parameters"])
        prefix = tuple(Message(*turn) for turn in json.loads(row["messages"]))
        request = Request(prefix, row["question"], 1, kind=parameters["kind"])
        yield estimated(request), row["input_tokens"]


KNOWN = "select request_sha256 from reply semi join asked using (request_sha256)"


def answered(catalogue: Catalogue, address: str, who: str, requests: Sequence[Request]) -> set[str]:
    """Hashes of the requests that have a stored reply."""
    keys = [request.sha256(address, who) for request in requests]
    asked = pa.table({"request_sha256": pa.array(keys, pa.string())})
    with catalogue.reading() as con, con.table("asked", asked):
        return {row["request_sha256"] for row in con.rows(KNOWN)}

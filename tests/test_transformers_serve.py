"""Against the real `transformers serve`: the weights are random, so only the words are bad."""

from contextlib import closing
from dataclasses import replace

import pytest
from chat_model import CONTEXT, save_chat_model, transformers_serve
from made_material import VOCABULARY, claim, made_corpus, made_material

from core.examples.presets import Counts, Preset
from core.llm.client import open_client
from core.llm.endpoint import Endpoint
from core.llm.pace import Patience
from core.llm.planning import PlanningClient
from core.llm.requests import CallFailed, Message, Reply, Request, spent
from core.llm.settings import EndpointSettings
from core.llm.tokens import counter_for
from core.prompts.detection import messages
from core.prompts.simulation import ask_echo
from core.replies.verdicts import verdict_schema
from core.score.asking import JudgeSettings
from core.score.classify import detection_scorer
from core.score.language import LanguageJudge
from data.catalogue import Catalogue
from data.errors import EndpointRefused

TEXTS = ("The fair opens on 3 May.", "  You may leave\n", "é ↵ <|im_end|> ü", "x")
SHORT = JudgeSettings(max_tokens=8, probabilities=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_chat_model(tmp_path_factory.mktemp("chat"))


@pytest.fixture(scope="module")
def settings(folder):
    with transformers_serve(folder) as base_url:
        yield EndpointSettings(model=str(folder), base_url=base_url, concurrency=4)


@pytest.fixture
def catalogue(tmp_path):
    return Catalogue(tmp_path / "store")


def judging(text: str) -> Request:
    return SHORT.request(messages("Names of months.", [text]), verdict_schema(1), "detection")


def test_exact_counts_are_what_the_server_counts(catalogue, settings):
    requests = [judging(text) for text in TEXTS]
    requests.append(Request((), TEXTS[0], max_tokens=3, kind="completion"))
    counter = counter_for(settings.model, None)
    with open_client(catalogue, settings) as client:
        replies = client.ask(requests)
    assert all(isinstance(reply, Reply) for reply in replies)
    assert [reply.input_tokens for reply in replies] == [counter.count(r) for r in requests]
    assert [reply.output_tokens for reply in replies[:4]] == [8] * 4
    assert counter.exact


def test_what_the_server_ignores_is_missing_from_the_reply_and_no_failure(catalogue, settings):
    with open_client(catalogue, settings) as client:
        verdict, echo = client.ask([judging(TEXTS[0]), ask_echo("Months.", ["3", " May"])])
    assert verdict.logprobs is None  # asked for, and ignored like the schema
    assert echo.logprobs is None
    assert (verdict.finish, verdict.cost_usd) == ("length", None)


def scored(client):
    """One made feature, 5 activating and 5 silent contexts, judged by the real scorer."""
    material = made_material(made_corpus(), preset=Preset("few", Counts(5, 5), Counts(5, 5)))

    def judge_for(asked):
        return LanguageJudge(client, asked.text, VOCABULARY, (0,), SHORT)

    [outcome] = detection_scorer(client.model, judge_for).score(material, [claim(1)])
    return outcome


def test_nonsense_is_counted_as_failed_and_a_plan_says_what_it_takes(catalogue, settings):
    with open_client(catalogue, settings) as client:
        outcome = scored(client)
    assert (outcome.score.value, outcome.score.n, outcome.score.failed) == (None, 0, 10)
    assert set(outcome.predicted.tolist()) == {-1}
    taken = spent(outcome.asked)
    assert taken.calls == 2 + 2 + 10  # calls of five, once more, then each item alone
    assert (taken.output_tokens, taken.cost_usd) == (14 * 8, None)

    planning = PlanningClient(settings.model, "", counter_for(settings.model, None))
    assert scored(planning).score.failed == 0
    total = planning.plan().total
    assert (total.calls, total.output_high) == (2, 16)
    assert total.input_tokens == spent(outcome.asked[:2]).input_tokens


def test_stored_replies_are_not_asked_again_and_are_free_in_a_plan(catalogue, settings):
    requests = [judging(text) for text in TEXTS]
    with open_client(catalogue, settings) as client:
        first = client.ask(requests)
    with open_client(catalogue, settings) as client:
        again = client.ask(requests)
    assert [reply.known for reply in again] == [True] * 4
    assert [reply.text for reply in again] == [reply.text for reply in first]
    address = Endpoint(settings).address
    planning = PlanningClient(
        settings.model,
        address,
        counter_for(settings.model, None),
        known=lambda _: {reply.key for reply in first[:3]},
    )
    planning.ask(requests)
    total = planning.plan().total
    assert (total.calls, total.known) == (1, 3)
    assert total.input_tokens == first[3].input_tokens


def test_the_server_lists_its_model_without_a_price(settings):
    with closing(Endpoint(settings)) as endpoint:
        (entry,) = endpoint.models()
    assert entry["id"] == settings.model
    assert "pricing" not in entry


def test_a_model_that_is_not_served_is_refused_in_the_servers_words(catalogue, settings):
    other = replace(settings, model="other")
    with open_client(catalogue, other) as client, pytest.raises(EndpointRefused, match="pinned to"):
        client.ask([judging(text) for text in TEXTS])


def test_one_request_that_breaks_the_server_fails_alone(catalogue, settings):
    bad = Request((Message("user", ""),), "", max_tokens=2, kind="completion")  # no token at all
    with open_client(catalogue, settings, patience=Patience(attempts=2)) as client:
        failed, reply = client.ask([bad, judging(TEXTS[0])])
    assert isinstance(failed, CallFailed)
    assert failed.reason.startswith("HTTP 500")
    assert isinstance(reply, Reply)


def test_a_prompt_beyond_the_models_context_is_answered_all_the_same(catalogue, settings):
    long = Request((), "a " * CONTEXT, max_tokens=1)
    with open_client(catalogue, settings) as client:
        (reply,) = client.ask([long])
    assert reply.input_tokens > CONTEXT

import json
import threading

import pytest
from one_feature import EVIDENCE, EXPLANATION

from core.explain import explainer_for
from core.explain.explaining import Tools
from core.explain.settings import ExplainerSettings
from core.llm.planning import PlanningClient
from core.llm.plausible import answer
from core.llm.prices import Price
from core.llm.requests import Message, Request
from core.llm.tokens import EstimateCounter
from core.prompts.generation import ask_texts
from core.prompts.simulation import ask_echo, ask_for_ten, ask_pairs
from core.prompts.translate import translation_request
from core.replies.simulated import expected_values, keeps_ten, values_in
from core.replies.texts import texts_in
from core.replies.verdicts import choice, choice_schema, verdict_schema, verdicts

PRICE = Price(1e-6, 1e-5)
PIECES = ["The", " fair", " opens", " on", " 3", " May"]


class Letters:
    """Counts characters: figures that can be checked by hand."""

    exact, name = True, "letters"

    def count(self, request: Request) -> int:
        return len(request.prompt)

    def count_text(self, text: str) -> int:
        return len(text)


def judging(question: str, n: int = 2, **more) -> Request:
    schema = verdict_schema(n)
    more = {"max_tokens": 100, "schema": schema, "purpose": "detection"} | more
    return Request((Message("system", "x" * 10),), question, **more)


def client(**more) -> PlanningClient:
    return PlanningClient("m", "http://x/v1", Letters(), price=PRICE, **more)


def said(request: Request) -> str:
    return answer(request, request.sha256("a", "m"))


def test_figures_of_a_plan_are_sums_over_its_requests():
    planning = client()
    planning.ask([judging("a" * 20), judging("b" * 30), judging("c", purpose="fuzzing")])
    plan = planning.plan()
    assert list(plan.purposes) == ["detection", "fuzzing"]
    detection = plan.purposes["detection"]
    assert (detection.calls, detection.input_tokens) == (2, 30 + 40)
    assert detection.output_low == 2 * len('{"verdicts": [0, 1]}')
    assert detection.output_high == 200
    total = plan.total
    assert (total.calls, total.input_tokens, total.output_high) == (3, 81, 300)
    assert plan.dollars == pytest.approx((81e-6 + 60e-5, 81e-6 + 300e-5))


def test_known_requests_and_repeated_ones_are_free():
    first, second = judging("a"), judging("b")
    key = first.sha256("http://x/v1", "m")
    planning = client(known=lambda requests: {key})
    outcomes = planning.ask([first, second, second])
    assert [outcome.known for outcome in outcomes] == [True, False, True]
    total = planning.plan().total
    assert (total.calls, total.known, total.input_tokens) == (1, 2, 11)


def test_replies_carry_the_hash_by_which_the_store_knows_the_request():
    request = judging("a")
    (plain,), (other,) = client().ask([request]), client(identity="m {}").ask([request])
    assert plain.key == request.sha256("http://x/v1", "m")
    assert other.key == request.sha256("http://x/v1", "m {}")


def test_an_answer_is_never_longer_than_its_limit():
    planning = client(reasoning=1000)
    planning.ask([judging("a", max_tokens=3)])
    total = planning.plan().total
    assert (total.output_low, total.output_high) == (3, 1003)


def test_an_unknown_price_is_no_price():
    planning = PlanningClient("m", "a", Letters(), prices="/s/prices.toml")
    planning.ask([judging("a")])
    plan = planning.plan()
    assert plan.dollars is None
    assert "price unknown: add the model to /s/prices.toml" in plan.lines()
    assert plan.as_dict()["cost_usd"] is None
    assert "$" not in "".join(plan.lines())


def test_an_estimate_widens_the_range_by_a_tenth():
    planning = PlanningClient("m", "a", EstimateCounter(), price=Price(1e-3, 0.0))
    planning.ask([judging("one two three")])
    plan = planning.plan()
    dollars = plan.total.input_tokens * 1e-3
    assert plan.dollars == pytest.approx((0.9 * dollars, 1.1 * dollars))
    assert f"input: {plan.total.input_tokens:,} tokens (estimated, ±10 %)" in plan.lines()


def test_a_plan_reads_well():
    planning = client()
    planning.ask([judging("a" * 20), judging("a" * 20)])
    assert planning.plan().scaled(1600).lines() == [
        "m: 1,600 calls and 1,600 already answered, free",
        "input: 48,000 tokens (letters)",
        "output: 32,000 to 160,000 tokens (shortest answers to longest)",
        "cost: $0.37 to $1.65",
        "scaled up by 1,600 from a sample of the features",
        "  detection: 1,600 calls and 1,600 already answered, free, 48,000 in, "
        "32,000 to 160,000 out, $0.37 to $1.65",
    ]


def test_a_plan_is_json():
    planning = client()
    planning.ask([judging("a" * 20)])
    said = json.loads(json.dumps(planning.plan().scaled(2).as_dict()))
    assert said["factor"] == 2
    assert said["purposes"]["detection"]["output_tokens"] == [40, 200]
    assert (said["calls"], said["input_tokens"], said["exact"]) == (2, 60, True)
    assert said["cost_usd"] == pytest.approx([60e-6 + 40e-5, 60e-6 + 200e-5])


def test_an_empty_plan_costs_nothing():
    plan = client().plan()
    assert client().ask([]) == []
    assert (plan.total.calls, plan.dollars) == (0, (0, 0))
    assert plan.lines()[0] == "m: 0 calls"


def test_many_threads_lose_no_request():
    planning = client()
    threads = [
        threading.Thread(target=planning.ask, args=([judging(f"{name} {i}") for i in range(50)],))
        for name in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert planning.plan().total.calls == 400


def test_the_same_request_is_always_answered_the_same_and_different_ones_differ():
    answers = [said(judging(f"{i}", n=5)) for i in range(20)]
    assert answers == [said(judging(f"{i}", n=5)) for i in range(20)]
    assert len(set(answers)) > 5


@pytest.mark.parametrize("n", [1, 5])
def test_questions_of_judges_are_answered_in_their_form(n):
    assert len(verdicts(said(judging("a", n)), n)) == n
    picked = {choice(said(judging(f"{i}", schema=choice_schema(3))), 3) for i in range(30)}
    assert picked == {1, 2, 3}


def test_texts_and_simulated_values_are_answered_in_their_form():
    assert len(texts_in(said(ask_texts(EXPLANATION)), 10)) >= 8
    assert values_in(said(ask_pairs(EXPLANATION, [PIECES, PIECES])), [6, 6])
    assert json.loads(said(translation_request(EXPLANATION)))["rules"] == []


def test_an_echo_can_be_read():
    (ten, echo) = client().ask([ask_for_ten(), ask_echo(EXPLANATION, PIECES)])
    assert keeps_ten(ten.logprobs)
    assert expected_values(echo.logprobs, 6, 10) == pytest.approx([5.0] * 6)


def test_a_schema_is_honoured_where_it_says_more():
    schema = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 3, "maximum": 4},
            "words": {"type": "array", "items": {"type": "string", "maxLength": 5}, "maxItems": 2},
            "ok": {"type": "boolean"},
            "nothing": {"type": ["null", "string"]},
            "either": {"anyOf": [{"const": 7}, {"type": "string"}]},
            "unasked": {"type": "string"},
        },
        "required": ["n", "words", "ok", "nothing", "either"],
    }
    made = json.loads(said(judging("a", schema=json.dumps(schema))))
    assert made["n"] in (3, 4)
    assert [len(word) for word in made["words"]] == [5, 5]
    assert isinstance(made["ok"], bool)
    assert (made["nothing"], made["either"]) == (None, 7)
    assert "unasked" not in made


@pytest.mark.parametrize(
    ("explainer", "calls"), [("plain", 1), ("activations", 1), ("cot", 1), ("debate", 4)]
)
def test_explainers_run_their_usual_course(explainer, calls):
    planning = client()
    settings = ExplainerSettings(explainer)
    written = explainer_for(settings).explain(EVIDENCE, Tools(planning))
    assert written.error is None
    assert written.text
    plan = planning.plan()
    assert plan.total.calls == calls
    assert "explanation repair" not in plan.purposes

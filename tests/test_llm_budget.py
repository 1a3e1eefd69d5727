"""A budget is never passed, and what was paid is kept with every reply."""

import pytest
from asking import PRICE, echo, opened, questions
from scripted_server import Faults, serving

from core.llm.budget import Budget, most_tokens
from core.llm.pace import Patience
from core.llm.wire import Answer
from data.catalogue import Catalogue
from data.errors import BadInput, BudgetReached, EndpointTrouble


@pytest.fixture
def catalogue(tmp_path):
    return Catalogue(tmp_path)


def test_what_a_call_costs_is_kept_with_it(catalogue):
    with serving(echo) as server:
        with opened(catalogue, server, price=PRICE) as client:
            [reply] = client.ask(questions(1))
            assert reply.cost_usd == pytest.approx(0.2)
            assert client.traffic.spent_usd == pytest.approx(0.2)
        with opened(catalogue, server, price=PRICE) as client:
            assert client.ask(questions(1))[0].cost_usd == pytest.approx(0.2)
            assert client.traffic.spent_usd == 0
    assert Budget(None, None).cost(Answer("", None, None, 1, 1, None)) is None
    assert Budget(None, PRICE).cost(Answer("", None, None, None, 1, None)) is None
    assert Budget(None, PRICE).cost(Answer("", None, None, 1, 1, 7.0)) == 7.0


def test_a_budget_is_never_passed_and_what_was_bought_is_kept(catalogue):
    worst = Budget(None, PRICE).worst(questions(1)[0])
    assert worst == pytest.approx(PRICE.cost(most_tokens(questions(1)[0]), 20))
    with serving(echo, latency=0.01) as server:
        with (
            pytest.raises(BudgetReached, match="of \\$3 is spent") as caught,
            opened(catalogue, server, price=PRICE, budget=3.0) as client,
        ):
            client.ask(questions(100))
        assert "\n" not in str(caught.value)
        bought = server.log.requests
        assert 3.0 - worst <= 0.2 * bought <= 3.0
        with opened(catalogue, server, price=PRICE) as client:
            client.ask(questions(100))
            assert client.traffic.known == bought
        assert server.log.requests == 100


def test_calls_that_may_be_billed_count_in_full(catalogue):
    with (
        serving(faults=Faults(1.0, kinds=("truncated",))) as server,
        opened(catalogue, server, price=PRICE, patience=Patience(early=1)) as client,
    ):
        with pytest.raises(EndpointTrouble):
            client.ask(questions(1))
        worst = Budget(None, PRICE).worst(questions(1)[0])
        assert client.traffic.spent_usd == pytest.approx(worst)


def test_a_budget_needs_a_price(catalogue):
    with (
        serving() as server,
        pytest.raises(BadInput, match="no price of m"),
        opened(catalogue, server, budget=1.0),
    ):
        pass


def test_the_stores_own_table_of_prices_is_read(catalogue):
    (catalogue.store / "prices.toml").write_text('["m"]\ninput = 1000\noutput = 10000\n')
    with serving() as server, opened(catalogue, server, budget=1.0) as client:
        assert client.ask(questions(1))[0].cost_usd == pytest.approx(0.2)

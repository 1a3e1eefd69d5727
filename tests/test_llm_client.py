"""A client of an endpoint: what is known, how it is paced, and how everything ends."""

import re
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from asking import PRICE, QUICK, echo, opened, questions, texts
from scripted_server import BENDING, Faults, serving
from scripted_shapes import error

from core.llm.client import EndpointClient, open_client
from core.llm.pace import Patience
from core.llm.requests import CallFailed, Reply
from core.llm.settings import EndpointSettings
from core.llm.wire import Answer
from data.catalogue import Catalogue
from data.errors import EndpointRefused, EndpointTrouble, Stopped
from data.replies import ReplyStore, reply_ids


@pytest.fixture
def catalogue(tmp_path):
    return Catalogue(tmp_path)


def test_answers_come_in_the_order_of_the_questions(catalogue):
    with serving(echo, latency=0.01) as server, opened(catalogue, server) as client:
        outcomes = client.ask(questions(100))
        assert texts(outcomes) == [str(i) for i in range(100)]
        assert not any(outcome.known for outcome in outcomes)
        assert server.log.most <= 32
        assert client.ask([]) == []


def test_what_is_known_is_not_asked_again(catalogue):
    with serving(echo) as server:
        with opened(catalogue, server) as client:
            first = client.ask(questions(10))
            again = client.ask(questions(10))
            with catalogue.writing() as con:
                client.fold(con)
                keys = [outcome.key for outcome in first]
                assert reply_ids(con, keys).keys() == set(keys)
            folded = client.ask(questions(10))
        with opened(catalogue, server) as client:
            later = client.ask(questions(12))
            assert client.traffic.known == 10
        assert server.log.requests == 12
    known = [outcome._replace(known=True) for outcome in first]
    assert again == known
    assert [r._replace(seconds=0) for r in folded] == [r._replace(seconds=0) for r in known]
    assert [r.known for r in later] == [True] * 10 + [False] * 2


def test_log_probabilities_come_back_as_they_were(catalogue):
    with serving(echo) as server:
        with opened(catalogue, server) as client:
            [first] = client.ask(questions(1, logprobs=5))
        with opened(catalogue, server) as client:
            [again] = client.ask(questions(1, logprobs=5))
    assert first.logprobs == again.logprobs != None  # noqa: E711
    assert again.logprobs[0].top == {"0": -0.1, " else": -2.4}


def test_the_same_question_at_the_same_time_is_asked_once(catalogue):
    with serving(echo, latency=0.1) as server, opened(catalogue, server) as client:
        found = []
        ask = lambda: found.append(texts(client.ask(questions(3) + questions(3))))  # noqa: E731
        threads = [threading.Thread(target=ask) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [["0", "1", "2"] * 2] * 5
        assert server.log.requests == 3


def test_another_attempt_or_other_parameters_are_another_question(catalogue):
    with serving(echo) as server:
        with opened(catalogue, server) as client:
            client.ask(questions(1) + questions(1, attempt=1) + questions(1, seed=1))
        with opened(catalogue, server, extra='{"top_k": 1}') as client:
            client.ask(questions(1))
        assert server.log.requests == 4
        assert server.log.bodies[-1]["top_k"] == 1


def test_no_more_calls_are_in_flight_than_allowed(catalogue):
    with serving(latency=0.02) as server, opened(catalogue, server, concurrency=3) as client:
        threads = [
            threading.Thread(target=lambda n=n: client.ask(questions(10, 10 * n))) for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.log.most == 3
        assert server.log.requests == 40


def test_every_fault_is_survived(catalogue):
    patience = Patience(attempts=20, waits=100, first=0.01, longest=0.02)
    faults = Faults(0.5, seed=1)
    with (
        serving(echo, faults=faults) as server,
        opened(catalogue, server, patience=patience, timeout=0.2, concurrency=16) as client,
    ):
        outcomes = client.ask(questions(150))
        assert all(isinstance(outcome, Reply) for outcome in outcomes)
        assert set(server.log.faults) == set(faults.kinds)
        bent = sum(server.log.faults[kind] for kind in BENDING)
        right = sum(outcome.text == str(i) for i, outcome in enumerate(outcomes))
        assert right >= 150 - bent
        assert all(n == 1 for n in server.log.answered.values())
        assert client.traffic.retries > 50


def test_a_question_that_is_refused_fails_alone_and_is_not_stored(catalogue):
    def picky(body):
        return error(400, "Bad words.") if echo(body) == "3" else echo(body)

    with serving(picky) as server:
        with opened(catalogue, server) as client:
            outcomes = client.ask(questions(6))
            assert outcomes[3] == CallFailed(outcomes[3].key, "HTTP 400: Bad words.")
            assert texts(outcomes[:3] + outcomes[4:]) == ["0", "1", "2", "4", "5"]
            assert client.traffic.failed == 1
        with opened(catalogue, server) as client:
            client.ask(questions(6))
        assert server.log.requests == 7


def test_a_wrong_key_ends_everything_in_the_endpoints_words(catalogue):
    said = error(401, "Incorrect API key.")
    with (
        serving(lambda _: said) as server,
        pytest.raises(EndpointRefused, match="refuses: HTTP 401: Incorrect API key") as caught,
        opened(catalogue, server, concurrency=2) as client,
    ):
        client.ask(questions(50))
    assert "\n" not in str(caught.value)
    assert server.log.requests <= 4


def test_an_endpoint_that_never_answers_is_given_up_soon(catalogue):
    settings = EndpointSettings("m", "http://127.0.0.1:9/v1")
    start = time.monotonic()
    with (
        pytest.raises(EndpointTrouble, match=r"no connection .*the same command goes on"),
        open_client(catalogue, settings, patience=QUICK) as client,
    ):
        client.ask(questions(100))
    assert time.monotonic() - start < 2


def test_an_endpoint_that_stops_answering_is_given_up(catalogue):
    def dying(body):
        return echo(body) if int(echo(body)) < 20 else error(500, "Out of memory.")

    patience = Patience(attempts=2, first=0.001)
    with (
        serving(dying) as server,
        opened(catalogue, server, patience=patience, concurrency=4) as client,
    ):
        assert len(client.ask(questions(20))) == 20
        with pytest.raises(EndpointTrouble, match="does not answer: HTTP 500: Out of memory"):
            client.ask(questions(100, 20))
        with pytest.raises(EndpointTrouble):
            client.ask(questions(1, 500))
        assert texts(client.ask(questions(20)))[19] == "19"  # what is known stays known


def test_a_limit_on_the_rate_is_lived_with(catalogue):
    patience = Patience(waits=8, first=0.05)
    with (
        serving(echo, per_second=20, faults=Faults(retry_after="0.2")) as server,
        opened(catalogue, server, patience=patience) as client,
    ):
        assert texts(client.ask(questions(50))) == [str(i) for i in range(50)]
        assert server.log.requests < 200  # 50 answers, and few knocks at a closed door


def test_everybody_waits_as_long_as_the_endpoint_asks(catalogue):
    moments = []

    def once(body):
        moments.append(time.monotonic())
        if len(moments) == 1:
            return error(503, "Loading.")._replace(headers=(("Retry-After", "0.3"),))
        return echo(body)

    with serving(once) as server, opened(catalogue, server, concurrency=1) as client:
        assert texts(client.ask(questions(2))) == ["0", "1"]
    assert moments[1] - moments[0] >= 0.3


def test_stop_wakes_everybody(catalogue):
    ended = []

    def ask(client):
        try:
            client.ask(questions(5))
        except Stopped as error:
            ended.append(str(error))

    with (
        serving(faults=Faults(1.0, kinds=("hang",))) as server,
        opened(catalogue, server) as client,
    ):
        threads = [threading.Thread(target=ask, args=(client,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        start = time.monotonic()
        client.stop()
        for thread in threads:
            thread.join(1)
        assert time.monotonic() - start < 0.5
    assert ended == ["stopped: what was finished is kept; the same command goes on"] * 3
    assert time.monotonic() - start < 1.5


class Trickling:
    """An endpoint whose first answer never ends; the SDK's timeout is one between bytes."""

    notes = ()

    def __init__(self):
        self.closed, self.asked = threading.Event(), 0

    def check(self):
        pass

    def send(self, request):
        self.asked += 1
        if self.asked == 1:
            self.closed.wait()
        return Answer(request.question, "stop", None, None, None, None)

    def vectors(self, texts):
        raise NotImplementedError

    def close(self):
        self.closed.set()


def test_an_answer_that_never_ends_is_given_up_and_asked_again(catalogue):
    endpoint, store = Trickling(), ReplyStore(catalogue)
    settings = EndpointSettings("m", "http://localhost:9/v1", concurrency=1, timeout=0.05)
    patience = Patience(first=0.01, trickle=0.05)
    client = EndpointClient(endpoint, store, settings, patience=patience)
    assert texts(client.ask(questions(2))) == ["question 0", "question 1"]
    assert endpoint.asked == 3
    client.close()
    store.close()


def test_traffic_is_told_in_a_line(catalogue):
    with serving(echo) as server, opened(catalogue, server, price=PRICE) as client:
        client.ask(questions(3))
        told = str(client.traffic)
    assert re.fullmatch(r"\S+ calls/s, 0 in flight, \$0\.6", told)


def test_an_interrupt_of_the_body_stops_those_who_wait(catalogue):
    ended = threading.Event()

    def ask(client):
        with pytest.raises(Stopped):
            client.ask(questions(5))
        ended.set()

    def interrupted(server):
        with opened(catalogue, server) as client:
            threading.Thread(target=ask, args=(client,)).start()
            time.sleep(0.1)
            raise KeyboardInterrupt

    with serving(faults=Faults(1.0, kinds=("hang",))) as server, pytest.raises(KeyboardInterrupt):
        interrupted(server)
    assert ended.wait(1)


def test_two_clients_may_share_what_they_keep(catalogue):
    with serving(echo) as server, opened(catalogue, server) as client:
        other = EndpointSettings("other", server.base_url)
        with open_client(catalogue, other, beside=client) as judge:
            keys = [client.ask(questions(1))[0].key, judge.ask(questions(1))[0].key]
        with catalogue.writing() as con:
            client.fold(con)
            assert len(reply_ids(con, keys)) == 2


def test_embeddings_are_asked_again_too(catalogue):
    faults = Faults(0.5, seed=4, kinds=("error",))
    with serving(faults=faults) as server, opened(catalogue, server) as client:
        assert [vector[0] for vector in client.embed(["aa", "b"])] == [2, 0]
    with (
        serving(unsupported=("input",)) as server,
        opened(catalogue, server) as client,
        pytest.raises(EndpointRefused, match="refuses to embed: HTTP 400"),
    ):
        client.embed(["aa"])


def test_a_date_to_come_back_at_is_honoured(catalogue):
    back = datetime.now(UTC) + timedelta(seconds=1.5)
    header = back.strftime("%a, %d %b %Y %H:%M:%S GMT")
    moments = []

    def once(body):
        moments.append(datetime.now(UTC))
        if len(moments) == 1:
            return error(429, "Later.")._replace(headers=(("Retry-After", header),))
        return echo(body)

    patience = Patience(pause=5.0)
    with serving(once) as server, opened(catalogue, server, patience=patience) as client:
        client.ask(questions(1))
    assert moments[1] >= back.replace(microsecond=0)


def test_an_outage_fails_nothing_but_the_run(catalogue):
    """What was given up while nobody answered is no result: asked again it gets its answer."""
    patience = Patience(attempts=2, early=2, first=0.01)
    with serving(echo, faults=Faults(1.0, kinds=("error",))) as server:
        for n in (1, 2, 40):
            with (
                opened(catalogue, server, patience=patience) as client,
                pytest.raises(EndpointTrouble, match="does not answer"),
            ):
                client.ask(questions(n))
    with serving(echo) as server, opened(catalogue, server) as client:
        assert texts(client.ask(questions(40))) == [str(i) for i in range(40)]


def test_a_key_that_is_quoted_in_an_answer_is_not_kept(catalogue, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    said = serving(lambda body: "Bearer sk-very-secret")
    with said as server, opened(catalogue, server) as client:
        (reply,) = client.ask(questions(1))
    assert reply.text == "Bearer [key]"

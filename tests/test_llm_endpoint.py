"""One endpoint: how requests are worded, how answers are read, and every way to get none."""

import json
from datetime import UTC, datetime

import pytest
from scripted_server import Faults, serving
from scripted_shapes import error

from core.llm.endpoint import Endpoint
from core.llm.failures import Later, Refused, one_line, pause_asked
from core.llm.place import identity
from core.llm.requests import Message, Request, TokenLogprob
from core.llm.settings import EndpointSettings
from core.llm.vectors import vectors_in
from core.llm.wire import answer_of, body_of
from data.errors import BadInput

PREFIX = (Message("system", "Judge."), Message("user", "a"), Message("assistant", "[1]"))
CHAT = Request(PREFIX, "Which?", 20)
KEY = "sk-very-secret"


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENROUTER_API_KEY", "VLLM_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return monkeypatch


def asked(server, request=CHAT, **settings):
    endpoint = Endpoint(EndpointSettings("m", server.base_url, **settings))
    try:
        return endpoint.send(request)
    finally:
        endpoint.close()


def chat_answer(message, **whole):
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return answer_of(json.dumps({"choices": [choice], **whole}).encode(), CHAT)


def test_a_chat_is_worded_with_all_it_wishes_for():
    request = Request(PREFIX, "Which?", 20, schema='{"type": "array"}', logprobs=5, seed=3)
    body = body_of(request, EndpointSettings("m", reasoning=100), {"top_k": 1})
    assert body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Judge."},
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "[1]"},
            {"role": "user", "content": "Which?"},
        ],
        "max_tokens": 120,
        "temperature": 0.0,
        "seed": 3,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": {"type": "array"}},
        },
        "logprobs": True,
        "top_logprobs": 5,
        "top_k": 1,
    }
    plain = body_of(request, EndpointSettings("m", structured="off", logprobs="off"), {})
    assert not plain.keys() & {"response_format", "logprobs", "top_logprobs"}


def test_an_answer_is_read_with_its_counts_and_its_own_cost():
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "cost": 0.25}
    answer = chat_answer({"content": "[1]"}, usage=usage)
    assert answer == ("[1]", "stop", None, 7, 2, 0.25)
    assert chat_answer({"content": "[1]"})[3:] == (None, None, None)


def test_what_is_not_the_text_does_not_get_into_it():
    assert chat_answer({"content": "[1]", "reasoning_content": "[0]?"}).text == "[1]"
    assert chat_answer({"content": None, "reasoning": "hm"}).text == ""
    parts = [{"type": "text", "text": "[1"}, {"type": "audio"}, {"type": "text", "text": "]"}]
    assert chat_answer({"content": parts}).text == "[1]"
    refused = chat_answer({"content": None, "refusal": "I cannot."})
    assert (refused.text, refused.finish) == ("I cannot.", "refusal")


def test_half_characters_in_an_answer_are_replaced():
    assert chat_answer({"content": "\ud83d\ude00 \ud83d"}).text == "\U0001f600 \ufffd"


@pytest.mark.parametrize("body", [
    b"<html>Bad gateway</html>", b'{"choices": [{"mess', b"[]", b"{}", b'{"choices": []}', b"",
    b'{"choices": [{"message": "hello"}]}', b'{"choices": [{"message": {"content": 5}}]}',
    b'{"choices": [{"message": {"content": "a"}, "error": {"message": "died"}}]}',
    b"[" * 100_000, b"\xff\xfe\x00",
])  # fmt: skip
def test_what_is_no_answer_is_asked_again_and_may_be_billed(body):
    with pytest.raises(Later) as caught:
        answer_of(body, CHAT)
    assert caught.value.billed
    assert "\n" not in str(caught.value)


def test_an_error_inside_a_200_is_an_error():
    with pytest.raises(Later, match="HTTP 429: slow down") as caught:
        answer_of(b'{"error": {"code": 429, "message": "slow down"}}', CHAT)
    assert caught.value.crowded


def test_log_probabilities_of_a_chat_are_read_or_there_are_none():
    token = {"token": "1", "logprob": -0.5, "top_logprobs": [
        {"token": "1", "logprob": -0.5}, {"token": "0", "logprob": -1.0},
        {"token": "0", "logprob": -3.0}]}  # fmt: skip
    request = Request((), "q", 1, logprobs=5)

    def read(logprobs):
        choice = {"message": {"content": "1"}, "logprobs": logprobs}
        return answer_of(json.dumps({"choices": [choice]}).encode(), request).logprobs

    assert read({"content": [token]}) == (TokenLogprob("1", -0.5, {"1": -0.5, "0": -1.0}),)
    for other in (None, {}, {"content": []}, {"content": [{"token": "1"}]}, {"content": [5]}, []):
        assert read(other) is None


ECHO = Request((Message("user", "Say: "),), "red fox", 1, kind="completion", echo_from=5)


def echoed(tokens, values, offsets=None):
    logprobs = {"tokens": tokens, "token_logprobs": values, "top_logprobs": None}
    choice = {"text": "Say: red fox!", "logprobs": logprobs | {"text_offset": offsets}}
    return answer_of(json.dumps({"choices": [choice]}).encode(), ECHO)


def test_an_echo_keeps_the_prompts_tokens_from_the_question_on():
    answer = echoed(["Say", ": ", "red", " fox", "!"], [None, -1, -2, -3, -4])
    assert [(t.token, t.logprob) for t in answer.logprobs] == [("red", -2.0), (" fox", -3.0)]
    assert answer.text == "!"


def test_a_start_token_that_the_server_added_does_not_shift_an_echo():
    answer = echoed(["<s>", "Say", ": ", "red", " fox", "!"], [None, -1, -1, -2, -3, -4],
                    [0, 3, 6, 8, 11, 15])  # fmt: skip
    assert [token.token for token in answer.logprobs] == ["red", " fox"]


def test_an_echo_that_fits_nowhere_has_no_log_probabilities():
    assert echoed(["Sag", ": ", "red"], [None, -1, -2], [0, 3, 5]).logprobs is None
    assert echoed(["Say", ": "], [None]).logprobs is None


def test_a_real_round_trip():
    with serving(lambda body: f"[{len(body['messages'])}]") as server:
        assert asked(server) == ("[4]", "stop", None, 100, 10, None)


@pytest.mark.parametrize(("kind", "words", "billed"), [
    ("rate-limit", "HTTP 429", False), ("error", "HTTP 500", False), ("html", "no JSON", True),
    ("truncated", "no JSON", True), ("close", "connection broke", True),
    ("hang", "no answer in 0.3 s", True),
])  # fmt: skip
def test_every_way_to_fail_is_told_in_a_few_words(kind, words, billed):
    faults = Faults(1.0, kinds=(kind,), retry_after="7")
    with serving(faults=faults) as server, pytest.raises(Later, match=words) as caught:
        asked(server, timeout=0.3)
    assert caught.value.billed is billed
    assert caught.value.pause == (7.0 if kind == "rate-limit" else None)
    assert caught.value.crowded is (kind == "rate-limit")


def test_nobody_there_costs_nothing():
    endpoint = Endpoint(EndpointSettings("m", "http://127.0.0.1:9/v1"))
    with pytest.raises(Later, match=r"no connection .*refused") as caught:
        endpoint.send(CHAT)
    assert not caught.value.billed


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_told_in_the_endpoints_words_without_the_key(status):
    said = error(status, f"Key {KEY} may not\nuse this model.")
    with serving(lambda _: said) as server, pytest.raises(Refused) as caught:
        asked(server)
    assert str(caught.value) == f"HTTP {status}: Key [key] may not use this model."
    assert caught.value.status == status
    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert KEY not in "".join(f"{one!r} {one}" for one in chain)


def test_an_empty_account_is_a_refusal():
    said = error(429, "You exceeded your quota.", code="insufficient_quota")
    with serving(lambda _: said) as server, pytest.raises(Refused) as caught:
        asked(server)
    assert caught.value.status == 402


def test_what_an_endpoint_does_not_take_is_left_out_and_said_once():
    wishes = Request(PREFIX, "Which?", 20, schema="{}", logprobs=5)
    names = ("response_format", "logprobs", "seed", "max_tokens", "temperature")
    with serving(unsupported=names) as server:
        endpoint = Endpoint(EndpointSettings("m", server.base_url))
        for _ in range(2):
            assert endpoint.send(wishes).text == "[1, 0, 0, 1, 0]"
        assert len(server.log.bodies) == len(names) + 2
        assert server.log.bodies[-1].keys() == {"model", "messages", "max_completion_tokens"}
        assert len(endpoint.notes) == len(names)
        endpoint.close()


def test_what_is_insisted_on_is_refused_instead():
    with serving(unsupported=("logprobs",)) as server, pytest.raises(Refused, match="logprobs"):
        asked(server, Request((), "q", 1, logprobs=5), logprobs="on")


def test_too_many_alternatives_are_cut_before_they_are_given_up():
    def few(body):
        if body.get("top_logprobs", 0) > 5:
            return error(400, "top_logprobs must be less than or equal to 5")
        return "[1]"

    with serving(few) as server:
        assert asked(server, Request((), "q", 1, logprobs=15)).logprobs is not None
        assert server.log.bodies[-1]["top_logprobs"] == 5


def test_a_prompt_that_is_too_long_changes_nothing():
    said = error(400, "max_tokens is too large: this model's context length is 8 tokens")
    with serving(lambda _: said) as server, pytest.raises(Refused, match="too large"):
        asked(server)
    assert server.log.requests == 1


def test_vectors_come_in_the_order_of_the_texts_and_may_be_missing():
    with serving() as server:
        endpoint = Endpoint(EndpointSettings("m", server.base_url))
        first, second = endpoint.vectors(["aab", "c"])
        assert (first[:3], second[:3]) == ([2, 1, 0], [0, 0, 1])
        endpoint.close()
    data = {"data": [{"index": 1, "embedding": [2, 0.5]}, {"index": 0, "embedding": []}]}
    assert vectors_in(json.dumps(data).encode(), 3) == [None, [2.0, 0.5], None]


def test_models_are_listed_as_they_were_sent():
    with serving() as server:
        endpoint = Endpoint(EndpointSettings("m", server.base_url))
        assert endpoint.models()[0]["pricing"] == {"prompt": "0.000001", "completion": "0.000002"}
        endpoint.close()


def test_the_key_is_sent_and_is_read_at_call_time(keys):
    seen, organisations = [], []
    keys.setenv("OPENAI_ORG_ID", "nobody else's business")
    with serving() as server:
        endpoint = Endpoint(EndpointSettings("m", server.base_url))

        def look(request):
            seen.append(request.headers["Authorization"])
            organisations.append(request.headers.get("OpenAI-Organization"))

        endpoint._sdk._client.event_hooks = {"request": [look]}
        endpoint.send(CHAT)
        keys.setenv("OPENAI_API_KEY", "another")
        endpoint.send(CHAT)
        keys.delenv("OPENAI_API_KEY")
        endpoint.send(CHAT)
        assert seen == [f"Bearer {KEY}", "Bearer another", "Bearer none"]
        assert organisations == [None] * 3
        assert KEY not in repr(vars(endpoint)) + repr(endpoint)
        endpoint.close()


def test_a_key_that_is_missing_is_named(keys):
    keys.delenv("OPENAI_API_KEY")
    with pytest.raises(BadInput, match="export OPENAI_API_KEY"):
        Endpoint(EndpointSettings("m")).check()
    keys.setenv("OPENAI_API_KEY", KEY)  # is not shown to OpenRouter, which has keys of its own
    with pytest.raises(BadInput, match="export OPENROUTER_API_KEY"):
        Endpoint(EndpointSettings("m", "openrouter")).check()
    keys.setenv("OPENROUTER_API_KEY", "schlüssel")
    with pytest.raises(BadInput, match="no key has") as caught:
        Endpoint(EndpointSettings("m", "openrouter")).check()
    assert "schl" not in str(caught.value)


def test_the_wait_that_is_asked_for_is_read():
    now = datetime(2024, 1, 1, tzinfo=UTC)
    assert pause_asked("3", now) == 3.0
    assert pause_asked("0.25", now) == 0.25
    assert pause_asked("Mon, 01 Jan 2024 00:01:00 GMT", now) == 60.0
    assert pause_asked("Sun, 31 Dec 2023 00:00:00 GMT", now) == 0.0
    assert pause_asked("soon", now) is None
    assert pause_asked("-1", now) is None


def test_words_are_cut_to_a_line():
    assert one_line("a\n  b\tkey", ("key",)) == "a b [key]"
    assert len(one_line("x" * 1000)) == 300


def test_everything_that_determines_a_reply_is_in_the_identity():
    assert identity(EndpointSettings("m")) == "m"
    many = {
        identity(EndpointSettings("m", extra=extra, reasoning=reasoning))
        for extra in ("", '{"a": 1}', '{"a": 2}')
        for reasoning in (0, 10)
    }
    assert len(many) == 6


@pytest.mark.parametrize("extra", ["[1]", "{", '{"model": "x"}', '{"api_key": "x"}'])
def test_extra_parameters_that_cannot_be_are_refused(extra):
    with pytest.raises(BadInput):
        Endpoint(EndpointSettings("m", extra=extra))

import json
from dataclasses import replace
from threading import Event, Thread
from time import monotonic, sleep

import pytest
from answering import by_text, yes
from one_store import MODEL, RULES_ONLY, first_feature, model_ask
from scripted_server import Faults, serving

from core.bench.answering import Said
from core.explain.settings import ExplainerSettings
from core.grammar.settings import Settings
from core.llm.settings import EndpointSettings
from core.pipeline.again import answer, reexplain
from core.pipeline.ask import Ask, as_preset, from_preset
from core.pipeline.preview import preview
from core.pipeline.scorers import Means
from data import runs
from data.errors import BadInput, BudgetReached, EndpointRefused, GlossError
from data.replies import ReplyStore


def scored(one) -> set[tuple[int, str, str]]:
    found = one.rows("select explanation_id, name, judge from score join scorer using (scorer_id)")
    return {(row["explanation_id"], row["name"], row["judge"]) for row in found}


def test_a_model_explains_and_judges_one_feature_as_the_stages_would(fresh_store):
    one, said = first_feature(fresh_store), []
    with serving(by_text) as server:
        ask = model_ask(server.base_url)
        made = reexplain(*one, ask, say=said.append)
        assert max(server.log.asked.values()) == 1
        asked = server.log.requests
        assert reexplain(*one, ask) == made
        assert server.log.requests == asked
        known = answer(one.catalogue, one.hookpoint, one.feature, ask)
        assert known.explanation_id == made
    assert scored(one) == {(made, "detection", MODEL), (made, "fuzzing", MODEL)}
    explained, judged = (r for r in runs.runs(one.catalogue) if r["stage"] in ("explain", "score"))
    assert explained["status"] == judged["status"] == "done"
    assert explained["n_calls"] + judged["n_calls"] == asked
    assert json.loads(explained["settings"])["explainer"] == "activations"
    assert any(p.unit == "calls" and p.stage.startswith("Asking test-model") for p in said)


@pytest.mark.parametrize("explainer", ["contrastive", "cot", "iterative", "best-of-k", "debate"])
def test_what_is_previewed_is_what_is_sent(fresh_store, explainer):
    one = first_feature(fresh_store)
    with serving(by_text) as server:
        ask = replace(model_ask(server.base_url, explainer), means=None)
        foretold = preview(*one, ask)
        assert server.log.requests == 0
        assert not one.rows("select 1 from explainer union all select 1 from reply")
        reexplain(*one, ask)
        sent = server.log.bodies[0]["messages"]
    if explainer not in ("best-of-k", "debate"):  # several at once arrive in any order
        assert sent == [{"role": m.role, "content": m.content} for m in foretold.messages]
    assert foretold.explaining[0].total.calls == server.log.requests
    assert foretold.scoring is None
    assert not foretold.is_free


def test_a_preview_foretells_the_judge_and_says_what_is_free(fresh_store):
    one = first_feature(fresh_store)
    with serving(by_text) as server:
        ask = model_ask(server.base_url)
        before = preview(*one, ask)
        made = reexplain(*one, replace(ask, means=None))
        between = preview(*one, ask)
        reexplain(*one, ask)
        after = preview(*one, ask)
        total = server.log.requests
    assert before.explaining[0].total.calls + before.scoring.total.calls == total
    assert before.scoring.dollars is None
    assert between.explaining == ()
    assert between.scoring.total.calls == total - 1
    assert between.messages == before.messages
    assert after.scoring.total.calls == 0
    assert made


def test_the_grammar_is_previewed_as_asking_nobody(fresh_store):
    one = first_feature(fresh_store)
    assert preview(*one, Ask(Settings())) == ((), None, None, (), None)
    judged = Ask(Settings(), means=Means(MODEL, EndpointSettings(MODEL, "http://127.0.0.1:9")))
    foretold = preview(*one, judged, price_of=lambda *_: None)
    assert foretold.scoring.total.calls > 0


def test_old_and_new_are_judged_on_the_same_items(fresh_store):
    one = first_feature(fresh_store)
    old = reexplain(*one, RULES_ONLY)
    with serving(by_text) as server:
        new = reexplain(*one, model_ask(server.base_url, against=old))
    assert scored(one) >= {(number, name, MODEL) for number in (old, new)
                           for name in ("detection", "fuzzing")}  # fmt: skip
    items = [
        one.rows(f"select item_id from verdict where explanation_id = {number} order by all")
        for number in (old, new)
    ]
    assert items[0] == items[1] != []


@pytest.mark.parametrize("moment", ["explaining", "scoring"])
def test_a_stop_is_quick_and_what_was_paid_for_is_kept(fresh_store, moment):
    one, stop = first_feature(fresh_store), Event()
    slow = Faults(1.0, kinds=("hang",))

    def hang_when_judged(body):
        return yes(body) if moment == "scoring" else ""

    with serving(hang_when_judged, faults=slow if moment == "explaining" else None,
                 latency=0.0 if moment == "explaining" else 0.1) as server:  # fmt: skip
        ask = model_ask(server.base_url)
        ask = replace(ask, means=replace(ask.means, endpoint=replace(ask.endpoint, concurrency=1)))
        ended = []

        def work():
            with pytest.raises(GlossError, match="was cancelled"):
                reexplain(*one, ask, stop)
            ended.append(monotonic())

        thread = Thread(target=work)
        thread.start()
        wanted = 1 if moment == "explaining" else 4
        while server.log.requests < wanted:
            sleep(0.01)
        pressed = monotonic()
        stop.set()
        thread.join(10)
        assert ended[0] - pressed < 1.2
        stopped = runs.runs(one.catalogue)[-1]
        assert (stopped["status"], stopped["error"]) == (
            "cancelled", "stopped by request; finished features are kept")  # fmt: skip
        if moment == "scoring":
            reexplain(*one, ask)
            assert max(server.log.answered.values()) == 1


def test_a_run_cancelled_elsewhere_stops_too(fresh_store):
    one = first_feature(fresh_store)
    with serving(faults=Faults(1.0, kinds=("hang",))) as server:
        ask = model_ask(server.base_url)

        def work():
            with pytest.raises(GlossError, match="was cancelled"):
                reexplain(*one, ask)

        thread = Thread(target=work)
        thread.start()
        while not server.log.requests:
            sleep(0.01)
        runs.cancel(one.catalogue, runs.runs(one.catalogue)[-1]["run_id"])
        thread.join(5)
        assert not thread.is_alive()
    assert runs.runs(one.catalogue)[-1]["status"] == "cancelled"


def test_an_unreadable_reply_is_a_failed_explanation_that_can_be_asked_again(fresh_store):
    one = first_feature(fresh_store)
    with serving(lambda _: "") as server:
        ask = replace(model_ask(server.base_url), means=None)
        failed = reexplain(*one, ask)
        assert reexplain(*one, ask) == failed
        again = reexplain(*one, replace(ask, retry=True))
        assert again != failed
    found = one.rows("select status, text, error from explanation")
    assert all(row["status"] == "failed" and row["text"] is None and row["error"] for row in found)


def test_a_refusal_is_one_sentence_and_ends_the_run(fresh_store):
    one = first_feature(fresh_store)
    refusal = Said(b'{"error": {"message": "bad key"}}', 401)
    with serving(lambda _: refusal) as server, pytest.raises(EndpointRefused, match="refuses"):
        reexplain(*one, model_ask(server.base_url))
    assert runs.runs(one.catalogue)[-1]["status"] == "failed"
    assert not one.rows("select 1 from explanation")


def test_one_budget_is_for_explaining_and_scoring_together(fresh_store):
    one = first_feature(fresh_store)
    (fresh_store / "prices.toml").write_text(f'["{MODEL}"]\ninput = 1000.0\noutput = 1000.0\n')

    def dear(body):
        usage = {"prompt_tokens": 2_000, "completion_tokens": 100}
        return {"content": by_text(body), "usage": usage}

    with serving(dear) as server, pytest.raises(BudgetReached):
        reexplain(*one, model_ask(server.base_url, budget=9.0))
    explained, judged = runs.runs(one.catalogue)[-2:]
    assert (explained["status"], explained["cost_usd"]) == ("done", 2.1)
    assert judged["status"] == "interrupted"
    ReplyStore(one.catalogue).close()  # folds what was paid for
    assert 2.1 < one.rows("select sum(cost_usd) as usd from reply")[0]["usd"] <= 9.0


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (Ask(ExplainerSettings()), "needs a language model: name one"),
        (Ask(ExplainerSettings(), EndpointSettings("m", "vllm")), "the grammar judges rules only"),
        (Ask(Settings(), scorers=("generation",)), "needs a language model as judge"),
        (Ask(Settings(), scorers=()), "no scorer is chosen"),
        (Ask(ExplainerSettings(), EndpointSettings("m", "openai"), means=None),
         "export OPENAI_API_KEY"),
        (Ask(ExplainerSettings(), EndpointSettings("m", "nowhere"), means=None), "no endpoint"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_before_a_run_is_begun(cached_store, monkeypatch, ask, words):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    one = first_feature(cached_store)
    with pytest.raises(BadInput, match=words):
        reexplain(*one, ask)
    assert [run["stage"] for run in runs.runs(one.catalogue)] == ["cache"]


@pytest.mark.parametrize(
    "ask",
    [
        Ask(Settings(objective="mdl", examples=40)),
        Ask(ExplainerSettings(explainer="debate", debaters=4), EndpointSettings("m", "ollama"),
            chooser="n", means=Means("j", EndpointSettings("j", "vllm", budget=2.0)), budget=2.0),
        Ask(ExplainerSettings(), EndpointSettings("m", "ollama"), means=None),
    ],
)  # fmt: skip
def test_a_preset_gives_the_same_ask_back(ask):
    assert from_preset(json.loads(json.dumps(as_preset(ask)))) == ask


def test_a_preset_never_holds_a_key_and_a_foreign_one_is_refused(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    ask = Ask(ExplainerSettings(), EndpointSettings("m", "openai"), means=None)
    assert "sk-secret" not in json.dumps(as_preset(ask))
    for endpoint in (EndpointSettings("m", "http://me:secret@host/v1"),
                     EndpointSettings("m", "vllm", extra='{"api_key": "secret"}')):  # fmt: skip
        with pytest.raises(BadInput):
            as_preset(replace(ask, endpoint=endpoint))
    for body in ({}, {"explainer": "grammar", "settings": {"colour": 1}}):
        with pytest.raises(BadInput, match="another version"):
            from_preset(body)

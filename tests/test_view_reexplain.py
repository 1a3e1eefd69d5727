"""The drawer and the dialog of the Feature page, offline and with a scripted endpoint."""

import json
import re
import shutil
from pathlib import Path
from time import monotonic, sleep

import pytest
from answering import by_text
from pages import html_of, open_page
from scripted_server import Faults, serving
from stores import make_store, new_explanation

from core.explain.settings import ExplainerSettings
from core.llm.settings import EndpointSettings
from core.pipeline.ask import Ask, as_preset
from core.pipeline.scorers import Means
from data import ledger, notes, runs
from data.catalogue import Catalogue

FEATURE = "6"
EXPLAINERS = """
select settings
from explainer
join explanation using (explainer_id)
where feature = 6
"""
SCORES = """
select name, judge
from score
join scorer using (scorer_id)
join explanation using (explanation_id)
where feature = 6
order by name
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("template") / "store", sequences=90).folder


@pytest.fixture
def store(template, tmp_path):
    return Path(shutil.copytree(template, tmp_path / "store"))


def open_drawer(monkeypatch, store: Path, label: str = "Re-explain", feature: str = FEATURE):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    app = open_page(monkeypatch, store, "feature", feature=feature)
    button(app, label).click().run()
    assert not app.exception
    return app


def button(app, label):
    return next(b for b in app.button if b.label == label)


def with_model(app, url, explainer="activations", **more):
    """Choose an explainer with a model at an address, as a person would."""
    app.selectbox(key="reexplain.explainer").set_value(explainer).run()
    app.selectbox(key="reexplain.model.where").set_value("another address").run()
    app.text_input(key="reexplain.model.url").set_value(url)
    app.text_input(key="reexplain.model.model").set_value("test-model")
    app.segmented_control(key="reexplain.preset").set_value("quick").run()
    assert not app.exception
    return app


def wait_for_answer(app, words="explanation="):
    give_up = monotonic() + 30
    while not app.query_params.get("explanation"):
        assert monotonic() < give_up, html_of(app)
        sleep(0.1)
        app.run()
        assert not app.exception
    return app


def rows(store, sql):
    with Catalogue(store).reading() as con:
        return con.rows(sql)


def test_offline_the_grammar_needs_three_actions_and_no_endpoint(monkeypatch, store):
    app = open_drawer(monkeypatch, store)
    assert "costs nothing" in html_of(app)
    assert not [e for e in app.expander if "prompt" in e.label]
    app.segmented_control(key="reexplain.objective").set_value("mdl").run()
    start = monotonic()
    button(app, "Start").click().run()
    wait_for_answer(app)
    assert monotonic() - start < 5
    (found,) = rows(store, EXPLAINERS)
    assert json.loads(found["settings"])["objective"] == "mdl"


def test_a_model_explains_and_the_estimate_is_shown_before(monkeypatch, store):
    app = open_drawer(monkeypatch, store)
    with serving(by_text) as server:
        with_model(app, server.base_url)
        assert "Asks test-model" in html_of(app)
        assert re.search(r"1 \+ \d+ calls · ~[\d,]+k? tokens in · price unknown", html_of(app))
        app.session_state["reexplain.forecast"] = True
        app.run()
        shown = next(code.value for code in app.code if "[system]" in code.value)
        assert server.log.requests == 0
        assert "1 call" in html_of(app)
        assert "price unknown" in html_of(app)
        button(app, "Start").click().run()
        wait_for_answer(app)
        (prompt,) = (row["prompt"] for row in rows(store, "select prompt from explanation "
                     "where prompt is not null"))  # fmt: skip
    assert shown.strip() == prompt.strip()
    app = open_drawer(monkeypatch, store)
    with_model(app, server.base_url)
    assert "Already asked: explanation #" in html_of(app)
    assert not [b for b in app.button if b.label == "Start"]


def test_the_drawer_opens_with_the_settings_of_the_explanation_shown(monkeypatch, store):
    asked = ExplainerSettings("logits", examples=12, sampling="top", temperature=0.5)
    catalogue = Catalogue(store)
    with catalogue.reading() as con:
        hookpoint = con.value("select min(hookpoint_id) from explanation")
        run = con.value("select min(run_id) from explanation")
    explainer = ledger.method_id(catalogue, "explainer", "logits", "m1", asked.recorded())
    exact = ledger.method_id(catalogue, "scorer", "exact", "grammar", {"preset": "exact"})
    ledger.write_explanations(catalogue, hookpoint, explainer, exact, run,
                              [new_explanation(6, "Fires on <b>")])  # fmt: skip
    app = open_drawer(monkeypatch, store)
    assert app.selectbox(key="reexplain.explainer").value == "logits"
    assert app.text_input(key="reexplain.model.model").value == "m1"
    assert app.number_input(key="reexplain.asking.examples").value == 12
    assert app.slider(key="reexplain.asking.temperature").value == 0.5


def test_switches_choose_the_explainer_and_refuse_what_none_shows(monkeypatch, store):
    app = open_drawer(monkeypatch, store)
    assert not app.checkbox
    app.selectbox(key="reexplain.explainer").set_value("plain").run()
    app.checkbox(key="reexplain.explainer.shows.logits").check().run()
    assert app.selectbox(key="reexplain.explainer").value == "logits"
    assert app.checkbox(key="reexplain.explainer.shows.activations").value
    assert app.checkbox(key="reexplain.explainer.shows.chain of thought").disabled
    assert "logits together with chain of thought: switch logits off first" in html_of(app)
    app.checkbox(key="reexplain.explainer.shows.logits").uncheck().run()
    assert app.selectbox(key="reexplain.explainer").value == "activations"
    app.selectbox(key="reexplain.explainer").set_value("debate").run()
    assert all(box.disabled for box in app.checkbox)


def test_a_missing_key_is_named_and_nothing_can_be_started(monkeypatch, store):
    app = open_drawer(monkeypatch, store)
    app.selectbox(key="reexplain.explainer").set_value("plain").run()
    app.text_input(key="reexplain.model.model").set_value("gpt").run()
    assert "needs a key: export OPENAI_API_KEY" in html_of(app)
    assert button(app, "Start").disabled


def test_an_outage_is_one_sentence_in_the_drawer(monkeypatch, store):
    app = open_drawer(monkeypatch, store)
    with serving(by_text) as server:
        url = server.base_url
    with_model(app, url)
    app.number_input(key="reexplain.model.timeout").set_value(1.0).run()
    button(app, "Start").click().run()
    give_up = monotonic() + 30
    while "That did not work" not in html_of(app):
        assert monotonic() < give_up
        sleep(0.2)
        app.run()
    assert "does not answer" in html_of(app)
    assert button(app, "Start").disabled is False


def test_cancel_is_in_the_drawer_also_of_another_session(monkeypatch, store):
    app = open_drawer(monkeypatch, store)
    with serving(faults=Faults(1.0, kinds=("hang",))) as server:
        with_model(app, server.base_url)
        button(app, "Start").click().run()
        assert not [b for b in app.button if b.label == "Start"]
        other = open_drawer(monkeypatch, store)
        give_up = monotonic() + 20
        while "Asking test-model to explain 6" not in html_of(other):
            assert monotonic() < give_up, html_of(other)
            sleep(0.1)
            other.run()
        button(other, "Cancel").click().run()
        while runs.runs(Catalogue(store))[-1]["status"] != "cancelled":
            assert monotonic() < give_up
            sleep(0.05)
    while "Cancelled. What was answered by then is kept" not in html_of(app):
        assert monotonic() < give_up, html_of(app)
        sleep(0.1)
        app.run()
    assert "did not work" not in html_of(app)


def test_settings_are_saved_under_a_name_and_chosen_again(monkeypatch, store):
    app = open_drawer(monkeypatch, store)
    app.selectbox(key="reexplain.explainer").set_value("debate").run()
    app.slider(key="reexplain.asking.debaters").set_value(5)
    app.selectbox(key="reexplain.model.where").set_value("ollama")
    app.text_input(key="reexplain.model.model").set_value("small").run()
    app.text_input(key="reexplain.saved.name").set_value("five debaters").run()
    button(app, "Save").click().run()
    saved = rows(store, "select kind, name, body from saved")
    assert [(row["kind"], row["name"]) for row in saved] == [("settings", "five debaters")]
    other = open_drawer(monkeypatch, store)
    assert other.selectbox(key="reexplain.explainer").value == "grammar"
    other.selectbox(key="reexplain.saved").set_value("five debaters").run()
    assert not other.exception
    assert other.selectbox(key="reexplain.explainer").value == "debate"
    assert other.slider(key="reexplain.asking.debaters").value == 5
    assert other.text_input(key="reexplain.model.model").value == "small"
    assert other.selectbox(key="reexplain.model.where").value == "ollama"


@pytest.mark.parametrize(
    ("ask", "who"),
    [
        (Ask(ExplainerSettings(), EndpointSettings("m", "http://host/v1"),
             means=Means("j", EndpointSettings("j", "vllm"))), "Another model"),
        (Ask(ExplainerSettings(), EndpointSettings("m", "vllm"),
             means=Means("m", EndpointSettings("m", "vllm")), budget=1.5), "Same model"),
    ],
)  # fmt: skip
def test_a_preset_fills_the_judge_too(monkeypatch, store, ask, who):
    notes.save(Catalogue(store), "settings", "<b>mine</b>", as_preset(ask))
    app = open_drawer(monkeypatch, store)
    app.selectbox(key="reexplain.saved").set_value("<b>mine</b>").run()
    assert not app.exception
    assert app.segmented_control(key="reexplain.judged.Same model").value == who
    assert app.text_input(key="reexplain.model.model").value == "m"


def test_a_preset_of_another_version_is_one_sentence(monkeypatch, store):
    notes.save(Catalogue(store), "settings", "old", {"explainer": "oracle"})
    app = open_drawer(monkeypatch, store)
    app.selectbox(key="reexplain.saved").set_value("old").run()
    assert "saved by another version" in html_of(app)


def test_words_of_ones_own_stand_beside_the_others(monkeypatch, store):
    app = open_drawer(monkeypatch, store, "Write")
    assert button(app, "Save").disabled
    app.text_area(key="write.text").set_value("Fires on <script>alert(1)</script>").run()
    app.text_input(key="write.author").set_value("Ada").run()
    button(app, "Save").click().run()
    wait_for_answer(app)
    assert "&lt;script&gt;" in html_of(app)
    assert "<script" not in html_of(app)
    assert "by hand · Ada" in html_of(app)


def test_a_rule_of_ones_own_is_read_before_it_is_saved_and_then_scored(monkeypatch, store):
    app = open_drawer(monkeypatch, store, "Write")
    app.text_area(key="write.text").set_value("a" * 2_001).run()
    assert "has 2,001 characters: 2,000 are the most" in html_of(app)
    app.text_area(key="write.text").set_value("").run()
    app.text_area(key="write.rule").set_value('here:colour="red"').run()
    assert "Rule text cannot be read" in html_of(app)
    assert button(app, "Save and score").disabled
    app.text_area(key="write.rule").set_value('here:token=" meet"').run()
    button(app, "Save and score").click().run()
    wait_for_answer(app)
    assert [row["name"] for row in rows(store, SCORES)] == ["detection", "exact", "fuzzing"]


def test_words_can_be_judged_by_a_model(monkeypatch, store):
    app = open_drawer(monkeypatch, store, "Write")
    with serving(by_text) as server:
        app.text_area(key="write.text").set_value("Fires on meetings").run()
        app.pills(key="write.by").set_value(["a language model"]).run()
        assert button(app, "Save and score").disabled
        app.selectbox(key="reexplain.judge.where").set_value("another address").run()
        app.text_input(key="reexplain.judge.url").set_value(server.base_url)
        app.text_input(key="reexplain.judge.model").set_value("reader").run()
        button(app, "Save and score").click().run()
        wait_for_answer(app)
    assert {row["judge"] for row in rows(store, SCORES)} == {"reader"}

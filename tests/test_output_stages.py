"""The output side through the stages: evidence, a sentence of it, stored trials, a dry run."""

import json

import planted_subject
import pytest
from answering import plausible
from pages import html_of, open_page
from planted_subject import PROMOTED, Planted
from scripted_server import serving

from core.explain.settings import ExplainerSettings
from core.llm.settings import EndpointSettings
from core.pipeline.explaining import ExplainRequest, explain_stage
from core.pipeline.judging import ScoreRequest
from core.pipeline.output_tokens import OutputSource, random_texts
from core.pipeline.pricing import price_explaining, price_scoring
from core.pipeline.scorers import Means
from core.pipeline.scoring import score_stage
from core.pipeline.workbench import Workbench
from core.show import feature_lines
from data import caches, results
from data.catalogue import Catalogue
from data.errors import BadInput

MODEL = "test-model"
FEATURES = f"{int(Planted.UNIGRAM)},{int(Planted.OUTPUT_ONLY)}"
BOTH = ("output-side", "sensitivity")


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory) -> Catalogue:
    """The planted cache; two features have the sentence of what they promote, and its score."""
    made = planted_subject.make_store(tmp_path_factory.mktemp("planted") / "store")
    settings = ExplainerSettings(explainer="output", evidence="both")
    list(explain_stage(made, ExplainRequest("planted", (), FEATURES, settings)))
    list(score_stage(made, named_tokens()))
    return made


def named_tokens() -> ScoreRequest:
    return ScoreRequest("planted", (), FEATURES, ("output-side",))


def judging(url: str, scorers=BOTH) -> ScoreRequest:
    means = Means(judge=MODEL, endpoint=EndpointSettings(MODEL, url, timeout=20.0))
    return ScoreRequest("planted", (), FEATURES, scorers, means=means)


def rows(catalogue: Catalogue, sql: str) -> list[dict]:
    with catalogue.reading() as con:
        return con.rows(sql)


def test_what_a_feature_promotes_is_said_without_a_model(catalogue):
    found = rows(catalogue, "select * from explanation join explainer using (explainer_id)")
    by_feature = {row["feature"]: row for row in found}
    output = by_feature[Planted.OUTPUT_ONLY]
    assert output["text"].startswith(f"Promotes “ {PROMOTED}”")
    assert (output["name"], output["model"], output["reply"]) == ("output", None, None)
    assert json.loads(output["settings"]) == {"explainer": "output", "evidence": "both"}
    assert json.loads(output["detail"])["promoted"][0][0] == f" {PROMOTED}"


def test_its_texts_are_recognised_and_the_trials_can_be_read_again(catalogue):
    (score,) = rows(catalogue, "select s.*, m.judge from score s join scorer m using (scorer_id) "
                               "join explanation using (explanation_id) where feature = "
                               f"{int(Planted.OUTPUT_ONLY)}")  # fmt: skip
    assert (score["judge"], score["value"], score["n_judged"]) == ("named tokens", 1.0, 6)
    assert score["n_calls"] is None
    with catalogue.reading() as con:
        trials = results.trials(con, score["explanation_id"], score["scorer_id"])
    assert len(trials) == 6
    assert all(row["predicted"] for row in trials)
    for row in trials:
        own = row["sets"][row["answer"] - 1]
        assert own["feature"] == Planted.OUTPUT_ONLY
        texts = [text for at in own["held"] if at["sign"] > 0 for text in at["texts"]]
        assert sum(f" {PROMOTED}" in text[1:] for text in texts) >= 4
    assert rows(catalogue, "select slot from item where scorer = 'output-side' limit 1") == [
        {"slot": None}
    ]  # fmt: skip


def test_a_second_run_adds_nothing_and_a_model_is_shown_the_same_trials(catalogue):
    (last,) = list(score_stage(catalogue, named_tokens()))[-1:]
    assert (last.total, last.done) == (0, 0)
    before = rows(catalogue, "select count(*) as n from item where scorer = 'output-side'")
    with serving(plausible) as server:
        (plan,) = price_scoring(catalogue, judging(server.base_url))
        assert server.log.requests == 0
        list(score_stage(catalogue, judging(server.base_url)))
        asked = server.log.requests
        list(score_stage(catalogue, judging(server.base_url)))
        assert server.log.requests == asked == plan.total.calls == 2 * (6 + 1)
        (nothing,) = price_scoring(catalogue, judging(server.base_url))
        assert nothing.total.calls == 0
    assert plan.purposes["output-side"].calls == 12
    assert plan.purposes["sensitivity"].calls == 2
    assert rows(catalogue, "select count(*) as n from item where scorer = 'output-side'") == before
    scores = rows(catalogue, "select m.name, s.* from score s join scorer m using (scorer_id) "
                             f"where judge = '{MODEL}'")  # fmt: skip
    assert {row["name"] for row in scores} == set(BOTH)
    for row in scores:
        assert row["n_judged"] + row["n_failed"] == (6 if row["name"] == "output-side" else 10)
        assert row["n_calls"]
    verdicts = rows(catalogue, "select answer, reply_id from verdict join scorer using "
                               f"(scorer_id) where judge = '{MODEL}'")  # fmt: skip
    assert len(verdicts) == 12
    assert all(row["answer"] in (1, 2, 3) and row["reply_id"] for row in verdicts)
    originals = json.loads(next(r for r in scores if r["name"] == "sensitivity")["detail"])
    assert originals["detail"]["originals"]["n"] == 15


def test_exchanged_explanations_are_its_null(catalogue):
    request = named_tokens()
    asked = ScoreRequest(request.cache, (), FEATURES, request.scorers, nulls=("shuffled",))
    for _ in range(2):
        list(score_stage(catalogue, asked))
    found = rows(catalogue, "select feature, other, value, n_judged from null_score")
    assert {(row["feature"], row["other"]) for row in found} == {
        (Planted.UNIGRAM, Planted.OUTPUT_ONLY), (Planted.OUTPUT_ONLY, Planted.UNIGRAM),
    }  # fmt: skip
    assert len(found) == 2
    assert all(row["n_judged"] == 6 for row in found)


def test_the_drawer_shows_the_trials(catalogue, monkeypatch):
    app = open_page(monkeypatch, catalogue.store, "feature", feature=str(int(Planted.OUTPUT_ONLY)))
    next(b for b in app.button if b.label == "Details").click().run()
    steered = next(e for e in app.expander if e.label.startswith("Steered texts, judge named"))
    assert "Trial 1" not in html_of(app), "they are read when they are opened"
    app.session_state[f"details.{steered.label}"] = True
    next(b for b in app.button if b.label == "Details").click().run()
    assert "6 of 6 trials right" in html_of(app)
    assert "its own · chosen" in html_of(app)


def test_sensitivity_without_a_model_is_refused_in_a_line(catalogue):
    with pytest.raises(BadInput, match="sensitivity needs a language model: give --judge MODEL"):
        list(score_stage(catalogue, ScoreRequest("planted", scorers=("sensitivity",))))
    with pytest.raises(BadInput, match="no language model is asked"):
        price_scoring(catalogue, named_tokens())


def test_evidence_is_projected_and_measured_and_foretold(catalogue):
    record = caches.cache(catalogue, "planted")
    bench, (hookpoint,) = Workbench.open(catalogue, record), record.hookpoints
    texts = random_texts(bench, 1)
    assert texts.shape == (32, 33)
    assert (texts[:, 0] == planted_subject.BOS).all()
    assert (texts[:, 1:] >= len(planted_subject.SPECIAL) - 1).all()
    settings = ExplainerSettings(explainer="output", evidence="both")
    tokens = OutputSource(catalogue, bench, settings).of(hookpoint, [])(int(Planted.OUTPUT_ONLY))
    assert (len(tokens.promoted), len(tokens.rising), len(tokens.falling)) == (50, 10, 10)
    assert tokens.promoted[0].piece == tokens.rising[0].piece == f" {PROMOTED}"
    assert tokens.rising[0].value > 0 > tokens.falling[0].value
    with serving(plausible) as server:
        told = EndpointSettings(MODEL, server.base_url, timeout=20.0)
        for explainer in ("output", "logits"):
            wanted = ExplainerSettings(explainer=explainer, evidence="both", examples=5)
            request = ExplainRequest("planted", (), FEATURES, wanted, endpoint=told)
            (plan,) = price_explaining(catalogue, request)
            list(explain_stage(catalogue, request))
            assert plan.total.calls == 2
    prompts = rows(catalogue, "select prompt from explanation where prompt is not null")
    assert len(prompts) == 4
    assert all(f"Measured, likelier: “ {PROMOTED}” +" in row["prompt"] or "apple" in row["prompt"]
               for row in prompts)  # fmt: skip


def test_a_score_without_a_value_says_why(tmp_path):
    made = planted_subject.make_store(tmp_path / "store")
    feature = int(Planted.UNIGRAM)
    settings = ExplainerSettings(explainer="output", evidence="both")
    list(explain_stage(made, ExplainRequest("planted", (), str(feature), settings)))
    with made.writing() as con:
        con.run("update explanation set text = 'Fires on fruit.'")
    list(score_stage(made, ScoreRequest("planted", (), str(feature), ("output-side",))))
    address = f"{planted_subject.POINT}/{feature}"
    (line,) = feature_lines(made, "planted", address, as_json=True)
    (score,) = json.loads(line)["explanations"][0]["presets"]
    assert (score["value"], score["reason"]) == (None, "names-no-token")
    said = "\n".join(feature_lines(made, "planted", address, as_json=False))
    assert "output-side undefined (names-no-token), n 0" in said

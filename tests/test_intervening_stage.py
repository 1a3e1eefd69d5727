"""`gloss intervene` on a planted store: every arm, browsed as explanations, measured once."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import planted_subject as planted
import pytest
import tiny
import torch
from planted_subject import Planted
from scripted_server import serving
from transformers import AutoModelForCausalLM, GPTNeoXConfig

from core.bench.answering import Said
from core.causal import Causal
from core.intervening.settings import Sizes
from core.llm.settings import EndpointSettings
from core.pipeline.intervening import InterveneRequest, check, intervene_stage
from core.pipeline.intervening_tools import unread
from core.pipeline.judging import ScoreRequest
from core.pipeline.scoring import score_stage
from data import interventions, ledger, runs
from data.errors import BadInput, EndpointRefused, NotFound
from data.interventions import Explained, InterventionRow, Place
from data.records import Score

SIZES = Sizes(explain=2, select=2, score=4, context=24, new_tokens=3, candidates=2)
FEATURES = f"{Planted.MOSTLY},{Planted.OUTPUT_ONLY},{Planted.RARE}"


def save_judge(folder, positions=512, seed=5):
    """A language model of bytes that has learnt nothing."""
    torch.manual_seed(seed)
    config = GPTNeoXConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=positions, vocab_size=tiny.VOCABULARY, **tiny.IDS,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return save_judge(tmp_path_factory.mktemp("judge") / "judge")


@pytest.fixture(scope="module")
def request_(judge):
    return InterveneRequest("planted", ("h.0",), features=FEATURES, kls=(0.5,), sizes=SIZES,
                            judge_model=judge)  # fmt: skip


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return planted.make_store(tmp_path_factory.mktemp("made") / "store")


@pytest.fixture(scope="module")
def done(catalogue, request_):
    """Killed after the first feature, then run again to the end."""
    stage = intervene_stage(catalogue, request_)
    for progress in stage:
        if progress.done == 1 and progress.unit == "features":
            break
    stage.close()
    with catalogue.reading() as con:
        assert con.value("select count(distinct feature) from intervention") == 1
        assert con.value("select status from run order by run_id desc limit 1") == "interrupted"
    return list(intervene_stage(catalogue, request_))


def figures(catalogue):
    with catalogue.reading() as con:
        place = Place(1, con.value("select max(hookpoint_id) from intervention"))
        return interventions.figures(con, place)


def test_every_arm_is_measured_and_what_cannot_be_says_why(catalogue, done):
    rows = figures(catalogue)
    by_arm = {arm: {row["feature"]: row for row in rows if row["arm"] == arm} for arm in
              interventions.ARMS}  # fmt: skip
    assert set(by_arm["feature"]) == set(by_arm["ablation"]) == {5, 6, 8}
    assert len(by_arm["random-sae"]) == 3
    assert set(by_arm["shuffled"]) == {5, 6}
    assert by_arm["shuffled"][6]["other"] == 5
    assert by_arm["feature"][Planted.OUTPUT_ONLY]["text"].split()[0] == f"“{planted.PROMOTED}”"
    assert "prompts can be cut" in by_arm["feature"][Planted.RARE]["reason"]
    for row in rows:
        assert (row["value"] is None) == (row["reason"] is not None)
        if row["arm"] in ("feature", "random-sae") and row["value"] is not None:
            assert abs(row["kl"] - 0.5) <= 0.05
            assert row["n_prompts"] == 4
            assert row["low"] <= row["value"] <= row["high"]
    notes = [progress.note for progress in done]
    assert any("few-shots" in note for note in notes)


def test_explanations_and_scores_are_browsed_like_others(catalogue, done):
    with catalogue.reading() as con:
        rows = con.rows(
            "select e.feature, e.text, e.status, x.name as explainer, m.name, m.preset, s.metric, "
            "s.value from explanation e join explainer x using (explainer_id) "
            "join score s using (explanation_id) join scorer m using (scorer_id) order by 1"
        )
    assert [row["feature"] for row in rows] == [5, 6]
    assert {(r["explainer"], r["name"], r["preset"], r["metric"], r["status"]) for r in rows} == {
        ("rising", "intervention", "KL 0.5", "nats", "done")
    }


def test_prompts_keep_their_texts_and_kinds_are_apart(catalogue, done):
    with catalogue.reading() as con:
        place = Place(1, con.value("select max(hookpoint_id) from intervention"))
        rows = interventions.prompts(con, place, "feature", int(Planted.OUTPUT_ONLY), 0.5)
        other = interventions.prompts(con, place, "shuffled", int(Planted.OUTPUT_ONLY), 0.5)
    assert [row["role"] for row in rows] == ["explain"] * 2 + ["select"] * 2 + ["score"] * 4
    assert len({row["first_token"] // planted.LENGTH for row in rows}) == 8
    assert all(len(row["clean"]) <= 3 and len(row["steered"]) <= 3 for row in rows)
    assert [row["difference"] is None for row in rows] == [True] * 2 + [False] * 6
    assert [row["first_token"] for row in other] == [row["first_token"] for row in rows[2:]]


def test_a_second_run_does_nothing(catalogue, request_, done):
    before = figures(catalogue)
    last = list(intervene_stage(catalogue, request_))[-1]
    assert "features are measured" in " ".join(p.note for p in [last]) or not last.total
    assert figures(catalogue) == before
    with catalogue.reading() as con:
        n = con.value("select count(*) from run where stage = 'intervene'")
        assert con.value("select count(*) from run where status <> 'done'") == 0
    assert n == 3  # features, random SAE, exchanged
    runs.mark_interrupted(catalogue)


def test_another_judge_has_explanations_and_scores_of_its_own(tmp_path, request_):
    """The judge chooses among candidates, so a score never stands beside another's choice."""
    catalogue = planted.make_store(tmp_path / "store")
    asked = replace(request_, features=str(int(Planted.OUTPUT_ONLY)), baselines=())
    other = replace(asked, judge_model=save_judge(tmp_path / "other", seed=6))
    places = []
    for one in (asked, other, asked):
        list(intervene_stage(catalogue, one, places.append))
    assert places[0] == places[2] != places[1]
    with catalogue.reading() as con:
        rows = con.rows(
            "select e.text, s.value, m.judge, i.text as own, i.value as measured "
            "from intervention i join explanation e using (explanation_id) join score s "
            "using (explanation_id) join scorer m on m.scorer_id = s.scorer_id"
        )
    assert {row["judge"] for row in rows} == {asked.judge_model, other.judge_model}
    assert [(row["text"], row["value"]) for row in rows] == [
        (row["own"], row["measured"]) for row in rows
    ]


def test_a_score_is_not_attached_to_another_text(tmp_path):
    catalogue = planted.make_store(tmp_path / "store")
    with catalogue.reading() as con:
        hookpoint_id = con.value("select hookpoint_id from hookpoint")
    explainer = ledger.method_id(catalogue, "explainer", "rising", None, {"kl": 0.5})
    for study, text in enumerate(("“a”", "“b”", "“a”"), 1):
        scorer = ledger.method_id(catalogue, "scorer", "intervention", f"judge {study}",
                                  {"preset": "KL 0.5"})  # fmt: skip
        made = ledger.NewExplanation(
            feature=1, text=text, rule=None, status="done", error=None, seconds=None, seed=0,
            example_tokens=(), exact=None,
        )  # fmt: skip
        score = Score(
            scorer="intervention", metric="nats", value=study, low=None, high=None, tpr=None,
            tnr=None, n=2, failed=0, judge="", preset="", by_decile={}, non_activating={},
            detail={},
        )  # fmt: skip
        row = InterventionRow("feature", 1, 0.5, (), text=text, value=study,
                              explained=Explained(explainer, scorer, made, score))  # fmt: skip
        run_id = runs.start_run(catalogue, runs.Plan("intervene", 1, hookpoint_id, None, {}), 1)
        interventions.write(catalogue, Place(study, hookpoint_id), run_id, [row], features_done=1)
    with catalogue.reading() as con:
        found = con.rows("select text, list(value order by value) as scores from explanation join "
                         "score using (explanation_id) group by all order by text")  # fmt: skip
    assert [(row["text"], row["scores"]) for row in found] == [("“a”", [1, 3]), ("“b”", [2])]


def test_few_shots_are_run_once_for_all_passages(judge):
    reader = Causal.load(judge)
    fed = []
    run = reader.model.forward

    def noted(ids, **rest):
        fed.append(tuple(ids.shape))
        return run(ids, **rest)

    noted.__signature__ = None
    reader.model.forward = noted
    texts, endings = ["passage one", "two"], ["a'", "bcd'"]
    found = reader.endings("few shots " * 5, texts, endings)
    again = reader.endings("few shots " * 5, texts[:1], endings[:1])
    assert fed == [(1, 51), (2, 11), (2, 1), (2, 3), (1, 11), (1, 1)]
    assert [[len(one) for one in row] for row in found] == [[2, 2], [4, 4]]
    assert found[0][0] == pytest.approx(again[0][0], abs=1e-4)
    for text, ending, values in (
        ("passage one", "a'", found[0][0]), ("two", "bcd'", found[1][1]),
    ):  # fmt: skip
        whole = reader.logprobs("few shots " * 5, [text + ending])[0]
        assert values == pytest.approx(whole[-len(ending) :], abs=1e-4)
    assert len(reader.endings("few shots ", ["x" * 400], ["a'"], keep=10)[0][0]) == 2


def test_a_judge_that_is_too_short_or_no_model_is_refused(catalogue, request_, tmp_path):
    short = replace(request_, judge_model=save_judge(tmp_path / "short", positions=64))
    with pytest.raises(BadInput, match="reads 64 tokens, too few"):
        list(intervene_stage(catalogue, short))
    none = replace(request_, judge_model="gloss-tests/none")
    with pytest.raises(BadInput, match="cannot load the judge gloss-tests/none"):
        list(intervene_stage(catalogue, none))
    with pytest.raises((BadInput, NotFound), match="99"):  # before any model is loaded
        list(intervene_stage(catalogue, replace(none, features="99")))


@pytest.mark.parametrize(("loss", "told"), [(4.5, True), (3.0, False)], ids=["by-lot", "reads"])
def test_a_judge_that_has_learned_nothing_is_told(loss, told):
    reader = SimpleNamespace(
        name="j", max_length=None, n_vocabulary=100, n_text_tokens=len,  # by lot: ln 100 = 4.6
        logprobs=lambda _prefix, texts: [np.full(len(texts[0]), -loss)],
    )  # fmt: skip
    assert ("by lot" in unread(reader)) is told


def test_the_subject_as_its_own_judge_is_told_by_its_weights(tmp_path, request_):
    catalogue = planted.make_store(tmp_path / "store")
    copied = str(planted.save_subject(tmp_path / "copied"))
    stage = intervene_stage(catalogue, replace(request_, judge_model=copied, baselines=()))
    first = next(stage)  # all notes in one step: of two at once only one would be seen
    stage.close()
    assert "tokens instead of" in first.note or "few-shots" in first.note
    assert "the judge is the subject itself" in first.note


def test_wishes_that_make_no_sense_are_refused(catalogue, request_):
    with pytest.raises(BadInput, match="one judge is needed"):
        check(replace(request_, judge_model=""))
    with pytest.raises(BadInput, match="--baselines neurons"):
        check(replace(request_, baselines=("neurons",)))
    with pytest.raises(BadInput, match="run gloss intervene planted"):
        list(score_stage(catalogue, ScoreRequest("planted", scorers=("intervention",))))


def test_an_endpoint_explains_and_judges_and_what_it_took_is_stored(tmp_path):
    catalogue = planted.make_store(tmp_path / "store")
    with serving(lambda _body: planted.PROMOTED) as server:
        endpoint = EndpointSettings(base_url=server.base_url)
        asked = InterveneRequest(
            "planted", features=str(int(Planted.OUTPUT_ONLY)), kls=(0.5,), sizes=SIZES,
            judge="scripted", explainer="scripted", endpoint=endpoint, baselines=(),
        )  # fmt: skip
        list(intervene_stage(catalogue, asked))
        n = server.log.requests
        list(intervene_stage(catalogue, asked))
        assert server.log.requests == n
    (row,) = figures(catalogue)
    assert row["text"] == planted.PROMOTED
    assert row["value"] == 0.0  # every character of an echo has the same log-probability
    assert (row["n_prompts"], row["n_failed"]) == (4, 0)
    with catalogue.reading() as con:
        run = con.row("select status, n_calls from run where stage = 'intervene'")
        stored = con.value("select count(*) from reply")
        assert con.value("select len(calls) from explanation") == 2
    assert run["status"] == "done"
    assert run["n_calls"] == stored > 8


def test_a_judge_without_log_probabilities_is_refused_and_silence_is_asked_again(tmp_path):
    catalogue = planted.make_store(tmp_path / "store")
    answers = {"mode": "mute"}

    def answer(body):
        is_first = answers.setdefault("first", body["prompt"]) == body["prompt"]
        if answers["mode"] == "broken" and not is_first:
            return Said(b"{}", 400)
        if answers["mode"] == "mute":
            choice = {"text": "x", "finish_reason": "stop", "index": 0, "logprobs": None}
            return Said(json.dumps({"choices": [choice]}).encode())
        return planted.PROMOTED

    with serving(answer) as server:
        asked = InterveneRequest(
            "planted", features=str(int(Planted.OUTPUT_ONLY)), kls=(0.5,), sizes=SIZES,
            judge="scripted", endpoint=EndpointSettings(base_url=server.base_url), baselines=(),
        )  # fmt: skip
        with pytest.raises(EndpointRefused, match="scripted echoes no log-probabilities"):
            list(intervene_stage(catalogue, asked))
        assert server.log.requests == 1
        answers["mode"] = "broken"
        list(intervene_stage(catalogue, asked))
        (row,) = figures(catalogue)
        assert row["value"] is None
        assert row["reason"].startswith("no answer: HTTP 400")
        answers["mode"] = "well"
        list(intervene_stage(catalogue, asked))
        (row,) = figures(catalogue)
        assert (row["value"], row["reason"]) == (0.0, None)
        n = server.log.requests
        list(intervene_stage(catalogue, asked))
        assert server.log.requests == n
    with catalogue.reading() as con:
        assert con.value("select count(*) from explanation") == 1

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from answering import by_text, plausible, verdict, yes
from chat_model import save_chat_model
from scripted_server import Faults, serving, serving_apart

from core import demo
from core.explain import EXPLAINERS
from core.explain.settings import ExplainerSettings
from core.grammar.settings import Settings
from core.llm.settings import EndpointSettings
from core.pipeline.explaining import ExplainRequest, explain_stage
from core.pipeline.judging import ScoreRequest
from core.pipeline.pricing import price_explaining, price_scoring
from core.pipeline.scorers import TRANSLATED, Means
from core.pipeline.scoring import score_stage
from core.prompts.judged_texts import pieces, plain
from data import caches, results, runs
from data.cachefiles import CacheFiles
from data.catalogue import Catalogue
from data.errors import GlossError

MODEL = "test-model"
SUBJECT = str(demo.MODEL)
WITH_MODEL = [name for name, method in EXPLAINERS.items() if method.needs.model]
JUDGED = ("detection", "fuzzing", "intruder", "simulation", "generation", "sensitivity",
          "neighbour", "discrimination", "output-side")  # fmt: skip


def endpoint(server_url: str, **more) -> EndpointSettings:
    return EndpointSettings(MODEL, server_url, **{"timeout": 20.0} | more)


def asking(url: str, features: str, explainer: str = "activations", **more) -> ExplainRequest:
    settings = ExplainerSettings(explainer=explainer, examples=10)
    return ExplainRequest("small", (), features, settings, endpoint=endpoint(url), **more)


def judging(url: str, features: str, scorers=("detection",), **more) -> ScoreRequest:
    means = Means(judge=MODEL, endpoint=endpoint(url))
    return ScoreRequest("small", (), features, scorers, preset="quick", means=means, **more)


def rows(catalogue: Catalogue, sql: str) -> list[dict]:
    with catalogue.reading() as con:
        return con.rows(sql)


@pytest.mark.parametrize("explainer", WITH_MODEL)
def test_every_explainer_lands_in_the_catalogue_with_prompt_reply_and_cost(fresh_store, explainer):
    catalogue = Catalogue(fresh_store)
    with serving(by_text) as server:
        list(explain_stage(catalogue, asking(server.base_url, "0-3", explainer)))
    found = rows(catalogue, "select * from explanation join explainer using (explainer_id)")
    assert [row["feature"] for row in sorted(found, key=lambda row: row["feature"])] == [0, 1, 2, 3]
    for row in found:
        assert row["status"] == "done", row["error"]
        assert (row["name"], row["model"]) == (explainer, MODEL)
        assert json.loads(row["settings"])["examples"] == 10
        assert "[system]" in row["prompt"]
        assert row["reply"]
        assert row["calls"]
        assert row["input_tokens"] > 0
        assert row["example_tokens"]
    (run,) = [run for run in runs.runs(catalogue) if run["stage"] == "explain"]
    assert (run["status"], run["done"], run["failed"]) == ("done", 4, 0)
    assert run["n_calls"] == sum(len(row["calls"]) for row in found)


def test_every_scorer_with_a_judge_lands_in_the_catalogue(fresh_store):
    catalogue = Catalogue(fresh_store)
    with serving(by_text) as server:
        list(explain_stage(catalogue, asking(server.base_url, "0-1")))
        list(score_stage(catalogue, judging(server.base_url, "0-1", JUDGED)))
        list(score_stage(catalogue, judging(server.base_url, "0-1", (TRANSLATED,))))
    scores = rows(catalogue, "select m.name, m.judge, s.* from score s join scorer m using "
                             "(scorer_id)")  # fmt: skip
    assert {row["name"] for row in scores} == {*JUDGED, "exact"}
    assert {row["judge"] for row in scores} == {MODEL}
    for row in scores:
        reason = json.loads(row["detail"])["detail"].get("reason")
        assert row["n_calls"] or reason, row["name"]
    judged = rows(catalogue, "select count(*) as n, count(reply_id) as from_reply from verdict")
    assert judged[0]["n"] == judged[0]["from_reply"] > 0
    assert rows(catalogue, "select count(*) as n from simulated where predicted is not null and "
                           "len(predicted) = 32")[0]["n"] > 0  # fmt: skip
    written = rows(catalogue, "select max_activation, reply_id from generated")
    assert written
    assert all(row["max_activation"] is not None and row["reply_id"] for row in written)


def test_a_second_run_asks_nothing_and_adds_nothing(fresh_store):
    catalogue = Catalogue(fresh_store)
    with serving(by_text) as server:
        for _ in range(2):
            list(explain_stage(catalogue, asking(server.base_url, "0-3")))
            list(score_stage(catalogue, judging(server.base_url, "0-3")))
            asked = server.log.requests
        assert max(server.log.asked.values()) == 1
        assert asked == len(server.log.asked)
    assert rows(catalogue, "select count(*) as n from explanation")[0]["n"] == 4


def test_a_failing_endpoint_loses_no_feature_and_makes_no_wrong_verdict(fresh_store):
    catalogue = Catalogue(fresh_store)
    faults = Faults(0.2, seed=5)
    with serving(by_text, faults=faults) as server:
        calm = endpoint(server.base_url, timeout=0.4)
        request = asking(server.base_url, "first:40")
        list(explain_stage(catalogue, ExplainRequest(**as_dict(request) | {"endpoint": calm})))
        means = Means(judge=MODEL, endpoint=calm)
        scoring = ScoreRequest("small", (), "first:40", ("detection",), preset="quick",
                               means=means)  # fmt: skip
        list(score_stage(catalogue, scoring))
        assert set(server.log.faults) == set(faults.kinds)
    explained = rows(catalogue, "select status, text, error from explanation")
    assert len(explained) == 40
    assert {row["status"] for row in explained} <= {"done", "failed", "skipped"}
    for row in explained:
        assert (row["text"] is None) == (row["status"] != "done")
        assert (row["error"] is None) == (row["status"] == "done")
    assert sum(row["status"] == "done" for row in explained) > 30
    check_verdicts(catalogue)


def check_verdicts(catalogue: Catalogue) -> None:
    """Every verdict is what the endpoint says of that text, or none; failures are counted."""
    record = caches.cache(catalogue, "small")
    files = CacheFiles.open(catalogue.store / record.folder)
    found = rows(catalogue, "select distinct v.explanation_id, v.predicted, x.first_token from "
                            "verdict v join item i using (item_id) join example x on x.feature = "
                            "i.feature and x.slot = i.slot")  # fmt: skip
    assert found
    tokens = files.tokens.windows(np.array([r["first_token"] for r in found], np.uint64), 32)
    texts = pieces(files.vocabulary, files.meta.special_ids, tokens)
    for row, text in zip(found, texts, strict=True):
        assert row["predicted"] in (None, bool(verdict(plain(text))))
    counted = rows(catalogue, "select sum(n_failed) as failed, sum(n_judged) as n from score "
                              "where metric = 'balanced_accuracy'")[0]  # fmt: skip
    stored = rows(catalogue, "select count(*) - count(predicted) as failed, count(predicted) as n "
                             "from verdict")[0]  # fmt: skip
    assert counted == stored


def as_dict(request: ExplainRequest) -> dict:
    return {name: getattr(request, name) for name in ExplainRequest.__dataclass_fields__}


def test_always_yes_is_worth_exactly_one_half(fresh_store):
    catalogue = Catalogue(fresh_store)
    with serving(yes) as server:
        list(explain_stage(catalogue, asking(server.base_url, "0-3")))
        list(score_stage(catalogue, judging(server.base_url, "0-3", ("detection", "fuzzing"))))
    scores = rows(catalogue, "select value from score where value is not null")
    assert scores
    assert {row["value"] for row in scores} == {0.5}


def test_nulls_are_scored_beside_and_a_score_has_its_percentile(fresh_store):
    catalogue = Catalogue(fresh_store)
    list(explain_stage(catalogue, ExplainRequest("small", (), "0-19", Settings(), workers=1)))
    request = ScoreRequest("small", (), "0-19", preset="quick", workers=1,
                           nulls=("shuffled", "neighbour", "always-yes"))  # fmt: skip
    for _ in range(2):
        list(score_stage(catalogue, request))
    found = rows(catalogue, "select kind, count(*) as n, avg(value) as mean from null_score group "
                            "by kind")  # fmt: skip
    kinds = {row["kind"]: row for row in found}
    assert set(kinds) == {"shuffled", "neighbour", "always-yes"}
    assert kinds["always-yes"]["mean"] == 0.5
    from core.show import cache_lines

    shown = [json.loads(line) for line in cache_lines(catalogue, "small", None, as_json=True)]
    scored = [e["scores"].get("detection", {}) for f in shown for e in f["explanations"]]
    placed = [s["percentile"]["shuffled"]["value"] for s in scores_with_value(scored)]
    assert placed
    assert all(0 <= place <= 1 for place in placed)


def scores_with_value(scores: list[dict]) -> list[dict]:
    return [score for score in scores if score.get("balanced_accuracy") is not None]


def test_a_budget_stops_the_run_and_a_larger_one_goes_on(fresh_store):
    catalogue = Catalogue(fresh_store)
    (fresh_store / "prices.toml").write_text(f'["{MODEL}"]\ninput = 1000.0\noutput = 1000.0\n')
    with serving(plausible) as server:
        poor = as_dict(asking(server.base_url, "0-9")) | {
            "endpoint": endpoint(server.base_url, budget=6.0, concurrency=2)
        }
        with pytest.raises(GlossError, match="budget"):
            list(explain_stage(catalogue, ExplainRequest(**poor)))
        paid = rows(catalogue, "select sum(cost_usd) as usd from reply")[0]["usd"] or 0
        assert paid <= 6.0
        list(explain_stage(catalogue, asking(server.base_url, "0-9")))
        assert max(server.log.answered.values()) == 1
    assert rows(catalogue, "select count(*) as n from explanation where text is not null")[0]["n"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    return str(save_chat_model(tmp_path_factory.mktemp("chat") / "model"))


@pytest.mark.parametrize("explainer", ["activations", "contrastive", "cot"])
def test_a_dry_run_asks_nothing_and_foretells_the_tokens(fresh_store, folder, explainer):
    catalogue = Catalogue(fresh_store)
    counting = Counting(folder)
    with serving(counting) as server:
        told = EndpointSettings(folder, server.base_url)
        settings = ExplainerSettings(explainer=explainer, examples=10)
        request = ExplainRequest("small", (), "0-4", settings, endpoint=told)
        (plan,) = price_explaining(catalogue, request)
        assert server.log.requests == 0
        assert not rows(catalogue, "select 1 from explainer")
        list(explain_stage(catalogue, request))
        means = Means(judge=folder, endpoint=told)
        scoring = ScoreRequest("small", (), "0-1", ("detection", "fuzzing", "intruder"),
                               preset="quick", means=means)  # fmt: skip
        (scored,) = price_scoring(catalogue, scoring)
        list(score_stage(catalogue, scoring))
    used = {row["stage"]: row for row in runs.runs(catalogue)}
    for stage, foretold in (("explain", plan), ("score", scored)):
        assert foretold.exact
        assert foretold.total.calls == used[stage]["n_calls"]
        assert foretold.total.input_tokens == pytest.approx(used[stage]["input_tokens"], rel=0.02)
        low, high = foretold.total.output_low, foretold.total.output_high
        assert low <= used[stage]["output_tokens"] <= high


class Counting:
    """Answers plausibly and counts tokens as an endpoint with this tokenizer does."""

    def __init__(self, folder: str) -> None:
        from transformers import AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def __call__(self, body: dict) -> dict:
        text = plausible(body)
        ids = self.tokenizer.apply_chat_template(body["messages"], add_generation_prompt=True)
        ids = ids if isinstance(ids, list) else ids["input_ids"]
        n_in, n_out = len(ids), len(self.tokenizer(text)["input_ids"])
        return {"content": text, "usage": {"prompt_tokens": n_in, "completion_tokens": n_out}}


def stored_keys(catalogue: Catalogue) -> dict[str, str]:
    return {row["request_sha256"]: row["question"]
            for row in rows(catalogue, "select request_sha256, question from reply")}  # fmt: skip


def test_no_stored_reply_is_asked_for_again_after_a_kill(fresh_store):
    catalogue = Catalogue(fresh_store)
    list(explain_stage(catalogue, ExplainRequest("small", (), "0-14", Settings(), workers=1)))
    here = str(Path(__file__).parent)
    with serving_apart("answering:by_text", "--latency", "0.05") as url:
        command = [sys.executable, "-m", "core.cli", "score", "small", "--judge", MODEL,
                   "--base-url", url, "--scorers", "detection", "--preset", "quick",
                   "--concurrency", "4", "--store", str(fresh_store)]  # fmt: skip
        killed = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  cwd=here)  # fmt: skip
        wait_for(lambda: log_of(url)["requests"] > 50)
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        from data.replies import ReplyStore

        ReplyStore(catalogue).close()  # folds what the dead process had stored
        stored, before = stored_keys(catalogue), log_of(url)["requests"]
        assert stored
        subprocess.run(command, check=True, capture_output=True, cwd=here)
        log = log_of(url)
    total = rows(catalogue, "select count(*) as n from reply")[0]["n"]
    assert total == len(log["answered"])
    assert log["requests"] - before == total - len(stored)
    done = [row for row in runs.runs(catalogue) if row["stage"] == "score"]
    assert [row["status"] for row in done] == ["done"]
    check_verdicts(catalogue)


def log_of(url: str) -> dict:
    with urllib.request.urlopen(url.removesuffix("/v1") + "/log", timeout=10) as answer:
        return json.loads(answer.read())


def wait_for(condition, seconds: float = 60.0) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_scores_of_two_judges_stand_apart(fresh_store):
    catalogue = Catalogue(fresh_store)
    list(explain_stage(catalogue, ExplainRequest("small", (), "0-2", Settings(), workers=1)))
    list(score_stage(catalogue, ScoreRequest("small", (), "0-2", workers=1, preset="quick")))
    with serving(by_text) as server:
        list(score_stage(catalogue, judging(server.base_url, "0-2")))
    hookpoint = caches.cache(catalogue, "small").hookpoints[0].hookpoint_id
    with catalogue.reading() as con:
        (found, *_) = results.explanations(con, hookpoint, 0)[0]
    judges = [score.judge for score in found.scores if score.scorer == "detection"]
    assert judges == ["grammar", MODEL]
    assert results.headline(found.scores)["detection"].judge == "grammar"  # the first stays


def test_scorers_without_a_judge_and_similar_contexts_over_an_endpoint_of_embeddings(fresh_store):
    catalogue = Catalogue(fresh_store)
    list(explain_stage(catalogue, ExplainRequest("small", (), "0-3", Settings(), workers=1)))
    with serving(by_text) as server:
        means = Means(endpoint=EndpointSettings(base_url=server.base_url), encoder="endpoint:bag")
        request = ScoreRequest("small", (), "0-3", ("detection", "embedding"), preset="quick",
                               kinds=("similar",), workers=1, means=means)  # fmt: skip
        list(score_stage(catalogue, request))
    list(score_stage(catalogue, ScoreRequest("small", (), "0-3", ("surprisal",), preset="quick")))
    found = rows(catalogue, "select name, judge, s.* from score s join scorer using (scorer_id) "
                            "where name != 'exact'")  # fmt: skip
    judges = {(row["name"], row["judge"]) for row in found}
    assert judges == {("detection", "grammar"), ("embedding", "bag"), ("surprisal", SUBJECT)}
    kinds = [json.loads(r["detail"])["non_activating"] for r in found if r["name"] == "detection"]
    assert any(kind.get("similar", {}).get("n", 0) > 0 for kind in kinds)
    ranked = [row for row in found if row["name"] in ("embedding", "surprisal") and row["value"]]
    assert ranked
    assert all(0 <= row["value"] <= 1 and row["n_failed"] == 0 for row in ranked)
    counts = rows(catalogue, "select count(*) as n, count(value) as ranked, count(predicted) as "
                             "yes from verdict join scorer using (scorer_id) where name in "
                             "('embedding', 'surprisal')")[0]  # fmt: skip
    assert counts["n"] == counts["ranked"] > 0
    assert counts["yes"] == 0

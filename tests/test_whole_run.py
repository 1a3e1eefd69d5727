"""`gloss explain` and `gloss score` against a real `transformers serve` that talks nonsense."""

import json
from pathlib import Path

import commands
import pytest
from chat_model import save_chat_model, transformers_serve

from core.explain import EXPLAINERS
from core.score import METHODS
from data import runs
from data.catalogue import Catalogue

WITH_MODEL = [name for name, method in EXPLAINERS.items() if method.needs.model]
OTHERS = {"exact", "embedding", "surprisal", "intervention"}  # no language model is asked
AS_DETECTION = {"fuzzing", "neighbour"}  # asked and read as detection is, at the same price
ASKED = [name for name in METHODS if name not in OTHERS | AS_DETECTION]
FEATURES = "3,5"  # with contexts for every scorer


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(save_chat_model(tmp_path_factory.mktemp("chat") / "model", curt=True))


@pytest.fixture(scope="module")
def served(model):
    with transformers_serve(Path(model)) as url:
        yield url


def gloss(store: Path, *words: str) -> str:
    done = commands.gloss(*words, "--store", str(store))
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(store: Path, sql: str) -> list[dict]:
    with Catalogue(store).reading() as con:
        return con.rows(sql)


@pytest.mark.parametrize("explainer", WITH_MODEL)
def test_nonsense_is_a_failed_explanation_with_its_reason(fresh_store, model, served, explainer):
    gloss(fresh_store, "explain", "small", "--features", FEATURES, "--explainer", explainer,
          "--model", model, "--base-url", served, "--examples", "5")  # fmt: skip
    found = rows(fresh_store, "select * from explanation join explainer using (explainer_id)")
    assert [(row["name"], row["model"]) for row in found] == [(explainer, model)] * 2
    for row in found:
        assert (row["status"], row["text"]) == ("failed", None)
        assert row["error"]
        assert row["prompt"]
        assert row["reply"] is not None
        assert row["input_tokens"] > 0
        assert row["cost_usd"] is None  # no price is known, so it is not 0
    (run,) = [run for run in runs.runs(Catalogue(fresh_store)) if run["stage"] == "explain"]
    assert (run["status"], run["done"], run["failed"]) == ("done", 2, 2)


def test_nonsense_is_no_verdict_of_any_scorer(fresh_store, model, served):
    gloss(fresh_store, "explain", "small", "--features", "3")
    gloss(fresh_store, "score", "small", "--features", "3", "--judge", model,
          "--base-url", served, "--scorers", ",".join(ASKED), "--preset", "quick")  # fmt: skip
    found = rows(fresh_store, "select m.name, m.judge, s.* from score s join scorer m using "
                              "(scorer_id) where m.name != 'exact'")  # fmt: skip
    assert {row["name"] for row in found} == set(ASKED)
    for row in found:
        assert row["judge"] == model
        detail = json.loads(row["detail"])["detail"]
        assert row["value"] is None
        assert row["n_judged"] == 0
        assert row["n_failed"] > 0 or detail["reason"]
        assert row["n_calls"] > 0 or detail["reason"]
    verdicts = rows(fresh_store, "select count(*) as n, count(predicted) as read from verdict")
    assert verdicts[0]["n"] > 0
    assert verdicts[0]["read"] == 0

"""Baselines made for real, beside an SAE whose features are known; stopped on the way once."""

import json
from dataclasses import replace

import pytest
import torch
from answering import yes
from commands import gloss
from planted_subject import make_store
from scripted_server import serving

from core.coverage_price import ONE_CALL
from core.explain.settings import ExplainerSettings
from core.llm.settings import EndpointSettings
from core.pipeline.baseline_plan import plan_baselines, table_of
from core.pipeline.baselines import BaselineRequest, baseline_stage, open_baselines
from core.pipeline.scorers import Means
from data import caches, coverage
from data.cachefiles import CacheFiles
from data.errors import BadInput

REQUEST = BaselineRequest(
    "planted", features="all", preset="quick", steps=4, workers=1,
    only=("neurons", "random-sae", "re-randomised", "shuffled", "always-yes"),
    command=("gloss", "baselines", "planted"),
)  # fmt: skip
TWO = ("random-sae", "re-randomised")
TRAINED = "re-randomised-4-steps"


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """All is so small that threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made(one_thread, tmp_path_factory):
    """Everything made, after one stop in the middle of the random SAE's cache."""
    catalogue = make_store(tmp_path_factory.mktemp("planted") / "store")
    stage = baseline_stage(catalogue, REQUEST)
    for progress in stage:
        if progress.stage == "caching planted.random-sae" and progress.done:
            break
    del stage  # whoever listened has gone
    with catalogue.reading() as con:
        stopped = con.rows("select run_id, stage, status from run order by run_id")
    last = list(baseline_stage(catalogue, REQUEST))[-1]
    return catalogue, stopped, last


@pytest.fixture(scope="module")
def rows(made):
    return {row.name: row for row in table_of(made[0], REQUEST)[0].rows}


def test_what_stopped_goes_on_and_nothing_is_done_twice(made):
    catalogue, stopped, _ = made
    states = {row["stage"]: row["status"] for row in stopped}
    assert states["baselines"] == "interrupted"
    with catalogue.reading() as con:
        runs = con.rows("select stage, status, total, done from run where stage = 'baselines'")
        twice = con.value(
            "select count(*) from (select 1 from explanation group by hookpoint_id, feature, "
            "explainer_id having count(*) > 1)"
        )
    assert [(run["status"], run["done"], run["total"]) for run in runs] == [("done", 4, 4)]
    assert twice == 0


def test_run_again_there_is_nothing_to_do(made):
    catalogue, _, _ = made
    (only,) = baseline_stage(catalogue, REQUEST)
    assert (only.done, only.total) == (0, 0)
    assert only.note.startswith("the caches, explanations and scores of these baselines are there")


def test_planted_features_beat_random_directions_and_others_explanations(rows):
    exact = {name: row.scores["exact"].summary.median for name, row in rows.items()
             if "exact" in row.scores}  # fmt: skip
    assert exact["sae"] > 0.95 > exact["random-sae"]
    null = rows["shuffled"].scores["detection"]
    assert null.difference.low > 0.1
    assert null.summary.median == pytest.approx(0.5, abs=0.1)


def test_a_judge_that_says_yes_to_everything_is_worth_one_half(rows):
    found = rows["always-yes"].scores
    assert set(found["detection"].values) == {0.5}
    assert set(found["fuzzing"].values) == {0.5}


def test_what_is_not_possible_is_said_and_stops_nothing(made):
    catalogue, _, last = made
    assert "neurons-32: an MLP of the subject has 4 neurons, fewer than 32" in last.note
    with pytest.raises(BadInput, match="4 neurons, fewer than 32"):
        list(baseline_stage(catalogue, replace(REQUEST, only=("neurons",))))


def test_baselines_are_over_the_same_tokens_with_the_same_split(made):
    catalogue, _, _ = made
    every = {one.name: one for one in caches.caches(catalogue)}
    metas = [CacheFiles.open(catalogue.store / every[name].folder).meta
             for name in ("planted", "planted.random-sae", f"planted.{TRAINED}")]  # fmt: skip
    assert len({meta.tokens_sha256 for meta in metas}) == 1
    assert len({(meta.seed, meta.n_documents, meta.packing) for meta in metas}) == 1
    assert metas[0].subject_sha256 == metas[1].subject_sha256 != metas[2].subject_sha256


def test_the_redrawn_subject_is_named_as_what_it_is(made):
    catalogue, _, _ = made
    record = caches.cache(catalogue, f"planted.{TRAINED}")
    assert record.subject.startswith("re-randomised:0:/")
    store = str(catalogue.store)
    shown = gloss("show", record.name, "--store", store).stdout.splitlines()[0]
    assert shown.startswith(f"{TRAINED}, a baseline of planted; subject re-randomised:0:")
    status = json.loads(gloss("status", "--json", "--store", store).stdout)
    roles = {one["name"]: one["baseline_of"] for one in status["caches"]}
    assert (roles[record.name], roles["planted"]) == ("planted", None)


def test_trained_weights_are_kept_and_the_subjects_are_not(made):
    catalogue, _, _ = made
    folder = catalogue.store / "baselines" / f"planted.{TRAINED}"
    (sae,) = folder.iterdir()
    assert sorted(file.name for file in sae.iterdir()) == ["cfg.json", "sae.safetensors"]
    with catalogue.reading() as con:
        run = con.row("select total, done, status from run where stage = 'train'")
    assert run == {"total": 4, "done": 4, "status": "done"}


def test_the_command_prints_the_table_and_says_that_it_is_there(made):
    catalogue, _, _ = made
    words = ["baselines", "planted", "--features", "all", "--preset", "quick", "--steps", "4",
             "--workers", "1", "--only", "random-sae,re-randomised,shuffled", "--store",
             str(catalogue.store)]  # fmt: skip
    done = gloss(*words, "--json")
    assert done.returncode == 0
    rows = {row["row"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert rows[TRAINED]["how"]["steps"] == 4
    assert rows["shuffled"]["scores"]["detection"]["paired"] is True


def test_a_dry_run_says_what_is_left(made):
    catalogue, _, _ = made
    said = list(plan_baselines(catalogue, replace(REQUEST, steps=5, only=TWO)).lines())
    assert said[0] == "the SAE: nothing to do (planted)"
    assert said[1] == "random SAE: nothing to do (planted.random-sae)"
    assert "cache planted.re-randomised-5-steps is to be made" in said[2]


def test_a_baseline_has_no_baselines_of_its_own(made):
    catalogue, _, _ = made
    with pytest.raises(BadInput, match="gloss baselines planted compares it"):
        open_baselines(catalogue, replace(REQUEST, cache="planted.random-sae"))


def test_one_hookpoint_asked_for_is_served_by_a_cache_of_all(made):
    catalogue, _, _ = made
    asked = replace(REQUEST, hookpoints=("transformer.h.0",))
    found = open_baselines(catalogue, asked)
    assert found.is_done
    assert [part.cache for part in found.possible] == [
        "planted", "planted.random-sae", f"planted.{TRAINED}"
    ]  # fmt: skip


def test_a_model_explains_judges_and_its_tokens_are_counted(tmp_path):
    catalogue = make_store(tmp_path / "store")
    with serving(yes) as server:
        endpoint = EndpointSettings("m", server.base_url, timeout=20.0)
        asked = BaselineRequest(
            "planted", features="0-1", only=("shuffled", "always-yes"), preset="quick",
            settings=ExplainerSettings(examples=10), endpoint=endpoint,
            means=Means(judge="m", endpoint=endpoint), scorers=("detection", "fuzzing"),
        )  # fmt: skip
        list(baseline_stage(catalogue, asked))
        n = server.log.requests
        (again,) = baseline_stage(catalogue, asked)
        assert server.log.requests == n
    assert again.total == 0
    found, _ = table_of(catalogue, asked)
    assert found.scorers == ("detection", "fuzzing")
    own = found.rows[0].scores["detection"]
    assert (own.summary.n, own.summary.median) == (2, 0.5)  # a model that says yes to everything
    with catalogue.reading() as con:
        calls = {row["what"]: row for row in coverage.calls(con, ONE_CALL)}
    assert calls.keys() == {"explanation", "detection", "fuzzing"}
    # the server counts 100 tokens in and 10 out for every call
    assert all(
        (row["input_tokens"], row["output_tokens"]) == (100 * row["calls"], 10 * row["calls"])
        for row in calls.values()
    )

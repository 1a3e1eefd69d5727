"""Caches, runs, explanations, items and verdicts: written once, read back equal, resumable."""

import os
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from data import caches, judgements, ledger, results, runs
from data.catalogue import Catalogue
from data.errors import BadInput, NotFound, StoreBusy
from data.items import ItemTable, item_ids
from data.records import Score, Tally

SUBJECT = caches.SubjectFacts("tiny", None, "GPTNeoXForCausalLM", "float32", 2, 8, 64)
SAE = caches.SaeFacts("layers.1", "sae/tiny", "topk", "ab12", 16, {"k": 4})
SCORE = Score(
    scorer="detection", metric="balanced_accuracy", value=0.75, low=0.5, high=1.0, tpr=1.0, tnr=0.5,
    n=3, failed=1, judge="grammar", preset="quick", by_decile={1: Tally(1, 1), 10: Tally(0, 0, 1)},
    non_activating={"random": Tally(2, 1)}, detail={},
)  # fmt: skip
ITEMS = ItemTable(
    kind=["activating", "random", "activating", "random"],
    decile=np.array([1, 0, 10, 0], np.uint8),
    first_token=np.array([32, 64, 96, 128], np.uint64),
    peak=np.array([0.5, 0, 2.0, 0], np.float32),
    marks=[None] * 4,
)
NEW = ledger.NewExplanation(
    feature=3, text="the token “x”", rule="token(x)", status="done", error=None, seconds=0.01,
    seed=7, example_tokens=None, exact=None,
)  # fmt: skip


@pytest.fixture
def catalogue(tmp_path):
    return Catalogue(tmp_path)


@pytest.fixture
def cache(catalogue):
    return caches.begin_cache(catalogue, "demo", SUBJECT, [SAE], {"corpus": "x.txt"}, seed=7)


def explain(catalogue, cache, news=(NEW,)):
    hookpoint_id = cache.hookpoints[0].hookpoint_id
    explainer = ledger.method_id(catalogue, "explainer", "grammar", None, {"families": "form"})
    plan = runs.Plan("explain", cache.cache_id, hookpoint_id, explainer, {"families": "form"})
    run = runs.start_run(catalogue, plan, total=len(news))
    ids = ledger.write_explanations(catalogue, hookpoint_id, explainer, None, run, list(news))
    return hookpoint_id, run, ids


def judge(catalogue, cache, items=ITEMS, predicted=(1, 0, -1, 1)):
    hookpoint_id, run, ids = explain(catalogue, cache)
    scorer = ledger.method_id(catalogue, "scorer", "detection", "grammar", {"preset": "quick"})
    judgement = judgements.Judgement(
        ids[0], 3, scorer, "detection", "quick", items, np.array(predicted, np.int8), None, SCORE
    )
    judgements.write_judgements(catalogue, hookpoint_id, run, [judgement], features_done=1)
    return hookpoint_id, run, judgement


def test_a_cache_begun_twice_is_one_cache(catalogue, cache):
    again = caches.begin_cache(catalogue, "demo", SUBJECT, [SAE], {"corpus": "x.txt"}, seed=7)
    assert again == cache
    assert [h.name for h in cache.hookpoints] == ["layers.1"]


def test_a_cache_with_other_settings_needs_another_name(catalogue, cache):
    (catalogue.store / cache.folder / "1" / "columns").mkdir(parents=True)
    with pytest.raises(BadInput, match="another --name"):
        caches.begin_cache(catalogue, "demo", SUBJECT, [SAE], {"corpus": "y.txt"}, seed=7)


def test_finishing_twice_adds_no_rows(catalogue, cache):
    hookpoint_id = cache.hookpoints[0].hookpoint_id
    feature = pa.table(
        {
            "hookpoint_id": pa.array([hookpoint_id] * 2, pa.uint32()),
            "feature": pa.array([0, 1], pa.uint32()),
            "n_active": pa.array([5, 0], pa.uint64()),
        }
    )
    empty = feature.slice(0, 0).select(["hookpoint_id", "feature"])
    tables = {hookpoint_id: caches.HookpointTables(5, 0.25, 4.0, feature, empty, empty)}
    corpus = caches.CorpusFacts("x.txt", "t", "v", "u16", 32, 4, 1, 124, {})
    for _ in range(2):
        caches.finish_cache(catalogue, cache.cache_id, corpus, tables)
    found = caches.cache(catalogue, "demo")
    assert (found.status, found.n_tokens, found.n_unmasked) == ("done", 128, 124)
    assert (found.hookpoints[0].n_alive, found.hookpoints[0].n_activations) == (1, 5)
    with catalogue.reading() as con:
        assert con.value("select count(*) from feature") == 2


@pytest.mark.parametrize("address", ["layers.1/16", "layers.2/0", "x", "-1", ""])
def test_an_unknown_feature_is_named(cache, address):
    with pytest.raises(NotFound):
        caches.feature_address(cache, address)


@pytest.mark.parametrize("name", ["layers.1"])
def test_a_hookpoint_may_be_named_by_its_last_parts(cache, name):
    assert caches.hookpoint(cache, name).name == "layers.1"


@pytest.mark.parametrize("name", ["ayers.1", ".1", "1", "layers.11", ""])
def test_a_part_of_a_name_is_not_a_hookpoint(cache, name):
    with pytest.raises(NotFound):
        caches.hookpoint(cache, name)


def test_a_feature_address_splits_at_the_last_slash(cache):
    found, index = caches.feature_address(cache, "layers.1/15")
    assert (found.name, index) == ("layers.1", 15)


def test_an_explanation_is_read_back(catalogue, cache):
    hookpoint_id, run, ids = explain(catalogue, cache)
    with catalogue.reading() as con:
        found = results.explanations(con, hookpoint_id, 3)[3][0]
    assert (found.explanation_id, found.run_id) == (ids[0], run)
    assert (found.text, found.rule, found.settings) == (NEW.text, NEW.rule, {"families": "form"})


def test_the_same_explanation_is_stored_once(catalogue, cache):
    explain(catalogue, cache)
    hookpoint_id, _, ids = explain(catalogue, cache, [NEW, replace(NEW, feature=4)])
    assert len(ids) == 1
    with catalogue.reading() as con:
        assert con.value("select count(*) from explanation") == 2
    explainer = ledger.method_id(catalogue, "explainer", "grammar", None, {"families": "form"})
    assert ledger.explained(catalogue, hookpoint_id, explainer, 7) == {3, 4}


def test_verdicts_and_scores_are_read_back(catalogue, cache):
    hookpoint_id, _, _ = judge(catalogue, cache)
    with catalogue.reading() as con:
        found = results.explanations(con, hookpoint_id, 3)[3][0]
        verdicts = results.verdicts(con, hookpoint_id, 3)
    told = [replace(one, scorer_id=None, judged_at=None, run_id=None) for one in found.scores]
    assert told == [SCORE]
    assert [v["predicted"] for v in verdicts] == [True, False, None, True]
    assert [v["expected"] for v in verdicts] == [True, False, True, False]
    assert [v["first_token"] for v in verdicts] == [32, 64, 96, 128]


def test_judging_twice_adds_nothing(catalogue, cache):
    hookpoint_id, run, judgement = judge(catalogue, cache)
    judgements.write_judgements(catalogue, hookpoint_id, run, [judgement], features_done=1)
    with catalogue.reading() as con:
        assert con.value("select count(*) from verdict") == 4
        assert con.value("select count(*) from item") == 4
        assert con.value("select count(*) from example") == 4


def test_contexts_are_shared_between_scorers_and_explanations(catalogue, cache):
    hookpoint_id, _, _ = judge(catalogue, cache)
    marked = replace(
        ITEMS,
        kind=["activating", "random", "wrong-mark", "random"],
        marks=[[1, 2], [1], [4], [3]],
        first_token=np.array([32, 64, 96, 160], np.uint64),
    )
    with catalogue.writing() as con:
        fuzz = item_ids(con, hookpoint_id, {(3, "fuzzing", "quick"): marked})
        again = item_ids(con, hookpoint_id, {(3, "fuzzing", "quick"): marked})
        rows = con.rows("select slot, kind, decile, marks from item where scorer = 'fuzzing'")
        examples = con.rows("select slot, kind, first_token from example order by slot")
    np.testing.assert_array_equal(*(next(iter(ids.values())) for ids in (fuzz, again)))
    assert [row["slot"] for row in rows] == [0, 1, 2, 4]
    assert rows[2] == {"slot": 2, "kind": "wrong-mark", "decile": None, "marks": [4]}
    assert examples[4] == {"slot": 4, "kind": "random", "first_token": 160}
    assert len(examples) == 5


def test_deciles_of_a_run_are_summarised(catalogue, cache):
    _, run, _ = judge(catalogue, cache)
    for _ in range(2):
        judgements.summarise_deciles(catalogue, run)
    with catalogue.reading() as con:
        found = con.rows("select decile, n, n_right, n_failed from decile_summary order by 1")
    assert found == [
        {"decile": 1, "n": 1, "n_right": 1, "n_failed": 0},
        {"decile": 10, "n": 0, "n_right": 0, "n_failed": 1},
        {"decile": None, "n": 2, "n_right": 1, "n_failed": 0},
    ]


def test_a_run_of_a_dead_process_is_interrupted_and_continued(catalogue, cache):
    _, run, _ = explain(catalogue, cache)
    with catalogue.writing() as con:
        con.run("update run set pid = 4194304 where run_id = ?", [run])  # above the largest pid
    assert runs.runs(catalogue)[0]["status"] == "interrupted"
    _, again, _ = explain(catalogue, cache)
    assert again == run
    assert runs.runs(catalogue)[0]["status"] == "running"


def test_a_cancelled_run_stores_no_further_chunk(catalogue, cache):
    hookpoint_id, run, _ = explain(catalogue, cache)
    runs.cancel(catalogue, run)
    explainer = ledger.method_id(catalogue, "explainer", "grammar", None, {"families": "form"})
    with pytest.raises(ledger.Cancelled):
        ledger.write_explanations(catalogue, hookpoint_id, explainer, None, run,
                                  [replace(NEW, feature=9)])  # fmt: skip
    with catalogue.reading() as con:
        assert con.value("select count(*) from explanation") == 1


def test_what_another_process_is_asking_a_model_is_not_asked_beside_it(catalogue, cache):
    plan = runs.Plan("score", cache.cache_id, None, 1, {"judge": "m"}, paid=True)
    run = runs.start_run(catalogue, plan, total=3)
    with catalogue.writing() as con:
        con.run("update run set pid = ? where run_id = ?", [os.getppid(), run])
    with pytest.raises(StoreBusy, match=f"run {run} .* is asking the same"):
        runs.start_run(catalogue, plan, total=3)
    assert runs.start_run(catalogue, replace(plan, settings={"judge": "n"}), total=3) != run

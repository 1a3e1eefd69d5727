"""What is read back about one feature beyond its scores."""

import pytest
from stores import N_FEATURES, make_store

from data import ledger, results, runs


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=60)


@pytest.fixture(scope="module")
def asked(made):
    """An explanation of feature 6 whose explainer saw two contexts."""
    settings = {"explainer": "plain", "examples": 2, "sampling": "top"}
    explainer = ledger.method_id(made.catalogue, "explainer", "plain", "llama", settings)
    plan = runs.Plan("explain", made.cache.cache_id, made.hookpoint_id, explainer, settings)
    run = runs.start_run(made.catalogue, plan, total=1)
    new = ledger.NewExplanation(6, "words", None, "done", None, 0.1, 3, (64, 128), None,
                                prompt="[user]\nwhat?", reply="words",
                                detail={"defects": ["x"]})  # fmt: skip
    (number,) = ledger.write_explanations(made.catalogue, made.hookpoint_id, explainer, None, run,
                                          [new])  # fmt: skip
    runs.end_run(made.catalogue, run, "done")
    return number


def test_what_an_explainer_was_shown_is_known_and_all_train_tokens_are_not_listed(made, asked):
    with made.catalogue.reading() as con:
        assert results.prompted(con, made.hookpoint_id, 6) == {asked: frozenset({64, 128})}
        assert results.prompted(con, made.hookpoint_id, 0) == {}


def test_how_an_explanation_was_made_is_read_with_its_run(made, asked):
    with made.catalogue.reading() as con:
        found = results.made(con, asked)
        assert results.made(con, 10**6) is None
    assert (found["seed"], found["n_examples"], found["run_status"]) == (3, 2, "done")
    assert found["detail"] == {"defects": ["x"]}
    assert found["reply"] == "words"


def test_calls_that_are_not_stored_are_none(made):
    with made.catalogue.reading() as con:
        assert results.calls(con, []) == []
        assert results.calls(con, [99]) == []
        assert results.simulated(con, 1, 1) == []
        assert results.generated(con, 1, 1) == []


def test_live_features_are_found_by_rank(made):
    with made.catalogue.reading() as con:
        found = [results.live_feature(con, made.hookpoint_id, rank) for rank in range(N_FEATURES)]
    assert found == [*(f for f in range(N_FEATURES) if f != 5), None]

"""The stage that filters, on a subject whose features are known: flags, resuming, refusals."""

import json
from dataclasses import replace

import planted_subject
import pytest
from commands import gloss
from planted_subject import Planted

from core.filters.words import missing
from core.pipeline.filtering import FilterRequest, filter_stage
from data import caches, feature_table, flags, queries, runs
from data.cachefiles import read_meta, write_meta
from data.errors import BadInput
from data.feature_filter import Filter
from data.flags import Flag

# By hand: what each planted feature is, frequencies as the corpus has them left out.
KNOWN = {
    Planted.POSITIONAL: {"positional"},
    Planted.UNIGRAM: {"unigram", "context-independent", "single-token"},
    Planted.PRIOR_TOKEN: {"prior-token"},
    Planted.CONTEXT_ONLY: set(),
    Planted.TOKEN_IN_CONTEXT: {"unigram", "single-token"},
    Planted.OUTPUT_ONLY: set(),
    Planted.MOSTLY: {"weakly single-token"},
    Planted.EVERYWHERE: set(),
    Planted.RARE: set(),
    Planted.DEAD: set(),
}
FREQUENCY = {"dead", "rare", "scarce", "reduced", "dense", "very dense", "mostly one token"}


def run(catalogue, **asked):
    return list(filter_stage(catalogue, FilterRequest("planted", **asked)))


def rows(catalogue, table):
    with catalogue.reading() as con:
        return con.rows(f"select * exclude (run_id) from {table} order by all")


@pytest.fixture(scope="module")
def filtered(tmp_path_factory):
    catalogue = planted_subject.make_store(tmp_path_factory.mktemp("planted") / "store")
    run(catalogue)
    return catalogue


@pytest.fixture
def fresh(tmp_path):
    return planted_subject.make_store(tmp_path / "store")


def facts(catalogue, feature):
    with catalogue.reading() as con:
        return queries.facts(con, 1, feature)


@pytest.mark.parametrize("feature", list(Planted), ids=lambda planted: planted.name.lower())
def test_every_planted_feature_gets_its_flags(filtered, feature):
    found = facts(filtered, feature)
    assert set(found["flags"]) - FREQUENCY == KNOWN[feature]


def test_figures_of_planted_features(filtered):
    found = {feature: facts(filtered, feature) for feature in Planted}
    assert found[Planted.POSITIONAL]["position_share"] > 0.99
    assert found[Planted.UNIGRAM]["tokens"] == [planted_subject.IDS["apple"]]
    assert found[Planted.UNIGRAM]["context_free"] == 1
    assert found[Planted.TOKEN_IN_CONTEXT]["context_free"] == 0
    assert found[Planted.UNIGRAM]["token_entropy"] == 0
    assert found[Planted.PRIOR_TOKEN]["previous"] == [planted_subject.IDS["river"]]
    assert found[Planted.EVERYWHERE]["information"] == pytest.approx(0, abs=1e-9)
    assert found[Planted.RARE]["n_tokens"] is None
    assert found[Planted.RARE]["flags"] == ["rare", "mostly one token"]
    assert found[Planted.DEAD]["flags"] == ["dead"]


def test_counts_say_of_how_many_features_a_flag_is_known(filtered):
    with filtered.reading() as con:
        (found,) = flags.counts(con, 1)
    assert (found.n_features, found.n_measured) == (10, 10)
    assert found.flags[Flag.UNIGRAM][1:] == (2, 8)  # RARE and DEAD fire too little
    assert found.flags[Flag.CONTEXT_FREE][1:] == (1, 8)
    assert found.flags[Flag.DEAD][1:] == (1, 10)
    assert (found.few_firings, found.few_for_entropy, found.unchecked) == (2, 2, {})


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ((Flag.UNIGRAM,), [Planted.UNIGRAM, Planted.TOKEN_IN_CONTEXT]),
        ((Flag.CONTEXT_FREE, Flag.POSITIONAL), [Planted.POSITIONAL, Planted.UNIGRAM]),
        ((Flag.WEAK_SINGLE_TOKEN,), [Planted.MOSTLY]),
    ],
    ids=["unigram", "either", "weak"],
)
def test_the_table_of_features_is_filtered_by_flags(filtered, chosen, expected):
    with filtered.reading() as con:
        found = feature_table.features(con, 1, Filter(flags=chosen))
    assert found.rows["feature"].tolist() == expected
    assert found.total == len(expected)


def test_run_again_it_does_nothing(filtered):
    before = rows(filtered, "feature_measure")
    (only,) = run(filtered)
    assert only.total == 0
    assert rows(filtered, "feature_measure") == before
    assert [one["stage"] for one in runs.runs(filtered)] == ["cache", "filter"]


def test_stopped_after_the_figures_it_goes_on_with_the_check(filtered, fresh):
    steps = filter_stage(fresh, FilterRequest("planted"))
    next(step for step in steps if step.done == step.total)
    steps.close()
    assert rows(fresh, "scrambled") == []
    assert runs.runs(fresh)[-1]["status"] == "interrupted"
    run(fresh)
    for table in ("feature_measure", "scrambled"):
        assert rows(fresh, table) == rows(filtered, table)
    last = runs.runs(fresh)[-1]
    assert (last["run_id"], last["status"], last["done"], last["total"]) == (2, "done", 10, 10)


def test_a_feature_that_is_tried_on_some_of_its_tokens_has_no_share_yet(fresh):
    run(fresh, run=False)
    with fresh.writing() as con:
        con.run(
            "update feature_measure set tokens = [3, 4] where feature = $1",
            [int(Planted.UNIGRAM)],
        )
        con.run(
            "insert into scrambled (hookpoint_id, feature, run_id, token, n, n_fired) values "
            "(1, $1, 1, 3, 2, 2)", [int(Planted.UNIGRAM)],
        )  # fmt: skip
    assert facts(fresh, Planted.UNIGRAM)["context_free"] is None
    with fresh.reading() as con:
        found = flags.counts(con, 1)[0]
    assert found.flags[Flag.CONTEXT_FREE].n == 0
    assert found.unchecked == {"partly tried": 1, "not tried yet": 1}
    said = "; ".join(missing(found, "planted"))
    assert "1 unigram features partly tried on random tokens" in said
    with fresh.writing() as con:
        con.run(
            "insert into scrambled (hookpoint_id, feature, run_id, token, n, n_fired) values "
            "(1, $1, 1, 4, 2, 0)", [int(Planted.UNIGRAM)],
        )  # fmt: skip
    assert facts(fresh, Planted.UNIGRAM)["context_free"] == 0.5


def test_without_running_the_subject_the_check_is_left_for_later(fresh):
    run(fresh, run=False)
    found = facts(fresh, Planted.UNIGRAM)
    assert found["context_free"] is None
    assert "unigram" in found["flags"]
    with fresh.reading() as con:
        assert flags.counts(con, 1)[0].unchecked == {"not tried yet": 2}
    (only,) = run(fresh, run=False)
    assert only.total == 0
    run(fresh)
    assert facts(fresh, Planted.UNIGRAM)["context_free"] == 1


def test_a_subject_that_is_gone_is_a_reason_and_another_try_may_find_it(fresh):
    folder = fresh.store / caches.cache(fresh, "planted").folder
    meta = read_meta(folder)
    write_meta(folder, replace(meta, subject="/nowhere/model"))
    said = run(fresh)[-1].note
    assert said.startswith("2 unigram features were not tried: ")
    assert runs.runs(fresh)[-1]["failed"] == 2
    with fresh.reading() as con:
        (reason,) = flags.counts(con, 1)[0].unchecked
    assert reason in said
    run(fresh)
    assert len(rows(fresh, "scrambled")) == 2  # the same reason is not stored twice
    write_meta(folder, meta)
    run(fresh)
    assert facts(fresh, Planted.UNIGRAM)["context_free"] == 1


def test_an_import_without_activations_is_refused_in_a_line(fresh):
    with fresh.writing() as con:
        con.run('update cache set settings = \'{"activations": "contexts"}\'')
    with pytest.raises(BadInput, match="imported without activations"):
        run(fresh)
    assert [one["stage"] for one in runs.runs(fresh)] == ["cache"]


def test_the_command_says_what_it_did_and_show_counts(fresh):
    first = gloss("filters", "planted", "--store", str(fresh.store))
    again = gloss("filters", "planted", "--store", str(fresh.store))
    assert (first.returncode, again.returncode) == (0, 0)
    assert "next: gloss show planted" in first.stdout
    assert "nothing to do: all 10 features are measured" in again.stdout
    said = gloss("show", "planted", "--store", str(fresh.store)).stdout
    assert "1 positional, 2 unigram, 1 context-independent, 1 prior-token" in said
    assert "2 fire fewer than 50 times" in said
    lines = gloss("show", "planted", "--json", "--store", str(fresh.store)).stdout.splitlines()
    (one,) = gloss("filters", "planted", "--json", "--store", str(fresh.store)).stdout.splitlines()
    assert json.loads(one)["flags"]["context-independent"] == {"n": 1, "of": 8}
    unigram = json.loads(lines[Planted.UNIGRAM])
    assert "context-independent" in unigram["flags"]
    assert unigram["measures"]["n_tokens"] == 1


def test_before_the_filters_show_says_how_to_run_them(fresh):
    found = gloss("show", "planted", "--store", str(fresh.store)).stdout
    assert "10 features, gloss filters planted does it" in found
    lines = gloss("show", "planted", "--json", "--store", str(fresh.store)).stdout.splitlines()
    assert json.loads(lines[0])["measures"] is None

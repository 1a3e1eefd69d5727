"""Runs as pages ask for them."""

import subprocess
import sys
from time import monotonic

import pytest
from made_runs import add, failed_explanations, interrupted, many
from stores import begin, make_store

from data import run_queries, runs
from data.catalogue import Catalogue
from data.run_queries import Chosen


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=60)


def test_thousands_of_runs_come_a_page_at_a_time_newest_first(tmp_path):
    catalogue = Catalogue(tmp_path)
    record = begin(catalogue)
    many(catalogue, record, 3_000)
    with catalogue.reading() as con:
        began = monotonic()
        last = run_queries.page(con, Chosen(), 10_000)
        third = run_queries.page(con, Chosen(stage="score", cache="made"), 3)
        assert monotonic() - began < 1
    assert (last.number, last.total, len(last.rows)) == (60, 3_000, 50)
    assert last.rows[-1]["run_id"] == 1
    assert {row["stage"] for row in third.rows} == {"score"}
    assert third.total == 1_000
    assert [row["run_id"] for row in third.rows] == list(range(2698, 2548, -3))


def test_only_what_occurs_can_be_chosen(made):
    with made.catalogue.reading() as con:
        found = run_queries.choices(con)
    assert found == (["explain", "score"], ["done"], ["made"])


def test_a_filter_that_nothing_passes_is_an_empty_first_page(made):
    with made.catalogue.reading() as con:
        found = run_queries.page(con, Chosen(status="'; drop table run; --"), 4)
    assert found == ([], 0, 1)


def test_a_stopped_run_is_listed_until_a_later_one_takes_over(tmp_path):
    catalogue, record = interrupted(tmp_path, "cancelled")
    add(catalogue, record, {"features": "10-19"}, "failed", "the disk is full")
    add(catalogue, record, {"features": "20-29"}, "done")
    with catalogue.reading() as con:
        assert [row["run_id"] for row in run_queries.stopped(con)] == [2, 1]
    add(catalogue, record, {"features": "0-9"}, "done")
    with catalogue.reading() as con:
        assert [row["run_id"] for row in run_queries.stopped(con)] == [2]


def test_reasons_that_differ_in_numbers_are_one(tmp_path):
    catalogue = Catalogue(tmp_path)
    record = begin(catalogue)
    errors = ["no rule covers 3 firings", "no rule covers 17 firings", "the reply was empty", None]
    run = failed_explanations(catalogue, record, errors)
    with catalogue.reading() as con:
        found = run_queries.reasons(con, run)
    assert [(reason.n, reason.features) for reason in found] == [(2, [0, 1]), (1, [3]), (1, [2])]
    assert found[1].error == "no reason was noted"


def test_what_a_run_made_is_counted(made):
    with made.catalogue.reading() as con:
        explained, scored = run_queries.made(con, 1), run_queries.made(con, 3)
        judged = run_queries.judged(con, 3)
    assert explained.explanations == {"done": 3, "failed": 1}
    assert explained.scores == 3
    assert (scored.explanations, scored.scores) == ({}, 1)
    assert [(one.scorer, one.judge, one.n_scores, one.n_failed) for one in judged] == [
        ("detection", "grammar", 1, 3)
    ]  # fmt: skip


def test_features_without_usable_replies_are_named(made):
    with made.catalogue.reading() as con:
        assert run_queries.unanswered(con, 3) == [
            {"cache": "made", "hookpoint": "layers.1.mlp", "feature": 0, "n_failed": 3}
        ]  # fmt: skip


def test_runs_to_compare_with_begin_with_the_same_stage(made):
    with made.catalogue.reading() as con:
        found = run_queries.alike(con, 1)
    assert [row["stage"] for row in found][:2] == ["explain", "score"]
    assert 1 not in {row["run_id"] for row in found}


def test_a_process_that_ended_unnoticed_is_not_alive():
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as process:
        process.stdout.read()
        give_up = monotonic() + 10
        while runs.is_alive(process.pid) and monotonic() < give_up:
            pass
        assert not runs.is_alive(process.pid)  # nobody has waited for it yet

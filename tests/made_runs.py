"""Runs of several kinds for the tests of the page of runs, in a store without features."""

import json

from stores import begin

from data import caches, ledger, runs
from data.catalogue import Catalogue
from data.records import Stage, State

COMMAND = ("gloss", "explain", "made", "--features", "0-9")


def interrupted(folder, status: State = "interrupted", error=None, command=COMMAND, **settings):
    """A store, there before or made here, with a run that stopped after four of ten features."""
    catalogue = Catalogue(folder)
    record = next(iter(caches.caches(catalogue)), None) or begin(catalogue)
    add(catalogue, record, {"features": "0-9"} | settings, status, error, command)
    return catalogue, record


def add(
    catalogue, record, settings, status: State = "done", error=None, command=(),
    stage: Stage = "explain",
):  # fmt: skip
    """One more run; gives its number."""
    plan = runs.Plan(stage, record.cache_id, record.hookpoints[0].hookpoint_id, None,
                     settings, command)  # fmt: skip
    run = runs.start_run(catalogue, plan, total=10, done=4)
    if status != "running":
        runs.end_run(catalogue, run, status, error)
    return run


def many(catalogue, record, n):
    """A number of finished runs, written at once."""
    with catalogue.writing() as con:
        con.run(
            "insert into run (run_id, stage, cache_id, settings, settings_hash, status, total, "
            "done, failed, n_calls, started_at, heartbeat_at, finished_at) "
            "select nextval('run_ids'), if(i % 3 = 0, 'score', 'explain'), ?, ?, 'h' || i, "
            "'done', 10, 10, 0, 0, now()::timestamp, now()::timestamp, now()::timestamp "
            "from range(?) t(i)",
            [record.cache_id, json.dumps({"features": "all"}), n],
        )


def failed_explanations(catalogue, record, errors):
    """A run whose features 0, 1, ... have no explanation for these reasons."""
    hookpoint_id = record.hookpoints[0].hookpoint_id
    explainer = ledger.method_id(catalogue, "explainer", "grammar", None, {})
    exact = ledger.method_id(catalogue, "scorer", "exact", "grammar", {"preset": "exact"})
    plan = runs.Plan("explain", record.cache_id, hookpoint_id, explainer, {"why": "failed"})
    run = runs.start_run(catalogue, plan, total=len(errors))
    news = [
        ledger.NewExplanation(f, None, None, "failed", error, 0.2, 7, None, None)
        for f, error in enumerate(errors)
    ]
    ledger.write_explanations(catalogue, hookpoint_id, explainer, exact, run, news)
    runs.end_run(catalogue, run, "done")
    return run

"""A cache and its random SAE with made-up scores: what the table of baselines is read from."""

from dataclasses import replace

from compared import explain, judge

from core.baselines.table import Question
from data import caches, nulls, runs
from data.catalogue import Catalogue
from data.nulls import NullScore, Series

OWN = {0: 0.9, 1: 0.8, 2: 0.7, 3: 0.6, 4: 0.5, 5: None}  # detection; 5 is undefined
RANDOM = {0: 0.5, 1: 0.6, 2: 0.4, 3: 0.5, 4: 0.6}
SHUFFLED = {0: (0.4, 0.6), 1: (0.5, 0.5), 2: (0.4, 0.4), 3: (0.6, 0.6), 4: (0.5, 0.5)}
SAID = {"of": "one", "kind": "random-sae", "places": {"h.1": ["h.1"]},
        "how": {"sae": ["random:50:4"], "seed": 0}}  # fmt: skip


def make_store(folder):
    """Cache "one" at h.1 and its baseline "one.random-sae", both explained and scored."""
    catalogue = Catalogue(folder)
    own = begin(catalogue, "one", {"corpus": "made-up"}, reasons=(None,) * 6 + ("rare",) * 2)
    ids = explain(catalogue, own, {"objective": "f1"}, list(OWN), seed=0)
    scorer = judge(catalogue, ids, OWN, failed=2)
    other = begin(catalogue, "one.random-sae", {"corpus": "made-up", "baseline": SAID},
                  reasons=(None,) * 5)  # fmt: skip
    judge(catalogue, explain(catalogue, other, {"objective": "f1"}, list(RANDOM), seed=0),
          RANDOM)  # fmt: skip
    with catalogue.reading() as con:
        explainer = con.value("select explainer_id from explanation limit 1")
    add_nulls(catalogue, own, Series(own.hookpoints[0].hookpoint_id, scorer, explainer))
    return catalogue, explainer


def begin(catalogue, name, settings, reasons):
    """A finished cache of the hookpoint h.1 whose first features fire."""
    subject = caches.SubjectFacts("tiny", None, "GPTNeoXForCausalLM", "float32", 2, 8, 50)
    sae = caches.SaeFacts("h.1", "sae/one", "topk", name, 50, {"k": 4})
    record = caches.begin_cache(catalogue, name, subject, [sae], settings, seed=7)
    hookpoint = record.hookpoints[0].hookpoint_id
    with catalogue.writing() as con:
        for feature, reason in enumerate(reasons):
            con.run("insert into feature (hookpoint_id, feature, n_active, density, reason) "
                    "values (?, ?, 10, 0.01, ?)", [hookpoint, feature, reason])  # fmt: skip
        con.run("update cache set status = 'done' where cache_id = ?", [record.cache_id])
        con.run("update hookpoint set status = 'done', n_alive = ?, l0 = 4 where hookpoint_id = ?",
                [len(reasons), hookpoint])  # fmt: skip
    return caches.cache(catalogue, name)


def add_nulls(catalogue, record, series):
    """Two shuffled explanations of each scored feature."""
    plan = runs.Plan("score", record.cache_id, series.hookpoint_id, series.scorer_id, {"nulls": 1})
    run = runs.start_run(catalogue, plan, total=5)
    rows = [
        NullScore(feature, "shuffled", 9 + k, 100 + 2 * feature + k, value, 20, 0, {})
        for feature, values in SHUFFLED.items()
        for k, value in enumerate(values)
    ]
    nulls.write_nulls(catalogue, series, run, rows, features_done=5)
    runs.end_run(catalogue, run, "done")


def question(explainer, **other):
    """What is compared in that store."""
    asked = Question(
        cache="one", explainer_id=explainer, hookpoints=("h.1",), features="all",
        only=("random-sae", "shuffled"), scorers=("detection",), judge="grammar", preset="gloss",
        seed=0, steps=0,
    )  # fmt: skip
    return replace(asked, **other)


def add_study(catalogue, explainer, **other):
    """The run that a page finds the comparison by."""
    asked = question(explainer, **other)
    settings = {
        "features": asked.features, "hookpoints": list(asked.hookpoints), "only": list(asked.only),
        "steps": asked.steps, "seed": asked.seed, "explainer": asked.explainer,
        "model": asked.model, "scorers": list(asked.scorers), "judge": asked.judge,
        "preset": asked.preset,
    }  # fmt: skip
    record = caches.cache(catalogue, asked.cache)
    plan = runs.Plan("baselines", record.cache_id, None, explainer, settings, ("gloss",))
    run = runs.start_run(catalogue, plan, total=1, done=1)
    runs.end_run(catalogue, run, "done")
    return run

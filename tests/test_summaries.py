"""The table's summary is what the explanations and scores say, after every write."""

import random
from dataclasses import replace

import numpy as np
import pytest
from stores import begin, new_explanation

from data import (
    collections,
    comparing,
    feature_table,
    fired,
    judgements,
    ledger,
    results,
    runs,
    summaries,
)
from data.catalogue import Catalogue
from data.feature_filter import Filter, Sort
from data.items import ItemTable
from data.records import Score

NAMES = ("detection", "fuzzing", "exact")


@pytest.fixture
def place(tmp_path):
    catalogue = Catalogue(tmp_path)
    record = begin(catalogue)
    with catalogue.writing() as con:
        con.run("insert into feature (hookpoint_id, feature) select ?, unnest(range(10))",
                [record.hookpoints[0].hookpoint_id])  # fmt: skip
    return catalogue, record.cache_id, record.hookpoints[0].hookpoint_id


def explain(place, features, objective, *, usable=True):
    """One run over some features, with the exact check; unusable: failures without text."""
    catalogue, cache_id, hookpoint_id = place
    explainer = ledger.method_id(catalogue, "explainer", "grammar", None, {"o": objective})
    exact = ledger.method_id(catalogue, "scorer", "exact", "grammar", {"preset": "gloss"})
    run = runs.start_run(catalogue, runs.Plan("explain", cache_id, hookpoint_id, explainer, {}), 1)
    news = [new_explanation(f, "Fires on days") for f in features] if usable else [
        ledger.NewExplanation(f, None, None, "failed", "no", 0.1, 7, None, None) for f in features
    ]  # fmt: skip
    ids = ledger.write_explanations(catalogue, hookpoint_id, explainer, exact, run, news)
    runs.end_run(catalogue, run, "done")
    return list(zip(ids, features, strict=True))


def judge(place, told, scorer, value, *, preset="gloss", failed=1, by="grammar"):
    """One score with two verdicts behind it."""
    catalogue, cache_id, hookpoint_id = place
    scorer_id = ledger.method_id(catalogue, "scorer", scorer, by, {"preset": preset})
    explanation_id, feature = told
    items = ItemTable(["random"] * 2, np.zeros(2, np.uint8), np.array([0, 32], np.uint64),
                      np.zeros(2, np.float32), [None, None])  # fmt: skip
    low, high = (None, None) if value is None else (value - 0.1, value + 0.1)
    score = Score(scorer, "balanced_accuracy", value, low, high, None, None, 2, failed, by,
                  preset, {}, {}, {})  # fmt: skip
    new = judgements.Judgement(explanation_id, feature, scorer_id, scorer, preset, items,
                               np.array([0, 0], np.int8), None, score)  # fmt: skip
    plan = runs.Plan("score", cache_id, hookpoint_id, scorer_id, {"of": explanation_id})
    run = runs.start_run(catalogue, plan, 1)
    judgements.write_judgements(catalogue, hookpoint_id, run, [new], features_done=1)
    runs.end_run(catalogue, run, "done")


def stored(place):
    with place[0].reading() as con:
        rows = con.rows("select * from feature_summary order by feature")
    return [tuple(round(v, 5) if isinstance(v, float) else v for v in row.values()) for row in rows]


def recomputed(place):
    """The same from the records that the page of a feature reads: another way to the rule."""
    with place[0].reading() as con:
        by_feature = results.explanations(con, place[2], 0, 99)
    rows = []
    for feature, found in sorted(by_feature.items()):
        usable = [e for e in found if e.text is not None]
        if usable:
            best = results.best(found)
            scores = results.headline(best.scores)
            assert best in usable
            row = [place[2], feature, best.explanation_id, len(usable)]
            for name in NAMES:
                score = scores.get(name)
                ends = (score.value, score.low, score.high) if score else (None,) * 3
                row += [None if end is None else round(end, 5) for end in ends]
            asked = [score for name, score in scores.items() if name != "exact"]
            who = [scores[name].judge for name in NAMES[:2] if name in scores]
            rows.append((*row, sum(s.n for s in asked), sum(s.failed for s in asked),
                         who[0] if who else None))  # fmt: skip
    return rows


@pytest.mark.parametrize("seed", range(2))
def test_the_rows_equal_a_full_recomputation_after_any_sequence_of_writes(place, seed):
    rng = random.Random(seed)
    told = explain(place, [1, 2, 3], "f1")
    for step in range(8):
        match rng.randrange(4):
            case 0:
                told += explain(place, rng.sample(range(6), 2), f"o{step}")
            case 1:
                explain(place, [rng.randrange(6)], f"o{step}", usable=False)
            case _:
                scorer = rng.choice(("detection", "fuzzing", "simulation"))
                preset = rng.choice(("gloss", "paper"))
                judge(place, rng.choice(told), scorer, rng.choice((None, 0.5, 0.8)), preset=preset,
                      by=rng.choice(("grammar", "llama")))  # fmt: skip
        assert stored(place) == recomputed(place)
    before = stored(place)
    with place[0].writing() as con:
        summaries.refresh(con, place[2], range(10))
    assert stored(place) == before


def test_of_equal_explanations_the_newest_is_shown(place):
    explain(place, [4], "f1")
    (newest,) = explain(place, [4], "f2")
    assert [row[2] for row in stored(place)] == [newest[0]]


def test_a_scored_explanation_is_shown_before_a_newer_one(place):
    (scored,) = explain(place, [4], "f1")
    judge(place, scored, "detection", 0.4)
    explain(place, [4], "f2")
    assert [row[2:4] for row in stored(place)] == [(scored[0], 2)]


def test_an_explanation_with_only_an_exact_score_is_shown_before_one_without_any(place):
    (scored,) = explain(place, [4], "f1")  # with the exact check
    catalogue, cache_id, hookpoint_id = place
    hub = ledger.method_id(catalogue, "explainer", "hub", None, {"run": "published"})
    run = runs.start_run(catalogue, runs.Plan("import", cache_id, hookpoint_id, hub, {}), 1)
    bare = replace(new_explanation(4, "Fires on nights"), exact=None)
    ledger.write_explanations(catalogue, hookpoint_id, hub, None, run, [bare])
    assert [row[2] for row in stored(place)] == [scored[0]]
    assert stored(place) == recomputed(place)


def test_a_feature_without_a_usable_explanation_has_no_row(place):
    explain(place, [4], "f1", usable=False)
    assert stored(place) == []


def test_only_the_features_asked_for_are_touched(place):
    explain(place, [1, 2], "f1")
    with place[0].writing() as con:
        con.run("update feature_summary set n_explanations = 9")
        summaries.refresh(con, place[2], [2])
    assert [row[1:4] for row in stored(place)] == [(1, 1, 9), (2, 2, 1)]


def test_another_judge_takes_neither_the_headline_nor_the_place_of_the_best(place):
    """One re-explanation judged by a kinder judge, who also judges the old one."""
    first, other = explain(place, [4, 5], "f1")
    judge(place, first, "detection", 0.6)
    judge(place, other, "detection", 0.7)
    (again,) = explain(place, [4], "f2")
    for told in (first, again):
        judge(place, told, "detection", 0.9, by="llama")
    assert [(row[2], row[4], row[-1]) for row in stored(place)] == [
        (first[0], 0.6, "grammar"), (other[0], 0.7, "grammar")]  # fmt: skip
    assert stored(place) == recomputed(place)


def test_the_scores_of_an_explanation_are_of_the_judge_of_its_detection(place):
    (told,) = explain(place, [4], "f1")
    judge(place, told, "fuzzing", 0.5, by="llama")
    judge(place, told, "simulation", 0.2, by="llama")
    judge(place, told, "detection", 0.6, by="grammar")
    assert scores(place, told) == {"detection": ("grammar", 0.6), "fuzzing": ("llama", 0.5),
                             "exact": ("grammar", 0.8), "simulation": ("llama", 0.2)}  # fmt: skip
    for scorer, value in (("fuzzing", 0.7), ("simulation", 0.4)):
        judge(place, told, scorer, value, by="grammar")
    found = scores(place, told)
    assert (found["fuzzing"], found["simulation"]) == (("grammar", 0.7), ("grammar", 0.4))
    assert stored(place) == recomputed(place)
    with place[0].reading() as con:
        wanted = Filter(sort=Sort("simulation"))
        rows = feature_table.whole(con, place[2], wanted)
        both = comparing.both_scores(con, "made", 1, None)
        side = comparing.Wanted("made", 1, "fuzzing", None, None)
        fuzzing = comparing.scores(con, side)["value"].tolist()
    assert rows["further"].dropna().tolist() == [0.4]
    assert both.to_numpy().tolist() == [[0.6, 0.7]]
    assert fuzzing == [0.7]


def scores(place, told):
    with place[0].reading() as con:
        every = results.explanations(con, place[2], told[1])[told[1]]
    (found,) = [one for one in every if one.explanation_id == told[0]]
    return {
        name: (score.judge, score.value and round(score.value, 1))
        for name, score in results.headline(found.scores).items()
    }


def test_the_preset_gloss_stands_before_an_earlier_one_of_the_same_judge(place):
    first, second = explain(place, [4], "f1") + explain(place, [4], "f2")
    judge(place, first, "detection", 0.9, preset="paper")
    judge(place, second, "detection", 0.6)
    assert [row[2] for row in stored(place)] == [second[0]]
    judge(place, first, "detection", 0.5)
    assert [row[2:5] for row in stored(place)] == [(second[0], 2, 0.6)]
    assert stored(place) == recomputed(place)


def test_a_judge_that_the_store_knew_earlier_does_not_lead_where_it_judged_later(place):
    elsewhere, told = explain(place, [3, 4], "f1")
    judge(place, elsewhere, "detection", 0.5, by="stub")
    judge(place, told, "detection", 0.6, preset="delphi (imported)", by="other")
    judge(place, told, "simulation", 0.1, preset="paper", by="third")
    judge(place, told, "simulation", 0.2, by="stub")
    before = stored(place)
    assert [(row[1], row[4], row[-1]) for row in before] == [(3, 0.5, "stub"), (4, 0.6, "other")]
    judge(place, told, "detection", 0.9, by="stub")
    (again,) = explain(place, [4], "f2")
    judge(place, again, "detection", 0.95, by="stub")
    assert [row[2] for row in stored(place)] == [elsewhere[0], told[0]]
    assert [row[4] for row in stored(place)] == [0.5, 0.6]
    assert scores(place, told)["simulation"] == ("third", 0.1)  # of others the first, too
    assert stored(place) == recomputed(place)
    with place[0].reading() as con:
        (shown,) = fired.described(con, place[2], (4,)).values()
        deciles = feature_table.features(con, place[2], Filter()).rows
        of_side = comparing.scores(con, comparing.Wanted("made", 1, "detection", None, None))
        by_scorer = {one["scorer"]: one["judge"] for one in collections.scored(con, [told[0]])}
    assert (shown["judge"], deciles["judge"].dropna().tolist()) == ("other", ["stub", "other"])
    assert of_side["value"].tolist() == [0.5, 0.6]
    assert by_scorer == {"exact": "grammar", "detection": "other", "simulation": "third"}


def test_a_hookpoint_with_two_judges_says_so(place):
    first, second = explain(place, [4, 5], "f1")
    judge(place, first, "detection", 0.645)
    assert not choices(place).has_judges
    judge(place, second, "detection", 0.7, by="llama")
    assert choices(place).has_judges
    with place[0].reading() as con:
        rows = feature_table.whole(con, place[2], Filter())
        assert con.value("select detection from feature_summary where feature = 4") == 0.645
    assert rows["judge"].dropna().tolist() == ["grammar", "llama"]


def choices(place):
    with place[0].reading() as con:
        return feature_table.choices(con, place[2])

"""The figures of a run: numbers by hand, and the SQL against the records it was made from."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stores import HOOKPOINT, PRESET, make_store

from core.figures.correlation import fisher, matrix, pearson, ranks
from core.figures.deciles import curves
from core.figures.intervals import picture
from core.importing.delphi import ImportRequest, import_delphi
from core.score.statistics import wilson
from data import caches, results, run_figures
from data.catalogue import Catalogue
from data.run_figures import Judged, Setting

BY = Judged("grammar", PRESET)
BLOG = Path(__file__).parents[2] / "shared" / "blog"
PUBLISHED = {
    "gpt2_top": {
        "detection": "0.463 0.515 0.519 0.592 0.586 0.612 0.671 0.686 0.731 0.839 0.908",
        "fuzzing": "0.495 0.478 0.527 0.598 0.569 0.659 0.678 0.692 0.749 0.832 0.691",
    },
    "gpt2_random": {
        "detection": "0.742 0.764 0.788 0.756 0.829 0.842 0.892 0.864 0.893 0.881 0.810",
        "fuzzing": "0.742 0.803 0.792 0.812 0.854 0.907 0.910 0.917 0.914 0.941 0.530",
    },
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=120)


def ask(store, query, *args):
    with store.catalogue.reading() as con:
        return query(con, *args)


def place_row(shares, **more):
    """What SQL gives for one decile of features with (n, correct) each."""
    n, c = np.array(shares, float).T
    ratios = c / n
    return {
        "scorer": "detection", "place": "3", "n": int(n.sum()), "correct": int(c.sum()),
        "failed": 0, "features": len(n), "mean": float(ratios.mean()),
        "spread": float(ratios.std(ddof=1)) if len(n) > 1 else None,
        "nn": float(n @ n), "nc": float(n @ c), "cc": float(c @ c),
    } | more  # fmt: skip


def point(shares):
    return curves([place_row(shares)])["detection"][0]


def test_pooled_and_averaged_shares_differ_where_features_have_different_n():
    found = point([(10, 10), (2, 0)])
    assert found.pooled.value == pytest.approx(10 / 12)
    assert found.mean.value == pytest.approx(0.5)


def test_with_equal_n_the_pooled_interval_is_that_of_the_mean():
    found = point([(10, 9), (10, 5), (10, 7), (10, 3)])
    assert found.pooled.low == pytest.approx(found.mean.low)
    half = 1.96 * np.std([0.9, 0.5, 0.7, 0.3], ddof=1) / 2
    assert found.pooled.high - found.pooled.value == pytest.approx(half)


def test_features_that_do_not_vary_leave_wilsons_interval():
    found = point([(10, 10), (10, 10)])
    assert (found.pooled.low, found.pooled.high) == (wilson(20, 20).low, 1.0)
    assert found.mean == found.pooled
    alone = point([(10, 8)])
    assert alone.pooled == alone.mean == wilson(8, 10)


def test_nothing_usable_is_no_share():
    empty = place_row([(1, 1)], n=0, correct=0, features=0, mean=None)
    assert curves([empty])["detection"][0].pooled is None


def test_deciles_come_in_order_and_silent_kinds_behind_them():
    rows = [place_row([(1, 1)], place=p) for p in ("wrong-mark", "10", "odd", "2", "random")]
    assert [p.place for p in curves(rows)["detection"]] == [2, 10, "random", "wrong-mark", "odd"]


def test_counts_by_decile_are_those_of_the_scores(made):
    setting = Setting(made.cache.cache_id, 1)
    found = curves(ask(made, run_figures.places, setting, BY))
    records = [ask(made, results.explanations, made.hookpoint_id, f)[f][0] for f in (0, 1)]
    for scorer, points in found.items():
        scores = [next(s for s in e.scores if s.scorer == scorer) for e in records]
        for one in points:
            tallies = [s.by_decile[one.place] if isinstance(one.place, int)
                       else s.non_activating[one.place] for s in scores]  # fmt: skip
            assert (one.n, one.correct, one.failed) == tuple(
                sum(getattr(t, name) for t in tallies) for name in ("n", "correct", "failed")
            )


def test_only_features_that_all_settings_scored_count(made):
    cache = made.cache.cache_id
    both = Setting(cache, 1, among=((cache, 1), (cache, 2)))
    assert {r["features"] for r in ask(made, run_figures.places, both, BY)} == {1}
    assert ask(made, run_figures.places, Setting(cache, 1, "elsewhere"), BY) == []
    assert ask(made, run_figures.places, Setting(cache, 1, HOOKPOINT, 7), BY) == []
    assert ask(made, run_figures.places, Setting(cache, 1), Judged("nobody", PRESET)) == []


def test_outcomes_pair_the_verdicts_of_a_context(made):
    setting = Setting(made.cache.cache_id, 1, HOOKPOINT, 0)
    found = picture(ask(made, run_figures.outcomes, setting, BY))
    verdicts = [v for v in ask(made, results.verdicts, made.hookpoint_id, 0)
                if v["explanation_id"] == 1 and v["kind"] != "wrong-mark"]  # fmt: skip
    said = {}
    for v in verdicts:
        right = None if v["predicted"] is None else v["predicted"] == v["expected"]
        said.setdefault((v["kind"], v["first_token"]), {})[v["scorer"]] = right
    both = [pair for pair in said.values() if len(pair) == 2]
    usable = [(p["detection"], p["fuzzing"]) for p in both if None not in p.values()]
    assert found.n == len(usable)
    assert found.failed == len(both) - len(usable) > 0
    assert found.alone == len(said) - len(both)
    whole = found.counts.sum(axis=0) + found.silent
    assert whole.tolist() == [
        usable.count(pair) for pair in [(True, True), (True, False), (False, True), (False, False)]
    ]
    assert found.unknown == 0


def test_the_largest_peak_lies_in_the_last_interval():
    row = {"interval": 19.0, "detection": 1, "fuzzing": 1, "n": 1}
    silent = row | {"interval": -1.0, "fuzzing": 0, "n": 2}
    others = [row | {"interval": None}, row | {"fuzzing": -1}, row | {"detection": None}]
    found = picture([row, silent, *others])
    assert (found.counts[19, 0], found.silent.tolist()) == (1, [0, 2, 0, 0])
    assert (found.n, found.unknown, found.failed, found.alone) == (3, 1, 1, 1)


def scores_of(**columns):
    rows = [
        {"hookpoint_id": 1, "feature": f, "scorer_id": k, "scorer": name.split("_")[0],
         "judge": "m", "preset": name, "value": v}
        for k, (name, values) in enumerate(columns.items())
        for f, v in enumerate(values) if v is not None
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_correlations_by_hand():
    found = matrix(scores_of(detection=[1, 2, 3, 4], fuzzing=[1, 3, 2, 4]))
    cell = found.cells[0][1]
    assert found.names == ["detection", "fuzzing"]
    assert (cell.n, cell.pearson.value, cell.spearman) == (
        4,
        pytest.approx(0.8),
        pytest.approx(0.8),
    )
    assert found.cells[1][0] == cell
    skewed = matrix(scores_of(detection=[1, 2, 3, 100], fuzzing=[1, 2, 3, 4])).cells[0][1]
    assert skewed.spearman == pytest.approx(1)
    assert skewed.pearson.value < 0.85


def test_a_pair_counts_features_that_have_both_and_needs_three():
    found = matrix(scores_of(detection=[1, 2, 3, None], fuzzing=[None, 2, 1, 4]))
    assert found.cells[0][1] == (2, None, None)
    assert found.cells[0][0].n == 3


def test_a_constant_and_two_judges_of_one_scorer():
    found = matrix(scores_of(detection_a=[0.1] * 4, detection_b=[1, 2, 3, 4]))
    assert found.cells[0][1].pearson is None
    assert found.names == ["detection · m · detection_a", "detection · m · detection_b"]
    assert pearson(np.array([1.0, 2]), np.array([1.0, 2])) is None


def test_ranks_of_ties_and_the_interval_of_a_correlation():
    assert ranks(np.array([3, 1, 3])).tolist() == [2.5, 1, 2.5]
    found = fisher(0.5, 103)
    assert (found.low, found.high) == pytest.approx((0.339, 0.632), abs=1e-3)


@pytest.mark.skipif(not BLOG.exists(), reason="the published verdicts are not on this machine")
@pytest.mark.parametrize("run", list(PUBLISHED))
def test_the_published_figures_come_out_of_an_imported_run(tmp_path, run):
    list(import_delphi(tmp_path, ImportRequest(BLOG / run)))
    catalogue = Catalogue(tmp_path)
    with catalogue.reading() as con:
        (row,) = run_figures.settings(con)
        key = row["cache_id"], row["explainer_id"]
        (by,) = run_figures.judges(con, (key,))
        found = curves(run_figures.places(con, Setting(*key), by))
    assert caches.caches(catalogue)[0].name == run
    for scorer, numbers in PUBLISHED[run].items():
        assert " ".join(f"{p.pooled.value:.3f}" for p in found[scorer]) == numbers
        assert {p.features for p in found[scorer]} == {118}

"""Nulls: whose explanation is exchanged with whose, what a judge without eyes scores, figures."""

from dataclasses import replace

import numpy as np
import pytest
from made_cache import made_cache
from stores import HOOKPOINT, make_store

from core.examples import PRESETS, draw
from core.nulls import (
    AlwaysYes,
    Pairing,
    null_claims,
    null_score,
    null_scores,
    pairings,
    percentile,
    summarise,
)
from core.score.detection import score_detection
from core.score.fuzzing import fuzzing_items, score_fuzzing
from core.score.items import detection_items
from core.score.material import Claim, Outcomes
from core.score.metrics import Setting
from data import nulls, runs
from data.errors import NotFound
from data.items import ItemTable
from data.ledger import Cancelled
from data.nulls import Donor, NullScore, Series
from data.records import Score, Usage

DONORS = [Donor(feature, 100 + feature, f"Fires on word {feature}.", None) for feature in range(20)]
NO_ITEMS = ItemTable([], np.empty(0, np.uint8), np.empty(0, np.uint64), np.empty(0, np.float32), [])


def pairs(donors=DONORS, kind="shuffled", **other):
    return pairings(donors, kind, seed=0, hookpoint="layers.1", **other)


def by_feature(found):
    out = {}
    for pair in found:
        out.setdefault(pair.feature, []).append(pair.other)
    return out


def test_every_feature_meets_three_others_and_never_itself():
    found = by_feature(pairs())
    assert sorted(found) == list(range(20))
    assert all(len(set(others)) == 3 and feature not in others for feature, others in found.items())


def test_every_explanation_is_used_equally_often():
    used = np.bincount([pair.other for pair in pairs()])
    assert used.tolist() == [3] * 20


def test_pairs_carry_the_text_and_the_id_of_the_other():
    for pair in pairs():
        assert pair.text == f"Fires on word {pair.other}."
        assert pair.explanation_id == 100 + pair.other


def test_the_same_seed_gives_the_same_pairs_whatever_the_order():
    assert pairs() == pairs(DONORS[::-1])
    assert pairs() != pairings(DONORS, "shuffled", seed=1, hookpoint="layers.1")
    assert pairs() != pairings(DONORS, "shuffled", seed=0, hookpoint="layers.2")


def test_some_features_of_many_get_the_partners_they_have_anyway():
    some = by_feature(pairs(features=[3, 7, 99]))
    every = by_feature(pairs())
    assert some == {3: every[3], 7: every[7]}


def test_one_more_explanation_changes_few_pairs():
    before, after = by_feature(pairs(DONORS[:19])), by_feature(pairs())
    assert sum(before[feature] != after[feature] for feature in before) <= 3


def test_nobody_is_judged_with_what_its_own_explanation_says():
    same = [donor._replace(text=["Months.", " months", "Days."][donor.feature % 3])
            for donor in DONORS]  # fmt: skip
    for pair in pairs(same):
        assert (pair.feature % 3 == 2) != (pair.other % 3 == 2)


def test_rules_that_differ_in_figures_only_say_the_same():
    rules = ['here:word="a" -> 1 @ 0.5', 'here:word="a" -> 3 @ 0.25', 'here:word="b" -> 1 @ 0.5']
    donors = [Donor(i, i, f"Fires on it ({i} %).", rule) for i, rule in enumerate(rules)]
    found = by_feature(pairs(donors))
    assert (found[0], found[1], sorted(found[2])) == ([2], [2], [0, 1])


def test_the_nearest_neighbour_with_another_text_lends_its_explanation():
    nearest = {0: [50, 1, 2], 1: [2, 0], 2: [51]}
    donors = [DONORS[0], DONORS[1]._replace(text="fires on word 0"), DONORS[2]]
    assert by_feature(pairs(donors, "neighbour", nearest=nearest)) == {0: [2], 1: [2]}
    assert by_feature(pairs(donors, "neighbour", nearest=nearest, n=0)) == {}
    assert pairs(donors, "neighbour") == []


def test_a_feature_alone_has_no_partner():
    assert pairs(DONORS[:1]) == []
    assert pairs([]) == []


def score(value=0.5, usage=None) -> Score:
    return Score(
        scorer="detection", metric="balanced_accuracy", value=value, low=0.4, high=0.6, tpr=1.0,
        tnr=0.0, n=10, failed=2, judge="scripted", preset="gloss", by_decile={},
        non_activating={}, detail={"asked": 12}, usage=usage,
    )  # fmt: skip


PAIRS = [
    Pairing(4, 9, 109, "A.", None, "shuffled"),
    Pairing(4, 2, 102, "B.", 'here:word="b" -> 1 @ 1', "shuffled"),
    Pairing(5, 4, 104, "C.", None, "shuffled"),
]


def test_claims_are_what_a_scorer_takes():
    assert null_claims(PAIRS) == {
        4: [Claim(109, "A.", None), Claim(102, "B.", 'here:word="b" -> 1 @ 1')],
        5: [Claim(104, "C.", None)],
    }


def test_outcomes_become_rows_that_name_the_other():
    outcomes = [Outcomes(e, NO_ITEMS, np.empty(0, np.int8), score(v)) for e, v in
                ((102, 0.4), (109, None))]  # fmt: skip
    found = null_scores(PAIRS[:2], outcomes)
    assert [(n.feature, n.kind, n.other, n.explanation_id, n.value) for n in found] == [
        (4, "shuffled", 2, 102, 0.4),
        (4, "shuffled", 9, 109, None),
    ]
    assert (found[0].n, found[0].failed) == (10, 2)
    assert found[0].detail["asked"] == 12
    assert found[0].detail["low"] == 0.4


@pytest.fixture(scope="module")
def cache():
    return made_cache(n_sequences=400)


@pytest.mark.parametrize("feature", [0, 1, 2])
def test_always_yes_is_worth_exactly_one_half(cache, feature):
    contexts, columns = cache
    preset = PRESETS["gloss"]
    examples = draw(contexts, columns, feature, preset, hookpoint="layers.1")
    asked = detection_items(contexts, examples, preset, hookpoint="layers.1")
    marked = fuzzing_items(
        contexts, columns.slice(feature), examples, preset, hookpoint="layers.1", others=None
    )
    for name, items, to_score in (
        ("detection", asked, score_detection),
        ("fuzzing", marked, score_fuzzing),
    ):
        tokens = contexts.tokens.windows(items.first_token, contexts.length)
        answers = AlwaysYes().answer(name, items, tokens)
        found = to_score(items, answers, Setting(name, AlwaysYes.name, "gloss", 0))
        assert found.value == 0.5
        assert (found.tpr, found.tnr, found.failed) == (1, 0, 0)
        assert null_score(feature, "always-yes", found).explanation_id is None


def test_a_percentile_counts_those_below_and_half_of_the_equal():
    found = percentile(0.6, np.array([0.4, 0.5, 0.6, 0.7]))
    assert found is not None
    assert found.value == 0.625
    assert (found.n, found.median) == (4, pytest.approx(0.55))
    assert (found.low, found.high) == (pytest.approx(0.475), pytest.approx(0.625))


def test_a_percentile_among_itself_is_the_middle():
    null = np.random.default_rng(0).normal(size=101)
    shares = [percentile(v, null) for v in null.tolist()]
    assert np.mean([found.value for found in shares if found]) == pytest.approx(0.5)


def test_without_a_score_or_a_null_there_is_no_percentile():
    assert percentile(None, np.array([0.5])) is None
    assert percentile(0.5, np.array([])) is None


def test_a_summary_counts_the_features_above_the_nulls_95th_percentile():
    null = np.arange(101) / 100  # its 95th percentile is .95
    found = summarise([0.94, 0.95, 0.96, 0.97, None], null)
    assert (found.n, found.undefined, found.null_n) == (4, 1, 101)
    assert found.median == pytest.approx(0.955)
    assert (found.null_low, found.null_median, found.null_high) == (0.25, 0.5, 0.75)
    assert found.threshold == pytest.approx(0.95)
    assert found.above is not None
    assert found.above.value == 0.5
    assert found.above.low == pytest.approx(0.15, abs=0.005)  # Wilson of 2 in 4
    assert found.above.high == pytest.approx(0.85, abs=0.005)


def test_few_null_scores_have_no_95th_percentile_and_none_no_median():
    few = summarise([0.9], np.full(19, 0.5))
    assert (few.threshold, few.above, few.null_median) == (None, None, 0.5)
    none = summarise([], np.array([]))
    assert (none.median, none.null_median, none.above) == (None, None, None)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Shared; every test that writes has a scorer of its own."""
    return make_store(tmp_path_factory.mktemp("store"), sequences=120)


def methods(store):
    """The explainer and the scorer with most scores of the made-up store."""
    with store.catalogue.reading() as con:
        row = con.row(
            "select explainer_id, scorer_id from score join explanation using (explanation_id) "
            "join scorer using (scorer_id) where name = 'detection' "
            "group by all order by count(*) desc limit 1"
        )
    return Series(store.hookpoint_id, row["scorer_id"], row["explainer_id"])


def started(store):
    plan = runs.Plan("score", store.cache.cache_id, store.hookpoint_id, 1, {"nulls": True})
    return runs.start_run(store.catalogue, plan, 2)


def row(
    feature=4, explanation_id: int | None = 109, value: float | None = 0.5, **other
) -> NullScore:
    return replace(
        NullScore(feature, "shuffled", 9, explanation_id, value, 10, 2, {"asked": 12}), **other
    )


def test_null_scores_are_stored_once_and_read_back_by_kind(store):
    series, run_id = methods(store), started(store)
    fresh = [
        row(usage=Usage(4, 100, 20, 0.5)), row(5, 104, None), row(5, 101, 0.25),
        row(5, None, 0.5, kind="always-yes", other=None),
    ]  # fmt: skip
    nulls.write_nulls(store.catalogue, series, run_id, fresh, features_done=2)
    nulls.write_nulls(store.catalogue, series, run_id, fresh[:2], features_done=0)
    with store.catalogue.reading() as con:
        found = nulls.distribution(con, series)
        assert found.values.tolist() == [0.5, 0.25]
        assert found.undefined == 1
        assert nulls.distribution(con, series, "always-yes").values.tolist() == [0.5]
        assert not len(nulls.distribution(con, series._replace(scorer_id=99)).values)
        assert (4, "shuffled", 109) in nulls.stored(con, series)
        assert (5, "always-yes", None) in nulls.stored(con, series)
        run = con.row("select * from run where run_id = ?", [run_id])
    assert (run["done"], run["n_calls"], run["cost_usd"]) == (2, 4, 0.5)


def test_what_a_cancelled_run_found_is_not_stored(store):
    series, run_id = methods(store)._replace(scorer_id=98), started(store)
    runs.cancel(store.catalogue, run_id)
    with pytest.raises(Cancelled):
        nulls.write_nulls(store.catalogue, series, run_id, [row()], features_done=1)
    with store.catalogue.reading() as con:
        assert nulls.stored(con, series) == set()


def test_donors_are_the_newest_usable_explanations(store):
    series = methods(store)
    with store.catalogue.reading() as con:
        found = nulls.donors(con, series.hookpoint_id, series.explainer_id)
        near = nulls.nearest(con, series.hookpoint_id)
        real = nulls.real_scores(con, series)
        newest = con.value(
            "select max(explanation_id) from explanation where feature = 0 and explainer_id = ?",
            [series.explainer_id],
        )
    assert {donor.feature for donor in found} <= set(range(5))
    assert all(donor.text for donor in found)
    assert found[0].explanation_id == newest
    assert {scored.feature for scored in real} <= {donor.feature for donor in found}
    assert all(feature not in others for feature, others in near.items())


def test_a_missing_random_sae_names_three_commands(store):
    with (
        store.catalogue.reading() as con,
        pytest.raises(
            NotFound,
            match=r"run gloss cache tiny-subject --sae random:16:4 .*--name made-random, then "
            r"gloss explain made-random .*, then gloss score made-random .*--scorers detection",
        ) as caught,
    ):
        nulls.random_distribution(con, methods(store))
    assert "\n" not in str(caught.value)
    assert f"--hookpoint {HOOKPOINT}" in str(caught.value)


def test_the_scores_of_a_random_sae_at_the_same_place_are_a_null(tmp_path):
    store = make_store(tmp_path / "store", sequences=120)
    series = methods(store)
    with store.catalogue.reading() as con:
        real = [found.value for found in nulls.real_scores(con, series)]
    with store.catalogue.writing() as con:
        con.run("update sae set kind = 'random'")
    with store.catalogue.reading() as con:
        found = nulls.random_distribution(con, series)
    assert found.values.tolist() == [value for value in real if value is not None]

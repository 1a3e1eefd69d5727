"""Comparing settings over many features: pairs, differences, tests, and who is left out."""

import json

import compared
import numpy as np
import pytest
from typer.testing import CliRunner

from core import comparing
from core.cli import app
from core.comparing import Question, Side, partners
from core.comparing.agreement import agreement
from core.comparing.resampling import UNITS, ratios
from core.comparing.signed_rank import doubled_ranks, signed_rank
from core.comparing.words import asides, headline, short, signed
from data.catalogue import Catalogue
from data.errors import BadInput, NotFound

A = {0: 0.6, 1: 0.7, 2: 0.8, 3: 0.5, 4: 0.9, 5: 0.5}
B = {0: 0.7, 1: 0.7, 2: 0.7, 3: 0.7, 4: 1.0, 6: 0.9}
FIRST, SECOND, THIRD = {"objective": "f1"}, {"objective": "mdl"}, {"objective": "f2"}


@pytest.fixture
def catalogue(tmp_path):
    return Catalogue(tmp_path)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Features 0 to 4 are scored under both; 5 only under A, 6 only under B. Only to be read."""
    catalogue = Catalogue(tmp_path_factory.mktemp("both"))
    record = compared.begin(catalogue)
    for settings, values in ((FIRST, A), (SECOND, B), (THIRD, {0: 0.5, 1: 0.5})):
        ids = compared.explain(catalogue, record, settings, list(values))
        compared.judge(catalogue, ids, values)
    return catalogue


def compare(catalogue, **wanted):
    with catalogue.reading() as con:
        first, second = (one.side for one in comparing.sides(con)[:2])
        found = comparing.read(con, Question(first, second, **wanted))
    return comparing.compare(found)


def sides(catalogue):
    with catalogue.reading() as con:
        return comparing.sides(con)


def test_only_features_scored_under_both_are_paired(both):
    found = compare(both)
    assert found.pairs.feature.tolist() == [0, 1, 2, 3, 4]
    assert found.pairs.difference.tolist() == pytest.approx([0.1, 0, -0.1, 0.2, 0.1])
    assert (found.wins, found.ties, found.losses) == (3, 1, 1)
    assert found.left_out == (2, {"not explained": 1}, {"not explained": 1})


def test_the_difference_is_the_second_minus_the_first(both):
    found = compare(both)
    assert found.difference.value == pytest.approx(0.06)  # (.1 + 0 - .1 + .2 + .1) / 5
    assert found.first.value == pytest.approx(0.7)
    assert found.second.value == pytest.approx(0.76)
    assert found.median == pytest.approx(0.1)
    assert found.difference.low < 0.06 < found.difference.high


def test_swapping_turns_the_difference_round(both):
    first, second, _ = (one.side for one in sides(both))
    with both.reading() as con:
        turned = comparing.compare(comparing.read(con, Question(second, first)))
    found = compare(both)
    assert (turned.wins, turned.losses, turned.p) == (found.losses, found.wins, found.p)
    assert turned.difference.low == pytest.approx(-found.difference.high, abs=1e-6)


def test_verdicts_are_pooled_by_decile_and_kind(both):
    curve = compare(both).curves[0]
    assert [(s.place, s.right, s.n) for s in curve] == [("1", 35, 50), ("random", 45, 50)]
    assert curve[0].figure.value == 0.7


def test_why_a_feature_is_left_out_is_counted_by_side(catalogue):
    record = compared.begin(catalogue)
    ids = compared.explain(catalogue, record, FIRST, [0, 1, 2, 3])
    compared.judge(catalogue, ids, {0: 0.6, 1: None, 2: 0.7, 3: 0.7})
    others = compared.explain(catalogue, record, SECOND, [0, 1, 2])
    compared.explain(catalogue, record, SECOND, [3], text=None)
    compared.judge(catalogue, others, {0: 0.7, 1: 0.7})
    found = compare(catalogue)
    assert found.n == 1
    assert found.left_out.n == 3
    assert found.left_out.first == {"score undefined": 1}
    assert found.left_out.second == {"explanation failed": 1, "not scored": 1}


def test_the_newest_usable_explanation_counts(catalogue):
    record = compared.begin(catalogue)
    old = compared.explain(catalogue, record, FIRST, [0])
    new = compared.explain(catalogue, record, FIRST, [0], text="Fires again", seed=8)
    compared.explain(catalogue, record, FIRST, [0, 1], text=None, seed=9)
    compared.judge(catalogue, old, {0: 0.5})
    compared.judge(catalogue, new, {0: 0.9})
    ids = compared.explain(catalogue, record, SECOND, [0])
    compared.judge(catalogue, ids, {0: 0.6})
    assert compare(catalogue).pairs.first.tolist() == [0.9]


def test_the_judge_that_scored_most_features_of_both_is_taken(catalogue):
    record = compared.begin(catalogue)
    for settings in (FIRST, SECOND):
        ids = compared.explain(catalogue, record, settings, [0, 1, 2])
        common = compared.judge(catalogue, ids, {0: 0.6, 1: 0.7, 2: 0.8}, preset="quick")
        few = compared.judge(catalogue, ids, {0: 0.9}, preset="paper")
    assert compare(catalogue).judge.scorer_id == common
    assert [j.scorer_id for j in compare(catalogue).choices] == [common, few]
    assert compare(catalogue, judge=few).pairs.first.tolist() == [0.9]


def test_without_a_common_judge_headlines_are_compared_and_it_is_said(catalogue):
    record = compared.begin(catalogue)
    ids = compared.explain(catalogue, record, FIRST, [0])
    compared.judge(catalogue, ids, {0: 0.6}, preset="quick")
    compared.judge(catalogue, ids, {0: 0.7})
    others = compared.explain(catalogue, record, SECOND, [0])
    compared.judge(catalogue, others, {0: 0.9}, by="llama")
    found = compare(catalogue)
    assert found.judge is None
    assert found.pairs.first.tolist() == [0.7]  # of preset gloss
    assert found.said_by == (("grammar, preset gloss",), ("llama, preset gloss",))
    assert "were not asked the same questions" in " ".join(asides(found))


def test_sides_of_two_caches_pair_by_hookpoint_and_number(catalogue):
    one = compared.begin(catalogue, "one", ("h.1", "h.2"))
    two = compared.begin(catalogue, "two", ("h.2", "h.3"))
    compared.judge(catalogue, compared.explain(catalogue, one, FIRST, [4], at=1), {4: 0.6})
    compared.judge(catalogue, compared.explain(catalogue, one, FIRST, [5], at=0), {5: 0.6})
    compared.judge(catalogue, compared.explain(catalogue, two, FIRST, [4, 5], at=0),
                   {4: 0.5, 5: 0.5})  # fmt: skip
    found = compare(catalogue)
    assert [found.address(i) for i in range(found.n)] == ["h.2/4"]
    assert found.left_out.n == 2
    assert "A is of cache one, B of two" in " ".join(asides(found))


def test_one_hookpoint_can_be_asked_for(catalogue):
    record = compared.begin(catalogue)
    for settings in (FIRST, SECOND):
        for at in (0, 1):
            ids = compared.explain(catalogue, record, settings, [at], at=at)
            compared.judge(catalogue, ids, {at: 0.6 + at / 10})
    assert compare(catalogue).n == 2
    found = compare(catalogue, hookpoint="h.2")
    assert [group.name for group in found.by_hookpoint] == ["h.2"]
    assert found.pairs.feature.tolist() == [1]


def test_pairs_with_many_failed_replies_are_counted_but_not_listed(catalogue):
    record = compared.begin(catalogue)
    ids = compared.explain(catalogue, record, FIRST, [0, 1])
    compared.judge(catalogue, ids, {0: 0.5, 1: 0.5})
    others = compared.explain(catalogue, record, SECOND, [0, 1])
    compared.judge(catalogue, others, {0: 0.9}, failed=3)  # of 23
    compared.judge(catalogue, others, {1: 0.6}, failed=2)  # of 22
    found = compare(catalogue)
    assert (found.n, found.n_unranked) == (2, 1)
    assert found.largest(10, second=True) == [1]


def test_nothing_in_common_has_no_figures(catalogue):
    record = compared.begin(catalogue)
    for settings, feature in ((FIRST, 0), (SECOND, 1)):
        ids = compared.explain(catalogue, record, settings, [feature])
        compared.judge(catalogue, ids, {feature: 0.6})
    found = compare(catalogue)
    assert (found.n, found.difference, found.p, found.median) == (0, None, None, None)
    assert found.curves == ((), ())


def test_detection_is_set_against_fuzzing(catalogue):
    record = compared.begin(catalogue)
    ids = compared.explain(catalogue, record, FIRST, [0, 1, 2])
    compared.judge(catalogue, ids, {0: 0.5, 1: 0.6, 2: 0.7})
    compared.judge(catalogue, ids, {0: 0.6, 1: 0.8}, scorer="fuzzing")
    with catalogue.reading() as con:
        found = agreement(con, comparing.sides(con)[0].side, None)
    assert found.detection.tolist() == [0.5, 0.6]
    assert found.correlation == pytest.approx(1)


def test_fifths_by_density_hold_equally_many_and_leave_out_the_unknown():
    from core.comparing.figures import _fifths

    density = np.r_[np.linspace(0.001, 0.05, 25), np.nan].astype(np.float32)
    fifth, labels = _fifths(density)
    assert np.bincount(fifth[:-1]).tolist() == [5] * 5
    assert fifth[-1] == -1
    assert labels[0].startswith("0.1–")


def test_signed_rank_counts_sign_patterns():
    assert signed_rank(np.array([1, 2, 3, 4, -5.0])) == 0.625  # 2 * 10 / 32
    assert signed_rank(np.array([1.0, 1, 1, 1, 1, 0])) == 2 / 32  # the equal pair is left out
    assert signed_rank(np.zeros(3)) is None


def test_equal_differences_share_their_rank():
    assert doubled_ranks(np.array([0.2, 0.1, 0.2, 0.3])).tolist() == [5, 2, 5, 8]


def test_the_normal_approximation_meets_the_counted_one():
    rng = np.random.default_rng(3)
    difference = rng.normal(0.3, 1, 51)
    assert signed_rank(difference) == pytest.approx(signed_rank(difference[:50]), rel=0.5)
    assert signed_rank(np.r_[np.ones(60), -np.ones(60)]) == 1


def test_a_ratio_is_of_sums_and_its_interval_that_of_the_mean():
    rng = np.random.default_rng(1)
    above = rng.random((400, 1))
    found = ratios(above, np.ones((400, 1)))
    half = 1.96 * above.std() / 20
    assert found.value[0] == pytest.approx(above.mean())
    assert found.low[0] == pytest.approx(above.mean() - half, abs=half / 5)
    assert found.high[0] == pytest.approx(above.mean() + half, abs=half / 5)


def test_many_features_are_resampled_in_groups_with_the_same_spread():
    rng = np.random.default_rng(2)
    n = 3 * UNITS + 5
    above = rng.random((n, 1))
    found = ratios(above, np.ones((n, 1)))
    half = 1.96 * above.std() / np.sqrt(n)
    assert found.high[0] - found.low[0] == pytest.approx(2 * half, rel=0.1)


def test_few_features_have_no_interval_and_none_no_ratio():
    found = ratios(np.ones((4, 2)), np.array([[2.0, 0]] * 4))
    assert found.value[0] == 0.5
    assert np.isnan(found.value[1])
    assert np.isnan(found.low).all()


def test_the_sentence_names_the_better_side(catalogue):
    record = compared.begin(catalogue)
    features = list(range(20))
    for settings, gain in ((FIRST, 0.0), (SECOND, 0.1)):
        ids = compared.explain(catalogue, record, settings, features)
        compared.judge(catalogue, ids, {f: 0.5 + f / 100 + gain for f in features})
    said = headline(compare(catalogue))
    assert said == "B is better by .100 [.100, .100] over 20 features; B wins 20, ties 0, A wins 0."


def test_numbers_are_said_without_a_leading_zero():
    assert [short(0.0312), short(1.0), short(None)] == [".031", "1.000", "–"]
    assert [signed(-0.5), signed(0.0001), signed(-0.0001)] == ["−.500", ".000", ".000"]


def test_p_values_of_several_comparisons_are_adjusted(both):
    found = compare(both)
    twice = comparing.adjusted([found, found])
    assert [one.p for one in twice] == [found.p, found.p]  # p * 2 / 2


def test_sides_say_what_scored_them(both):
    first, second, _ = sides(both)
    assert str(first.side) == "one:1"
    assert (first.n_explained, first.n_scored, first.scorers) == (6, 6, {"detection": 6})
    assert comparing.differing([first, second]) == {"objective": ["f1", "mdl"]}


@pytest.mark.parametrize(
    ("name", "found"), [("one:2", "one:2"), ("run:1", "one:1"), ("run:2", "one:2")]
)
def test_a_side_is_named_by_its_address_or_a_run(both, name, found):
    with both.reading() as con:
        assert str(comparing.sides_named(con, [name])[0].side) == found


@pytest.mark.parametrize(
    ("name", "error"),
    [("one:9", NotFound), ("", NotFound), ("x", NotFound), ("run:99", NotFound),
     ("run:x", BadInput), ("one:" + "9" * 30, NotFound), ("'; drop table score; --:1", NotFound)],
)  # fmt: skip
def test_a_name_of_nothing_is_refused(both, name, error):
    with both.reading() as con, pytest.raises(error):
        comparing.sides_named(con, [name])


def gloss(catalogue, *words):
    found = CliRunner().invoke(app, ["compare", *words, "--store", str(catalogue.store)])
    return found.output, found.exception


def test_the_command_prints_one_object(both):
    said, _ = gloss(both, "one:1", "one:2", "--json")
    found = json.loads(said)
    keys = {"sides", "n", "left_out", "wins", "ties", "losses", "difference", "interval", "p",
            "by_decile", "scorer", "judge", "hookpoint"}  # fmt: skip
    assert keys <= set(found)
    assert [side["name"] for side in found["sides"]] == ["one:1", "one:2"]
    assert (found["n"], found["left_out"], found["wins"], found["losses"]) == (5, 2, 3, 1)
    assert found["difference"] == pytest.approx(0.06)
    assert found["by_decile"]["b"] == [
        {"decile": 1, "n": 50, "correct": 38, "share": 0.76, "interval": pytest.approx(
            found["by_decile"]["b"][0]["interval"])}
    ]  # fmt: skip


def test_the_command_prints_the_sentence_and_a_line_a_further_side(both):
    said, _ = gloss(both, "run:1", "one:2", "one:3")
    assert "B minus A is +.060" in said
    assert "objective mdl" in said
    assert "over 2 features" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [(["one:1", "one:1"], "named twice"), (["one:1", "one:2", "--score", "x"], "no x score"),
     (["one:1", "one:2", "--hookpoint", "h.9"], "no hookpoint")],
)  # fmt: skip
def test_the_command_refuses_in_one_line(both, words, message):
    _, error = gloss(both, *words)
    assert message in str(error)
    assert "\n" not in str(error)


def test_partners_share_features_scored_by_the_same_scorer_most_first(catalogue):
    one, other = compared.begin(catalogue), compared.begin(catalogue, "other")
    for record, objective, features, scorer in (
        (one, "f1", range(6), "detection"), (one, "mdl", range(8, 12), "detection"),
        (other, "f1", range(2, 9), "detection"), (other, "mdl", range(6), "fuzzing"),
    ):  # fmt: skip
        ids = compared.explain(catalogue, record, {"objective": objective}, list(features))
        compared.judge(catalogue, ids, dict.fromkeys(features, 0.7), scorer=scorer)
    with catalogue.reading() as con:
        assert partners(con, Side("one", 1), None, None) == {Side("other", 1): 4}
        assert partners(con, Side("other", 1), None, "detection") == {
            Side("one", 1): 4, Side("one", 2): 1}  # fmt: skip
        assert partners(con, Side("other", 1), "h.2", None) == {}

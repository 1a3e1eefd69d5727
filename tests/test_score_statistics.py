"""Intervals, tests and rank measures against numbers computed by hand."""

import math

import numpy as np
import pytest

from core.score.statistics import (
    Sums,
    auprc,
    auroc,
    benjamini_hochberg,
    bootstrap_calls,
    bootstrap_items,
    compare,
    f1,
    mcnemar,
    pearson,
    precision_at,
    weighted_rate,
    wilson,
)

HALVES = np.array([0.5, 0.5])


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [(4, 5, 0.38, 0.96), (8, 10, 0.49, 0.94), (75, 100, 0.66, 0.82), (0, 4, 0.0, 0.49)],
)
def test_wilson(correct, n, low, high):
    found = wilson(correct, n)
    assert (round(found.low, 2), round(found.high, 2)) == (low, high)
    assert found.value == correct / n


def test_a_share_of_nothing_is_undefined():
    assert wilson(0, 0) is None
    assert weighted_rate(np.array([1, 0]), np.array([1, 0]), HALVES) is None


def test_no_false_alarm_in_a_hundred_leaves_three_percent_open():
    assert wilson(0, 100).high == pytest.approx(0.037, abs=0.001)


def test_bootstrap_agrees_with_the_standard_error():
    low, high = bootstrap_items(np.array([75, 75]), np.array([100, 100]), HALVES, seed=1)
    assert (low, high) == pytest.approx((0.75 - 1.96 * 0.031, 0.75 + 1.96 * 0.031), abs=0.01)


def test_bootstrap_is_repeatable_and_depends_on_its_seed():
    counts = np.array([61, 80]), np.array([100, 90]), HALVES
    assert bootstrap_items(*counts, seed=1) == bootstrap_items(*counts, seed=1)
    assert bootstrap_items(*counts, seed=1) != bootstrap_items(*counts, seed=2)


def test_calls_that_fail_together_widen_the_interval():
    right = np.array([[2, 3]] * 30 + [[0, 0]] * 10)
    asked = np.array([[2, 3]] * 40)
    low, high = bootstrap_calls(right, asked, HALVES, seed=0)
    alone = bootstrap_items(right.sum(0), asked.sum(0), HALVES, seed=0)
    assert high - low > 1.3 * (alone[1] - alone[0])


def test_calls_without_dependence_agree_with_items():
    rng = np.random.default_rng(0)
    asked = np.array([[2, 3]] * 40)
    right = rng.binomial(asked, 0.75)
    low, high = bootstrap_calls(right, asked, HALVES, seed=0)
    alone = bootstrap_items(right.sum(0), asked.sum(0), HALVES, seed=0)
    assert high - low == pytest.approx(alone[1] - alone[0], rel=0.35)


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [(0, 0, 1.0), (1, 7, 18 / 256), (5, 5, 1.0), (0, 10, 2 / 1024), (3, 9, 598 / 4096)],
)
def test_mcnemar(b, c, p):
    assert mcnemar(b, c) == pytest.approx(p)
    assert mcnemar(c, b) == pytest.approx(p)


def outcomes(*groups):
    """(first, second, how many) -> two int8 arrays."""
    first = np.concatenate([np.full(n, a, np.int8) for a, _, n in groups])
    second = np.concatenate([np.full(n, b, np.int8) for _, b, n in groups])
    return first, second


def test_two_explanations_are_compared_on_the_same_items():
    first, second = outcomes((1, 1, 60), (1, 0, 30), (0, 1, 6), (-1, 1, 3), (0, -1, 1))
    stratum = np.arange(100) % 2
    found = compare(first, second, stratum, HALVES, seed=0)
    assert (found.n, found.excluded, found.only_first, found.only_second) == (96, 4, 30, 6)
    assert found.difference == pytest.approx(24 / 96)
    assert found.low < 0.25 < found.high
    assert found.low > 0
    assert found.finding == "first"


def test_few_discordant_items_do_not_distinguish():
    first, second = outcomes((1, 1, 90), (1, 0, 10))
    found = compare(first, second, np.arange(100) % 2, HALVES, seed=0)
    assert found.p < 0.05
    assert found.finding == "not distinguishable"


def test_swapping_the_explanations_turns_the_difference_round():
    first, second = outcomes((1, 1, 50), (1, 0, 35), (0, 1, 15))
    stratum = np.arange(100) % 2
    one = compare(first, second, stratum, HALVES, seed=0)
    two = compare(second, first, stratum, HALVES, seed=0)
    assert one.difference == -two.difference
    assert two.finding == "second"


def test_calls_are_resampled_together_in_a_comparison():
    first, second = outcomes((1, 1, 50), (1, 0, 35), (0, 1, 15))
    stratum, call = np.arange(100) % 2, np.arange(100) // 5
    found = compare(first, second, stratum, HALVES, seed=0, call=call)
    alone = compare(first, second, stratum, HALVES, seed=0)
    assert found.difference == alone.difference
    assert found.high - found.low > alone.high - alone.low


def test_a_comparison_without_one_class_is_undefined():
    first, second = outcomes((1, 0, 20))
    found = compare(first, second, np.zeros(20, int), HALVES, seed=0)
    assert (found.difference, found.low, found.high) == (None, None, None)


@pytest.mark.parametrize(
    ("tpr", "fpr", "precision"),
    [(0.75, 0.25, 0.003), (0.9, 0.1, 0.009), (0.9, 0.01, 0.083), (0.9, 0.001, 0.474)],
)
def test_precision_at_one_in_a_thousand(tpr, fpr, precision):
    assert round(precision_at(tpr, fpr, 1e-3), 3) == precision


def test_precision_of_a_judge_that_never_says_yes_is_undefined():
    assert precision_at(0.0, 0.0, 0.01) is None
    assert f1(None, 0.0) is None
    assert f1(0.5, 0.25) == pytest.approx(1 / 3)


def test_auroc():
    value = np.array([0.9, 0.8, 0.8, 0.1])
    positive = np.array([True, False, True, False])
    assert auroc(value, positive) == 3.5 / 4
    assert auroc(value, np.ones(4, bool)) is None


def test_auprc():
    value = np.array([4, 3, 2, 1])
    positive = np.array([True, False, True, False])
    assert auprc(value, positive) == pytest.approx((1 + 2 / 3) / 2)
    assert auprc(np.zeros(4), positive) == 0.5
    assert auprc(value, np.zeros(4, bool)) is None


def test_weights_bring_auprc_to_the_base_rate():
    positive = np.array([True] * 10 + [False] * 10)
    weight = np.where(positive, 0.001 / 10, 0.999 / 10)
    assert auprc(np.zeros(20), positive, weight) == pytest.approx(0.001)
    assert auprc(positive.astype(float), positive, weight) == pytest.approx(1)


def sums(x, y):
    return Sums(len(x), x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum())


def test_pearson_from_sums_of_parts():
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    y = x + rng.normal(size=200)
    parts = [sums(x[:70], y[:70]), sums(x[70:], y[70:])]
    joined = Sums(*(a + b for a, b in zip(*parts, strict=True)))
    assert pearson(joined) == pytest.approx(np.corrcoef(x, y)[0, 1])


def test_pearson_of_a_constant_is_undefined():
    constant, varied = np.full(5, 0.1), np.arange(5.0)
    assert pearson(sums(constant, varied)) is None
    assert pearson(sums(varied[:1], varied[:1])) is None
    assert pearson(sums(varied, 2 * varied + 1)) == 1.0


def test_benjamini_hochberg():
    found = benjamini_hochberg(np.array([0.01, 0.04, 0.03, 0.5]))
    assert found.tolist() == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert math.isclose(benjamini_hochberg(np.array([0.2]))[0], 0.2)


def test_all_right_is_not_certainty():
    # 100 of 100 in both classes: Wilson's lower limit .963, combined 1 - .037 / sqrt(2) = .974.
    n, half = np.array([100, 100]), np.array([0.5, 0.5])
    low, high = bootstrap_items(n, n, half, seed=1)
    assert (round(low, 3), high) == (0.974, 1.0)


def test_one_class_all_wrong_widens_only_a_little():
    low, high = bootstrap_items(
        np.array([0, 90]), np.array([100, 100]), np.array([0.5, 0.5]), seed=1
    )
    assert 0.41 < low < 0.43
    assert 0.47 < high < 0.50

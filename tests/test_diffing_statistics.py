"""Paired tests, intervals and AUROC of many features, by hand and by exact counting."""

import numpy as np
import pytest

from core.diffing.statistics import auroc_spans, mean_spans, sign_flip
from core.score.statistics import auroc, benjamini_hochberg


def test_all_sign_patterns_are_counted_where_there_are_few():
    difference = np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [3.0, -1.0, -2.0]])
    # +++ and ---: 2 of 8; ++ and -- of two: 4 of 8; nothing differs; 0 is reached by every pattern.
    assert sign_flip(difference, 0).tolist() == [0.25, 0.5, 1.0, 1.0]


def test_drawn_patterns_agree_with_counted_ones():
    rng = np.random.default_rng(0)
    few = rng.normal(0.35, 1, (30, 13))
    many = np.concatenate([few, np.zeros((30, 3))], axis=1)  # the same sums, but 2^16 patterns
    counted, drawn = sign_flip(few, 0), sign_flip(many, 0)
    assert np.abs(counted - drawn).max() < 0.04
    small = counted < 0.05
    assert small.any()
    assert drawn[small] == pytest.approx(counted[small], abs=0.01)


def test_under_the_null_p_is_uniform_and_no_feature_is_called_different():
    rng = np.random.default_rng(1)
    p = sign_flip(rng.normal(size=(1000, 60)), 3)
    assert [(p <= level).mean() for level in (0.05, 0.5)] == pytest.approx([0.05, 0.5], abs=0.04)
    assert benjamini_hochberg(p).min() > 0.05


def test_the_bound_tells_strong_features_apart_and_is_above_the_exact_p():
    ones = np.ones((1, 40))
    assert sign_flip(ones, 0)[0] == pytest.approx(2 * np.exp(-20))  # Hoeffding
    assert sign_flip(ones, 0)[0] > 2 / 2**40  # exact
    assert sign_flip(np.ones((1, 200)), 0)[0] < 1e-40


def test_means_have_the_interval_of_their_standard_error():
    rng = np.random.default_rng(2)
    spans = mean_spans(rng.normal(1, 2, (50, 400)).astype(np.float32), 0)
    assert spans.value == pytest.approx(np.ones(50), abs=0.5)
    assert (spans.high - spans.low).mean() == pytest.approx(2 * 1.96 * 2 / 20, rel=0.1)


def test_units_that_agree_have_an_interval_of_no_width():
    spans = mean_spans(np.full((2, 9), 0.5), 0)
    assert [end.tolist() for end in spans] == [[0.5, 0.5]] * 3


def test_auroc_by_hand_and_as_for_one_feature():
    assert auroc_spans(np.array([[0.0, 2.0]]), np.array([[1.0, 3.0]])).value.tolist() == [0.75]
    rng = np.random.default_rng(3)
    first, second = rng.integers(0, 4, (2, 5, 30)).astype(float)
    found = auroc_spans(first, second)
    for row in range(5):
        both = np.concatenate([first[row], second[row]])
        assert found.value[row] == pytest.approx(auroc(both, np.arange(60) >= 30))
        assert found.low[row] < found.value[row] < found.high[row]


def test_auroc_of_equal_values_is_one_half_without_doubt():
    same = np.random.default_rng(4).random((3, 20))
    assert [end.tolist() for end in auroc_spans(same, same)] == [[0.5] * 3] * 3


def test_a_perfect_order_is_not_certain():
    found = auroc_spans(np.zeros((1, 30)), np.ones((1, 30)))
    assert (found.value[0], found.low[0], found.high[0]) == (1.0, 0.9, 1.0)


def test_no_units_have_no_figure():
    nothing = np.empty((2, 0))
    assert np.isnan(auroc_spans(nothing, nothing).value).all()
    assert np.isnan(mean_spans(nothing, 0).value).all()
    assert sign_flip(nothing, 0).tolist() == [1.0, 1.0]

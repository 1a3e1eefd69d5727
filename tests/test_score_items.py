"""Items of detection and fuzzing; above all that marks leak nothing."""

import numpy as np
import pytest
from made_cache import BOS, MadeColumns, made_cache, made_dense, made_files, made_matrix

from core.examples import KINDS, PRESETS, Contexts, draw, with_token
from core.examples.contexts import spread
from core.score.fuzzing import fuzzing_items
from core.score.items import detection_items, strong_tokens
from core.score.marks import place, rotations
from core.score.statistics import auroc

HOOK = "layers.1"
GLOSS = PRESETS["gloss"]
EOS = 1


@pytest.fixture(scope="module")
def many():
    """26 features of all shapes, over text with BOS in front and EOS in between."""
    matrix = made_matrix(420, seed=3)
    matrix[np.random.default_rng(4).random(matrix.shape) < 0.01] = EOS
    matrix[:, 0] = BOS
    contexts = Contexts.open(made_files(matrix, special_ids=(BOS, EOS)))
    return contexts, MadeColumns([_shape(matrix, number) for number in range(26)])


def _shape(matrix, number):
    """Rare, in runs, dense within some sequences, at even places, or often near the beginning."""
    dense = made_dense(
        matrix, (0.01, 0.006, 0.02, 0.05)[number % 4], seed=number, burst=1 + number % 5
    )
    rng = np.random.default_rng(number)
    if number % 6 == 2:
        some = rng.random(len(dense)) < 0.3
        dense[some] = made_dense(matrix[some], 0.15, seed=number)
    if number % 6 == 3:
        dense[:, 1::2] = 0
    if number % 6 == 4:
        begin = made_dense(matrix[:, :24], 0.03, seed=99 + number)
        dense[:, :24] = np.maximum(dense[:, :24], begin)
    dense[matrix == EOS] = 0
    return dense


def fuzz(contexts, columns, feature, preset=GLOSS):
    examples = draw(contexts, columns, feature, preset, hookpoint=HOOK)
    return fuzzing_items(contexts, columns.slice(feature), examples, preset, hookpoint=HOOK)


@pytest.fixture(scope="module")
def all_items(many):
    return [fuzz(*many, feature) for feature in range(26)]


def test_detection_asks_about_unmarked_contexts(many):
    contexts, columns = many
    examples = draw(contexts, columns, 0, hookpoint=HOOK)
    items = detection_items(contexts, examples, GLOSS, hookpoint=HOOK)
    assert not items.marks.any()
    assert (items.kinds.count("activating"), items.kinds.count("random")) == (100, 100)
    assert np.bincount(items.decile)[1:].tolist() == [10] * 10
    assert items.expected.sum() == 100


def test_items_are_cut_into_mixed_calls_of_five(many):
    contexts, columns = many
    examples = draw(contexts, columns, 0, hookpoint=HOOK)
    items = detection_items(contexts, examples, GLOSS, hookpoint=HOOK)
    sizes = np.bincount(items.call)
    assert sizes.tolist() == [5] * 40
    positives = np.bincount(items.call, items.expected)
    assert len(set(positives.tolist())) > 3, "how many are right must not be foreseeable"


def test_a_last_short_call_is_kept():  # [19]
    contexts, columns = made_cache([0.0004], n_sequences=300)
    examples = draw(contexts, columns, 0, hookpoint=HOOK)
    items = detection_items(contexts, examples, GLOSS, hookpoint=HOOK)
    assert len(items.slot) % 5
    assert np.bincount(items.call)[-1] == len(items.slot) % 5


def test_only_test_contexts_are_judged(many, all_items):  # [7]
    contexts, _ = many
    for items in all_items:
        sequence = (items.first_token // contexts.sequence_length).astype(int)
        assert not contexts.train[sequence].any()


def test_items_do_not_depend_on_order_or_on_kinds_on_request(many):  # [10]
    contexts, columns = many
    examples = draw(contexts, columns, 3, hookpoint=HOOK)
    more = with_token(contexts, columns.slice(3), examples, hookpoint=HOOK, size=50)
    for make in (_detection, fuzzing_items):
        before = make(contexts, columns.slice(3), examples, GLOSS, hookpoint=HOOK)
        after = make(contexts, columns.slice(3), more, GLOSS, hookpoint=HOOK)
        n = len(before.slot)
        assert after.base.tolist() == [True] * n + [False] * (len(after.slot) - n)
        assert len(after.slot) > n
        assert after.call[n] == before.call[-1] + 1
        for a, b in zip(before[:-2], after[:-2], strict=True):
            np.testing.assert_array_equal(a, b[:n])


def _detection(contexts, _, examples, preset, *, hookpoint):
    return detection_items(contexts, examples, preset, hookpoint=hookpoint)


def test_right_marks_are_the_strong_tokens(many, all_items):
    contexts, columns = many
    items = all_items[5]
    right = items.kind == 0
    active = spread(columns.slice(5), items.first_token[right], contexts.length)
    assert (items.marks[right] == (active >= 0.3 * active.max(axis=1, keepdims=True))).all()


def test_strong_tokens_begin_at_three_tenths_of_the_maximum():
    assert strong_tokens(np.array([[0, 0.29, 0.3, 1]]), 0.3).tolist() == [
        [False, False, True, True]
    ]
    assert not strong_tokens(np.zeros((1, 4)), 0.3).any()


def test_no_wrong_mark_is_on_an_active_or_special_token(many, all_items):  # [22]
    contexts, columns = many
    for feature, items in enumerate(all_items):
        wrong = items.kind != 0
        active = spread(columns.slice(feature), items.first_token[wrong], contexts.length)
        tokens = contexts.tokens.windows(items.first_token[wrong], contexts.length)
        assert not active[items.marks[wrong]].any()
        assert not contexts.special(tokens)[items.marks[wrong]].any()
        assert items.marks.any(axis=1).all()


def test_fuzzing_has_its_sizes_and_reuses_no_context_within_a_kind(all_items):
    for items in all_items:
        assert [items.kinds.count(k) for k in ("activating", "random", "wrong-mark")] == [
            100,
            50,
            50,
        ]
        for kind in np.unique(items.kind):
            slot = items.slot[items.kind == kind]
            assert len(set(slot.tolist())) == len(slot)


@pytest.mark.parametrize("kind", ["random", "wrong-mark"])
def test_marks_alone_do_not_tell_right_from_wrong(all_items, kind):  # [21]
    marks, right, feature = _pooled(all_items, kind)
    assert 0.45 < _cross_validated(_shape_of_marks(marks), right, feature % 5) < 0.55
    rng = np.random.default_rng(0)
    assert (
        0.45
        < _cross_validated(_shape_of_marks(marks), right, rng.integers(0, 5, len(right)))
        < 0.55
    )


@pytest.mark.parametrize("kind", ["random", "wrong-mark"])
def test_mark_counts_have_the_same_distribution(all_items, kind):  # [21]
    marks, right, _ = _pooled(all_items, kind)
    count = marks.sum(axis=1)
    assert _kolmogorov_smirnov(count[right], count[~right]) > 0.05


def test_marks_that_do_leak_are_found(all_items):
    marks, right, feature = _pooled(all_items, "random")
    marks = marks.copy()
    marks[right, 20] = True
    assert _cross_validated(_shape_of_marks(marks), right, feature % 5) > 0.9


def _pooled(all_items, kind):
    kept = [np.isin(items.kind, [0, KINDS.index(kind)]) for items in all_items]
    pairs = list(zip(all_items, kept, strict=True))
    marks = np.concatenate([items.marks[keep] for items, keep in pairs])
    right = np.concatenate([items.expected[keep] for items, keep in pairs])
    feature = np.repeat(np.arange(len(pairs)), [int(keep.sum()) for _, keep in pairs])
    return marks, right, feature


def _shape_of_marks(marks):
    """Indices, number of marks and of runs, longest run, first and last index."""
    edges = np.diff(np.pad(marks.astype(int), ((0, 0), (1, 1))), axis=1)
    longest = [np.max(np.flatnonzero(e < 0) - np.flatnonzero(e > 0)) for e in edges]
    first, last = marks.argmax(axis=1), marks.shape[1] - marks[:, ::-1].argmax(axis=1)
    columns = [marks.sum(axis=1), (edges > 0).sum(axis=1), longest, first, last]
    return np.column_stack([marks, *columns]).astype(float)


def _cross_validated(x, y, fold):
    """AUROC of a logistic regression on the folds that it was not fitted on."""
    x = np.column_stack([(x - x.mean(0)) / (x.std(0) + 1e-9), np.ones(len(x))])
    said = np.zeros(len(y))
    for number in np.unique(fold):
        seen = fold != number
        said[~seen] = np.einsum("ij,j->i", x[~seen], _fitted(x[seen], y[seen]))
    return auroc(said, y)


def _fitted(x, y):
    """Weights of a logistic regression, classes balanced, by Newton's method.

    einsum, because a threaded matrix product of this size waits longer than it works when other
    processes share the cores.
    """
    beta, ridge = np.zeros(x.shape[1]), 1e-3 * np.eye(x.shape[1])
    weight = np.where(y, 1 / y.mean(), 1 / (1 - y.mean())) / len(y)
    for _ in range(5):
        p = 1 / (1 + np.exp(-np.einsum("ij,j->i", x, beta)))
        slope = np.einsum("ij,i->j", x, weight * (p - y)) + 1e-3 * beta
        bend = np.einsum("ij,i,ik->jk", x, weight * p * (1 - p), x)
        beta -= np.linalg.solve(bend + ridge, slope)
    return beta


def _kolmogorov_smirnov(a, b):
    """Asymptotic p of the two-sample test."""
    values = np.unique(np.concatenate([a, b]))
    share = [np.searchsorted(np.sort(s), values, side="right") / len(s) for s in (a, b)]
    distance = np.abs(share[0] - share[1]).max()
    x = distance * np.sqrt(len(a) * len(b) / (len(a) + len(b)))
    if x < 0.3:
        return 1.0
    k = np.arange(1, 100)
    return float(2 * ((-1.0) ** (k - 1) * np.exp(-2 * k**2 * x**2)).sum())


def test_rotation_keeps_runs_whole_and_apart():
    turned = rotations(np.array([1, 1, 0], bool))
    assert turned.astype(int).tolist() == [[0, 1, 1]]
    assert not len(rotations(np.array([1, 0, 1], bool)))
    assert len(rotations(np.eye(8, dtype=bool)[2])) == 7


def test_a_pattern_stays_at_its_indices_where_it_can():
    patterns = np.array([[1, 0, 0, 0], [0, 1, 0, 0]], bool)
    forbidden = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], bool)
    placed = place(patterns, forbidden, seed=0)
    assert placed.marks.tolist() == patterns.tolist()
    assert not (placed.marks & forbidden[placed.target]).any()
    assert len(set(placed.target.tolist())) == 2


def test_a_pattern_that_fits_nowhere_is_rotated():
    placed = place(np.array([[1, 0, 0, 0]], bool), np.array([[1, 0, 0, 0]], bool), seed=0)
    assert placed.marks.sum() == 1
    assert not placed.marks[0, 0]


def test_a_feature_too_dense_to_mark_wrongly_gets_no_wrong_marks():
    patterns = np.ones((5, 4), bool)
    placed = place(patterns, np.ones((9, 4), bool), seed=0)
    assert (len(placed.target), placed.skipped) == (0, 5)


def test_few_skipped_patterns_are_counted():
    patterns = np.zeros((10, 4), bool)
    patterns[:9, 1] = True
    patterns[9] = True
    placed = place(patterns, np.array([[0, 0, 0, 1]] * 12, bool), seed=0)
    assert (len(placed.target), placed.skipped) == (9, 1)


def test_what_was_asked_otherwise_is_taken_last():
    patterns = np.zeros((4, 3), bool)
    patterns[:, 0] = True
    reserved = np.array([True] * 4 + [False] * 4)
    placed = place(patterns, np.zeros((8, 3), bool), seed=0, reserved=reserved)
    assert (placed.target >= 4).all()


def test_published_presets_make_their_items(many):
    contexts, columns = many
    for name, expected in {
        "paper": [100, 100, 0],
        "delphi": [50, 50, 0],
        "quick": [20, 10, 10],
    }.items():
        items = fuzz(contexts, columns, 1, PRESETS[name])
        assert [items.kinds.count(k) for k in ("activating", "random", "wrong-mark")] == expected


def test_the_blog_marks_other_contexts_wrongly():
    matrix = made_matrix(400)
    contexts = Contexts.open(made_files(matrix), length=20)
    items = fuzz(contexts, MadeColumns([made_dense(matrix, 0.01)]), 0, PRESETS["blog"])
    right, wrong = (
        set(items.slot[items.kind == k].tolist()) for k in (0, KINDS.index("wrong-mark"))
    )
    assert (len(right), len(wrong)) == (50, 20)
    assert not right & wrong


def test_features_without_contexts_give_no_items():
    contexts, columns = made_cache([0.0, 0.00005])
    for feature in (0, 1):
        items = fuzz(contexts, columns, feature)
        assert items.expected.sum() == len(items.slot[items.kind == 0])

"""The filters' figures against numbers computed by hand, and what they must not depend on."""

from math import log

import numpy as np
import pytest
from made_cache import BOS, MadeColumns, made_dense, made_matrix

from core.filters.measures import Corpus, measures
from core.filters.scrambled import ordinary_ids, sequences
from data.flags import in_short
from data.vocabulary import Vocabulary

LENGTH = 64


def corpus(matrix, crossing=None) -> Corpus:
    return Corpus(
        tokens=matrix.reshape(-1),
        sequence_length=matrix.shape[1],
        ordinary=(matrix != BOS).sum(axis=0),
        tiles=np.arange(matrix.shape[1]) // 32,
        n_tiles=matrix.shape[1] // 32,
        crossing=crossing,
    )


def measured(matrix, *dense, block=1_000_000, crossing=None, seed=0):
    found = list(measures(MadeColumns(dense), corpus(matrix, crossing), seed=seed, hookpoint="h",
                          block=block))  # fmt: skip
    assert [part.lo for part in found] == [0, *[part.hi for part in found[:-1]]]
    columns = zip(*(part[2:] for part in found), strict=True)
    joined = [[x for part in column for x in part] for column in columns]
    return dict(zip(type(found[0])._fields[2:], joined, strict=True))


def sequences_of(n, *, words=40):
    """Text of n sequences that begin with BOS."""
    return made_matrix(n, LENGTH, words=words)


def fires_on(matrix, *levels):
    """Dense activations [sequence, position]: (places, value), places of the flat matrix."""
    dense = np.zeros(matrix.size, np.float32)
    for places, value in levels:
        dense[list(places)] = value
    return dense.reshape(matrix.shape)


def test_a_first_token_feature_is_fully_positional():
    matrix = sequences_of(100)
    first = np.zeros(matrix.shape)
    first[:, 1] = 1
    found = measured(matrix, first)
    f = 1 / 63  # of the positions that are not BOS's
    assert found["information"][0] == pytest.approx(-f * log(f) - (1 - f) * log(1 - f))
    assert found["information"][0] == pytest.approx(0.0815, abs=1e-3)
    assert found["position_share"][0] == pytest.approx(1)


def test_half_of_the_positions_always_tell_one_bit():
    matrix = sequences_of(100)
    half = np.zeros(matrix.shape)
    half[:, 1:32] = 1
    found = measured(matrix, half)
    f = 31 / 63
    assert found["information"][0] == pytest.approx(-f * log(f) - (1 - f) * log(1 - f))


def test_a_feature_on_everywhere_tells_nothing_and_has_no_share():
    matrix = sequences_of(100)
    found = measured(matrix, matrix != BOS)
    assert found["information"][0] == pytest.approx(0, abs=1e-12)
    assert np.isnan(found["position_share"][0])


@pytest.mark.parametrize(
    ("sequences", "firings", "is_known"),
    [(100, 50, True), (99, 50, False), (100, 49, False)],
    ids=["enough", "few-sequences", "few-firings"],
)
def test_positions_need_a_hundred_sequences_and_fifty_firings(sequences, firings, is_known):
    matrix = sequences_of(sequences)
    places = np.flatnonzero(matrix != BOS)[:firings]
    found = measured(matrix, fires_on(matrix, (places, 1)))
    assert np.isfinite(found["information"][0]) == is_known
    assert (found["n_tokens"][0] >= 0) == (firings >= 50)


def test_filled_up_sequences_do_not_make_a_feature_positional():
    matrix = sequences_of(300)
    matrix[:200, 40:] = BOS  # filled with a special token
    found = measured(matrix, matrix != BOS)
    assert found["information"][0] == pytest.approx(0, abs=1e-12)


def row_of(ids):
    """Sequences whose ordinary tokens are these ids, in this order."""
    n = -(-len(ids) // (LENGTH - 1))
    matrix = np.full((n, LENGTH), 39, np.int32)
    matrix[:, 0] = BOS
    ordinary = np.flatnonzero(matrix.reshape(-1) != BOS)[: len(ids)]
    matrix.reshape(-1)[ordinary] = ids
    return matrix, ordinary


def test_token_entropy_by_count_and_by_activation():
    matrix, at = row_of([1] * 50 + [2] * 25 + [3] * 25)
    found = measured(matrix, fires_on(matrix, (at[:50], 1), (at[50:], 2)))
    assert found["token_entropy"][0] == pytest.approx(1.5 * log(2))  # shares 1/2, 1/4, 1/4
    assert found["token_entropy_weighted"][0] == pytest.approx(log(3))  # 50 : 50 : 50
    fewer = measured(matrix, fires_on(matrix, (at[:99], 1)))
    assert np.isnan(fewer["token_entropy"][0])


def test_shares_look_at_the_strongest():
    matrix, at = row_of([1] * 30 + [2] * 170)
    found = measured(matrix, fires_on(matrix, (at[:30], 4), (at[30:], 1)))
    assert found["strongest_share"][0] == pytest.approx(30 / 50)  # 30 of id 1, 20 of id 2
    assert found["stronger_share"][0] == pytest.approx(70 / 100)  # 70 of id 2
    upside_down = measured(matrix, fires_on(matrix, (at[:30], 1), (at[30:], 4)))
    assert upside_down["strongest_share"][0] == 1
    fewer = measured(matrix, fires_on(matrix, (at[:99], 1)))
    assert np.isnan(fewer["stronger_share"][0])
    assert np.isfinite(fewer["strongest_share"][0])


def test_distinct_tokens_of_the_strongest_eighty_percent_with_all_that_tie():
    # 100 firings: 79 of id 1, then ids 2 and 3 that tie for the 80th place, then 19 weaker ids.
    matrix, at = row_of([1] * 79 + [2, 3] + [*range(10, 29)])
    found = measured(matrix, fires_on(matrix, (at[:79], 3), (at[79:81], 2), (at[81:], 1)))
    assert found["n_tokens"][0] == 3
    assert found["tokens"][0] == [1, 2, 3]  # most frequent first
    # Before them: BOS at the beginnings of sequences, 1 otherwise, 2 before the 3.
    assert found["n_previous"][0] == 3
    assert found["previous"][0] == [1, BOS, 2]


def test_twenty_ids_are_few_and_twenty_one_are_not():
    for n, is_few in ((20, True), (21, False)):
        matrix, at = row_of([1 + k % n for k in range(210)])
        found = measured(matrix, fires_on(matrix, (at, 1)))
        assert found["n_tokens"][0] == n
        assert (found["tokens"][0] is not None) == is_few


def test_skewness_by_hand():
    matrix, at = row_of([1] * 4)
    found = measured(matrix, fires_on(matrix, (at[:3], 1), (at[3:], 5)), fires_on(matrix, (at, 2)))
    # Mean 2, second moment (3 + 9) / 4 = 3, third (-3 + 27) / 4 = 6.
    assert found["skewness"][0] == pytest.approx(6 / 3**1.5)
    assert np.isnan(found["skewness"][1])  # all alike


def test_share_of_contexts_in_which_a_document_begins():
    matrix, at = row_of([1] * 126)
    crossing = np.array([True, False, False, False])  # contexts 0-31, 32-63 of two sequences
    found = measured(matrix, fires_on(matrix, (at[:63], 1)), crossing=crossing)
    assert found["crossing_share"][0] == 0.5
    assert np.isnan(measured(matrix, fires_on(matrix, (at, 1)))["crossing_share"][0])


def test_negative_activations_count_by_their_size():
    matrix, at = row_of([1] * 50 + [2] * 50)
    found = measured(matrix, fires_on(matrix, (at[:50], -4), (at[50:], 1)))
    assert found["strongest_share"][0] == 1
    assert found["token_entropy_weighted"][0] == pytest.approx(-0.8 * log(0.8) - 0.2 * log(0.2))


@pytest.fixture(scope="module")
def several():
    matrix = made_matrix(120, LENGTH, words=60)
    rates = (0.2, 0.01, 0.0, 0.05, 0.4, 0.001)
    return matrix, [made_dense(matrix, rate, seed=k) for k, rate in enumerate(rates)]


def assert_same(found, wanted):
    """Lists of ids to the letter, numbers but for the order in which they were added up."""
    if any(isinstance(one, list) for one in found):
        assert found == wanted
    else:
        np.testing.assert_allclose(np.array(found, float), np.array(wanted, float), rtol=1e-9)


def test_figures_depend_neither_on_the_block_nor_on_the_other_features(several):
    matrix, dense = several
    whole, piecewise = measured(matrix, *dense), measured(matrix, *dense, block=1)
    alone = measured(matrix, dense[0])
    for name, found in whole.items():
        assert_same(found, piecewise[name])
        assert_same(found[:1], alone[name])


def test_what_was_measured_before_need_not_be_measured_again(several):
    matrix, dense = several
    columns, text = MadeColumns(dense), corpus(matrix)
    (whole,) = measures(columns, text, seed=0, hookpoint="h")
    (rest,) = measures(columns, text, seed=0, hookpoint="h", first=4)
    assert (rest.lo, rest.hi) == (4, 6)
    for part, found in zip(rest[2:], whole[2:], strict=True):
        assert_same(list(found[4:]), list(part))


def test_features_in_another_order_have_the_same_figures(several):
    matrix, dense = several
    order = [3, 5, 0, 2, 4, 1]
    whole, turned = measured(matrix, *dense), measured(matrix, *(dense[k] for k in order))
    drawn = {"strongest_share", "stronger_share"}  # ties and samples are drawn by feature
    for name in whole.keys() - drawn:
        assert_same([whole[name][k] for k in order], turned[name])


def test_a_scrambled_sequence_ends_in_its_token_and_depends_on_nothing_else():
    ordinary = np.arange(5, 40)
    rows = sequences(np.array([7, 9]), ordinary, seed=3, bos_id=BOS)
    assert rows.shape == (4, 21)
    assert rows[:, 0].tolist() == [BOS] * 4
    assert rows[:, -1].tolist() == [7, 7, 9, 9]
    assert np.isin(rows[:, 1:], ordinary).all()
    assert len({tuple(row) for row in rows.tolist()}) == 4
    np.testing.assert_array_equal(sequences(np.array([9]), ordinary, seed=3, bos_id=BOS), rows[2:])
    assert sequences(np.array([7]), ordinary, seed=3, bos_id=None).shape == (2, 20)


def test_the_ordinary_vocabulary_has_no_special_and_no_empty_ids():
    vocabulary = Vocabulary([b"<bos>", b" a", b"", b" b", b"beyond the embedding"])
    assert ordinary_ids(vocabulary, (0,), rows=4).tolist() == [1, 3]


def test_flags_that_others_imply_are_left_out_in_short():
    assert in_short(["dense", "very dense", "unigram"]) == ["very dense", "unigram"]
    assert in_short(["unigram", "context-independent"]) == ["context-independent"]

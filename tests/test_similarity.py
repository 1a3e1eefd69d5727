"""Nearest features by direction and by firing together."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from core.similarity import cofiring, decoder_neighbours
from data.activations import Columns, write_shard
from data.strongest import TokenMajor, write_strongest

DIRECTIONS = np.array([[1.0, 0], [2, 0], [1, 1], [0, -3], [0, 0]])


def test_cosines_by_hand_and_never_oneself():
    got = decoder_neighbours(DIRECTIONS, k=2)
    assert got.other[0].tolist() == [1, 2]
    assert got.other[1].tolist() == [0, 2]
    assert got.value[0].tolist() == pytest.approx([1, 0.5**0.5])
    assert got.value[4].tolist() == [0, 0]
    assert all(feature not in row for feature, row in enumerate(got.other.tolist()))


def test_chunks_are_the_whole():
    W_dec = np.random.default_rng(0).normal(size=(40, 6))
    whole, parts = decoder_neighbours(W_dec, 5), decoder_neighbours(W_dec, 5, budget=4 * 40 * 7)
    assert np.array_equal(whole.other, parts.other)
    assert all(a >= b for row in whole.value for a, b in pairwise(row))


def written(folder, token, feature, activation, *, n_tokens):
    """Four features, of which each token keeps the two strongest."""
    activation = np.asarray(activation, np.float16)
    write_shard(folder, 0, feature=feature, token=token, activation=activation, n_features=4)
    write_strongest(folder, 0, token=token, feature=feature, activation=activation,
                    n_tokens=n_tokens, k=2, n_features=4)  # fmt: skip
    return Columns.open(folder), TokenMajor(folder, n_tokens)


@pytest.fixture
def fires(tmp_path):
    """Six tokens; features 0 and 1 share two of four, 2 fires alone, 3 never."""
    token = np.array([0, 0, 1, 1, 2, 3, 4])
    return written(tmp_path, token, np.array([0, 1, 0, 1, 0, 1, 2]), np.ones(7), n_tokens=6)


def test_features_that_fire_together_by_hand(fires):
    got = [cofiring(*fires, feature) for feature in range(4)]
    assert [one.other.tolist() for one in got] == [[1], [0], [], []]
    assert got[0].value.tolist() == got[1].value.tolist() == [0.5]  # tokens 0 and 1 of 0 to 3
    assert [one.looked_at for one in got] == [one.n_firings for one in got] == [3, 3, 1, 0]
    assert got[0].k == 2


def test_only_the_strongest_features_of_a_token_are_seen(tmp_path):
    """Three features on both tokens, two stored: each pair is the same set, yet 2 is unseen."""
    token, feature = np.repeat([0, 1], 3), np.tile([0, 1, 2], 2)
    made = written(tmp_path, token, feature, np.tile([3, 2, 1], 2), n_tokens=2)
    assert cofiring(*made, 0).other.tolist() == [1]
    assert cofiring(*made, 2).other.tolist() == [0, 1]
    assert cofiring(*made, 2).value.tolist() == [1, 1]


def test_a_sample_of_many_firings_is_close_to_the_whole(tmp_path):
    rng = np.random.default_rng(0)
    token = np.flatnonzero(rng.random(4000) < 0.9)
    also = token[rng.random(len(token)) < 0.5]
    order = np.argsort(np.r_[token, also], kind="stable")
    feature = np.r_[np.zeros(len(token), int), np.ones(len(also), int)][order]
    values = np.ones(len(order))
    made = written(tmp_path, np.r_[token, also][order], feature, values, n_tokens=4000)
    whole, some = cofiring(*made, 0), cofiring(*made, 0, most=1500)
    assert (whole.looked_at, some.looked_at) == (len(token), 1500)
    assert whole.value[0] == pytest.approx(len(also) / len(token))
    assert some.value[0] == pytest.approx(whole.value[0], abs=0.03)


def test_similarity_is_light():
    code = "import sys, core.similarity, core.statistics; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

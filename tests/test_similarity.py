"""Nearest features by direction and by firing together."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from core.similarity import cofiring_neighbours, decoder_neighbours, jaccard
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


@pytest.fixture
def fires(tmp_path):
    """Six tokens; features 0 and 1 share two of four, 2 fires alone, 3 never."""
    token = np.array([0, 0, 1, 1, 2, 3, 4])
    feature = np.array([0, 1, 0, 1, 0, 1, 2])
    activation = np.ones(7, np.float16)
    write_shard(tmp_path, 0, feature=feature, token=token, activation=activation, n_features=4)
    write_strongest(
        tmp_path,
        0,
        token=token,
        feature=feature,
        activation=activation,
        n_tokens=6,
        k=2,
        n_features=4,
    )
    return Columns.open(tmp_path), TokenMajor(tmp_path, 6)


def test_jaccard_by_hand(fires):
    pairs = np.array([[0, 1], [2, 0], [1, 0], [3, 3], [0, 0]])
    assert jaccard(fires[0], pairs, 6).tolist() == [0.5, 0, 0.5, 0, 1]
    assert jaccard(fires[0], np.empty((0, 2), int), 6).tolist() == []


def test_features_that_fire_together(fires):
    got = cofiring_neighbours(*fires, n_tokens=6, k=2)
    assert got.other.tolist() == [[1, -1], [0, -1], [-1, -1], [-1, -1]]
    assert got.value.tolist() == [[0.5, 0], [0.5, 0], [0, 0], [0, 0]]


def test_similarity_is_light():
    code = "import sys, core.similarity, core.statistics; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

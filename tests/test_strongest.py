"""The token-major copy of the strongest features."""

import numpy as np

from data.strongest import TokenMajor, write_strongest


def write(folder, number, token, feature, activation, n_tokens=3, k=2, n_features=100):
    write_strongest(
        folder,
        number,
        token=np.array(token),
        feature=np.array(feature),
        activation=np.array(activation, np.float16),
        n_tokens=n_tokens,
        k=k,
        n_features=n_features,
    )


def test_the_strongest_come_first_and_the_rest_is_empty(tmp_path):
    write(tmp_path, 0, [0, 0, 0, 2], [5, 6, 7, 9], [1.0, 3.0, 2.0, 0.5])
    got = TokenMajor(tmp_path, 3).at(0, 3)
    assert got.feature.tolist() == [[6, 7], [0, 0], [9, 0]]
    assert got.activation.tolist() == [[3.0, 2.0], [0.0, 0.0], [0.5, 0.0]]


def test_equal_strength_goes_by_number_and_negative_values_by_size(tmp_path):
    write(tmp_path, 0, [0, 0, 0], [8, 4, 70_000], [1.0, 1.0, -2.0], n_features=80_000)
    got = TokenMajor(tmp_path, 3).at(0, 1)
    assert got.feature.tolist() == [[70_000, 4]]
    assert got.activation.tolist() == [[-2.0, 1.0]]


def test_reading_crosses_files(tmp_path):
    write(tmp_path, 0, [2], [1], [1.0])
    write(tmp_path, 1, [0], [2], [2.0], n_tokens=1)
    assert TokenMajor(tmp_path, 3).at(2, 2).feature[:, 0].tolist() == [1, 2]

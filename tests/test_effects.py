"""Logit effects by hand and in chunks."""

import numpy as np
import torch

from core.effects import logit_effects

W_DEC = torch.tensor([[1.0, 0.0], [0.0, -1.0]])
W_U = torch.tensor([[3.0, -1.0, 2.0, 9.0], [1.0, 0.0, -5.0, 9.0]])


def test_hand_numbers_without_padding_ids():
    [got] = logit_effects(W_DEC, W_U, vocabulary_size=3, n=2)
    assert got.promoted_ids.tolist() == [[0, 2], [2, 1]]
    assert got.promoted.tolist() == [[3, 2], [5, 0]]
    assert got.suppressed_ids.tolist() == [[1, 2], [0, 1]]
    assert got.suppressed.tolist() == [[-1, 2], [-1, 0]]


def test_chunks_are_the_whole():
    random = torch.Generator().manual_seed(0)
    W_dec, W_U = torch.randn(30, 8, generator=random), torch.randn(8, 50, generator=random)
    [whole] = logit_effects(W_dec, W_U)
    parts = list(logit_effects(W_dec, W_U, budget=7 * 50 * 4))
    assert [(part.lo, part.hi) for part in parts] == [(0, 7), (7, 14), (14, 21), (21, 28), (28, 30)]
    joined = np.concatenate([part.promoted_ids for part in parts])
    assert np.array_equal(joined, whole.promoted_ids)
    assert whole.promoted.shape == (30, 10)

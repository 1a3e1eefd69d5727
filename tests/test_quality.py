"""Reconstruction quality by hand."""

import tiny
import torch

from core.cache import CacheSettings, build
from core.quality import of_vectors, quality
from core.sae import ReLU, TopK, Weights
from data.cachefiles import CacheFiles

EYE = Weights(torch.eye(2), torch.zeros(2), torch.zeros(2), torch.eye(2))


def test_by_hand():
    x = torch.tensor([[1.0, 3.0], [3.0, 1.0]])  # mean (2, 2), spread 4
    assert of_vectors(ReLU(EYE), x) == (0.0, 2.0, 2)
    assert of_vectors(TopK(EYE, 1), x) == (0.5, 1.0, 2)  # misses a 1 in each row


def test_undefined_is_none():
    assert of_vectors(ReLU(EYE), torch.ones(3, 2)).fvu is None
    assert of_vectors(ReLU(EYE, centred=False), torch.eye(2)).fvu is None
    assert of_vectors(ReLU(EYE), torch.ones(0, 2)).fvu is None


def test_of_a_cache(tmp_path):
    subject, saes = tiny.subject(), {4: ("layers.1", tiny.sae())}
    settings = CacheSettings(corpus="tiny", tokens=600, sequence_length=32)
    for _ in build(tmp_path, subject, saes, tiny.texts(), settings):
        pass
    got = quality(subject, saes, CacheFiles.open(tmp_path), sequences=8)[4]
    assert got.l0 == 4
    assert got.n_tokens < 256
    assert got.fvu > 0

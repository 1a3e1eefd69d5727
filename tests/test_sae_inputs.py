"""What is done to inputs before an SAE, by hand and as equivalences, and how it is undone."""

import pytest
import tiny
import torch

from core.sae import ReLU, Sparse, TopK, Weights

ONES = Weights(
    W_enc=torch.eye(3), b_enc=torch.zeros(3), b_dec=torch.zeros(3), W_dec=torch.eye(3)
)  # reads and writes its input, where that is positive
X = torch.tensor([[1.0, 2, 6]])  # mean 3, deviations -2, -1, 3; unbiased deviation sqrt(7)


def some(n=20, d=16):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(3)) + 2


@pytest.mark.parametrize(
    ("norm", "want"),
    [
        ("layer_norm", [0, 0, 3 / (7**0.5 + 1e-5)]),
        ("unit_norm", [v * (3 / 41) ** 0.5 for v in (1, 2, 6)]),
        ("rms", [v * (3 / 41) ** 0.5 for v in (1, 2, 6)]),
        ("centre", [0, 0, 3]),
    ],
)
def test_normalised_by_hand(norm, want):
    found = ReLU(ONES, norm=norm).encode(X).dense()
    assert torch.allclose(found, torch.tensor([want]).float(), atol=1e-6)


@pytest.mark.parametrize(
    ("norm", "want"),
    [("layer_norm", [3, 3, 6]), ("unit_norm", [1, 2, 6]), ("centre", [3, 3, 6])],
)
def test_reconstructions_are_in_the_units_of_the_input(norm, want):
    sae = ReLU(ONES, norm=norm)
    assert torch.allclose(sae.decode(sae.encode(X), X), torch.tensor([want]).float(), atol=1e-4)


def test_eps_is_inside_the_root():
    found = ReLU(ONES).reading("rms", eps=100 - 41 / 3).encode(X).dense()
    assert torch.allclose(found, X / 10)


@pytest.mark.parametrize("norm", [None, "layer_norm", "unit_norm"])
def test_reading_a_transformed_place_is_reading_the_transformed_vector(norm):
    sae, x = TopK(tiny.weights(), 4, norm=norm), some()
    mean, rms = x.mean(1, keepdim=True), x.pow(2).mean(1, keepdim=True).add(1e-6).sqrt()
    for transform, given, back in (
        ("rms", x / rms, lambda y: y * rms),
        ("centre", x - mean, lambda y: y + mean),
    ):
        other = sae.reading(transform, 1e-6)
        active = other.encode(x)
        assert torch.equal(active.dense(), sae.encode(given).dense())
        assert torch.allclose(
            other.decode(active, x), back(sae.decode(active, given)), atol=1e-4, rtol=1e-4
        )
        assert sae.encode(x).dense().shape == active.dense().shape  # itself unchanged
        assert not sae.transforms


def test_a_transcoder_undoes_nothing_and_its_skip_reads_what_its_files_call_the_input():
    w = tiny.weights()
    skip = Weights(w.W_enc, w.b_enc, w.b_dec, w.W_dec, torch.eye(16))
    sae, x = TopK(skip, 4, centred=False, norm="layer_norm", transcoder=True), some()
    other = sae.reading("centre")
    active = other.encode(x)
    plain = TopK(w, 4).decode(active)
    given = x - x.mean(1, keepdim=True)
    assert torch.allclose(other.decode(active, x), plain + given, atol=1e-5)


def test_decoding_says_when_it_needs_the_input():
    sae = ReLU(ONES, norm="unit_norm")
    with pytest.raises(ValueError, match="decoding needs the input"):
        sae.decode(sae.encode(X))


def test_factors_of_the_decoder_count_in_decoding_only():
    w = tiny.weights()
    factor = torch.linspace(0.5, 2, 24)
    given = Weights(w.W_enc, w.b_enc, w.b_dec, w.W_dec, scaling_factor=factor)
    active = TopK(given, 4).encode(some())
    assert torch.equal(active.dense(), TopK(w, 4).encode(some()).dense())
    assert w.W_dec is not None
    want = (active.dense() * factor) @ w.W_dec + w.b_dec
    assert torch.allclose(TopK(given, 4).decode(active), want, atol=1e-5)


def test_scaling_by_the_decoder_is_taken_back_before_the_decoder():
    w = tiny.weights()
    assert w.W_dec is not None
    longer = Weights(w.W_enc, w.b_enc, w.b_dec, 3 * w.W_dec)
    sae = TopK(longer, 4, decoder_scaled=True)
    active = sae.encode(some())
    plain = TopK(w, 4).encode(some())
    assert torch.allclose(active.dense(), 3 * plain.dense(), atol=1e-4)
    third = Sparse(active.row, active.feature, active.value / 3, active.shape)
    assert torch.allclose(sae.decode(active), TopK(longer, 4).decode(third), atol=1e-4)


def test_undefined_inputs_activate_nothing():
    x = torch.full((2, 3), float("nan"))
    for norm in (None, "layer_norm", "unit_norm"):
        assert len(TopK(ONES, 2, norm=norm).encode(x).value) == 0

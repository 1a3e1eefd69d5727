"""SAEs: equations by hand, sparse = dense, files of sparsify, what is refused."""

import json

import pytest
import tiny
import torch

from core.sae import JumpReLU, ReLU, TopK, Weights, list_hookpoints, load_sae, require_fit
from core.sae.abstopk import AbsTopK
from core.sae.gated import Gated
from core.sae.groupmax import GroupMax
from data.errors import BadInput, WrongSae

# Two inputs, three features: p = x W_enc + b_enc with b_dec = (1, 0).
HAND = Weights(
    W_enc=torch.tensor([[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]]),
    b_enc=torch.tensor([0.0, 0.5, 1.0]),
    b_dec=torch.tensor([1.0, 0.0]),
    W_dec=torch.tensor([[1.0, 0.0], [0.0, 1.0], [3.0, 4.0]]),
)
X = torch.tensor([[2.0, 1.0], [0.0, -1.0]])  # centred p: (1, 2.5, 0), (-1, -1.5, 2)


@pytest.mark.parametrize(
    ("sae", "want"),
    [
        (TopK(HAND, 1), [[0, 2.5, 0], [0, 0, 2]]),
        (TopK(HAND, 2), [[1, 2.5, 0], [0, 0, 2]]),
        (ReLU(HAND), [[1, 2.5, 0], [0, 0, 2]]),
        (ReLU(HAND, centred=False), [[2, 2.5, 0], [0, 0, 1]]),
        (JumpReLU(HAND, torch.tensor([1.0, 0.5, -9.0])), [[0, 2.5, 0], [0, 0, 2]]),
        (JumpReLU(HAND, torch.tensor(2.0)), [[0, 2.5, 0], [0, 0, 0]]),
        (AbsTopK(HAND, 1), [[0, 2.5, 0], [0, 0, 2]]),
        (AbsTopK(HAND, 2), [[1, 2.5, 0], [0, -1.5, 2]]),
        (GroupMax(HAND, 3), [[1, 2.5, 0], [0, 0, 2]]),
        (GroupMax(HAND, 1), [[0, 2.5, 0], [0, 0, 2]]),
        (Gated(HAND, torch.tensor([-1.5, 9, -9]), torch.ones(3).log()), [[0, 2.5, 0], [0, 0, 0]]),
        (Gated(HAND, torch.zeros(3), torch.tensor([2.0, 2, 2]).log()), [[2, 4.5, 0], [0, 0, 3]]),
        # Decoder norms are 1, 1 and 5: the third feature wins by its effect.
        (TopK(HAND, 1, decoder_scaled=True), [[0, 2.5, 0], [0, 0, 10]]),
    ],
)
def test_hand_numbers(sae, want):
    assert sae.encode(X).dense().tolist() == want
    assert sae.encode(X).shape == (2, 3)


def test_decoding_by_hand():
    active = TopK(HAND, 2).encode(X)
    assert TopK(HAND, 2).decode(active).tolist() == [[2.0, 2.5], [7.0, 8.0]]


def test_a_skip_connection_adds_the_raw_input():
    skip = Weights(HAND.W_enc, HAND.b_enc, HAND.b_dec, HAND.W_dec, torch.tensor([[0.0, 1], [1, 0]]))
    sae = TopK(skip, 1, centred=False)
    active = sae.encode(X)
    assert torch.equal(sae.decode(active, X) - TopK(HAND, 1).decode(active), X.flip(1))


@pytest.mark.parametrize(
    "kind",
    [
        lambda w: TopK(w, 4),
        ReLU,
        lambda w: JumpReLU(w, w.b_enc + 1),
        lambda w: AbsTopK(w, 4, norm="layer_norm"),
        lambda w: GroupMax(w, 4, norm="unit_norm"),
        lambda w: Gated(w, w.b_enc, w.b_enc),
    ],
)
def test_small_memory_gives_the_same(kind):
    sae = kind(tiny.weights())
    x = torch.randn(50, 16, generator=torch.Generator().manual_seed(0))
    whole, parts = sae.encode(x), sae.encode(x, budget=24 * 4 * 7)
    assert torch.equal(whole.row, parts.row)
    assert torch.equal(whole.feature, parts.feature)
    assert torch.allclose(whole.value, parts.value, rtol=1e-5, atol=1e-5)
    assert (whole.row.diff() >= 0).all()
    assert sae.encode(x[:0]).dense().shape == (0, 24)


def test_decoding_is_the_dense_product():
    sae = tiny.sae()
    x = torch.randn(20, 16, generator=torch.Generator().manual_seed(0))
    x[3] = -100 * sae.weights.W_enc.sum(1)  # no feature may fire here
    active = sae.encode(x)
    assert torch.allclose(sae.decode(active), active.dense() @ sae.W_dec + sae.weights.b_dec)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_saved_is_loaded_and_widened(tmp_path, dtype):
    w = tiny.weights()
    tiny.save_sae(tmp_path / "layers.1", w, dtype=dtype)
    sae = load_sae(tmp_path)
    assert torch.equal(sae.weights.W_enc, w.W_enc.to(dtype).float())
    assert torch.equal(sae.W_dec, w.W_dec.to(dtype).float())
    assert (sae.kind, sae.k, sae.d_in, sae.n_features) == ("topk", 4, 16, 24)
    assert sae.origin.hookpoint == "layers.1"
    assert sae.centred
    assert len(sae.sha256) == 64


def test_a_transcoder_reads_the_input_side_and_is_not_centred(tmp_path):
    tiny.save_sae(tmp_path / "layers.1.mlp", tiny.weights(), transcode=True)
    sae = load_sae(tmp_path)
    assert not sae.centred
    assert sae.origin.hookpoint == "layers.1.mlp:in"


def test_features_default_to_a_multiple_of_the_width(tmp_path):
    folder = tiny.save_sae(tmp_path / "layers.1", tiny.weights(n_features=48))
    (folder / "cfg.json").write_text('{"d_in": 16, "expansion_factor": 3, "k": 4}')
    assert load_sae(folder).n_features == 48


def test_a_decoder_is_not_required(tmp_path):
    w = tiny.weights()
    tiny.save_sae(tmp_path / "layers.1", Weights(w.W_enc, w.b_enc, w.b_dec))
    assert load_sae(tmp_path).W_dec is None


def test_a_set_is_searched_by_whole_names(tmp_path):
    for name in ("layers.1", "layers.10", "layers.2.mlp"):
        tiny.save_sae(tmp_path / name, tiny.weights())
    assert list_hookpoints(tmp_path) == ["layers.1", "layers.2.mlp", "layers.10"]
    assert load_sae(tmp_path, "gpt_neox.layers.1").origin.hookpoint == "layers.1"
    assert load_sae(tmp_path, "layers.10").origin.hookpoint == "layers.10"
    with pytest.raises(BadInput, match=r"no SAE for 'layers\.11'"):
        load_sae(tmp_path, "layers.11")
    with pytest.raises(BadInput, match="several SAEs"):
        load_sae(tmp_path)


def test_what_is_no_sae_is_refused(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match="no SAE in a known format"):
        load_sae(tmp_path)
    with pytest.raises(BadInput, match="no SAE in a known format"):
        list_hookpoints(tmp_path)
    with pytest.raises(BadInput, match="no SAE folder"):
        load_sae("/nowhere/sae")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(BadInput, match="cannot load the SAE gloss-tests/none"):
        load_sae("gloss-tests/none")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"activation": "batchtopk"}, r'activation = "batchtopk" is not supported'),
        ({"activation": "groupmax"}, r"24 features do not make k = 5 groups of one size"),
        ({"activation": "groupmax", "signed": True, "k": 4}, "both groupmax and signed"),
        ({"skip_connection": True}, "lacks the tensor W_skip"),
        ({"k": 100}, "k = 100"),
        ({"num_latents": 25}, "encoder.weight is"),
        ({"d_in": None}, "d_in is required"),
        ({"d_in": "16"}, r'cfg\.json: d_in = "16" is not a whole number'),
        ({"num_latents": 24.5}, r"cfg\.json: num_latents = 24\.5 is not"),
        ({"num_latents": None}, r"cfg\.json: num_latents = null is not"),
        ({"num_latents": 0, "expansion_factor": []}, r"expansion_factor = \[\] is not"),
        ({"k": "4"}, r'cfg\.json: k = "4" is not'),
        ({"k": None}, r"cfg\.json: k = null is not"),
        ({"k": True}, r"cfg\.json: k = true is not"),
        ({"k": 0}, r"cfg\.json: k = 0 is not a whole number from 1 on"),
        ({"k": -3}, r"cfg\.json: k = -3 is not"),
        ({"k": 25}, r"cfg\.json: k = 25 is more than its 24 features"),
        ({"transcode": "false"}, r'cfg\.json: transcode = "false" is not true or false'),
    ],
)
def test_wrong_settings_are_refused(tmp_path, change, words):
    folder = tiny.save_sae(tmp_path / "layers.1", tiny.weights(), k=5)
    settings = json.loads((folder / "cfg.json").read_text()) | change
    (folder / "cfg.json").write_text(json.dumps(settings))
    with pytest.raises(BadInput, match=words):
        load_sae(folder)


def test_a_whole_number_may_be_written_with_a_point(tmp_path):
    folder = tiny.save_sae(tmp_path / "layers.1", tiny.weights())
    (folder / "cfg.json").write_text('{"d_in": 16.0, "num_latents": 24, "k": 4.0, "lr": NaN}')
    sae = load_sae(folder)
    assert (sae.k, type(sae.k), sae.settings["lr"]) == (4, int, "NaN")


def test_weights_that_are_not_numbers_are_refused(tmp_path):
    w = tiny.weights()
    w.W_dec[3, 3] = float("nan")
    with pytest.raises(BadInput, match="W_dec holds infinite or undefined"):
        load_sae(tiny.save_sae(tmp_path / "layers.1", w))


def test_odd_decoders_are_noted(tmp_path):
    w = tiny.weights()
    w.W_dec[0] = 0
    notes = load_sae(tiny.save_sae(tmp_path / "layers.1", w)).origin.notes
    assert "1 features have an all-zero decoder row" in notes


def test_the_sae_of_another_subject_is_refused_with_both_figures():
    with pytest.raises(WrongSae, match=r"reads 8 numbers a token, but layers\.1 .* gives 16"):
        require_fit(tiny.subject(), "layers.1", TopK(tiny.weights(d=8), 4))

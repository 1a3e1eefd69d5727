"""Every format of SAE files computes what its library does, and says where it reads."""

import json
from pathlib import Path

import numpy as np
import pytest
import sae_files
import torch
from sae_files import MADE, D, F, K, formula, inputs

from core.sae import list_offers, load_sae
from core.sae.hooks import Hook
from data.errors import BadInput

PARITY = Path(__file__).resolve().parents[2] / "shared" / "parity" / "sae"
CHECKPOINTS = sorted(path.parent for path in PARITY.rglob("expected.npz"))
SIX = {"sae_lens_version": "6.1"}


def agree(sae, x, a, xhat):
    active = sae.encode(torch.from_numpy(x))
    dense = active.dense().numpy()
    assert np.array_equal(dense != 0, a != 0)
    assert np.abs(dense - a).max() < 1e-5
    if xhat is not None:
        found = sae.decode(active, torch.from_numpy(x)).numpy()
        assert found.shape == xhat.shape
        assert np.abs(found - xhat).max() < 1e-5


@pytest.mark.skipif(not CHECKPOINTS, reason="the parity files are not on this machine")
def test_there_are_seven_checkpoints_of_the_libraries():
    assert len(CHECKPOINTS) == 7


@pytest.mark.parametrize("folder", CHECKPOINTS, ids=lambda p: "-".join(p.parts[-2:]))
def test_a_checkpoint_of_its_library_computes_the_same(folder):
    expected = np.load(folder / "expected.npz", allow_pickle=False)
    agree(load_sae(folder), expected["x"], expected["dense_acts"], expected["recon"])


@pytest.mark.parametrize("name", MADE)
def test_a_checkpoint_computes_the_formula(tmp_path, name):
    made = MADE[name](tmp_path)
    a, xhat = formula(made.record, inputs())
    assert 0 < (a != 0).mean() < 0.9
    sae = load_sae(tmp_path)
    agree(sae, inputs(), a, xhat)
    assert (sae.d_in, sae.n_features) == (D, F)
    assert len(sae.sha256) == 64
    assert load_sae(made.folder).kind == sae.kind


def test_half_precision_is_widened_and_said(tmp_path):
    sae = load_sae(sae_files.sparsify(tmp_path / "layers.1", dtype=torch.bfloat16).folder)
    assert sae.weights.W_enc.dtype is torch.float32
    assert sae.settings["dtype"] == "BF16"


def test_a_running_threshold_of_a_training_checkpoint_is_taken_as_it_is(tmp_path):
    theta = np.array(0.35, np.float64)
    made = sae_files.saelens(
        tmp_path, "batchtopk", "jumprelu", k=2.5, rescale_acts_by_decoder_norm=True,
        more={"topk_threshold": theta},
    )  # fmt: skip
    record = made.record._replace(t=made.record.t | {"threshold": theta * np.ones(F)})
    sae = load_sae(tmp_path)
    agree(sae, inputs(), *formula(record, inputs()))
    assert any("training checkpoint" in note for note in sae.origin.notes)


def test_inputs_that_are_multiplied_by_a_number_are_folded_into_the_weights(tmp_path):
    made = sae_files.saelens(tmp_path, "standard", "relu",
                             normalize_activations="expected_average_only_in")  # fmt: skip
    with pytest.raises(BadInput, match="needs a number that only the release names"):
        load_sae(tmp_path)
    said = json.loads((tmp_path / "cfg.json").read_text()) | {"norm_scaling_factor": 1.7}
    (tmp_path / "cfg.json").write_text(json.dumps(said))
    a, xhat = formula(made.record, np.float32(1.7) * inputs())
    agree(load_sae(tmp_path), inputs(), a, xhat / 1.7)


def test_a_top_k_of_dictionary_learning_ignores_its_threshold(tmp_path):
    made = sae_files.dictionary_learning(tmp_path, "AutoEncoderTopK", threshold=-1.0)
    agree(load_sae(tmp_path), inputs(), *formula(made.record, inputs()))


def test_a_batch_top_k_that_was_never_calibrated_is_refused(tmp_path):
    sae_files.dictionary_learning(tmp_path, "BatchTopKSAE", threshold=-1.0)
    with pytest.raises(BadInput, match=r"ae\.pt has the threshold -1: it was never calibrated"):
        load_sae(tmp_path)


def test_without_a_finished_file_the_last_training_step_is_taken_and_said(tmp_path):
    for step, file in ((900, "checkpoints/ae_900.pt"), (1000, "checkpoints/ae_1000.pt")):
        made = sae_files.dictionary_learning(tmp_path, "AutoEncoderTopK", file=file, step=step)
    sae = load_sae(tmp_path)
    agree(sae, inputs(), *formula(made.record, inputs()))
    assert any("ae_1000.pt, the last training checkpoint" in note for note in sae.origin.notes)


def test_a_vector_of_zeros_activates_nothing_where_its_length_is_taken_away(tmp_path):
    sae_files.saelens(tmp_path, "standard", "relu", normalize_activations="constant_norm_rescale")
    sae = load_sae(tmp_path)
    x = torch.zeros(2, D)
    active = sae.encode(x)
    assert len(active.value) == 0
    assert sae.decode(active, x).tolist() == x.tolist()


@pytest.mark.parametrize(
    ("name", "hook"),
    [
        ("sparsify topk", Hook("module", "layers.1")),
        ("sparsify transcoder", Hook("module", "m", "in", writes="m")),
        ("saelens standard", Hook("transformer_lens", "blocks.2.hook_resid_post", model="demo")),
        ("saelens 5 standard, hook_z",
         Hook("transformer_lens", "blocks.1.attn.hook_z", bos=True)),
        ("gemma scope", Hook("gemma_scope", "res/12", bos=True, model="gemma-2-2b")),
        ("gemma scope 2", Hook("module", "model.layers.12", bos=True, model="gemma-v3-1b-pt")),
        ("gemma scope 2 transcoder",
         Hook("module", "model.layers.12.pre_feedforward_layernorm", bos=True,
              model="gemma-v3-1b-pt", writes="model.layers.12.post_feedforward_layernorm")),
        ("openai topk", Hook("openai", "resid_post_mlp/8", model="gpt2")),
        ("openai relu, tied", None),
        ("dictionary_learning AutoEncoder",
         Hook("dictionary_learning", "resid_post_layer_2", model="demo")),
    ],
)  # fmt: skip
def test_files_say_where_they_are_read(tmp_path, name, hook):
    MADE[name](tmp_path)
    assert load_sae(tmp_path).origin.hook == hook
    assert [offer.hook for offer in list_offers(tmp_path)] == [hook]


@pytest.mark.parametrize(
    ("metadata", "hook"),
    [
        ({"hook_name": "blocks.3.hook_z", "hf_hook_name": "h.3.attn.c_proj.input"},
         Hook("module", "h.3.attn.c_proj", "in")),
        ({"hook_name": "blocks.3.hook_mlp_in", "prepend_bos": False},
         Hook("transformer_lens", "blocks.3.hook_mlp_in", bos=False)),
        ({"hook_name": "blocks.3.hook_resid_pre",
          "model_from_pretrained_kwargs": {"center_writing_weights": True}},
         Hook("transformer_lens", "blocks.3.hook_resid_pre", centred_weights=True)),
        ({}, None),
    ],
)  # fmt: skip
def test_names_of_the_model_itself_come_first(tmp_path, metadata, hook):
    sae_files.saelens(tmp_path, "standard", "relu", metadata=SIX | metadata)
    assert load_sae(tmp_path).origin.hook == hook


def test_a_transcoder_says_both_its_ends(tmp_path):
    metadata = SIX | {"hook_name": "blocks.3.hook_mlp_in", "hook_name_out": "blocks.3.hook_mlp_out"}
    sae_files.saelens(tmp_path, "transcoder", "relu", metadata=metadata)
    sae = load_sae(tmp_path)
    assert sae.transcoder
    want = Hook("transformer_lens", "blocks.3.hook_mlp_in", writes="blocks.3.hook_mlp_out")
    assert sae.origin.hook == want


@pytest.mark.parametrize(
    ("io", "side", "writes"),
    [("in", "in", None), ("out", "out", None), ("in_and_out", "in", "resid_post_layer_2")],
)
def test_the_side_of_a_submodule_is_what_was_buffered(tmp_path, io, side, writes):
    sae_files.dictionary_learning(tmp_path, "AutoEncoder")
    said = json.loads((tmp_path / "config.json").read_text()) | {"buffer": {"io": io}}
    (tmp_path / "config.json").write_text(json.dumps(said))
    hook = load_sae(tmp_path).origin.hook
    assert hook is not None
    assert (hook.side, hook.writes) == (side, writes)


@pytest.mark.parametrize(
    ("repository", "hook"),
    [
        ("gemma-scope-9b-pt-att/layer_3/width_131k/average_l0_55",
         Hook("gemma_scope", "att/3", bos=True, model="gemma-2-9b")),
        ("gemma-scope-9b-it-res/layer_20/width_16k/average_l0_47",
         Hook("gemma_scope", "res/20", bos=True, model="gemma-2-9b-it")),
        ("gemma-scope-2b-pt-transcoders/layer_5/width_16k/average_l0_41",
         Hook("gemma_scope", "transcoders/5", writes="mlp/5", bos=True, model="gemma-2-2b")),
        ("gemma-scope-2b-pt-res/embedding/width_4k/average_l0_6",
         Hook("gemma_scope", "embedding", bos=True, model="gemma-2-2b")),
        ("mine/layer_5/width_16k/average_l0_41", None),
    ],
)  # fmt: skip
def test_gemma_scope_is_known_by_its_address(tmp_path, repository, hook):
    sae = load_sae(sae_files.gemma_scope(tmp_path / repository).folder)
    assert sae.origin.hook == hook
    assert sae.settings["expected_l0"] == int(repository.rsplit("_", 1)[1])
    assert sae.transcoder == ("transcoders" in repository)


def test_what_is_odd_is_noted(tmp_path):
    more = {"threshold": np.linspace(-1, 1, F), "extra": np.ones(3)}
    sae_files.saelens(tmp_path, "jumprelu", "jumprelu", more=more)
    notes = load_sae(tmp_path).origin.notes
    assert "5 thresholds are negative: these features fire at any positive value" in notes
    assert "tensors that were not used: extra" in notes
    assert "100 % of the decoder norms are outside of 1 ± 0.01" in notes


def test_k_of_the_record_is_kept(tmp_path):
    for name in ("sparsify topk", "saelens topk", "openai topk"):
        MADE[name](tmp_path / name)
        assert load_sae(tmp_path / name).settings["k"] == K

"""The code that made the bundled weights: its parts by hand, and the whole at toy size."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer

from core.demo import autoencoder, text
from core.demo.autoencoder import SaeSettings, TopK
from core.demo.head import chunked_loss
from core.demo.language_model import ModelSettings, new_model
from core.demo.muon import Muon, orthogonal
from core.demo.recipe import Recipe
from core.demo.residual import activations
from core.demo.train import retrain
from data.errors import BadInput
from data.records import Progress

HOOKPOINT = "gpt_neox.layers.0"
TINY = Recipe(
    model=ModelSettings(
        n_vocab=300, n_layers=2, d_model=16, n_heads=2, sequence_length=16, report_every=2
    ),
    sae=SaeSettings(n_features=32, k=4, batch=64, silent_after=5, report_every=2),
    hookpoints=(HOOKPOINT,),
    model_share=0.5,
    sae_tokens=2000,
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "a.jsonl"
    lines = [
        f"Document {i}: the number after {i} is {i + 1}, before it {i - 1}." for i in range(200)
    ]
    path.write_text("\n".join(json.dumps({"text": line}) for line in lines))
    return path


@pytest.fixture(scope="module")
def made(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Progress]]:
    out = tmp_path_factory.mktemp("made")
    return out, list(retrain(out, 0.05, corpus=str(corpus), recipe=TINY))


def test_every_fiftieth_document_is_held_out() -> None:
    parts = text.split(str(i) for i in range(100))
    assert parts.held_out == ["25", "75"]
    assert len(parts.train) == 98


def test_sequences_begin_with_bos_and_join_to_the_stream() -> None:
    ids = text.sequences(np.arange(5, 15, dtype=np.uint16), 4)
    assert ids.tolist() == [[0, 5, 6, 7], [0, 8, 9, 10], [0, 11, 12, 13]]


def test_drawn_sequences_are_runs_of_the_stream() -> None:
    ids = text.draw(np.arange(1, 8), 200, 4, np.random.default_rng(0))
    assert (ids[:, 0] == 0).all()
    assert (ids[:, 2:] == ids[:, 1:-1] + 1).all()
    assert (ids.min(), ids[:, 1:].min(), ids.max()) == (0, 1, 7)


def test_orthogonal_brings_singular_values_near_one() -> None:
    x = torch.randn(3, 24, 8, generator=torch.Generator().manual_seed(0))
    assert torch.linalg.svdvals(orthogonal(x)).sub(0.95).abs().max() < 0.35


def test_muon_finds_a_minimum() -> None:
    target = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    weight = torch.nn.Parameter(torch.zeros(6, 4))
    muon = Muon([weight], decay=0.0)
    for step in range(200):
        weight.grad = weight.detach() - target
        muon.step(0.1 * (1 - step / 200))
    assert torch.dist(weight, target) < 0.05 * target.norm()


def test_chunked_loss_is_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(700, 8, generator=generator, requires_grad=True)
    weight = torch.randn(40, 8, generator=generator, requires_grad=True)
    target = torch.randint(40, (700,), generator=generator)
    plain = torch.autograd.grad(loss := cross_entropy(hidden @ weight.T, target), (hidden, weight))
    ours = torch.autograd.grad(chunk := chunked_loss(hidden, weight, target), (hidden, weight))
    assert chunk.item() == pytest.approx(loss.item(), rel=1e-2)
    for a, b in zip(plain, ours, strict=True):
        assert torch.dist(a, b) < 0.02 * a.norm()


def test_activations_leave_special_positions_out() -> None:
    ids = torch.tensor([[0, 5, 6, 0, 7, 8]])
    assert activations(new_model(TINY.model).eval(), ids, (HOOKPOINT,))[HOOKPOINT].shape == (4, 16)


def test_an_sae_with_weights_set_by_hand() -> None:
    sae = TopK(torch.eye(3), torch.tensor([1.0, 0.0, 0.0]), k=2)
    indices, values = sae.encode(torch.tensor([[4.0, -2.0, 1.0]]))
    assert dict(zip(indices[0].tolist(), values[0].tolist(), strict=True)) == {0: 3.0, 2: 1.0}
    assert sae(torch.tensor([[4.0, -2.0, 1.0]])).tolist() == [[4.0, 0.0, 1.0]]


def test_training_explains_sparse_data_and_keeps_decoder_rows_at_length_one() -> None:
    generator = torch.Generator().manual_seed(0)
    atoms = torch.nn.functional.normalize(torch.randn(24, 16, generator=generator), dim=1)
    on = torch.rand(4000, 24, generator=generator) < 0.1
    data = (50 * (on.float() @ atoms) + 5).half()
    sae = autoencoder.new(data, TINY.sae)
    reports = list(autoencoder.train(sae, data, TINY.sae, 3.0))
    assert reports[-1].unexplained < 0.5 * reports[0].unexplained
    assert torch.allclose(sae.W_dec.norm(dim=1), torch.ones(32), atol=1e-4)


def test_the_whole_leaves_a_folder_that_loads(made: tuple[Path, list[Progress]]) -> None:
    out, reports = made
    model = AutoModelForCausalLM.from_pretrained(out / "model")
    tokenizer = AutoTokenizer.from_pretrained(out / "model")
    assert (model.dtype, model.config.hidden_size, len(tokenizer)) == (torch.float32, 16, 300)
    assert tokenizer.decode(tokenizer("héllo\n wörld").input_ids) == "héllo\n wörld"
    assert autoencoder.load(out / "sae" / HOOKPOINT).W_dec.shape == (32, 16)
    assert reports[-1].stage == "measuring"
    assert f"`{HOOKPOINT}`" in (out / "README.md").read_text()


def test_an_existing_demo_is_not_overwritten(
    made: tuple[Path, list[Progress]], corpus: Path
) -> None:
    with pytest.raises(BadInput, match="already holds a trained demo"):
        next(retrain(made[0], 0.05, corpus=str(corpus), recipe=TINY))


def test_a_corpus_too_small_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("One short document.")
    with pytest.raises(BadInput, match="too small to train on"):
        list(retrain(tmp_path / "out", 0.05, corpus=str(tmp_path / "a.txt"), recipe=TINY))

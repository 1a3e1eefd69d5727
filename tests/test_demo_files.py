"""The shipped demo: small, complete, loadable without a warning, and as good as its card says."""

import re
from itertools import islice

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPTNeoXForCausalLM

from core import demo
from core.demo import autoencoder, text
from core.demo.language_model import held_out_loss
from core.demo.residual import activations
from data.corpus import documents


@pytest.fixture(scope="module")
def subject() -> GPTNeoXForCausalLM:
    return AutoModelForCausalLM.from_pretrained(demo.MODEL).eval()


@pytest.fixture(scope="module")
def ids() -> torch.Tensor:
    """Every fourth sequence of the first ten held-out documents [sequence, position]."""
    tokenizer = AutoTokenizer.from_pretrained(demo.MODEL)
    held_out = text.split(islice(documents(demo.CORPUS), 476)).held_out
    return text.sequences(text.encode(tokenizer, held_out), demo.SEQUENCE_LENGTH)[::4]


@pytest.fixture(scope="module")
def card() -> str:
    return (demo.FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_whole_is_smaller_than_12_mb_and_holds_no_pickle() -> None:
    files = [path for path in demo.FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 12_000_000
    assert {path.suffix for path in files} == {".json", ".safetensors", ".md"}


def test_the_tokenizer_is_lossless_and_begins_sequences_with_one_token() -> None:
    tokenizer = AutoTokenizer.from_pretrained(demo.MODEL)
    awkward = "  naïve 中文 \t\n\n>>> x = {'a': 1}\r\n🙂"
    assert tokenizer.decode(tokenizer(awkward).input_ids) == awkward
    assert tokenizer.bos_token_id == tokenizer.eos_token_id == tokenizer.pad_token_id == text.BOS_ID


def test_the_constants_fit_the_files(subject: GPTNeoXForCausalLM) -> None:
    assert {path.name for path in demo.SAE.iterdir()} == set(demo.HOOKPOINTS)
    assert subject.config.max_position_embeddings == demo.SEQUENCE_LENGTH
    assert demo.N_TOKENS >= 200_000
    for hookpoint in demo.HOOKPOINTS:
        subject.get_submodule(hookpoint)
        sae = autoencoder.load(demo.SAE / hookpoint)
        assert sae.W_dec.shape[1] == subject.config.hidden_size


def test_the_subject_predicts_held_out_text_about_as_well_as_its_card_says(
    subject: GPTNeoXForCausalLM, ids: torch.Tensor, card: str
) -> None:
    stated = float(_one(r"held-out loss \| ([\d.]+) nats", card))
    assert 2.0 < stated < 3.5
    assert held_out_loss(subject, ids) == pytest.approx(stated, abs=1.0)


def test_the_saes_reconstruct_held_out_text_about_as_well_as_the_card_says(
    subject: GPTNeoXForCausalLM, ids: torch.Tensor, card: str
) -> None:
    seen = activations(subject, ids, demo.HOOKPOINTS)
    for hookpoint in demo.HOOKPOINTS:
        row = rf"`{re.escape(hookpoint)}` \| ([\d.]+) \| ([\d.]+) \| (\d+) of 2,048"
        fvu, active, dead = map(float, re.findall(row, card)[0])
        x = seen[hookpoint].float()
        left = (x - autoencoder.load(demo.SAE / hookpoint)(x)).square().sum()
        assert left / (x - x.mean(0)).square().sum() == pytest.approx(fvu, abs=0.08)
        assert 8 < active <= 16
        assert dead < 100


def test_the_card_states_size_licence_and_the_command(
    subject: GPTNeoXForCausalLM, card: str
) -> None:
    n_parameters = sum(parameter.numel() for parameter in subject.parameters())
    assert f"{n_parameters:,} parameters" in card
    assert "license: apache-2.0" in card
    assert "gloss demo --retrain" in card
    assert "rovisional" not in card


def _one(pattern: str, card: str) -> str:
    (found,) = re.findall(pattern, card)
    return found

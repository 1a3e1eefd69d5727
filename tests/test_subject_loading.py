"""Subjects of all kinds of files: what loads, and one line for whatever does not."""

import json
import pickle
import shutil
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import httpx
import numpy as np
import pytest
import tiny
import tiny_gguf
import torch
from huggingface_hub import errors as hub
from safetensors.torch import load, save
from transformers import (
    BertConfig,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    T5Config,
)

from core import placement
from core.foreign import reported
from core.subject import Subject
from data.errors import BadInput
from data.vocabulary import Vocabulary

IDS = torch.arange(48).reshape(3, 16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A whole model; tests copy it before they break it."""
    return tiny.save_subject(tmp_path_factory.mktemp("whole") / "m")


@pytest.fixture
def broken(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "m")


def refused(folder, words, **how):
    """Load, which must end in one line with these words and the folder's name."""
    with pytest.raises(BadInput, match=words) as caught:
        Subject.load(str(folder), device="cpu", **how)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def said_of(path):
    """What a subject's refusal says; nothing where it loads."""
    try:
        Subject.load(str(path), device="cpu")
    except BadInput as error:
        return str(error)
    return ""


# GGUF


@pytest.fixture(scope="module")
def gguf(tmp_path_factory):
    return tiny_gguf.save(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def test_a_gguf_file_is_the_model_it_was_made_of(gguf):
    there, here = Subject.load(str(gguf), device="cpu"), Subject(tiny_gguf.model())
    for name in ("h.1.mlp:in", "h.2", "lm_head"):
        assert torch.equal(
            there.activations(IDS, [name])[name], here.activations(IDS, [name])[name]
        )
    assert there.sha256 == here.sha256
    assert there.special_ids == (tiny.BOS, tiny.EOS)
    assert there.tokenizer("aé qx")["input_ids"] == [*"aé ".encode(), 258]
    assert Vocabulary.from_tokenizer(there.tokenizer).bytes[tiny.BOS] == b"<bos>"


def test_a_gguf_file_that_lies_about_its_sizes_is_refused_before_anything_is_built(gguf, tmp_path):
    whole = gguf.read_bytes()
    huge = tiny_gguf.save(tmp_path / "deep.gguf", block_count=2**31)
    refused(huge, "is damaged")
    for name, data in (("cut", whole[:400]), ("other", b"PK" + whole[2:]), ("empty", b"")):
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(data)
        refused(path, "fetch it again")
    refused(tmp_path / "none.gguf", "no file")


def test_a_damaged_gguf_file_is_always_one_line(gguf, tmp_path):
    whole, random = gguf.read_bytes(), np.random.default_rng(0)
    path = tmp_path / "m.gguf"
    for _ in range(30):
        data = bytearray(whole)
        for place in random.integers(0, 5000, 3):
            data[place] = random.integers(0, 256)
        path.write_bytes(data)
        assert "\n" not in said_of(path)


def test_a_folder_of_gguf_files_names_one(gguf):
    refused(gguf.parent, "holds GGUF files: give one of them, such as .*tiny.gguf")


def test_gguf_without_its_package_says_what_to_install(gguf, monkeypatch):
    monkeypatch.setattr(placement, "find_spec", lambda name: None if name == "gguf" else name)
    with pytest.raises(BadInput, match="needs the package gguf: pip install gguf accelerate"):
        Subject.load(str(gguf))


# Other kinds of models


def test_a_wrapper_that_sees_images_is_read_through_its_text_model(tmp_path):
    text = LlamaConfig(**tiny.FAMILIES["llama"][0].to_dict())
    vision = CLIPVisionConfig(
        hidden_size=8, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        image_size=8, patch_size=4, projection_dim=8,
    )  # fmt: skip
    config = LlavaConfig(text_config=text, vision_config=vision, image_token_index=259)
    LlavaForConditionalGeneration(config).save_pretrained(tmp_path)
    subject = Subject.load(str(tmp_path), device="cpu")
    assert (subject.d_model, subject.n_layers) == (16, 3)
    assert subject.resolve("language_model.layers.1") == "model.language_model.layers.1"
    assert not any("vision" in name for name in subject.hookpoints())
    found = subject.activations(IDS, ["language_model.layers.1"])
    assert found["language_model.layers.1"].shape == (3, 16, 16)


def test_a_base_model_without_head_is_read_but_says_nothing_next(tmp_path):
    tiny.model().gpt_neox.save_pretrained(tmp_path)
    subject = Subject.load(str(tmp_path), device="cpu")
    assert torch.equal(
        subject.activations(IDS, ["layers.1"])["layers.1"],
        tiny.subject().activations(IDS, ["layers.1"])["layers.1"],
    )
    assert subject.unembedding() is None
    with pytest.raises(BadInput, match="no output head"):
        subject.decoding()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (T5Config(d_model=16, d_ff=32, num_layers=1, num_heads=2), "encoder-decoder"),
        (BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                    intermediate_size=32, vocab_size=99, architectures=["BertForMaskedLM"]),
         "no causal language model .BertForMaskedLM"),
        (CLIPVisionConfig(), "no causal language model"),
    ],
)  # fmt: skip
def test_what_does_not_predict_the_next_token_is_refused(tmp_path, config, words):
    config.save_pretrained(tmp_path)
    refused(tmp_path, words)


def test_a_folder_without_tokenizer_loads_and_one_of_old_files_counts_as_a_tokenizer(broken):
    for path in broken.glob("token*"):
        path.unlink()
    subject = Subject.load(str(broken), device="cpu")
    with pytest.raises(BadInput, match="has no tokenizer"):
        _ = subject.tokenizer
    (broken / "vocab.json").write_text("[")
    with pytest.raises(BadInput, match="cannot load the tokenizer"):
        Subject.load(str(broken), device="cpu")


# Damage


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "config.json is empty"),
        (b"\xff\xfe{}", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[1]", "holds no JSON object"),
        (b'{"model_type": "none-such"}', "cannot load the subject"),
        (b'{"transformers_weights": "../../x"}', "no file of its folder"),
        (b'{"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}}', "code of its own"),
    ],
)
def test_a_configuration_that_is_none_is_one_line(broken, data, words):
    (broken / "config.json").write_bytes(data)
    refused(broken, words)


def test_sizes_that_the_weights_have_no_room_for_are_refused(broken):
    config = json.loads((broken / "config.json").read_text())
    for name, value in (("hidden_size", 2**40), ("num_hidden_layers", 2**40), ("vocab_size", -1)):
        (broken / "config.json").write_text(json.dumps(config | {name: value}))
        refused(broken, "too few|no sizes")
    (broken / "config.json").write_text(json.dumps(config | {"intermediate_size": 48}))
    refused(broken, "other shapes")


def test_weights_that_are_cut_off_missing_or_no_numbers_are_refused(broken):
    path = broken / "model.safetensors"
    whole = path.read_bytes()
    weights = load(whole)  # not mapped: the file is cut below
    for data in (whole[:5000], b"", b"\xff" * 100):
        path.write_bytes(data)
        refused(broken, "cannot load the subject|too few")
    name = "gpt_neox.layers.1.mlp.dense_h_to_4h.weight"
    without = {key: value for key, value in weights.items() if key != name}
    path.write_bytes(save(without, {"format": "pt"}))
    refused(broken, f"lacks 1 weights, such as {name}")
    path.write_bytes(save(weights | {name: weights[name] / 0}, {"format": "pt"}))
    refused(broken, f"infinite or undefined numbers in {name}")
    path.unlink()
    refused(broken, "cannot load the subject")


def test_shards_that_are_missing_or_elsewhere_are_named(broken):
    index = broken / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": {"w": "part-2.safetensors"}}))
    refused(broken, "lacks part-2.safetensors, which model.safetensors.index.json names")
    index.write_text(json.dumps({"weight_map": {"w": "../other/model.safetensors"}}))
    refused(broken, "no file of its folder")
    index.write_text(json.dumps({"weights": {}}))
    refused(broken, "no weight_map")


class Harm:
    def __reduce__(self):
        return print, ("unpickled",)


def test_pickled_weights_are_never_unpickled(broken, capsys):
    (broken / "model.safetensors").unlink()
    torch.save({"gpt_neox.embed_in.weight": Harm()}, broken / "pytorch_model.bin")
    refused(broken, "never unpickled")
    (broken / "pytorch_model.bin").write_bytes(pickle.dumps(Harm(), 2) + bytes(9000))
    refused(broken, "cannot load the subject")
    assert "unpickled" not in capsys.readouterr().out


def test_a_damaged_folder_is_always_one_line(folder, tmp_path):
    random = np.random.default_rng(0)
    for number in range(40):
        copy = shutil.copytree(folder, tmp_path / str(number))
        name = ("config.json", "model.safetensors", "tokenizer.json")[number % 3]
        data = bytearray((copy / name).read_bytes())
        for place in random.integers(0, min(len(data), 4000), 2):
            data[place] = random.integers(0, 256)
        (copy / name).write_bytes(data)
        assert "\n" not in said_of(copy)


# The hub, and this machine


def test_a_revision_is_only_for_the_hub(folder, gguf):
    refused(folder, "leave --revision out", revision="main")
    refused(gguf, "leave --revision out", revision="main")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (hub.RevisionNotFoundError, "no such revision: give a branch, tag or commit"),
        (hub.RepositoryNotFoundError, "no such repository"),
        (hub.GatedRepoError, "accept the terms"),
    ],
)
def test_what_the_hub_refuses_is_said_in_a_line(kind, words):
    answer = httpx.Response(404, request=httpx.Request("GET", "http://hub"))
    cause = kind("404\nmany\nlines", response=answer)
    with pytest.raises(BadInput, match=f"^cannot load m: .*{words}"), reported("m"):
        raise OSError("a screen full\nof advice") from cause


def test_a_full_gpu_is_a_line():
    with pytest.raises(BadInput, match="memory is full: try --dtype"), reported("it"):
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_eight_bits_need_their_package_and_a_gpu(folder, monkeypatch):
    with pytest.raises(BadInput, match="--dtype 8bit needs the package bitsandbytes: pip install"):
        Subject.load(str(folder), dtype="8bit")
    package = ModuleType("bitsandbytes")
    package.__spec__ = ModuleSpec("bitsandbytes", None)
    monkeypatch.setitem(sys.modules, "bitsandbytes", package)
    with pytest.raises(BadInput, match="--dtype 8bit needs a CUDA device"):
        Subject.load(str(folder), dtype="8bit", device="cpu")


def test_several_gpus_are_used_or_refused_never_the_disk(folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BadInput, match="no usable CUDA device"):
        Subject.load(str(folder), device="balanced")
    with pytest.raises(BadInput, match="a part would run from cpu and disk"):
        placement.require_on_gpus([0, 1, "disk", "cpu"])
    placement.require_on_gpus([torch.device("cuda:0"), 1])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert placement.choose("bfloat16", "balanced") == placement.Placement(
        None, {"dtype": torch.bfloat16, "device_map": "balanced"}
    )
    with pytest.raises(BadInput, match="the last GPU of this machine is cuda:1"):
        placement.choose("auto", "cuda:2")


def test_tokens_that_the_model_does_not_know_are_named(folder):
    subject = tiny.subject()
    with pytest.raises(BadInput, match="gives token 260, but the model knows 260"):
        subject.activations(torch.full((1, 2), 260), ["layers.1"])

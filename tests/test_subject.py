"""The subject: names, activations against plain hooks, threads, what is refused."""

import threading

import pytest
import tiny
import torch
from torch import nn

from core.subject import Subject
from data.errors import BadInput


def by_hooks(model, ids, names):
    """Read the same places with plain PyTorch hooks over a full forward pass."""
    found, handles = {}, []
    for name in names:
        module = model.get_submodule(name.removesuffix(":in"))
        if name.endswith(":in"):

            def before(_module, args, kwargs, name=name):
                found[name] = next(iter([*args, *kwargs.values()]))

            handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        else:

            def after(_module, _args, output, name=name):
                found[name] = output[0] if isinstance(output, tuple) else output

            handles.append(module.register_forward_hook(after))
    with torch.inference_mode():
        model(ids, use_cache=False)
    for handle in handles:
        handle.remove()
    return found


@pytest.fixture(scope="module")
def neox():
    return tiny.subject("gpt-neox")


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_activations_are_those_of_a_plain_hook(family):
    subject = tiny.subject(family)
    ids = torch.arange(48).reshape(3, 16)
    names = [name for name in subject.hookpoints() if "rotary" not in name]
    block = tiny.FAMILIES[family][1]
    assert {block, f"{block}:in", f"{block}.mlp", "lm_head"} <= set(names)
    want = by_hooks(subject.model, ids, names)
    for few in ([block], [f"{block}.mlp:in", block], names):
        got = subject.activations(ids, few)
        assert list(got) == few
        assert all(torch.equal(got[name], want[name]) for name in few)


def test_a_trace_stops_at_the_last_hookpoint(neox):
    def later(*_):
        raise AssertionError("a later layer ran")

    handle = neox.model.gpt_neox.layers[2].register_forward_hook(later)
    neox.activations(torch.zeros(1, 4, dtype=torch.long), ["layers.1"])
    handle.remove()


def test_hookpoints_are_in_the_order_of_execution(neox):
    names = neox.hookpoints()
    wanted = ["layers.0:in", "layers.0.attention", "layers.0.mlp", "layers.0", "layers.1.mlp:in"]
    places = [names.index(f"gpt_neox.{name}") for name in wanted]
    assert places == sorted(places)
    assert neox.width("layers.0.mlp.act") == 32


def test_names_relative_to_the_base_model_are_resolved_exactly(neox):
    assert neox.resolve("layers.1.mlp:in") == "gpt_neox.layers.1.mlp:in"
    assert neox.resolve("gpt_neox.layers.1") == "gpt_neox.layers.1"
    with pytest.raises(BadInput, match=r"no hookpoint 'layers\.10': near it are .*layers\.1"):
        neox.resolve("layers.10")


def test_four_threads_get_the_right_answers(neox):
    batches = [torch.arange(16).reshape(2, 8) + 10 * n for n in range(12)]
    want = [neox.activations(ids, ["layers.1"])["layers.1"] for ids in batches]
    got = {}

    def work(first):
        for number in range(first, len(batches), 4):
            got[number] = neox.activations(batches[number], ["layers.1"])["layers.1"]

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(got[number], want[number]) for number in range(len(batches)))


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_the_unembedding_is_the_change_of_the_logits(family):
    subject = tiny.subject(family)
    norm = subject._final_norm()
    nn.init.normal_(norm.weight)
    x, v = torch.randn(2, 16, generator=torch.Generator().manual_seed(3)).double()
    W_U = subject.unembedding().double()
    head = subject.model.get_output_embeddings().weight.double()
    step = 1e-6

    def logits(h):  # the norm with its divisor held fixed at x
        centre = torch.zeros(()) if family == "llama" else 1
        spread = (x - centre * x.mean()).pow(2).mean().sqrt()
        return (h - centre * h.mean()) / spread * norm.weight.double() @ head.T * spread

    assert torch.allclose((logits(x + step * v) - logits(x)) / step, v @ W_U, atol=1e-6)


def test_what_is_known_of_a_subject(neox):
    assert (neox.d_model, neox.n_layers, neox.max_length) == (16, 3, 64)
    assert (neox.bos_id, neox.eos_id, neox.special_ids) == (256, 257, (256, 257))
    assert (neox.vocabulary_size, neox.dtype) == (260, "float32")
    assert neox.architecture == "GPTNeoXForCausalLM"


def test_a_local_folder_loads_without_network(tmp_path, neox):
    tiny.save_subject(tmp_path / "m")
    loaded = Subject.load(str(tmp_path / "m"), device="cpu")
    ids = torch.arange(8)[None]
    assert torch.equal(
        loaded.activations(ids, ["layers.1"])["layers.1"],
        neox.activations(ids, ["layers.1"])["layers.1"],
    )
    assert loaded.sha256 == neox.sha256
    assert loaded.tokenizer("aé")["input_ids"] == list("aé".encode())


def test_a_missing_folder_or_model_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match="no folder /nowhere/model"):
        Subject.load("/nowhere/model")
    with pytest.raises(BadInput, match=r"no config\.json"):
        Subject.load(str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(BadInput, match="cannot load the subject gloss-tests/none") as caught:
        Subject.load("gloss-tests/none")
    assert "\n" not in str(caught.value)


def test_wrong_words_for_device_and_dtype(tmp_path):
    folder = str(tiny.save_subject(tmp_path / "m"))
    with pytest.raises(BadInput, match="no such device 'gpu'"):
        Subject.load(folder, device="gpu")
    with pytest.raises(BadInput, match="no such dtype 'fp8'"):
        Subject.load(folder, dtype="fp8")


def test_a_subject_without_tokenizer_says_so():
    with pytest.raises(BadInput, match="has no tokenizer"):
        _ = Subject(tiny.model()).tokenizer


def test_importing_the_subject_leaves_objects_alone(neox):
    assert not hasattr(object(), "save")

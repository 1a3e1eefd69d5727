"""Folders, files and repositories with one or many SAEs: what is found, chosen and downloaded."""

import os
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
import sae_files
import tiny
import torch
from sae_files import MADE, OPENAI

from core.sae import list_hookpoints, list_offers, load_sae
from core.sae.formats import find
from core.sae.hooks import Hook
from data.errors import BadInput


def test_formats_are_recognised_by_the_names_of_files():
    known = find(
        ["a/cfg.json", "a/sae_weights.safetensors", "a/sparsity.safetensors", "b/w/params.npz",
         "c/readme.md", "config.json", "state.pt", "optimizer_0.pt", "d/cfg.json",
         "d/sae.safetensors", "e/config.json", "e/ae.pt", "e/checkpoints/ae_100.pt", "f/12.pt",
         "g/config.json", "g/checkpoints/ae_5.pt", "h/config.json", "h/params.safetensors",
         "i/hyperparams.json", "i/checkpoints/final.safetensors", "j/layer3.sae.pt",
         "k/layer_3.safetensors"]
    )  # fmt: skip
    assert {name: found.name for name, found in known.items()} == {
        "a": "SAELens",
        "b/w": "Gemma Scope",
        "d": "sparsify",
        "e": "dictionary_learning",
        "f/12.pt": "OpenAI sparse_autoencoder",
        "g": "dictionary_learning",
        "h": "Gemma Scope 2",
        "i": "Llama Scope",
        "j/layer3.sae.pt": "Qwen Scope",
        "k/layer_3.safetensors": "circuit-tracer transcoder",
    }


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (("hyperparams.json", "checkpoints/final.safetensors"), "Llama Scope"),
        (("layer3.sae.pt",), "Qwen Scope"),
        (("layer_3.safetensors",), "circuit-tracer transcoder"),
    ],
)
def test_formats_that_are_not_read_are_refused_by_name(tmp_path, files, name):
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(b"")
    with pytest.raises(BadInput, match=f"is in the {name} format, which is not read yet"):
        load_sae(tmp_path)
    assert [offer.format for offer in list_offers(tmp_path)] == [name]


@pytest.mark.parametrize("file", ["sae.safetensors", "weights.pt", "autoencoder.pt", "sae.npz"])
def test_weights_without_a_configuration_ask_for_what_is_missing(tmp_path, file):
    torch.save({"W_enc": torch.ones(2, 3)}, tmp_path / file)
    facts = "which activation function, k or thresholds, whether b_dec is subtracted from the "
    facts += "input, how the input is normalised, and which hookpoint it reads"
    for source in (tmp_path, tmp_path / file):
        with pytest.raises(BadInput, match=re.escape(file) + ".*" + re.escape(facts)):
            load_sae(source)


def test_a_file_is_the_sae_that_it_belongs_to(tmp_path):
    for name in ("sparsify topk", "openai topk", "dictionary_learning AutoEncoder"):
        folder = MADE[name](tmp_path / name).folder
        inside = [folder] if folder.is_file() else folder.iterdir()
        (file,) = (path for path in inside if path.suffix != ".json")
        assert load_sae(file).sha256 == load_sae(tmp_path / name).sha256
        assert len(list_offers(file)) == 1
    (tmp_path / "any.pt").write_bytes((tmp_path / "openai topk" / OPENAI).read_bytes())
    assert load_sae(tmp_path / "any.pt").kind == "topk"


def test_sets_of_every_library_are_listed_and_read_by_their_folders(tmp_path):
    for seed in (0, 1):
        tiny.save_sae(tmp_path / f"mine/layers.2/seed{seed}", tiny.weights(seed=seed))
    for layer in (2, 10):
        sae_files.gemma_scope(
            tmp_path / f"gemma-scope-2b-pt-res/layer_{layer}/width_16k/average_l0_7"
        )
        sae_files.openai(tmp_path / f"resid_delta_mlp_v5_32k/autoencoders/{layer}.pt")
        sae_files.dictionary_learning(
            tmp_path / f"set/resid_post_layer_{layer}/trainer_0", "AutoEncoder",
            submodule_name=f"resid_post_layer_{layer}",
        )  # fmt: skip
    sae_files.saelens(tmp_path / "lens/blocks.2.hook_resid_post", "standard", "relu")
    offers = list_offers(tmp_path)
    named = {offer.folder: offer.hook and (offer.hook.world, offer.hook.name) for offer in offers}
    assert list(named) == list_hookpoints(tmp_path)
    assert named == {
        "gemma-scope-2b-pt-res/layer_2/width_16k/average_l0_7": ("gemma_scope", "res/2"),
        "gemma-scope-2b-pt-res/layer_10/width_16k/average_l0_7": ("gemma_scope", "res/10"),
        "lens/blocks.2.hook_resid_post": ("transformer_lens", "blocks.2.hook_resid_post"),
        "mine/layers.2/seed0": ("module", "layers.2"),
        "mine/layers.2/seed1": ("module", "layers.2"),
        "resid_delta_mlp_v5_32k/autoencoders/2.pt": ("openai", "resid_delta_mlp/2"),
        "resid_delta_mlp_v5_32k/autoencoders/10.pt": ("openai", "resid_delta_mlp/10"),
        "set/resid_post_layer_2/trainer_0": ("dictionary_learning", "resid_post_layer_2"),
        "set/resid_post_layer_10/trainer_0": ("dictionary_learning", "resid_post_layer_10"),
    }
    for offer in offers:
        assert load_sae(tmp_path, offer.folder).origin.hook == offer.hook
    assert [offer.folder for offer in list_offers(tmp_path, "mine")] == list(named)[3:5]


def test_seeds_of_one_hookpoint_have_to_be_told_apart(tmp_path):
    for seed in (0, 1):
        tiny.save_sae(tmp_path / f"layers.2/seed{seed}", tiny.weights(seed=seed))
    with pytest.raises(
        BadInput, match=r"2 SAEs for 'h\.layers\.2'.* layers\.2/seed0, layers\.2/seed1"
    ):
        load_sae(tmp_path, "h.layers.2")
    sae = load_sae(tmp_path, "layers.2/seed1")
    assert torch.equal(sae.weights.b_enc, tiny.weights(seed=1).b_enc)
    assert sae.origin.hookpoint == "layers.2"
    (tmp_path / "layers.2/seed1/cfg.json").unlink()
    assert torch.equal(load_sae(tmp_path, "layers.2").weights.b_enc, tiny.weights(seed=0).b_enc)


def test_a_part_of_an_address_finds_the_one_sae_that_has_it(tmp_path):
    for layer, l0 in ((1, 7), (12, 9)):
        sae_files.gemma_scope(tmp_path / f"layer_{layer}/width_16k/average_l0_{l0}")
    assert load_sae(tmp_path, "layer_12").settings["expected_l0"] == 9
    with pytest.raises(BadInput, match="2 SAEs for 'width_16k'"):
        load_sae(tmp_path, "width_16k")


def test_listing_reads_no_weights(tmp_path):
    for name in (
        "sparsify topk",
        "saelens topk",
        "gemma scope 2",
        "dictionary_learning AutoEncoder",
    ):
        folder = MADE[name](tmp_path / name).folder
        for path in folder.iterdir():
            if path.suffix != ".json":
                path.write_bytes(b"no weights")
    assert all(offer.hook for offer in list_offers(tmp_path))


def test_one_broken_configuration_does_not_hide_the_others(tmp_path):
    for layer in (1, 2):
        tiny.save_sae(tmp_path / f"layers.{layer}", tiny.weights())
    (tmp_path / "layers.1/cfg.json").write_text("{")
    broken, whole = list_offers(tmp_path)
    assert (broken.folder, broken.hook, whole.hook) == (
        "layers.1",
        None,
        Hook("module", "layers.2"),
    )
    assert "cfg.json is not JSON" in broken.problem
    with pytest.raises(BadInput, match=r"cfg\.json is not JSON"):
        list_offers(tmp_path / "layers.1")


def test_a_language_model_is_no_sae(tmp_path):
    for name in ("config.json", "model-00001-of-00002.safetensors", "optimizer_0.pt"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(BadInput, match="no SAE in a known format"):
        load_sae(tmp_path)


def test_pipes_are_not_waited_for(tmp_path):
    folder = tiny.save_sae(tmp_path / "layers.1", tiny.weights())
    for name in ("sae.safetensors", "cfg.json"):
        (folder / name).unlink()
        os.mkfifo(folder / name)
        with pytest.raises(BadInput, match=f"{name} is (not there|missing)"):
            load_sae(folder)


def test_an_sae_at_the_root_of_a_repository_is_named_like_it(hub):
    root, published = hub
    tiny.save_sae(root, tiny.weights())
    published()
    assert load_sae("org/set").origin.hookpoint == "set"
    assert list_hookpoints("org/set") == ["set"]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub with one repository, whose files are real; what was downloaded is written down."""
    root = tmp_path / "hub"
    names: list[str] = []
    fetched: list[str] = []

    def snapshot(repository, *, allow_patterns, local_files_only):
        assert not local_files_only
        fetched.extend(n for n in names if any(fnmatch(n, p) for p in allow_patterns))
        return str(root)

    monkeypatch.setattr("core.sae.places.hub_answers", lambda: True)
    monkeypatch.setattr("huggingface_hub.HfApi.list_repo_files", lambda self, repository: names)
    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)

    def published(*more):
        names.extend(sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()))
        names.extend(more)
        return fetched

    return root, published


def test_of_a_repository_only_the_files_of_the_chosen_sae_are_downloaded(hub):
    root, published = hub
    for layer in (1, 12):
        sae_files.gemma_scope(root / f"layer_{layer}/width_16k/average_l0_82")
        sae_files.dictionary_learning(root / f"sub/trainer_{layer}", "AutoEncoder")
        steps = f"checkpoints/ae_{layer}.pt"
        sae_files.dictionary_learning(root / "steps/trainer_0", "AutoEncoder", file=steps)
        sae_files.saelens(root / f"lens/blocks.{layer}.hook_resid_post", "standard", "relu")
        sae_files.openai(root / f"resid_post_mlp_v5_32k/autoencoders/{layer}.pt")
        (root / f"lens/blocks.{layer}.hook_resid_post/sparsity.safetensors").write_bytes(b"")
    fetched = published("README.md", "optimizer_0.pt")
    for chosen, files in {
        "layer_12/width_16k/average_l0_82": ["params.npz"],
        "lens/blocks.1.hook_resid_post": ["cfg.json", "sae_weights.safetensors"],
        "sub/trainer_1": ["ae.pt", "config.json"],
        "steps/trainer_0": ["checkpoints/ae_12.pt", "config.json"],
        "resid_post_mlp_v5_32k/autoencoders/12.pt": [""],
    }.items():
        fetched.clear()
        sae = load_sae("google/gemma-scope-2b-pt-res", chosen)
        assert sae.origin.source == "google/gemma-scope-2b-pt-res"
        assert fetched == [f"{chosen}/{file}".rstrip("/") for file in files]
        assert sae.origin.hook is not None


def test_listing_a_repository_downloads_configurations_only(hub):
    root, published = hub
    for layer in (1, 2):
        sae_files.saelens(root / f"blocks.{layer}.hook_resid_post", "standard", "relu")
    fetched = published()
    assert len(list_offers("org/set")) == 2
    assert fetched == ["blocks.1.hook_resid_post/cfg.json", "blocks.2.hook_resid_post/cfg.json"]
    fetched.clear()
    assert len(list_offers("org/set", "blocks.2.hook_resid_post")) == 1
    assert fetched == ["blocks.2.hook_resid_post/cfg.json"]


def test_gemma_scope_is_listed_without_downloading_anything(hub):
    root, published = hub
    sae_files.gemma_scope(root / "layer_12/width_16k/average_l0_82")
    fetched = published()
    (offer,) = list_offers("google/gemma-scope-9b-pt-mlp")
    assert offer.hook == Hook("gemma_scope", "mlp/12", bos=True, model="gemma-2-9b")
    assert fetched == []


def test_names_of_a_repository_do_not_lead_out_of_it(hub):
    root, published = hub
    tiny.save_sae(root / "layers.1", tiny.weights())
    published("../x/cfg.json", "../x/sae.safetensors", "/y/cfg.json", "/y/sae.safetensors")
    assert list_hookpoints("org/set") == ["layers.1"]
    for name in ("../x", "/y"):
        with pytest.raises(BadInput, match="no SAE for"):
            load_sae("org/set", name)


def test_names_with_stars_are_names(hub):
    root, published = hub
    for name in ("a*", "ab", "a[b]"):
        tiny.save_sae(root / name, tiny.weights())
    fetched = published()
    load_sae("org/set", "a*")
    load_sae("org/set", "a[b]")
    assert {Path(name).parent.name for name in fetched} == {"a*", "a[b]"}


def test_centred_weights_are_known_of_their_release(hub):
    root, published = hub
    sae_files.saelens(
        root / "blocks.8.hook_resid_pre",
        None,
        "relu",
        old=True,
        hook_point="blocks.8.hook_resid_pre",
    )
    published()
    (offer,) = list_offers("jbloom/GPT2-Small-SAEs-Reformatted")
    assert offer.hook is not None
    assert offer.hook.centred_weights
    assert offer.hook.bos

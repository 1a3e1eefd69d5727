"""The stage `cache`: what is refused and when, and which SAE a hookpoint gets."""

import json
from dataclasses import replace

import pytest
import tiny
import torch
from cached_things import cached, request
from safetensors.torch import save_file

from core.baselines.kinds import Kind
from core.pipeline.baseline_caches import make, targets
from core.pipeline.caching import cache_stage
from core.pipeline.inputs import require_name
from core.pipeline.saes import load_again
from core.probe import open_probe
from core.sae import load_sae
from data import baselines, caches, runs
from data.cachefiles import CacheFiles
from data.catalogue import Catalogue
from data.errors import BadInput, WrongSae


@pytest.fixture
def catalogue(tmp_path):
    return Catalogue(tmp_path / "store")


def test_the_sae_of_another_hookpoint_is_refused_and_nothing_is_registered(catalogue, things):
    with pytest.raises(
        WrongSae, match=r"no SAE .* gpt_neox\.layers\.2 of .*is for gpt_neox\.layers\.1;"
    ):
        cached(catalogue, request(things, "set/layers.1", at=("layers.2",), anyway=False))
    assert caches.caches(catalogue) == []
    assert runs.runs(catalogue) == []


def test_what_the_settings_say_counts_too(catalogue, things, tmp_path):
    tiny.save_sae(tmp_path / "mine", tiny.weights(), hookpoint="layers.1")
    asked = replace(request(things, at=("layers.2",), anyway=False), saes=(str(tmp_path / "mine"),))
    with pytest.raises(WrongSae, match=r"mine is for gpt_neox\.layers\.1;"):
        cached(catalogue, asked)


@pytest.mark.parametrize(
    ("saes", "at", "want"),
    [
        (("set/layers.1",), ("gpt_neox.layers.1",), {"gpt_neox.layers.1": "layers.1"}),
        (("my_a",), ("layers.2",), {"gpt_neox.layers.2": "my_a"}),
        (("set",), ("layers.2",), {"gpt_neox.layers.2": "set"}),
        (
            ("set/gpt_neox.layers.2", "set/layers.1"),
            ("layers.1", "layers.2"),
            {"gpt_neox.layers.1": "layers.1", "gpt_neox.layers.2": "gpt_neox.layers.2"},
        ),
        (
            ("my_b", "my_a"),
            ("layers.0", "layers.2"),
            {"gpt_neox.layers.0": "my_b", "gpt_neox.layers.2": "my_a"},
        ),
        (
            ("my_a", "set/layers.1"),
            ("layers.1", "layers.0"),
            {"gpt_neox.layers.1": "layers.1", "gpt_neox.layers.0": "my_a"},
        ),
        (("coder",), ("layers.1.mlp:in",), {"gpt_neox.layers.1.mlp:in": "coder"}),
        (
            ("coder", "plain"),
            ("layers.1.mlp", "layers.1.mlp:in"),
            {"gpt_neox.layers.1.mlp": "plain", "gpt_neox.layers.1.mlp:in": "coder"},
        ),
        (
            ("coder", "plain"),
            (),
            {"gpt_neox.layers.1.mlp": "plain", "gpt_neox.layers.1.mlp:in": "coder"},
        ),
    ],
)
def test_every_hookpoint_gets_its_sae(catalogue, things, saes, at, want):
    assert dict(cached(catalogue, request(things, *saes, at=at))[0]) == want


@pytest.mark.parametrize(
    ("saes", "at", "words"),
    [
        (("set", "set/layers.1"), ("layers.1",), r"2 SAEs are given for gpt_neox\.layers\.1"),
        (("set", "set/layers.1"), (), r"2 SAEs are given for gpt_neox\.layers\.1"),
        (("set",), ("layers.1", "gpt_neox.layers.1"), "given twice"),
        (("set/layers.1", "set/gpt_neox.layers.2"), ("layers.1",), "which no --hookpoint asks"),
        (("my_a", "my_b"), ("layers.1",), r"2 of them, 1 left"),
        (("my_a",), (), "my_a is named after no hookpoint"),
        (("plain",), ("layers.1.mlp:in",), r"reads the output of gpt_neox.*, not its input"),
        (("set",), ("layers.7",), r"no hookpoint 'layers\.7'"),
        (("text.txt",), (), "text.txt"),
        (("model",), (), "no SAE in a known format"),
    ],
)
def test_what_does_not_go_together_is_one_line(catalogue, things, saes, at, words):
    with pytest.raises(BadInput, match=words) as caught:
        cached(catalogue, request(things, *saes, at=at, anyway=False))
    assert "\n" not in str(caught.value)
    assert caches.caches(catalogue) == []


def test_anyway_reads_an_sae_elsewhere_than_its_files_say_and_opens_it_again(catalogue, things):
    asked = request(things, "set/layers.1", at=("layers.2",))
    points, progress = cached(catalogue, asked)
    assert points == [("gpt_neox.layers.2", "layers.1")]
    said = "its files are for gpt_neox.layers.1, it is read where --hookpoint says"
    assert any(said in one.note for one in progress)
    assert open_probe(catalogue, caches.cache(catalogue, "small")).hookpoints == [points[0][0]]


def test_local_folders_are_stored_in_full(catalogue, things, monkeypatch):
    monkeypatch.chdir(things)
    cached(catalogue, replace(request(things), subject="model", saes=("./set/layers.1/",)))
    record = caches.cache(catalogue, "small")
    assert record.subject == str(things / "model")
    assert record.hookpoints[0].sae_source == str(things / "set" / "layers.1")
    monkeypatch.chdir(things.parent)
    assert open_probe(catalogue, record).hookpoints


NORMALISED = "blocks.1.ln2.hook_normalized"


def test_a_place_that_transformer_lens_normalises_is_cached_so_and_probed_so(
    catalogue, things, tmp_path
):
    tiny.save_subject(tmp_path / "llama", "llama")
    asked = replace(
        request(things, at=(NORMALISED,)), subject=str(tmp_path / "llama"), saes=("random:24:4",)
    )
    ((point, _),), _ = cached(catalogue, asked)
    record = caches.cache(catalogue, "small")
    (made,) = record.hookpoints
    files = CacheFiles.open(catalogue.store / record.folder)
    ids = torch.from_numpy(files.tokens.flat(0, 64)).long().reshape(2, 32)
    x = tiny.subject("llama").activations(ids, [point])[point].flatten(0, 1)
    x = x / (x.pow(2).mean(1, keepdim=True) + 1e-6).sqrt()
    dense = load_sae("random:24:4", point, width=16).encode(x).dense()
    dense[torch.isin(ids.flatten(), torch.tensor(files.meta.special_ids))] = 0
    for feature in range(24):
        found = files.columns(made.hookpoint_id).slice(feature)
        want = dense[:, feature].nonzero()[:, 0]
        here = found.token < 64
        assert found.token[here].tolist() == want.tolist()
        value = torch.from_numpy(found.activation[here].astype("float32"))
        assert torch.allclose(value, dense[want, feature], rtol=1e-2)
    assert open_probe(catalogue, record).sae(point).transforms[0].norm == "rms"
    assert_baseline_reads_the_same(catalogue, record, files)
    with pytest.raises(BadInput, match=f"what is read at {point} {NORMALISED}, not none"):
        cached(catalogue, replace(asked, hookpoints=(point,)))


def test_a_random_sae_normalises_its_input_as_the_files_of_the_sae_beside_say(
    catalogue, things, tmp_path
):
    tiny.save_subject(tmp_path / "llama", "llama")
    w = tiny.weights()
    settings = {"architecture": "standard", "d_in": 16, "d_sae": 24, "dtype": "float32",
                "normalize_activations": "layer_norm",
                "metadata": {"hook_name": NORMALISED}}  # fmt: skip
    (tmp_path / "sae").mkdir()
    (tmp_path / "sae" / "cfg.json").write_text(json.dumps(settings))
    save_file({"W_enc": w.W_enc.contiguous(), "b_enc": w.b_enc, "W_dec": w.W_dec, "b_dec": w.b_dec},
              tmp_path / "sae" / "sae_weights.safetensors")  # fmt: skip
    asked = replace(request(things), subject=str(tmp_path / "llama"), saes=(str(tmp_path / "sae"),))
    ((point, _),), _ = cached(catalogue, asked)
    record = caches.cache(catalogue, "small")
    with catalogue.reading() as con:
        found = baselines.origin(con, record.cache_id)
    (target,) = targets(record, found, [Kind("random-sae")], ())
    source = target.places[0].source
    assert source.endswith(":rms+layer_norm")
    sae = load_again(tiny.subject("llama"), source, point)
    assert [step.norm for step in sae.transforms] == ["rms", "layer_norm"]


def assert_baseline_reads_the_same(catalogue, record, files):
    """A random SAE beside this one, which has its very weights, gives its very activations."""
    with catalogue.reading() as con:
        found = baselines.origin(con, record.cache_id)
    (target,) = targets(record, found, [Kind("random-sae")], ())
    assert target.places[0].source == "random:24:4"
    list(make(catalogue, record, target, "cpu", ("gloss",)))
    other = caches.cache(catalogue, target.name)
    theirs = CacheFiles.open(catalogue.store / other.folder)
    for feature in range(24):
        own = files.columns(record.hookpoints[0].hookpoint_id).slice(feature)
        same = theirs.columns(other.hookpoints[0].hookpoint_id).slice(feature)
        assert own.token.tolist() == same.token.tolist()
        assert own.activation.tolist() == same.activation.tolist()
    point = other.hookpoints[0].name
    assert open_probe(catalogue, other).sae(point).transforms[0].norm == "rms"


@pytest.mark.parametrize("name", ["", ".", "..", ".x", "a/b", "a\nb", "a\0", "x" * 101, "-x", "x "])
def test_a_name_that_is_no_folder_name_is_refused_at_once(catalogue, things, name):
    with pytest.raises(BadInput, match="cannot name a cache") as caught:
        next(cache_stage(catalogue, replace(request(things), name=name)))
    assert "\n" not in str(caught.value)
    assert caches.caches(catalogue) == []


def test_ordinary_names_are_taken():
    for name in ("demo", "pythia-70m.v2", "a cache", "x" * 100, "_1"):
        require_name(name)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"abc\xff", "not UTF-8"), (b" \n", "no text"), (None, "no such file")],
)
def test_a_wrong_corpus_is_refused_before_the_model_loads(
    catalogue, things, tmp_path, content, words
):
    if content is not None:
        (tmp_path / "text.txt").write_bytes(content)
    asked = replace(request(things), corpus=str(tmp_path / "text.txt"))
    with pytest.raises(BadInput, match=words):
        next(cache_stage(catalogue, asked))
    assert caches.caches(catalogue) == []

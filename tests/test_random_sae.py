"""Random SAEs: drawn from their address, cached like any other, one a hookpoint."""

from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch

from core.pipeline.caching import CacheRequest, cache_stage
from core.sae import list_hookpoints, load_sae
from core.sae.random import Size, read_size
from data import caches
from data.cachefiles import CacheFiles
from data.catalogue import Catalogue
from data.errors import BadInput


def drawn(source="random:48:4", hookpoint="layers.1", width=16):
    return load_sae(source, hookpoint, width=width)


def test_rows_have_length_one_and_the_decoder_is_the_transposed_encoder():
    w = drawn().weights
    assert w.W_dec is not None
    assert w.W_dec.shape == (48, 16)
    assert torch.equal(w.W_dec, w.W_enc.T)
    assert torch.allclose(w.W_dec.norm(dim=1), torch.ones(48), atol=1e-6)
    assert not w.b_dec.any()
    assert not w.b_enc.any()


def test_directions_have_no_preference():
    W_dec = drawn("random:20000:4", width=3).W_dec
    assert W_dec is not None
    assert W_dec.mean(0).abs().max() < 0.02
    assert (W_dec.pow(2).mean(0) - 1 / 3).abs().max() < 0.02


def test_the_largest_k_positive_projections_are_kept():
    sae, x = drawn(), torch.randn(5, 16, generator=torch.Generator().manual_seed(0))
    p = x @ sae.weights.W_enc
    kept = torch.where(p >= p.topk(4).values[:, -1:], p, torch.tensor(0.0)).relu()
    assert torch.allclose(sae.encode(x).dense(), kept, atol=1e-6)


def test_the_same_address_is_the_same_sae_and_any_other_is_not():
    assert torch.equal(drawn().weights.W_enc, drawn("random:48:4:0").weights.W_enc)
    hashes = {
        drawn(*args).sha256
        for args in (
            (),
            ("random:48:4:1",),
            ("random:48:4", "layers.2"),
            ("random:48:4", "layers.1:in"),
            ("random:47:4",),
        )
    }
    assert len(hashes) == 5
    assert drawn("random:48:5").sha256 == drawn().sha256  # the weights; k is a setting


def test_many_rows_are_drawn_as_one_stream():
    few, many = drawn("random:10:4").W_dec, drawn("random:9000:4").W_dec
    assert few is not None
    assert many is not None
    assert torch.equal(few, many[:10])


@pytest.mark.parametrize(
    "source",
    ["random:", "random:48", "random:48:0", "random:4:5", "random:x:1", "random:8:2:-1",
     "random:8:2:1:1", "random:8:2:tall", "random:999999999:4"],
)  # fmt: skip
def test_what_is_no_size_is_one_line(source):
    with pytest.raises(BadInput, match=r"write random:FEATURES:K .*e\.g\. random:2048:32"):
        list_hookpoints(source)


def test_a_source_says_features_k_and_seed():
    assert read_size("random:2048:32") == Size(2048, 32, 0)
    assert read_size("random:2048:32:7") == Size(2048, 32, 7)
    assert read_size("random:2048:32:7:rms") == Size(2048, 32, 7, "rms")


def test_a_norm_of_the_source_is_done_to_the_input_and_undone():
    x = torch.tensor([[3.0, 4.0, 5.0, 8.0], [1.0, 1.0, 1.0, 5.0]])
    normed = torch.tensor([[-2.0, -1.0, 0.0, 3.0], [-1.0, -1.0, -1.0, 3.0]])
    plain, sae = drawn("random:6:2", width=4), drawn("random:6:2:centre", width=4)
    assert sae.input_norm == "centre"
    assert torch.allclose(sae.encode(x).dense(), plain.encode(normed).dense())
    want = plain.decode(plain.encode(normed)) + x.mean(1, keepdim=True)
    assert torch.allclose(sae.decode(sae.encode(x), x), want)


@pytest.fixture(scope="module")
def things(tmp_path_factory):
    """A subject, an SAE and a text; only to be read."""
    folder = tmp_path_factory.mktemp("things")
    tiny.save_subject(folder / "model")
    tiny.save_sae(folder / "layers.1", tiny.weights())
    tiny.save_sae(folder / "mine", tiny.weights(seed=3))
    (folder / "text.txt").write_text("\n".join(tiny.texts(4)))
    return folder


@pytest.fixture
def catalogue(tmp_path):
    return Catalogue(tmp_path / "store")


def request(things, saes, at) -> CacheRequest:
    given = tuple(sae if sae.startswith("random:") else str(things / sae) for sae in saes)
    return CacheRequest(
        subject=str(things / "model"), saes=given, corpus=str(things / "text.txt"), name="small",
        n_tokens=200, hookpoints=at, sequence_length=32, anyway=True,
    )  # fmt: skip


def cached(catalogue, asked):
    progress = list(cache_stage(catalogue, asked))
    record = caches.cache(catalogue, asked.name)
    return record, progress


def test_a_random_sae_is_cached_beside_a_real_one(catalogue, things):
    asked = request(things, ("layers.1", "random:40:4"), ("layers.1", "layers.2"))
    record, progress = cached(catalogue, asked)
    kinds = {h.name: (h.sae_kind, h.n_features) for h in record.hookpoints}
    assert kinds == {"gpt_neox.layers.1": ("topk", 24), "gpt_neox.layers.2": ("random", 40)}
    made = record.hookpoints[1]
    assert made.fvu is not None
    assert made.l0 == pytest.approx(4)
    assert "of random directions, a baseline" in progress[-1].note
    columns = CacheFiles.open(catalogue.store / record.folder).columns(made.hookpoint_id)
    assert 0 < columns.counts().sum() <= 4 * record.n_unmasked


def test_caching_twice_gives_the_same_weights_and_the_same_activations(tmp_path, things):
    found = []
    for name in ("a", "b"):
        catalogue = Catalogue(tmp_path / name)
        record, _ = cached(catalogue, request(things, ("random:40:4",), ("layers.2",)))
        files = CacheFiles.open(catalogue.store / record.folder)
        made = record.hookpoints[0].hookpoint_id
        found.append((files.meta.hookpoints[0].sae_sha256, files.columns(made)))
    (first, one), (second, other) = found
    assert first == second
    assert np.array_equal(one.counts(), other.counts())
    for feature in range(40):
        assert np.array_equal(one.slice(feature).activation, other.slice(feature).activation)


def test_the_same_again_is_done_before_and_another_seed_is_another_cache(catalogue, things):
    asked = request(things, ("random:40:4",), ("layers.2",))
    cached(catalogue, asked)
    _, progress = cached(catalogue, replace(asked, saes=("random:40:4:0",)))
    assert progress[-1].note == "done before"
    with pytest.raises(BadInput, match="give another --name"):
        cached(catalogue, replace(asked, saes=("random:40:4:1",)))


@pytest.mark.parametrize(
    ("saes", "at", "want"),
    [
        (("random:8:2",), ("layers.0", "layers.1"), ["random:8:2", "random:8:2"]),
        (("mine", "random:8:2"), ("layers.0", "layers.1"), ["mine", "random:8:2"]),
        (("random:8:2", "mine"), ("layers.0", "layers.1", "layers.2"),
         ["random:8:2", "random:8:2", "mine"]),
        (("random:8:2", "random:8:2:1"), ("layers.0", "layers.1"), ["random:8:2", "random:8:2:1"]),
        (("random:8:2", "random:8:2"), ("layers.0", "layers.1"), ["random:8:2", "random:8:2"]),
        (("random:8:2",), ("layers.1.mlp:in",), ["random:8:2"]),
    ],
)  # fmt: skip
def test_a_random_sae_serves_the_hookpoints_that_are_left(catalogue, things, saes, at, want):
    record, _ = cached(catalogue, request(things, saes, at))
    by_name = {h.name: h.sae_source.rsplit("/", 1)[-1] for h in record.hookpoints}
    assert [by_name[f"gpt_neox.{name}"] for name in at] == want


@pytest.mark.parametrize(
    ("saes", "at", "words"),
    [
        (("random:8:2",), (), "random:8:2 is named after no hookpoint"),
        (("layers.1", "random:8:2"), ("layers.1",), "1 of them, 0 left"),
        (("random:8",), ("layers.1",), "random:8 is no random SAE"),
        (("random:8:2", "random:8:2:1"), ("layers.1",), "2 of them, 1 left"),
    ],
)
def test_what_a_random_sae_lacks_is_one_line(catalogue, things, saes, at, words):
    with pytest.raises(BadInput, match=words) as caught:
        cached(catalogue, request(things, saes, at))
    assert "\n" not in str(caught.value)
    assert caches.caches(catalogue) == []

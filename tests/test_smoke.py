"""Doubts before a cache is made: SAEs that do not fit are refused, disagreements are noted."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from small import SMALL

from core import demo, show, status
from core.pipeline.caching import CacheRequest, cache_stage
from core.pipeline.smoke import doubts, expected_l0
from core.probe import open_probe
from core.sae import JumpReLU, TopK
from core.sae.checks import n_copies
from core.sae.coder import Origin
from core.sae.hooks import Hook
from data import caches
from data.cachefiles import CacheMeta
from data.catalogue import Catalogue
from data.errors import WrongSae


@pytest.fixture
def catalogue(tmp_path):
    return Catalogue(tmp_path / "store")


def test_the_sae_of_another_place_is_refused_before_anything_is_stored(catalogue, tmp_path):
    shutil.copytree(demo.SAE / "gpt_neox.layers.2", tmp_path / "mine")
    (tmp_path / "a.txt").write_text("\n".join(tiny.texts(8)))
    asked = replace(SMALL, saes=(str(tmp_path / "mine"),), hookpoints=("layers.2.mlp",),
                    corpus=str(tmp_path / "a.txt"))  # fmt: skip
    with pytest.raises(
        WrongSae, match=r"does not fit gpt_neox\.layers\.2\.mlp .*FVU .*usual causes: "
    ):
        list(cache_stage(catalogue, asked))
    assert caches.caches(catalogue) == []


@pytest.fixture(scope="module")
def things(tmp_path_factory):
    """A subject, an SAE with random weights and a text; only to be read."""
    folder = tmp_path_factory.mktemp("things")
    tiny.save_subject(folder / "model")
    tiny.save_sae(folder / "layers.1", tiny.weights())
    (folder / "text.txt").write_text("\n".join(tiny.texts(4)))
    return folder


def request(things, *saes, at=(), **other) -> CacheRequest:
    return CacheRequest(
        subject=str(things / "model"), saes=saes or (str(things / "layers.1"),),
        corpus=str(things / "text.txt"), name="small", n_tokens=200, hookpoints=at,
        sequence_length=32, **other,
    )  # fmt: skip


def test_anyway_caches_it_all_the_same_and_says_what_is_wrong(catalogue, things):
    with pytest.raises(WrongSae, match=r"no better than the mean .* --anyway") as caught:
        list(cache_stage(catalogue, request(things)))
    assert "\n" not in str(caught.value)
    *_, last = cache_stage(catalogue, request(things, anyway=True))
    assert "the SAE does not fit; usual causes" in last.note
    *_, again = cache_stage(catalogue, request(things))  # it is there: nothing is tried
    assert again.note == "done before"


def test_nothing_is_promised_of_neurons_and_their_cache_opens_again(catalogue, things):
    at = ("layers.1.mlp.dense_4h_to_h:in",)
    *_, last = cache_stage(catalogue, request(things, "neurons:5", at=at))
    assert "of neurons, a baseline" in last.note
    record = caches.cache(catalogue, "small")
    (made,) = record.hookpoints
    assert (made.sae_kind, made.n_features, made.l0) == ("neurons", 32, pytest.approx(5))
    assert made.fvu < 1
    probe = open_probe(catalogue, record)
    assert probe.top("a b", made.name)


def test_what_was_measured_is_shown(cached_store):
    catalogue = Catalogue(cached_store)
    (hookpoint,) = caches.cache(catalogue, "small").hookpoints
    (cache,) = json.loads(next(status.lines(catalogue, as_json=True)))["caches"]
    found = cache["fit"][hookpoint.name]
    loss = found["loss"]
    assert loss["intact"] < loss["spliced"] < loss["mean"] < loss["zero"]
    recovered = (loss["mean"] - loss["spliced"]) / (loss["mean"] - loss["intact"])
    assert loss["recovered_mean"] == pytest.approx(recovered)
    assert 0.8 < recovered < 1
    line = next(show.cache_lines(catalogue, "small", None, as_json=True))
    assert json.loads(line)["fit"] == found
    words = f"loss recovered {100 * recovered:.0f} % (mean)"
    assert words in next(show.cache_lines(catalogue, "small", None, as_json=False))
    assert any(words in line for line in status.lines(catalogue, as_json=False))


def coder(**settings) -> JumpReLU:
    return JumpReLU(tiny.weights(), torch.tensor(0.0), origin=Origin(settings=settings))


@pytest.mark.parametrize(
    ("sae", "l0"),
    [
        (TopK(tiny.weights(), 4), 4),
        (coder(expected_l0=82), 82),
        (coder(k=20), 20),
        (coder(trainer={"k": 60}), 60),
        (coder(), None),
        (coder(k=True, expected_l0="many"), None),
    ],
)
def test_how_many_features_should_fire_is_read_where_it_stands(sae, l0):
    assert expected_l0(sae) == l0


def test_too_many_active_features_are_refused(catalogue, things, tmp_path):
    folder = tmp_path / "gemma-scope-2b-pt-res" / "layer_1" / "width_16k" / "average_l0_1"
    folder.mkdir(parents=True)
    w = tiny.weights()
    zero = {"b_enc": np.zeros(24), "b_dec": np.zeros(16), "threshold": np.zeros(24)}
    np.savez(folder / "params.npz", W_enc=w.W_enc, W_dec=w.W_dec,
             **{name: array.astype(np.float32) for name, array in zero.items()})  # fmt: skip
    asked = request(things, str(folder), at=("layers.1",))
    with pytest.raises(WrongSae, match=r"1[0-9]\.\d features fire at a token, where it says 1;"):
        list(cache_stage(catalogue, asked))


def noted(model=None, bos=None, bos_id=None, name="EleutherAI/pythia-70m") -> list[str]:
    sae = TopK(tiny.weights(), 4, origin=Origin(hook=Hook("module", "x", bos=bos, model=model)))
    subject = tiny.subject()
    subject.name = name
    return doubts(sae, subject, CacheMeta(32, bos_id=bos_id))


def test_disagreements_are_notes(tmp_path):
    assert noted("pythia-70m") == noted("EleutherAI/pythia-70m") == noted() == []
    assert noted("gpt2-small", name="openai-community/gpt2") == []
    (said,) = noted("gpt2-small")
    assert said == "it was trained on gpt2-small, the subject is EleutherAI/pythia-70m"
    assert noted("gpt2-small", name=str(tmp_path)) == []  # a folder may be called anything
    assert noted(bos=True, bos_id=256) == noted(bos=False) == []
    assert noted(bos=True) == ["it was trained on sequences that begin with BOS, these do not"]


def test_copied_features_are_counted_and_noted():
    w = tiny.weights()
    assert n_copies(TopK(w, 4)) == 0
    for tensor in (w.W_enc.T, w.b_enc, w.W_dec):
        tensor[[5, 7]] = tensor[3].clone()
        tensor[9, ...] = tensor[8].clone()
    w.W_enc[15, 9] += 1  # behind what is compared first
    assert n_copies(TopK(w, 4)) == 2
    assert n_copies(JumpReLU(w, torch.arange(24.0))) == 0
    said = doubts(TopK(w, 4), tiny.subject(), CacheMeta(32))
    assert said == ["2 of its features are exact copies of other ones"]


def test_the_usual_causes_are_said_once(catalogue, things, tmp_path):
    tiny.save_sae(tmp_path / "layers.0", tiny.weights(seed=3))
    asked = request(things, str(things / "layers.1"), str(tmp_path / "layers.0"), anyway=True)
    *_, last = cache_stage(catalogue, asked)
    assert last.note.count("the SAE does not fit") == 2
    assert last.note.count("usual causes") == 1

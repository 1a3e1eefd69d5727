"""Subjects on NDIF: the same traces, packed, run elsewhere and unpacked."""

import io
import pickle
import sys
from dataclasses import replace

import fake_ndif
import numpy as np
import pytest
import tiny
import torch
import zstandard
from nnsight.modeling import huggingface

from core.pipeline.caching import CacheRequest, cache_stage
from core.subject import Subject
from core.subject.tracing import _Backend
from data import caches
from data.cachefiles import CacheFiles
from data.catalogue import Catalogue
from data.errors import BadInput

IDS = torch.arange(48).reshape(3, 16)
REPO = "gloss-tests/hosted"


@pytest.fixture
def hosted(monkeypatch):
    """A subject whose weights only the server has, and the server."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(huggingface._ID_CACHE, REPO, REPO)
    monkeypatch.setenv("NDIF_API_KEY", "secret")
    with torch.device("meta"):
        skeleton = tiny.model()
    with fake_ndif.served() as server:
        monkeypatch.setenv("NDIF_HOST", server.address)
        subject = Subject(skeleton, tiny.tokenizer(), name=REPO, revision="abc", runs_on="ndif")
        yield subject, server


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_dry_run_of_remote_gives_what_the_subject_gives(family, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    here = tiny.subject(family)
    tokenizer = tiny.tokenizer()
    there = Subject(here.model, tokenizer, runs_on="rehearsal")
    names = [name for name in here.hookpoints() if "rotary" not in name]
    want, got = here.activations(IDS, names), there.activations(IDS, names)
    assert all(torch.equal(got[name], want[name]) for name in names)
    assert tokenizer.pad_token is None


def test_a_model_without_weights_has_the_hookpoints_of_one_with_them(hosted):
    subject, here = hosted[0], tiny.subject()
    assert subject.hookpoints() == here.hookpoints()
    assert all(subject.width(name) == here.width(name) for name in here.hookpoints())
    assert subject.special_ids == here.special_ids
    assert subject.sha256 != here.sha256


def test_ndif_gives_what_the_subject_gives_and_hears_no_more_than_it_needs(hosted):
    subject, server = hosted
    names = ["layers.0.mlp:in", "layers.1"]
    want, got = tiny.subject().activations(IDS, names), subject.activations(IDS, names)
    assert all(torch.equal(got[name], want[name]) for name in names)
    assert subject.dtype == "float32"
    assert server.keys == ["secret", "secret"]
    assert REPO in server.metadata[0]
    assert "secret" not in "".join(server.metadata)


class Harm:
    def __reduce__(self):
        return print, ("unpickled",)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"layers.1": Harm()}, "objects other than tensors"),
        ({}, "has no activations"),
        ([], "has no activations"),
    ],
)
def test_a_reply_of_another_kind_is_one_line_and_never_unpickled(hosted, capsys, found, words):
    subject, server = hosted
    file = io.BytesIO()
    torch.save({"found": found}, file)
    server.reply = zstandard.ZstdCompressor().compress(file.getvalue())
    with pytest.raises(BadInput, match=words) as caught:
        subject.activations(IDS, ["layers.1"])
    assert "\n" not in str(caught.value)
    assert "unpickled" not in capsys.readouterr().out


def test_what_needs_weights_says_so(hosted):
    subject, _ = hosted
    assert subject.unembedding() is None
    with pytest.raises(BadInput, match="runs on NDIF: steering needs its weights"):
        subject.decoding()


def test_an_ndif_that_does_not_answer_is_one_line(hosted, monkeypatch):
    monkeypatch.setenv("NDIF_HOST", "http://127.0.0.1:9")
    with pytest.raises(BadInput, match=r"NDIF does not answer .*run the same command again"):
        hosted[0].activations(IDS, ["layers.1"])


def test_without_a_key_nothing_is_asked(hosted, monkeypatch):
    monkeypatch.delenv("NDIF_API_KEY")
    with pytest.raises(BadInput, match="set NDIF_API_KEY"):
        hosted[0].activations(IDS, ["layers.1"])
    with pytest.raises(BadInput, match="set NDIF_API_KEY"):
        Subject.load("org/name", runs_on="ndif")


def test_a_model_on_this_machine_and_its_number_format_are_not_for_ndif(tmp_path, monkeypatch):
    monkeypatch.setenv("NDIF_API_KEY", "secret")
    folder = str(tiny.save_subject(tmp_path / "m"))
    with pytest.raises(BadInput, match="NDIF runs models of the hub"):
        Subject.load(folder, runs_on="ndif")
    with pytest.raises(BadInput, match="NDIF decides dtype and device"):
        Subject.load("org/name", dtype="float16", runs_on="ndif")


def test_a_status_of_another_kind_is_never_unpickled(capsys):
    file = io.BytesIO()
    torch.save({"id": Harm()}, file, pickle_protocol=4)
    with pytest.raises(pickle.UnpicklingError, match=r"holds builtins\.print"):
        _Backend.parse(file.getvalue())
    assert "unpickled" not in capsys.readouterr().out


def test_a_cache_made_by_the_way_to_ndif_is_the_same_and_never_mixed(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    text = tmp_path / "text.txt"
    text.write_text("\n\n".join(tiny.texts()))
    catalogue = Catalogue(tmp_path / "store")
    request = CacheRequest(
        str(tiny.save_subject(tmp_path / "m")), ("random:32:4",), str(text), "there", 640,
        ("layers.1",), sequence_length=64, device="cpu", runs_on="rehearsal",
    )  # fmt: skip
    stores = {}
    for name, runs_on in (("there", "rehearsal"), ("here", "here")):
        for _ in cache_stage(catalogue, replace(request, name=name, runs_on=runs_on)):
            pass
        files = CacheFiles.open(catalogue.store / caches.cache(catalogue, name).folder)
        stores[name] = files.columns(files.meta.hookpoints[0].hookpoint_id).block(0, 32)
    assert all(map(np.array_equal, stores["here"], stores["there"]))
    with pytest.raises(BadInput, match="the subject run rehearsal, not here"):
        list(cache_stage(catalogue, replace(request, runs_on="here")))

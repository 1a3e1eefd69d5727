"""The stage `cache` once more: what is the same cache, what a failure leaves."""

import json
import shutil
from dataclasses import replace

import pytest
import safetensors.torch
import tiny
from cached_things import cached, request

from core import status
from core.pipeline.caching import cache_stage
from core.pipeline.corpora import text_of
from data import caches, runs
from data.activations import Columns
from data.catalogue import Catalogue
from data.corpus import open_corpus
from data.errors import BadInput, StoreBusy, StoreTrouble
from data.identity import difference


@pytest.fixture
def catalogue(tmp_path):
    return Catalogue(tmp_path / "store")


def test_the_same_again_is_done_before_however_paths_are_spelled(catalogue, things, monkeypatch):
    asked = request(things, "set", at=("layers.1", "layers.2"))
    cached(catalogue, asked)
    monkeypatch.chdir(things)
    other = replace(
        asked, subject="./model", saes=("set/",), corpus="./text.txt",
        hookpoints=("gpt_neox.layers.2", "layers.1"),
    )  # fmt: skip
    assert cached(catalogue, other)[1][-1].note == "done before"
    assert len(runs.runs(catalogue)) == 1


def changed_weights(folder):
    path = folder / "model" / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    safetensors.torch.save_file({k: 2 * v for k, v in tensors.items()}, path, {"format": "pt"})


def changed_sae(folder):
    shutil.rmtree(folder / "set" / "layers.1")
    tiny.save_sae(folder / "set" / "layers.1", tiny.weights(seed=77))


def changed_text(folder):
    path = folder / "text.txt"
    path.write_text(path.read_text().replace("0", "9"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed_weights, "a subject with the weights"),
        (changed_sae, r"SAE at gpt_neox\.layers\.1"),
        (changed_text, "a corpus with the text"),
    ],
)
def test_what_changed_in_its_place_is_another_cache(catalogue, things, tmp_path, change, words):
    mine = tmp_path / "mine"
    shutil.copytree(things, mine)
    cached(catalogue, request(mine))
    change(mine)
    with pytest.raises(BadInput, match=f"cache 'small' was begun with {words} .*, not "):
        cached(catalogue, request(mine))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"n_tokens": 300}, "begun with tokens 200, not 300"),
        ({"seed": 3}, "seed 0, not 3"),
        ({"sequence_length": 64}, "sequence_length 32, not 64"),
        ({"dtype": "bfloat16"}, "begun with dtype float32, not bfloat16"),
    ],
)
def test_the_setting_that_differs_is_named(catalogue, things, other, words):
    cached(catalogue, request(things))
    with pytest.raises(BadInput, match=words):
        cached(catalogue, request(things, **other))


def test_settings_that_change_hashes_are_named_before_the_hashes():
    begun = {"text": "a" * 64, "subject": "b" * 64, "tokens": 200, "dtype": "float32"}
    more = {**begun, "text": "c" * 64, "tokens": 300}
    rounded = {**begun, "subject": "d" * 64, "dtype": "bfloat16"}
    assert difference(begun, more) == "tokens 200, not 300"
    assert difference(begun, rounded) == "dtype float32, not bfloat16"
    assert difference(begun, {**begun, "text": "c" * 64}) == (
        "a corpus with the text aaaaaaaa..., not cccccccc..."
    )


def test_text_counts_as_far_as_it_is_needed(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "aaaaaaaa"}\n{"text": "b"}\n')
    short, whole = (text_of(open_corpus(str(path)), n) for n in (1, 2))
    path.write_text('{"text": "aaaaaaaa"}\n{"text": "c"}\n')
    assert text_of(open_corpus(str(path)), 1) == short
    assert text_of(open_corpus(str(path)), 2) != whole
    assert "torch" in text_of(open_corpus("python-docs"), 100)


def failed(catalogue, things, **other):
    """A cache that is registered and fails before it has tokens."""
    asked = request(things, **other)
    obstacle = catalogue.store / "caches" / "small" / "tokens.u16"
    obstacle.mkdir(parents=True)
    with pytest.raises(StoreTrouble):
        cached(catalogue, asked)
    obstacle.rmdir()
    return asked


def state(catalogue):
    return status.as_object(catalogue)["caches"][0]["state"]


def test_a_cache_that_failed_says_so_and_its_name_can_be_used(catalogue, things):
    failed(catalogue, things)
    assert state(catalogue) == "failed"
    before = caches.cache(catalogue, "small")
    points, _ = cached(catalogue, request(things, "set", n_tokens=300))
    assert {name for name, _ in points} == {"gpt_neox.layers.1", "gpt_neox.layers.2"}
    record = caches.cache(catalogue, "small")
    assert record.cache_id == before.cache_id
    assert record.n_tokens >= 300
    assert state(catalogue) == "done"
    with catalogue.reading() as con:
        assert con.value("select count(*) from hookpoint") == 2
    assert Columns.open(catalogue.store / record.folder / str(record.hookpoints[1].hookpoint_id))


def test_a_cache_that_failed_goes_on_with_the_same_settings(catalogue, things):
    asked = failed(catalogue, things)
    cached(catalogue, asked)
    assert [row["status"] for row in runs.runs(catalogue)] == ["done"]


def test_stored_tokens_are_never_replaced(catalogue, things):
    for progress in cache_stage(catalogue, request(things)):
        if progress.stage == "caching":
            break
    assert state(catalogue) == "interrupted"
    with pytest.raises(BadInput, match="tokens 200, not 300"):
        cached(catalogue, request(things, n_tokens=300))
    cached(catalogue, request(things))
    assert state(catalogue) == "done"


def test_a_cache_in_the_making_is_not_replaced(catalogue, things):
    stage = cache_stage(catalogue, request(things))
    while next(stage).stage != "tokenising":
        pass
    assert state(catalogue) == "running"
    with pytest.raises(StoreBusy, match="run 1 is making cache 'small'"):
        cached(catalogue, request(things, n_tokens=300))
    stage.close()
    cached(catalogue, request(things, n_tokens=300))


def test_status_survives_a_missing_folder(catalogue, things):
    cached(catalogue, request(things))
    shutil.rmtree(catalogue.store / "caches")
    (cache,) = json.loads(next(status.lines(catalogue, as_json=True)))["caches"]
    assert cache["bytes"] == 0

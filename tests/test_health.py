"""Health of caches: what is missing, and files that do not fit the catalogue."""

import json
import shutil

import pytest
from stores import begin, make_store

from dashboard.health_words import facts
from data import caches, health
from data.catalogue import Catalogue


@pytest.fixture(scope="module")
def small(scored_store):
    return Catalogue(scored_store)


def by_name(checks):
    return {check.what: check.is_right for check in checks}


def test_a_whole_cache_is_healthy_and_agrees_with_the_catalogue(small):
    record = caches.cache(small, "small")
    found = health.health(small, record)
    assert (found.status, found.has_vocabulary, found.unfinished) == ("done", True, ())
    assert found.n_special == record.n_tokens - record.n_unmasked > 0
    assert found.bytes > 100_000
    assert found.hookpoints[0].fvu is not None
    assert sum(found.hookpoints[0].reasons.values()) < found.hookpoints[0].n_features
    checks = health.check(small, "small")
    assert len(checks) == 7
    assert all(check.is_right for check in checks), checks


def test_files_that_were_changed_are_found(tmp_path):
    made = make_store(tmp_path, sequences=60)
    folder = tmp_path / made.cache.folder
    meta = json.loads((folder / "cache.json").read_text())
    sae = {"hookpoint_id": made.hookpoint_id, "name": "layers.1.mlp", "sae_source": "x",
           "sae_kind": "topk", "sae_sha256": "cd" * 32, "n_features": 16}  # fmt: skip
    meta |= {"hookpoints": [sae], "tokens_sha256": "t" * 64, "tokenizer_sha256": "w" * 64}
    (folder / "cache.json").write_text(json.dumps(meta))
    found = {check.what: check for check in health.check(made.catalogue, "made")}
    assert found["tokens"].is_right
    assert found["token file"].is_right is False
    assert found["tokenizer"].words == "the catalogue has vvvvvvvvvvvv, cache.json has wwwwwwwwwwww"
    assert found["SAE at layers.1.mlp"].is_right is False
    assert found["activations at layers.1.mlp"].is_right
    (folder / "vocabulary.json").unlink()
    assert by_name(health.check(made.catalogue, "made"))["vocabulary file"] is False
    assert not health.health(made.catalogue, made.cache).has_vocabulary
    shutil.rmtree(folder)
    gone = facts(health.health(made.catalogue, made.cache))
    assert next(one.value for one in gone if one.name == "Activations").startswith("missing")


@pytest.mark.parametrize("text", [None, "{", '{"sequence_length": "no"}', "[]"])
def test_without_a_readable_cache_json_one_line_says_so(tmp_path, text):
    catalogue = Catalogue(tmp_path)
    record = begin(catalogue)
    if text is not None:
        (tmp_path / record.folder).mkdir(parents=True)
        (tmp_path / record.folder / "cache.json").write_text(text)
    checks = health.check(catalogue, "made")
    assert checks[0].what == "cache.json" or all(c.is_right is not True for c in checks)


def test_identity_names_everything_with_its_hash(small):
    with small.reading() as con:
        found = dict(health.identity(con, 1))
        assert health.identity(con, 99) == []
    assert found["corpus"]
    assert len(found["tokens"]) == len(found["tokenizer"]) == 64
    assert any(name.startswith("SAE at gpt_neox.layers") for name in found)

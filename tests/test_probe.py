"""Probing texts: as the cache has them, however they are cut, batched and asked for."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import tiny

from core.cache import CacheSettings, build
from core.packing import encode
from core.pipeline.caching import CacheRequest, cache_stage
from core.probe import Probe, open_probe
from core.sae import ReLU
from data import caches
from data.cachefiles import CacheFiles
from data.catalogue import Catalogue
from data.errors import BadInput, NotFound

POINT, INPUT = "gpt_neox.layers.1", "gpt_neox.layers.0.mlp:in"


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """A cache of the tiny subject, two SAEs, and a probe of the same."""
    subject = tiny.subject()
    saes = {1: (POINT, tiny.sae()), 2: (INPUT, ReLU(tiny.weights(seed=9)))}
    settings = CacheSettings(corpus="tiny", tokens=1600, sequence_length=32)
    folder = tmp_path_factory.mktemp("probe")
    list(build(folder, subject, saes, tiny.texts(20), settings))
    files = CacheFiles.open(folder)
    return files, Probe(subject, dict(saes.values()), files.meta)


def texts_of(files, probe):
    """Sequences whose text becomes the same tokens again: number -> text."""
    found = {}
    for number, ids in enumerate(files.tokens.matrix()):
        raw = b"".join(files.vocabulary.bytes[token] for token in ids[1:])
        text = raw.decode("utf-8", "replace")
        if encode(probe.subject.tokenizer, [text])[0] == ids[1:].tolist():
            found[number] = text
    return found


@pytest.mark.parametrize("hookpoint", [POINT, INPUT])
def test_a_cached_sequence_read_back_as_text_has_the_cached_activations(cached, hookpoint):
    files, probe = cached
    texts = texts_of(files, probe)
    assert len(texts) > 20
    number = {POINT: 1, INPUT: 2}[hookpoint]
    columns = files.columns(number)
    found = probe.everything(list(texts.values()), hookpoint)
    dense = np.zeros((columns.n_features, files.meta.n_tokens), np.float32)
    for feature in range(columns.n_features):
        active = columns.slice(feature)
        dense[feature, active.token.astype(np.int64)] = active.activation
    dense = dense.reshape(columns.n_features, -1, 32)
    for sequence, said in zip(texts, found, strict=True):
        got = np.stack([said.of(f).activations for f in range(columns.n_features)])
        # Batches of another shape add in another order: the last bit of half precision may differ.
        assert got == pytest.approx(dense[:, sequence, 1:], rel=1e-3, abs=1e-6)
        assert len(said.token) == np.count_nonzero(dense[:, sequence])


def test_pieces_are_the_text_and_special_tokens_are_masked(cached):
    _, probe = cached
    (found,) = probe.activations(["né<eos>1 <bos>"], POINT, 3)
    assert found.pieces == ("n", "é", "", "", "1", " ", "")
    (everything,) = probe.everything(["né<eos>1 <bos>"], POINT)
    assert not set(everything.token.tolist()) & {3, 6}
    assert {0, 1, 2, 4, 5} >= set(everything.token.tolist())


def test_company_and_order_change_nothing(cached):
    _, probe = cached
    texts = ["a", "some longer text, é", "", "b" * 31, "7 8 9 10"] * 5
    together = probe.activations(texts, POINT, 2)
    alone = [probe.activations([text], POINT, 2)[0] for text in texts]
    for one, other in zip(together, alone, strict=True):
        assert one.pieces == other.pieces
        assert one.activations == pytest.approx(other.activations, rel=1e-3, abs=1e-6)


def test_a_long_text_is_cut_like_the_corpus(cached):
    _, probe = cached
    text = "One byte is one token, so that this takes three sequences of 31 tokens."
    (whole,) = probe.everything([text], POINT)
    parts = [text[i : i + 31] for i in range(0, len(text), 31)]
    assert len(parts) == 3
    pieces = probe.everything(parts, POINT)
    token = np.concatenate([part.token + 31 * i for i, part in enumerate(pieces)])
    assert whole.token.tolist() == token.tolist()
    assert whole.activation == pytest.approx(
        np.concatenate([part.activation for part in pieces]), rel=1e-3
    )
    assert "".join(whole.pieces) == text


def test_a_text_without_tokens_has_no_peak(cached):
    _, probe = cached
    assert probe.peaks(["", "a"], POINT, 0)[0] is None
    assert probe.peaks(["", "a"], POINT, 0)[1] >= 0
    assert probe.peaks([], POINT, 0) == []
    assert probe.activations(["\ud83d"], POINT, 0)[0].pieces == ("?",)


def test_the_strongest_features_of_a_text_are_listed_once_each(cached):
    _, probe = cached
    (everything,) = probe.everything(["12 monkeys"], INPUT)
    top = probe.top("12 monkeys", INPUT, 5)
    assert [peak.activation for peak in top] == sorted(
        (everything.of(f).activations.max() for f in range(24)), reverse=True
    )[:5]
    for peak in top:
        values = everything.of(peak.feature).activations
        assert (values[peak.token], int(values.argmax())) == (peak.activation, peak.token)


def test_without_bos_texts_begin_as_in_such_a_cache(cached):
    files, probe = cached
    bare = Probe(probe.subject, {POINT: tiny.sae()}, replace(files.meta, bos_id=None))
    with_bos, without = (p.everything(["abc"], POINT)[0] for p in (probe, bare))
    assert with_bos.pieces == without.pieces
    assert with_bos.activation.tolist() != without.activation.tolist()


def test_threads_share_a_probe(cached):
    _, probe = cached
    texts = [f"text {number}" for number in range(24)]
    want = [probe.peaks([text], POINT, 1) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda text: probe.peaks([text], POINT, 1), texts)) == want


def test_unknown_hookpoints_and_features_are_refused(cached):
    _, probe = cached
    with pytest.raises(NotFound, match=r"no SAE for hookpoint 'layers\.1' is loaded; there is"):
        probe.peaks(["a"], "layers.1", 0)
    with pytest.raises(NotFound, match="features 0 to 23, not 24"):
        probe.peaks(["a"], POINT, 24)


@pytest.fixture
def store(tmp_path):
    """A cache in a catalogue, with the files of its subject and SAEs."""
    tiny.save_subject(tmp_path / "model")
    tiny.save_sae(tmp_path / "saes" / "layers.1", tiny.weights(seed=1))
    tiny.save_sae(tmp_path / "saes" / "layers.2", tiny.weights(seed=2))
    (tmp_path / "text.txt").write_text("\n".join(tiny.texts(4)))
    catalogue = Catalogue(tmp_path / "store")
    request = CacheRequest(
        subject=str(tmp_path / "model"),
        saes=(str(tmp_path / "saes"),),
        corpus=str(tmp_path / "text.txt"),
        name="small",
        n_tokens=200,
        sequence_length=32,
    )
    list(cache_stage(catalogue, request))
    return catalogue, caches.cache(catalogue, "small")


def test_a_probe_is_opened_by_what_the_cache_says(store):
    catalogue, record = store
    probe = open_probe(catalogue, record)
    assert probe.hookpoints == ["gpt_neox.layers.1", "gpt_neox.layers.2"]
    again = Probe(tiny.subject(), {POINT: tiny.sae(seed=1)}, probe.meta)
    assert probe.peaks(["a b c"], POINT, 2) == again.peaks(["a b c"], POINT, 2)
    assert open_probe(catalogue, record, ["gpt_neox.layers.2"]).hookpoints == ["gpt_neox.layers.2"]
    with pytest.raises(NotFound, match=r"no hookpoint 'layers\.9'; it has"):
        open_probe(catalogue, record, ["layers.9"])


def test_other_weights_than_the_cache_was_made_with_are_refused(store, tmp_path):
    catalogue, record = store
    tiny.save_sae(tmp_path / "other" / "layers.2", tiny.weights(seed=3))
    path = tmp_path / "saes" / "layers.2" / "sae.safetensors"
    path.write_bytes((tmp_path / "other" / "layers.2" / "sae.safetensors").read_bytes())
    with pytest.raises(BadInput, match=r"the SAE .*saes is not what cache 'small'") as caught:
        open_probe(catalogue, record)
    assert "\n" not in str(caught.value)
    assert open_probe(catalogue, record, [POINT]).hookpoints == [POINT]
    path = tmp_path / "model" / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    safetensors.torch.save_file({k: 2 * v for k, v in tensors.items()}, path, {"format": "pt"})
    with pytest.raises(BadInput, match=r"the subject .* is not what cache 'small' was made with"):
        open_probe(catalogue, record, [POINT])

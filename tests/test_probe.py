"""Probing texts: as the cache has them, however they are cut, batched and asked for."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import tiny

from core.cache import CacheSettings, build
from core.fired import Everything, Fired
from core.grammar import Corpus, parse
from core.grammar.scan import claims
from core.packing import encode
from core.pipeline.caching import CacheRequest, cache_stage
from core.probe import Probe, open_probe, widen
from core.sae import ReLU
from core.steered import Steering, Writing
from data import caches
from data.cachefiles import CacheFiles
from data.catalogue import Catalogue
from data.errors import BadInput, NotFound, Stopped

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


SMALL = Everything(
    ("a", "b", "c"),
    token=np.array([0, 2, 2]),
    feature=np.array([7, 7, 9], np.int32),
    activation=np.array([3.0, 1.0, 2.0], np.float32),
    ids=np.arange(3),
)


def test_features_are_ranked_by_their_peak_or_by_the_sum_over_chosen_tokens():
    assert SMALL.fired() == [Fired(7, 3.0, 0, 0.0), Fired(9, 2.0, 2, 0.0)]
    assert SMALL.fired([2]) == [Fired(9, 2.0, 2, 2.0), Fired(7, 3.0, 0, 1.0)]
    assert SMALL.fired([0, 2]) == [Fired(7, 3.0, 0, 4.0), Fired(9, 2.0, 2, 2.0)]
    assert SMALL.fired([1, 99]) == SMALL.fired()
    assert SMALL.strongest().tolist() == [7, -1, 9]


def test_several_hookpoints_in_one_pass_give_what_each_gives_alone(cached):
    _, probe = cached
    texts = ["12 monkeys", "é"]
    together = probe.across(texts, [POINT, INPUT])
    for name, found in together.items():
        for one, other in zip(found, probe.everything(texts, name), strict=True):
            assert one.ids.tolist() == other.ids.tolist()
            assert one.feature.tolist() == other.feature.tolist()
            assert one.activation == pytest.approx(other.activation, rel=1e-3)
    assert probe.across(texts, []) == {}


RULES = (
    'here:token=" " & near4:token="1"|"2" -> 2 @ 0.5',
    'position:range="3"|"9" -> 3 @ 0.5 ; state:seen -> 1 @ 0.5',
    'prev:token="4" -> 4 @ 0.5',
)


@pytest.mark.parametrize("rule", RULES)
def test_rules_claim_of_a_text_what_they_claim_of_the_same_cached_sequence(cached, rule):
    files, probe = cached
    corpus = Corpus(files.tokens.matrix(), files.vocabulary.strings, files.meta.special_ids)
    said = set(claims(corpus, parse(rule)).position.tolist())
    n = 0
    for sequence, text in texts_of(files, probe).items():
        (found,) = probe.everything([text], POINT)
        got = ~np.isnan(probe.claimed(found, parse(rule)))
        want = [32 * sequence + 1 + i in said for i in range(len(got))]
        assert got.tolist() == want
        n += sum(want)
    assert n > 20


def test_what_rules_predict_is_the_value_of_the_first_that_holds(cached):
    _, probe = cached
    (found,) = probe.everything(["ab" * 20], POINT)  # longer than a sequence
    rules = parse('here:token="a" -> 2.5 @ 0.5 ; state:document-start -> 9 @ 1')
    said = probe.claimed(found, rules)
    assert said[:4] == pytest.approx([2.5, np.nan, 2.5, np.nan], nan_ok=True)
    start = probe.claimed(found, parse("state:document-start -> 9 @ 1"))
    assert np.flatnonzero(~np.isnan(start)).tolist() == [0]
    assert len(probe.claimed(probe.everything([""], POINT)[0], rules)) == 0


def test_a_long_prompt_keeps_its_end(cached):
    _, probe = cached
    steering, writing = Steering(2, "add", 1.0, 3.0), Writing(10)

    def go(prompt):
        return probe.steer(prompt, POINT, steering, writing, lambda done, total: None)

    long = go("x" * 30 + "0123456789" * 5)
    assert (long.n_prompt, long.n_cut) == (64 - 1 - 10, 27)
    assert long.steered == go(("x" * 30 + "0123456789" * 5)[27:]).steered
    assert len(probe.pieces(long.steered.clean[0].ids)) == 10
    with pytest.raises(BadInput, match="no prompt"):
        go("")


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
        anyway=True,
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


def test_hookpoints_are_added_one_by_one_and_every_step_is_said(store):
    catalogue, record = store
    said = []
    probe = open_probe(catalogue, record, [POINT], say=said.append)
    assert said[:2] == ["starting PyTorch", "reading the weights of the subject"]
    assert said[2:] == ["comparing the subject with the cache's", f"reading the SAE of {POINT}"]
    widen(probe, record, say=said.append)
    assert probe.hookpoints == [POINT, "gpt_neox.layers.2"]
    assert said[4:] == ["reading the SAE of gpt_neox.layers.2"]

    def stop(_words):
        raise Stopped("enough")

    with pytest.raises(Stopped):
        open_probe(catalogue, record, say=stop)


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

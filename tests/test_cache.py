"""Caching: what is stored against plain hooks and the SAE's equation, resuming, what is refused."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import tiny
import torch

from core.cache import CacheSettings, build
from core.sae import ReLU, TopK, load_sae
from core.subject import Subject
from data.activations import shard_path
from data.cachefiles import CacheFiles, read_meta, write_meta
from data.errors import BadInput, NotFound, StoreBusy, StoreTrouble, WrongSae

PARITY = Path(__file__).resolve().parents[2] / "shared" / "parity" / "delphi"
SETTINGS = CacheSettings(corpus="tiny", tokens=1000, sequence_length=32, shard_tokens=300)


@pytest.fixture(scope="module")
def neox():
    return tiny.subject()


def make(folder, subject, saes, settings=SETTINGS, documents=None):
    texts = tiny.texts(20) if documents is None else documents
    progress = list(build(folder, subject, saes, texts, settings))
    return CacheFiles.open(folder), progress


def table(files, hookpoint_id):
    """Every stored activation: token -> feature -> value."""
    columns = files.columns(hookpoint_id)
    rows = [(feature, columns.slice(feature)) for feature in range(columns.n_features)]
    return {
        (int(token), feature): float(activation)
        for feature, active in rows
        for token, activation in zip(active.token, active.activation, strict=True)
    }


def by_equation(model, module, sae, ids, batch):
    """A plain forward hook and a = topk(relu((x - b_dec) W_enc + b_enc)), rounded to half."""
    kept = []
    hook = model.get_submodule(module).register_forward_hook(
        lambda _m, _a, o: kept.append(o[0] if isinstance(o, tuple) else o)
    )
    with torch.inference_mode():
        for first in range(0, len(ids), batch):
            model(torch.from_numpy(ids[first : first + batch]).long(), use_cache=False)
    hook.remove()
    w, out = sae.weights, {}
    for number, block in enumerate(kept):
        x = block.flatten(0, 1)
        p = torch.relu(torch.nn.functional.linear(x - w.b_dec, w.W_enc.T.contiguous(), w.b_enc))
        value, feature = p.topk(sae.k)
        for row in range(len(x)):
            token = number * batch * ids.shape[1] + row
            if ids.reshape(-1)[token] in (tiny.BOS, tiny.EOS):
                continue
            for f, v in zip(feature[row].tolist(), value[row].tolist(), strict=True):
                if v > 1e-5:
                    out[token, f] = float(np.float16(v))
    return out


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_stored_is_the_hook_and_the_equation_to_the_last_bit(tmp_path, family):
    subject, sae = tiny.subject(family), tiny.sae()
    module = tiny.FAMILIES[family][1]
    settings = replace(SETTINGS, shard_tokens=512, batch_size=16)  # whole batches
    files, _ = make(tmp_path / "c", subject, {3: (module, sae)}, settings)
    want = by_equation(subject.model, module, sae, files.tokens.matrix(), 16)
    assert table(files, 3) == want
    assert len(want) > 3000


def test_several_hookpoints_in_one_pass_are_as_if_alone(tmp_path, neox):
    saes = {1: ("layers.2", tiny.sae()), 2: ("layers.0.mlp:in", ReLU(tiny.weights(seed=9)))}
    both, _ = make(tmp_path / "both", neox, saes)
    for number, one in saes.items():
        alone, _ = make(tmp_path / str(number), neox, {number: one})
        assert table(both, number) == table(alone, number)
    assert [h.name for h in both.meta.hookpoints] == [
        "gpt_neox.layers.2",
        "gpt_neox.layers.0.mlp:in",
    ]


def test_special_positions_are_run_but_never_stored(tmp_path, neox):
    files, _ = make(tmp_path / "c", neox, {1: ("layers.1", tiny.sae())})
    flat = files.tokens.matrix().reshape(-1)
    special = set(np.flatnonzero(np.isin(flat, files.meta.special_ids)).tolist())
    assert {0, 32, 64} <= special
    assert not special & {token for token, _ in table(files, 1)}
    assert files.meta.n_unmasked == len(flat) - len(special)
    assert (files.strongest(1).at(0, 1).activation == 0).all()


def test_the_token_major_copy_holds_the_same(tmp_path, neox):
    files, _ = make(tmp_path / "c", neox, {1: ("layers.1", tiny.sae())})
    got = files.strongest(1).at(0, files.meta.n_tokens)
    rows, places = np.nonzero(got.activation)
    again = {
        (int(row), int(got.feature[row, place])): float(got.activation[row, place])
        for row, place in zip(rows, places, strict=True)
    }
    assert again == table(files, 1)
    some = np.array([5, 290, 291, 999])
    assert np.array_equal(files.strongest(1).rows(some).feature, got.feature[some])


def test_progress_ends_at_the_total_and_a_second_run_does_nothing(tmp_path, neox):
    saes = {1: ("layers.1", tiny.sae())}
    files, progress = make(tmp_path / "c", neox, saes)
    caching = [p for p in progress if p.stage == "caching"]
    assert caching[-1].done == caching[-1].total == files.meta.n_tokens == 1024
    assert caching[-1].rate > 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "c").rglob("*")}

    def unread():
        raise AssertionError("the corpus was read again")
        yield

    make(tmp_path / "c", neox, saes, documents=unread())
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "c").rglob("*")}


def stop_after(folder, neox, saes, tokens):
    for progress in build(folder, neox, saes, tiny.texts(20), SETTINGS):
        if progress.stage == "caching" and progress.done >= tokens:
            return


def test_unmerged_shards_can_be_read_while_caching(tmp_path, neox):
    saes = {1: ("layers.1", tiny.sae())}
    stop_after(tmp_path / "c", neox, saes, 700)
    files = CacheFiles.open(tmp_path / "c")
    part = table(files, 1)
    assert not files.columns(1).merged
    whole = table(make(tmp_path / "c", neox, saes)[0], 1)
    assert part == {(token, f): a for (token, f), a in whole.items() if token < 576}


def test_damaged_leftovers_are_made_again(tmp_path, neox):
    saes = {1: ("layers.1", tiny.sae())}
    stop_after(tmp_path / "c", neox, saes, 700)
    path = shard_path(tmp_path / "c" / "1", 0)
    whole = path.read_bytes()
    path.write_bytes(whole[:-2] + b"\0\0")
    (tmp_path / "c" / "1" / "shards" / "00009.safetensors.tmp").write_bytes(b"half")
    files, progress = make(tmp_path / "c", neox, saes)
    assert next(p.note for p in progress if p.note) == "resumed, 1 of 4 shards kept"
    assert table(files, 1) == table(make(tmp_path / "d", neox, saes)[0], 1)
    assert not list((tmp_path / "c").rglob("*.tmp"))


def test_a_damaged_token_file_is_made_again(tmp_path, neox):
    saes = {1: ("layers.1", tiny.sae())}
    stop_after(tmp_path / "c", neox, saes, 0)
    (tmp_path / "c" / "tokens.u16").write_bytes(b"xx")
    files, _ = make(tmp_path / "c", neox, saes)
    assert table(files, 1) == table(make(tmp_path / "d", neox, saes)[0], 1)


def test_killed_or_out_of_room_and_resumed_is_bit_identical(tmp_path):
    script = Path(__file__).with_name("kill_caching.py")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        env=environment | {"PYTHONPATH": str(script.parents[1])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert lines[1:] == ["said same"], done.stderr[-2000:]
    word, killed, same = lines[0].split()
    assert (word, same) == ("killed", "same")
    assert int(killed) >= 4


def test_other_settings_are_refused_by_name(tmp_path, neox):
    saes = {1: ("layers.1", tiny.sae())}
    make(tmp_path / "c", neox, saes)
    with pytest.raises(BadInput, match="begun with seed = 0, not 4"):
        make(tmp_path / "c", neox, saes, replace(SETTINGS, seed=4))
    with pytest.raises(BadInput, match="begun with hookpoints"):
        make(tmp_path / "c", neox, {1: ("layers.1", tiny.sae(seed=2))})


def test_a_second_process_is_kept_out(tmp_path, neox):
    saes = {1: ("layers.1", tiny.sae())}
    first = build(tmp_path / "c", neox, saes, tiny.texts(), SETTINGS)
    next(first)
    with pytest.raises(StoreBusy, match="another process"):
        make(tmp_path / "c", neox, saes)
    first.close()
    make(tmp_path / "c", neox, saes)


def test_a_wrong_sae_is_refused_before_any_work(tmp_path, neox):
    with pytest.raises(WrongSae, match="reads 8 numbers"):
        make(tmp_path / "c", neox, {1: ("layers.1", TopK(tiny.weights(d=8), 2))})
    with pytest.raises(BadInput, match=r"no hookpoint 'layers\.7'"):
        make(tmp_path / "c", neox, {1: ("layers.7", tiny.sae())})
    assert not (tmp_path / "c").exists()


def test_sequences_hold_a_context_and_never_exceed_what_the_subject_was_trained_on(tmp_path, neox):
    with pytest.raises(BadInput, match="trained on 64 tokens at once, not 65"):
        make(tmp_path, neox, {1: ("layers.1", tiny.sae())}, replace(SETTINGS, sequence_length=65))
    for length in (0, 1, 16, 31):
        with pytest.raises(BadInput, match=f"of {length} tokens do not hold a context of 32"):
            make(tmp_path / "c", neox, {1: ("layers.1", tiny.sae())},
                 replace(SETTINGS, sequence_length=length))  # fmt: skip
    assert not (tmp_path / "c").exists()
    settings = replace(SETTINGS, sequence_length=None)
    files, _ = make(tmp_path / "c", neox, {1: ("layers.1", tiny.sae())}, settings)
    assert files.meta.sequence_length == 64


def test_a_short_corpus_is_cached_and_says_so(tmp_path, neox):
    files, _ = make(tmp_path, neox, {1: ("layers.1", tiny.sae())}, documents=["tiny", "text"])
    assert files.meta.exhausted
    assert (files.meta.n_sequences, files.meta.n_documents) == (1, 2)
    assert table(files, 1)


def test_sequences_can_begin_without_bos(tmp_path, neox):
    settings = replace(SETTINGS, bos="none")
    files, _ = make(tmp_path, neox, {1: ("layers.1", tiny.sae())}, settings)
    assert tiny.BOS not in files.tokens.matrix()
    assert files.tokens.documents()[0] == 0


def test_documents_can_have_a_sequence_each(tmp_path, neox):
    settings = replace(SETTINGS, packing="one-per-document")
    files, _ = make(tmp_path, neox, {1: ("layers.1", tiny.sae())}, settings)
    texts = [text.encode()[:31] for text in tiny.texts(20)]
    assert [bytes(row[row < 256].tolist()) for row in files.tokens.matrix()] == texts
    with pytest.raises(BadInput, match="begun with packing = one-per-document, not pack"):
        make(tmp_path, neox, {1: ("layers.1", tiny.sae())})


def test_an_sae_that_never_fires_makes_an_empty_cache(tmp_path, neox):
    w = tiny.weights()
    w.b_enc[:] = -1e6
    files, _ = make(tmp_path, neox, {1: ("layers.1", TopK(w, 4))})
    assert files.columns(1).counts().tolist() == [0] * 24
    assert files.columns(1).merged


def test_activations_beyond_half_precision_are_stored_as_its_largest(tmp_path, neox):
    w = tiny.weights()
    w.b_enc[3] = 1e6
    files, _ = make(tmp_path, neox, {1: ("layers.1", TopK(w, 1))})
    assert set(files.columns(1).slice(3).activation.tolist()) == {65504.0}


def test_a_subject_that_overflows_is_refused(tmp_path):
    model = tiny.model().requires_grad_(False)
    model.gpt_neox.layers[1].mlp.dense_4h_to_h.bias[0] = float("inf")
    subject = Subject(model, tiny.tokenizer())
    with pytest.raises(BadInput, match=r"infinite or undefined numbers at gpt_neox\.layers\.1"):
        make(tmp_path, subject, {1: ("layers.1", tiny.sae())})


def test_a_cache_that_is_not_there_or_half_there_says_so(tmp_path):
    with pytest.raises(NotFound, match="no cache in"):
        CacheFiles.open(tmp_path)
    (tmp_path / "cache.json").write_text("[]")
    with pytest.raises(BadInput, match="is damaged"):
        CacheFiles.open(tmp_path)


def test_a_cache_without_tokens_is_not_opened(tmp_path, neox):
    files, _ = make(tmp_path, neox, {1: ("layers.1", tiny.sae())})
    write_meta(tmp_path, replace(files.meta, n_sequences=0))
    with pytest.raises(StoreTrouble, match="has no tokens yet"):
        CacheFiles.open(tmp_path)
    assert read_meta(tmp_path).hookpoints == files.meta.hookpoints


def read_delphi(folder):
    """Read delphi's shards: (row, position, feature) -> activation, and the tokens."""
    stored = {}
    for path in folder.glob("*.safetensors"):
        found = safetensors.numpy.load_file(path)
        places = found["locations"].astype(np.int64)
        places[:, 2] += int(path.stem.split("_")[0])
        values = found["activations"].tolist()
        stored |= dict(zip(map(tuple, places.tolist()), values, strict=True))
    return stored, found["tokens"]


@pytest.mark.parametrize(
    ("run", "hookpoint"),
    [("one_hook", "layers.2"), ("two_hooks", "layers.2"), ("two_hooks", "layers.1.mlp")],
)
def test_parity_with_the_shards_of_delphi(run, hookpoint):
    if not PARITY.is_dir():
        pytest.skip("the parity files are not on this machine")
    subject = Subject.load(str(PARITY / "model"), device="cpu")
    sae = load_sae(PARITY / "sae", hookpoint)
    stored, tokens = read_delphi(PARITY / run / "latents" / hookpoint)
    got = {}
    for first in range(0, len(tokens), 8):
        ids = torch.from_numpy(tokens[first : first + 8].astype(np.int64))
        x = subject.activations(ids, [hookpoint])[hookpoint].flatten(0, 1)
        active = sae.encode(x)
        rows = (active.row // ids.shape[1] + first).tolist()
        positions = (active.row % ids.shape[1]).tolist()
        values = active.value.half().tolist()
        places = zip(rows, positions, active.feature.tolist(), strict=True)
        got |= dict(zip(places, values, strict=True))
    assert got.keys() == stored.keys()
    close = np.array([got[place] for place in stored]), np.array(list(stored.values()))
    assert np.allclose(*close, rtol=2e-3)

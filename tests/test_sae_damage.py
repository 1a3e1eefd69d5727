"""Damaged and hostile SAE files: one line each, whatever was done to them."""

import io
import json
import os
import random
import shutil
import struct
import zipfile
from itertools import cycle

import numpy as np
import pytest
import sae_files
import tiny
import torch
from sae_files import MADE, F

from core.sae import load_sae
from data.errors import BadInput, GlossError

FUZZED = ("sparsify topk", "saelens gated, constant norm", "gemma scope, lower case",
          "gemma scope 2 transcoder", "openai topk",
          "dictionary_learning MatryoshkaBatchTopKSAE")  # fmt: skip
VALUES = (None, -1, 0, 1, 2.5, 1e300, 2**70, True, "", "topk", "x" * 5000, [], {}, float("nan"),
          [[[[]]]], {"k": 3}, "\ud800", "../../etc/passwd", 10**9)  # fmt: skip


class Code:
    """What a pickle that runs code holds."""

    def __reduce__(self):
        return os.system, ("echo never",)


def one_line(folder, words):
    with pytest.raises(BadInput, match=words) as caught:
        load_sae(folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("name", FUZZED)
@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_cut_files_are_refused(tmp_path, name, keep):
    MADE[name](tmp_path)
    (weights,) = (p for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".json")
    weights.write_bytes(weights.read_bytes()[:keep])
    one_line(tmp_path, weights.name)


@pytest.mark.parametrize(
    "name", ["sparsify topk", "saelens gated, constant norm", "dictionary_learning AutoEncoder"]
)
def test_weights_of_another_shape_than_the_configuration_says_are_refused(tmp_path, name):
    MADE[name](tmp_path)
    (config,) = tmp_path.rglob("c*.json")
    config.write_text(config.read_text().replace(f": {F},", f": {F + 1},"))
    one_line(tmp_path, r"the configuration and the other tensors say|the tensors beside have")


def test_code_in_a_pickle_is_named_and_not_run(tmp_path, capfd):
    torch.save({"pre_bias": Code()}, tmp_path / "autoencoder.pt")
    one_line(tmp_path, r"autoencoder\.pt holds something else than tensors .*(posix|nt)\.system")
    assert "never" not in capfd.readouterr().out


def test_tensors_that_claim_more_than_is_stored_are_refused(tmp_path):
    huge = {"pre_bias": torch.zeros(1).expand(10**6), "latent_bias": torch.zeros(1).expand(10**9)}
    torch.save(huge, tmp_path / "autoencoder.pt")
    one_line(tmp_path, "claims to be larger than what is stored")


def npz(path, *, shape, data=b"", size=None, method=zipfile.ZIP_DEFLATED):
    """Write an archive with one array whose header says `shape`."""
    header = io.BytesIO()
    described = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, described)
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("b_enc.npy", header.getvalue() + data)
    if size is not None:  # what the directory says of its size, twice
        raw = bytearray(path.read_bytes())
        for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
            raw[(start := raw.index(mark) + at) : start + 4] = struct.pack("<I", size)
        path.write_bytes(raw)


def test_an_archive_that_inflates_is_refused_before_it_does(tmp_path):
    npz(tmp_path / "params.npz", shape=(2**24 + 1,), data=bytes(2**26 + 4))
    one_line(tmp_path, r"would inflate from 65,\d{3} to 67,\d{3},\d{3} bytes: refused")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
@pytest.mark.parametrize("size", [10, 2**31])
def test_an_archive_that_lies_about_its_size_is_refused(tmp_path, method, size):
    npz(tmp_path / "params.npz", shape=(4,), data=bytes(16), size=size, method=method)
    one_line(tmp_path, r"params\.npz")


@pytest.mark.parametrize("shape", [(2**40,), (3,), (-4,), (2**62, 0, 2)])
def test_an_array_that_lies_about_its_shape_is_refused(tmp_path, shape):
    npz(tmp_path / "params.npz", shape=shape, data=bytes(16))
    one_line(tmp_path, r"params\.npz")


def test_objects_in_an_archive_are_not_unpickled(tmp_path):
    np.savez(tmp_path / "params.npz", W_enc=np.array([Code()], dtype=object))
    one_line(tmp_path, r"params\.npz")


def test_a_name_in_an_archive_leads_nowhere(tmp_path):
    made = MADE["gemma scope"](tmp_path / "in")
    with zipfile.ZipFile(made.folder / "params.npz", "a") as archive:
        archive.writestr("../../out.npy", archive.read("b_enc.npy"))
    assert "../../out" in load_sae(made.folder).origin.notes[-1]
    assert not (tmp_path / "out.npy").exists()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", r"cfg\.json is empty"),
        (b"{", r"cfg\.json is not JSON, or is cut off"),
        (b"[]", r"cfg\.json is not the configuration of an SAE"),
        (b"4", r"cfg\.json is not the configuration of an SAE"),
        (b'{"d_in": "\xff"}', r"cfg\.json is not UTF-8 text"),
        (b"[" * 100_000, r"cfg\.json is not JSON"),
        (b'{"a":' * 60 + b"1" + b"}" * 60, r"cfg\.json is nested more than 32 deep"),
        (b'{"d_in": ' + b"9" * 5000 + b"}", r"cfg\.json is not JSON"),
        (b'{"d_in": 99999999999}', r"d_in = 99999999999 is more than any SAE has"),
        (b'"' + b"x" * 4_000_001 + b'"', r"cfg\.json has 4,000,003 bytes, more than"),
    ],
    ids=range(10),
)
def test_a_configuration_that_cannot_be_is_refused(tmp_path, raw, words):
    folder = tiny.save_sae(tmp_path / "layers.1", tiny.weights())
    (folder / "cfg.json").write_bytes(raw)
    one_line(folder, words)


@pytest.mark.parametrize(
    ("name", "file", "change", "words"),
    [
        ("saelens topk", "cfg.json", {"architecture": "temporal"},
         r'architecture = "temporal" is not supported'),
        ("saelens topk", "cfg.json", {"architecture": None}, "architecture = null"),
        ("saelens topk", "cfg.json", {"k": 99}, "k = 99 is more than its 10 features"),
        ("saelens topk", "cfg.json", {"k": None}, "k = null is not a whole number"),
        ("saelens topk", "cfg.json", {"normalize_activations": "covariance_whitening"},
         "covariance_whitening.* is not supported"),
        ("saelens topk", "cfg.json", {"apply_b_dec_to_input": "no"}, "is not true or false"),
        ("saelens topk", "cfg.json", {"metadata": {"hook_head_index": 3}}, "of a single head"),
        ("saelens topk", "cfg.json", {"metadata": []}, "metadata = .. is not an object"),
        ("saelens topk", "cfg.json", {"architecture": "gated"}, "lacks the tensor b_mag"),
        ("saelens topk", "cfg.json", {"architecture": "jumprelu"}, "lacks the tensor threshold"),
        ("saelens 5 topk", "cfg.json", {"activation_fn_str": "tanh"}, "activation_fn = .tanh."),
        ("saelens 5 topk", "cfg.json", {"activation_fn_kwargs": {}}, "k = null is not a whole"),
        ("gemma scope 2", "config.json", {"architecture": "topk"}, "architecture = .topk. is not"),
        ("gemma scope 2", "config.json", {"affine_connection": True}, "lacks the tensor affine_"),
        ("dictionary_learning AutoEncoder", "config.json", {"trainer": None}, "has no trainer"),
        ("dictionary_learning AutoEncoder", "config.json", {"trainer": {"dict_class": "New"}},
         "dict_class = .New. is not supported"),
        ("dictionary_learning AutoEncoder", "config.json", {"buffer": {"io": "up"}}, "io = .up."),
        ("dictionary_learning AutoEncoder", "config.json", {"trainer": {"k": 3}},
         "does not say dict_class, which is required"),
    ],
)  # fmt: skip
def test_settings_that_are_not_known_are_refused(tmp_path, name, file, change, words):
    folder = MADE[name](tmp_path).folder
    said = json.loads((folder / file).read_text()) | change
    (folder / file).write_text(json.dumps(said))
    one_line(tmp_path, words)


def test_the_cross_layer_kind_is_refused(tmp_path):
    sae_files.gemma_scope_2(tmp_path / "clt/layer_12_width_16k_l0_small")
    one_line(tmp_path, "is a cross-layer transcoder, which is not read")


@pytest.mark.parametrize("state", [{}, {"k": 99}, {"k": 3, "postact_fn": "Tanh"}, {"k": "3"}])
def test_a_state_dictionary_that_contradicts_itself_is_refused(tmp_path, state):
    path = sae_files.openai(tmp_path / "autoencoder.pt").folder
    stored = torch.load(path, weights_only=True) | {"activation_state_dict": state}
    torch.save(stored, path)
    one_line(tmp_path, r"autoencoder\.pt")


def mutated(rng, name, raw):
    """Damage one file: bytes, a cut, a value of its JSON, or a part of its archive."""
    if name.endswith(".json") and rng.random() < 0.8:
        return change_json(rng, raw)
    if raw[:2] == b"PK" and rng.random() < 0.6:
        return repacked(rng, raw)
    return damaged(rng, raw)


def damaged(rng, raw):
    out = bytearray(raw)
    kind = rng.randrange(5)
    at, length = rng.randrange(len(raw)), rng.randrange(1, 40)
    if kind == 0:
        return bytes(out[:at])
    if kind == 1:
        del out[at : at + length]
    elif kind == 2:
        out[at:at] = rng.randbytes(length)
    elif kind == 3:
        other = rng.randrange(len(raw))
        out[at : at + 8], out[other : other + 8] = out[other : other + 8], out[at : at + 8]
    else:
        for _ in range(rng.choice((1, 1, 4, 64))):
            # The beginnings of files say what they are, and are short.
            out[rng.randrange(rng.choice((len(raw), min(len(raw), 400))))] ^= 1 << rng.randrange(8)
    return bytes(out)


def change_json(rng, raw):
    said = json.loads(raw)
    inside = [said] + [value for value in said.values() if isinstance(value, dict) and value]
    part = rng.choice(inside)
    key = rng.choice(list(part))
    if rng.random() < 0.3:
        del part[key]
    else:
        part[key] = rng.choice(VALUES)
    return json.dumps(said).encode()


def repacked(rng, raw):
    """Damage a part of an archive, whose check sums then agree with it."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        parts = {info.filename: archive.read(info) for info in archive.infolist()}
        method = archive.infolist()[0].compress_type
    name = rng.choice([name for name in parts if parts[name]])
    if rng.random() < 0.15:
        del parts[name]
    else:
        parts[name] = damaged(rng, parts[name])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for inside, data in parts.items():
            archive.writestr(inside, data)
    return out.getvalue()


def test_a_thousand_damaged_files_give_an_sae_or_one_line(tmp_path):
    rng, refused = random.Random(5), 0
    whole = {name: MADE[name](tmp_path / f"whole{n}") for n, name in enumerate(FUZZED)}
    for number, name in zip(range(1000), cycle(FUZZED), strict=False):
        made = whole[name].folder
        files = [made] if made.is_file() else sorted(p for p in made.iterdir() if p.is_file())
        folder = tmp_path / "damaged" / "layer_1"
        folder.mkdir(parents=True)
        chosen = rng.randrange(len(files))
        for n, path in enumerate(files):
            raw = path.read_bytes()
            raw = mutated(rng, path.name, raw) if n == chosen else raw
            (folder / path.name).write_bytes(raw)
        said = outcome(folder, f"{number} {name}")
        refused += said is not None
        assert "\n" not in (said or ""), said
        shutil.rmtree(folder.parent)
    assert 300 < refused < 1000


def outcome(folder, what):
    """Load and use an SAE: None when that works, the line when it is refused."""
    try:
        sae = load_sae(folder)
        assert sae.encode(torch.ones(3, sae.d_in)).dense().shape == (3, sae.n_features)
        json.dumps(dict(sae.settings), allow_nan=False, ensure_ascii=False).encode()
    except GlossError as error:
        return str(error)
    except Exception as error:
        raise AssertionError(f"{what}: {error!r}") from error
    return None

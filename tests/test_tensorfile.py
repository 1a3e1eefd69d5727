"""Safetensors headers that lie, and the check sum."""

import json

import numpy as np
import pytest
import safetensors.numpy

from data import tensorfile
from data.durable import read
from data.errors import BadInput


def file(path, header, data=b"\0" * 16):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def entry(**overrides):
    return {"x": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]} | overrides}


def test_an_honest_header_is_accepted(tmp_path):
    assert tensorfile.tensors(file(tmp_path / "x", entry()))["x"].shape == (2, 2)


def test_written_is_found_and_intact(tmp_path):
    path = tmp_path / "a.safetensors"
    tensorfile.write(path, {"a": np.arange(3, dtype="<u4"), "b": np.ones((2, 2), "<f2")})
    found = tensorfile.tensors(path)
    assert (found["b"].dtype, found["b"].shape) == ("F16", (2, 2))
    assert read(found["a"].extent).tolist() == [0, 1, 2]
    assert tensorfile.intact(path)


def test_the_library_reads_what_is_written(tmp_path):
    arrays = {"a": np.arange(3, dtype="<u2"), "b": np.ones((2, 2), "<f2"), "c": np.empty(0, "<u8")}
    tensorfile.write(tmp_path / "a", arrays)
    read_back = safetensors.numpy.load_file(tmp_path / "a")
    assert {name: a.tolist() for name, a in read_back.items()} == {
        name: a.tolist() for name, a in arrays.items()
    }


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    for name in "ab":
        tensorfile.write(tmp_path / name, {"x": np.arange(3, dtype="<u4")})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    "header",
    [
        entry(data_offsets=[0, 12]),
        entry(data_offsets=[8, 24]),
        entry(data_offsets=[16, 0]),
        entry(shape=[-2, -2]),
        entry(shape=[2**40, 2]),
        entry(shape=[2.5, 2]),
        entry(shape=["2", "2"]),
        entry(shape=[True, 4]),
        entry(dtype="F8"),
        entry(dtype=["F32"]),
        {"x": {"dtype": "F32"}},
        entry() | {"y": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}},
        {"x": 3},
        [1, 2],
        b"not json",
        b"[" * 5000,
        json.dumps(entry()).encode()[:-1] + b"," + json.dumps(entry()).encode()[1:],
    ],
)
def test_lying_headers_are_refused(tmp_path, header):
    with pytest.raises(BadInput):
        tensorfile.tensors(file(tmp_path / "x.safetensors", header))


def test_a_header_longer_than_the_file_is_refused(tmp_path):
    (tmp_path / "x").write_bytes((2**62).to_bytes(8, "little") + b"{}")
    with pytest.raises(BadInput, match="cut off"):
        tensorfile.tensors(tmp_path / "x")
    (tmp_path / "x").write_bytes(b"abc")
    with pytest.raises(BadInput, match="cut off"):
        tensorfile.tensors(tmp_path / "x")

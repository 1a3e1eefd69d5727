"""Shards, their merge, and reading single features, against brute force."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import activations, tensorfile
from data.activations import Columns, merge, ranges, write_shard
from data.errors import BadInput, NotFound, StoreTrouble

entries = st.dictionaries(
    st.tuples(st.integers(0, 39), st.integers(0, 6)),  # token, feature
    st.integers(1, 60_000).map(lambda n: n / 64),
    max_size=60,
)


def arrays(found: dict, tokens: range) -> dict:
    """The entries of a stretch of tokens, in the order of the corpus."""
    rows = [(token, feature, a) for (token, feature), a in sorted(found.items()) if token in tokens]
    token, feature, activation = (np.array([row[i] for row in rows]) for i in range(3))
    return {
        "token": token.astype(np.int64),
        "feature": feature.astype(np.int64),
        "activation": activation.astype(np.float16),
    }


def fill(folder: Path, found: dict, *, per_shard: int = 16, n_features: int = 7) -> None:
    for number in range(0, 40, per_shard):
        part = arrays(found, range(number, min(40, number + per_shard)))
        write_shard(folder, number // per_shard, n_features=n_features, **part)


@settings(max_examples=25, deadline=None)
@given(entries)
def test_a_slice_is_what_brute_force_finds_before_and_after_the_merge(found):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, found)
        for stage in ("shards", "columns"):
            columns = Columns.open(folder)
            assert columns.merged == (stage == "columns")
            for feature in range(7):
                want = sorted((t, a) for (t, f), a in found.items() if f == feature)
                got = columns.slice(feature)
                assert got.token.tolist() == [t for t, _ in want]
                assert got.activation.tolist() == [np.float32(np.float16(a)) for _, a in want]
                assert columns.counts()[feature] == len(want)
            merge(folder, block=5)


@settings(max_examples=15, deadline=None)
@given(entries, st.integers(0, 7), st.integers(0, 7))
def test_a_block_is_its_slices_one_after_the_other(found, one, other):
    lo, hi = min(one, other), max(one, other)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, found)
        columns = Columns.open(folder)
        block = columns.block(lo, hi)
        for i, feature in enumerate(range(lo, hi)):
            mine = slice(block.indptr[i], block.indptr[i + 1])
            assert np.array_equal(block.token[mine], columns.slice(feature).token)
            assert np.array_equal(block.activation[mine], columns.slice(feature).activation)


def test_a_shard_without_any_activation_is_read_back(tmp_path):
    fill(tmp_path, {(3, 1): 2.0})  # the second and third shard are empty
    merge(tmp_path)
    assert Columns.open(tmp_path).slice(1).token.tolist() == [3]
    assert len(Columns.open(tmp_path).slice(0).token) == 0


def test_a_reader_opened_before_the_merge_goes_on_reading(tmp_path):
    fill(tmp_path, {(3, 1): 2.0, (20, 1): 4.0})
    columns = Columns.open(tmp_path)
    merge(tmp_path)
    assert not (tmp_path / "shards").exists()
    assert columns.slice(1).activation.tolist() == [2.0, 4.0]


def test_a_merge_killed_before_its_rename_is_done_again(tmp_path):
    fill(tmp_path, {(3, 1): 2.0})
    (tmp_path / "columns.tmp").mkdir()
    (tmp_path / "columns.tmp" / "token.u32").write_bytes(b"half")
    assert Columns.open(tmp_path).slice(1).token.tolist() == [3]
    merge(tmp_path)
    assert Columns.open(tmp_path).merged
    assert not (tmp_path / "columns.tmp").exists()


def test_a_merge_killed_before_the_shards_went_is_finished(tmp_path):
    fill(tmp_path, {(3, 1): 2.0})
    merge(tmp_path)
    write_shard(tmp_path, 0, n_features=7, **arrays({(5, 5): 1.0}, range(40)))
    merge(tmp_path)
    assert Columns.open(tmp_path).slice(1).token.tolist() == [3]
    assert not (tmp_path / "shards").exists()


def test_features_above_the_radix_width_are_sorted(tmp_path):
    feature = np.array([70_000, 3, 65_536, 70_000, 0, 65_535])
    order = activations.by_feature(feature, 80_000)
    assert order.tolist() == np.argsort(feature, kind="stable").tolist()


def test_ranges_as_in_the_docstring():
    assert ranges(np.array([3, 4, 9, 1]), 8) == [(0, 2), (2, 3), (3, 4)]
    assert ranges(np.array([], int), 8) == []


def test_a_cut_shard_is_detected(tmp_path):
    fill(tmp_path, {(3, 1): 2.0})
    path = activations.shard_path(tmp_path, 0)
    assert tensorfile.intact(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    assert not tensorfile.intact(path)
    with pytest.raises(BadInput, match="cut off"):
        Columns.open(tmp_path)
    path.write_bytes(whole[:-2] + b"\x01\x02")
    assert not tensorfile.intact(path)


def test_cut_columns_are_refused(tmp_path):
    fill(tmp_path, {(3, 1): 2.0})
    merge(tmp_path)
    (tmp_path / "columns" / "token.u32").write_bytes(b"")
    with pytest.raises(StoreTrouble, match="damaged"):
        Columns.open(tmp_path)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(NotFound, match="gloss cache"):
        Columns.open(tmp_path)
    fill(tmp_path, {})
    with pytest.raises(NotFound, match="features 0 to 6"):
        Columns.open(tmp_path).slice(7)

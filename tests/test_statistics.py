"""Statistics of features against hand numbers and brute force."""

import tempfile
from collections import Counter
from math import log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.statistics import of_block, positional_information, statistics
from data.activations import Columns, FeatureBlock, write_shard
from data.cachefiles import CacheMeta

META = CacheMeta(sequence_length=64, n_sequences=2, n_unmasked=100)
TOKENS = np.tile(np.arange(8), 16)  # id = index mod 8


def test_hand_numbers():
    # Feature 0: tokens 1, 2 (one context), 33, 65; feature 1 never; feature 2: token 9.
    token = np.array([1, 2, 33, 65, 9], np.uint32)
    activation = np.array([1, 4, 2, 2, 3], np.float32)
    got = of_block(10, FeatureBlock(np.array([0, 4, 4, 5]), token, activation), TOKENS, META)
    assert (got.lo, got.hi) == (10, 13)
    assert got.n_active.tolist() == [4, 0, 1]
    assert got.density.tolist() == pytest.approx([0.04, 0, 0.01])
    assert got.max_activation.tolist() == [4, 0, 3]
    assert got.mean_activation.tolist() == [2.25, 0, 3]
    assert {p: int(got.position_counts[0, p]) for p in (1, 2, 33)} == {1: 2, 2: 1, 33: 1}
    assert got.top_token.tolist() == [1, -1, 1]
    assert got.top_token_share.tolist() == [0.75, 0, 1]
    assert got.top_offsets.tolist() == [0, 2, 2, 3]
    assert got.top_ids.tolist() == [1, 2, 1]
    assert got.top_counts.tolist() == [3, 1, 1]
    assert got.top_means.tolist() == pytest.approx([5 / 3, 4, 3])


@settings(max_examples=20, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.integers(0, 127), st.integers(0, 4)),
        st.integers(1, 99).map(lambda n: n / 8),
        max_size=150,
    ),
    st.integers(1, 60),
)
def test_brute_force_agrees_whatever_the_block(found, block):
    rng = np.random.default_rng(len(found))
    tokens = rng.integers(0, 40, (2, 64)).astype(np.int32)
    token, feature = (np.array([key[i] for key in sorted(found)], np.int64) for i in range(2))
    activation = np.array([found[key] for key in sorted(found)], np.float16)
    with tempfile.TemporaryDirectory() as name:
        write_shard(
            Path(name), 0, feature=feature, token=token, activation=activation, n_features=5
        )
        parts = list(statistics(Columns.open(Path(name)), tokens, META, block=block))
    assert [part.lo for part in parts] == [0, *[part.hi for part in parts[:-1]]]
    for part in parts:
        for row, number in enumerate(range(part.lo, part.hi)):
            mine = {t: a for (t, f), a in found.items() if f == number}
            assert part.n_active[row] == len(mine)
            assert part.max_activation[row] == max(mine.values(), default=0)
            ids = Counter(int(tokens.reshape(-1)[t]) for t in mine)
            best = sorted(ids.items(), key=lambda pair: (-pair[1], pair[0]))[:20]
            own = slice(part.top_offsets[row], part.top_offsets[row + 1])
            assert list(zip(part.top_ids[own], part.top_counts[own], strict=True)) == best
            positions = Counter(t % 64 for t in mine)
            assert part.position_counts[row].tolist() == [positions[p] for p in range(64)]


def test_positional_information_with_shares_of_nought_and_one():
    # Position 0 always, position 1 never, so f = 1/2: I = (ln 2 + ln 2) / 2.
    counts = np.array([[10, 0], [5, 5], [0, 0], [10, 10]])
    got = positional_information(counts, 10)
    assert got.tolist() == pytest.approx([log(2), 0, 0, 0])


def test_positional_information_is_the_closed_form():
    # On at 90 % in the first 40 of 256 positions and nowhere else: the reference's .36.
    counts = np.array([[90] * 40 + [0] * 216])
    f_p, f = 0.9, 0.9 * 40 / 256
    inside = f_p * log(f_p / f) + (1 - f_p) * log((1 - f_p) / (1 - f))
    want = (40 * inside - 216 * log(1 - f)) / 256
    assert positional_information(counts, 100)[0] == pytest.approx(want)
    assert want == pytest.approx(0.36, abs=0.005)

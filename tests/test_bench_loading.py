"""The large cache of the loading bench is a real one, only its activations are made up."""

import numpy as np

from core.bench import synthetic
from core.bench.figures import at_least, at_most
from core.bench.loading import contexts, disk
from data.activations import SHARD_TOKENS


def test_a_made_up_cache_is_read_like_any_other(tmp_path):
    n_tokens = SHARD_TOKENS + 2048  # two shards
    files = synthetic.make(tmp_path, n_tokens, n_features=200, k=4)
    columns = files.columns(synthetic.HOOKPOINT)
    counts = columns.counts()
    assert columns.merged
    assert 0.6 * 4 * n_tokens < counts.sum() <= 4 * n_tokens
    assert contexts(files, columns, int(np.argmax(counts))).shape == (70, 32)
    assert len(contexts(files, columns, int(np.argmin(counts)))) <= counts.min()


def test_the_two_ways_that_activations_are_kept_agree(tmp_path):
    files = synthetic.make(tmp_path, 512, n_features=50, k=4)
    columns, strongest = (files.columns(1), files.strongest(1).at(0, 512))
    dense = np.zeros((512, 50))
    for feature in range(50):
        active = columns.slice(feature)
        dense[active.token, feature] = active.activation
    there = np.zeros((512, 50))
    np.maximum.at(there, (np.arange(512)[:, None], strongest.feature), strongest.activation)
    assert np.array_equal(dense, there)


def test_bytes_are_counted_by_activation(tmp_path):
    files = synthetic.make(tmp_path, 4096, n_features=50, k=4)
    n = int(files.columns(1).counts().sum())
    merged, both = disk(files, 11)
    assert merged.value == (6 * n + 8 * 51) / n
    assert both.value > merged.value + 4 * 4 * 4096 / n  # and a header for each shard


def test_a_figure_knows_whether_its_bar_is_met():
    assert at_most("a", 1.1, "x", 1.1).met
    assert not at_least("a", 1.0, "x", 1.1).met

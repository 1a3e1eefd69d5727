"""The synthetic cache of the loading bench is a real one."""

import numpy as np

from core.bench.figures import at_least, at_most
from core.bench.loading import ACTIVE, contexts, synthetic_cache


def test_the_synthetic_cache_is_read_like_any_other(tmp_path):
    files = synthetic_cache(tmp_path, 2048)
    columns = files.columns(1)
    counts = columns.counts()
    assert 0.8 * 2048 * ACTIVE < counts.sum() <= 2048 * ACTIVE
    common = int(np.argmax(counts))
    assert contexts(files, columns, common).shape[1] == 32
    assert len(contexts(files, columns, int(np.argmin(counts)))) <= counts.min()


def test_a_figure_knows_whether_its_bar_is_met():
    assert at_most("a", 1.1, "x", 1.1).met
    assert not at_least("a", 1.0, "x", 1.1).met

"""`gloss bench`: figures as lines, unknown work refused; nothing here is timed."""

import pytest

from core import bench
from core.bench.figures import at_least, at_most, context
from data.errors import BadInput


def test_a_figure_says_its_bar_and_whether_it_is_met():
    assert str(at_most("caching", 1.074, "x the limit", 1.1)) == (
        "caching: 1.07 x the limit (bar <= 1.1: met)"
    )
    assert str(at_least("grammar", 14.9, "features/s", 15)).endswith("(bar >= 15: not met)")
    assert str(context("tokens", 204_800, "")) == "tokens: 204,800"


def test_unknown_work_is_named():
    with pytest.raises(BadInput, match="gloss bench nonsense"):
        list(bench.run(["nonsense"]))

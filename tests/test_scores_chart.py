"""The figure of all features' scores."""

from itertools import pairwise

import pandas as pd

from dashboard.charts.scores import numbers, scores_figure
from data.feature_table import BINS, Distribution, Picture


def picture(*scorers, n_both=0, shown=0):
    points = pd.DataFrame(
        {"feature": range(shown), "detection": [0.3, 0.9][:shown], "fuzzing": [0.6, 0.7][:shown]}
    )
    spread = [Distribution(name, [1] * BINS, BINS, 0.5) for name in scorers]
    return Picture(points, n_both, spread, 99)


def notes(figure):
    return " ".join(note["text"] for note in figure["layout"]["annotations"])


def test_colours_follow_the_scorer_whatever_is_missing():
    figure = scores_figure(picture("detection", "exact"))
    filled = [bool(trace["x"]) for trace in figure["data"]]
    assert filled == [True, False, True]
    assert "n = 25, median 0.50" in notes(figure)


def test_a_sample_says_that_it_is_one():
    figure = scores_figure(picture("detection", "fuzzing", n_both=4312, shown=2))
    assert "2 drawn at random of the 4,312 features with both" in notes(figure)
    assert figure["layout"]["xaxis"]["range"][0] < 0.3
    assert figure["data"][-1]["customdata"] == [0, 1]


def test_panels_share_the_height_and_a_further_score_has_one():
    layout = scores_figure(picture("detection", "fuzzing", "exact", "simulation"))["layout"]
    heights = [layout[f"yaxis{k}"]["domain"] for k in range(2, 6)]
    assert heights[0][1] == 1
    assert heights[-1][0] == 0
    assert all(above[0] > below[1] for above, below in pairwise(heights))


def test_the_numbers_are_those_that_are_drawn():
    table = numbers(picture("detection", n_both=2, shown=2))
    assert table["feature"].dropna().tolist() == [0, 1]
    assert table["features"].sum() == BINS
    assert len(numbers(picture("exact"))) == BINS

"""The figure's data: places, intervals, merging, ranges and titles."""

from dataclasses import replace

import plotly.graph_objects as go
import pytest

from core.drawing.curves import Histogram, curve
from dashboard.charts.feature import feature_figure, numbers
from data.records import Score, Tally

BINS = Histogram(0.5, [120, 30, 0, 4])


def score(n=10, correct=8, scorer="detection", **silent):
    tallies = {d: Tally(n, correct, failed=1) for d in range(1, 11)}
    return Score(scorer, "balanced_accuracy", 0.8, 0.7, 0.9, 0.8, 0.8, 10 * n, 10, "grammar",
                 "gloss", tallies, dict(silent), {})  # fmt: skip


def test_a_decile_is_one_point_with_its_wilson_interval():
    first = curve(score()).points[0]
    assert (first.x, first.label, first.tally.n) == (1, "decile 1", 10)
    assert (round(first.share.low, 2), first.share.value, round(first.share.high, 2)) == (
        0.49, 0.8, 0.94,
    )  # fmt: skip


def test_below_a_hundred_contexts_deciles_are_shown_two_by_two():
    points = curve(score(n=4, correct=3)).points
    assert [p.x for p in points] == [1.5, 3.5, 5.5, 7.5, 9.5]
    assert points[0].label == "deciles 1–2"
    assert (points[0].tally.n, points[0].tally.failed) == (8, 2)


def test_silent_kinds_stand_apart_behind_the_deciles():
    points = curve(score(scorer="fuzzing", random=Tally(50, 45), **{"wrong-mark": Tally(50, 20)}))
    assert [p.label for p in points.points[10:]] == ["non-activating", "wrong marks"]
    assert min(p.x for p in points.points[10:]) > 11


def test_a_decile_without_usable_verdicts_has_no_point():
    tallies = {d: Tally(10, 9) for d in range(1, 10)} | {10: Tally(0, 0, failed=10)}
    found = Score("detection", "balanced_accuracy", None, None, None, 0.9, None, 90, 10, "grammar",
                  "gloss", tallies, {}, {})  # fmt: skip
    assert [p.x for p in curve(found).points] == list(range(1, 10))


def test_contexts_that_were_cut_into_fifths_are_shown_as_pairs_of_deciles():
    tallies = {d: Tally(30, 20) for d in (2, 4, 6, 8, 10)}
    points = curve(replace(score(), by_decile=tallies)).points
    assert [p.label for p in points][:2] == ["deciles 1–2", "deciles 3–4"]
    assert [p.tally.n for p in points] == [30] * 5


def test_the_traces_come_in_the_order_of_the_theme_colours():
    figure = feature_figure(BINS, [curve(score()), curve(score(scorer="fuzzing"))])
    assert [t.get("name") for t in figure["data"]] == ["Detection", "Fuzzing", None, None]
    assert all("color" not in t["marker"] for t in figure["data"][:2])
    assert figure["data"][0]["marker"]["symbol"][0] == "circle"


def test_a_second_explanation_shares_the_colour_and_has_open_marks():
    curves = [curve(score()), curve(score(correct=5), is_second=True)]
    detection = feature_figure(BINS, curves)["data"][0]
    assert detection["marker"]["symbol"] == ["circle"] * 10 + ["circle-open"] * 10
    assert len(set(detection["x"])) == 20


@pytest.mark.parametrize("correct", [45, 5])
def test_every_feature_has_the_same_accuracy_axis(correct):
    layout = feature_figure(BINS, [curve(score(n=50, correct=correct))])["layout"]
    assert layout["yaxis2"]["range"] == [-0.03, 1.03]


def test_the_axis_says_when_deciles_come_in_pairs():
    def title(n):
        figure = feature_figure(BINS, [curve(score(n=n, correct=3))])
        return figure["layout"]["xaxis2"]["title"]["text"]

    assert title(4).startswith("deciles in pairs")
    assert title(40).startswith("activation decile")


def test_titles_state_the_n_and_empty_bins_are_no_bars():
    figure = feature_figure(BINS, [curve(score())])
    titles = [a["text"] for a in figure["layout"]["annotations"]]
    assert "154 contexts" in titles[0]
    assert "n = 10 each" in titles[1]
    assert figure["data"][2]["y"] == [120, 30, None, 4]


def test_plotly_accepts_every_key():
    curves = [curve(score()), curve(score(correct=5, random=Tally(50, 40)), is_second=True)]
    go.Figure(feature_figure(BINS, curves))


def test_without_scores_there_is_no_empty_panel():
    figure = go.Figure(feature_figure(Histogram(1.0, []), []))
    assert figure.layout.height < 200
    assert [a.text.split("<")[1].split(">")[1] for a in figure.layout.annotations] == [
        "Activation distribution"
    ]
    assert len(figure.data) == 3


def test_a_chosen_decile_is_a_band_and_no_other_shape_changes():
    plain = feature_figure(BINS, [curve(score())])["layout"]["shapes"]
    chosen = feature_figure(BINS, [curve(score())], [3, 4])["layout"]["shapes"]
    assert chosen[:-1] == plain
    assert (chosen[-1]["x0"], chosen[-1]["x1"]) == (2.5, 4.5)


def test_every_decile_can_be_clicked_between_its_dots():
    dots = feature_figure(BINS, [curve(score(random=Tally(50, 40)))])["data"]
    names = [found[3] for found in dots[-1]["customdata"]]
    assert names == [str(d) for d in range(1, 11)]  # and not the silent place
    assert dots[-1]["marker"]["opacity"] == 0
    pairs = feature_figure(BINS, [curve(score(n=4, correct=3))])["data"][-1]
    assert pairs["customdata"][0][3] == "1–2"
    assert pairs["width"] == 2


def test_the_numbers_of_the_figure_are_its_bars_and_its_dots():
    table = numbers(BINS, [curve(score(), explanation_id=7)])
    assert table["value"].tolist()[:4] == [120, 30, 0, 4]
    dots = table[table["panel"] == "accuracy by decile"]
    assert len(dots) == 10
    assert dots.iloc[0][["explanation", "scorer", "place", "n", "correct", "failed"]].tolist() == [
        7, "detection", "decile 1", 10, 8, 1,
    ]  # fmt: skip

"""The page of comparisons over many features, driven by AppTest."""

import compared
import numpy as np
import pages
import pytest
from pages import click_chart, figures, html_of
from stores import make_store

from core.comparing import Question, compare, read, sides
from core.comparing.agreement import Agreement, agreement
from dashboard.charts import pairs, pairs_parts
from dashboard.pairs_tables import figure_table, pairs_table, parts_table
from data.catalogue import Catalogue

FEATURES = [*range(5), *range(6, 16)]
BAD = ["made:99", "nonsense", "<img src=x onerror=alert(1)>", "made:" + "9" * 40]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three settings over 15 features, the second better by .1; the third scored by fuzzing."""
    made = make_store(tmp_path_factory.mktemp("store"), sequences=60, judged=False)
    for settings, gain, text in (
        ({"objective": "f1"}, 0.0, "Fires on <b>bold</b> & $x$"),
        ({"objective": "mdl"}, 0.1, "Fires \u202eback"),
        ({"objective": "f2"}, 0.05, "Fires"),
    ):
        ids = compared.explain(made.catalogue, made.cache, settings, FEATURES, text=text)
        for scorer in ("detection", "fuzzing")[settings["objective"] == "f2" :]:
            values = {f: 0.5 + f / 50 + gain for f in FEATURES}
            compared.judge(made.catalogue, ids, values, scorer=scorer)
    return made


def open_page(monkeypatch, store, **query):
    return pages.open_page(monkeypatch, store, "compare", **query)


def two(**more):
    return {"a": "made:1", "b": "made:2", **more}


def test_two_runs_are_compared_in_one_sentence_and_one_figure(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, **two())
    said = html_of(app)
    assert "B is better by .100 [.100, .100] over 15 features; B wins 15, ties 0" in said
    assert "Both judged by grammar, preset gloss" in said
    assert len(figures(app)) == 1
    assert app.dataframe[0].value["B − A"].tolist() == pytest.approx([0.1] * 10)
    assert "On no feature is A better" in said


def test_swapping_puts_both_sides_in_the_address(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, **two())
    app.button(key="compare.swap").click().run()
    assert app.query_params["a"] == "made:2"
    assert "A is better by .100" in html_of(app)


def test_choosing_a_side_puts_it_in_the_address(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, **two(score="fuzzing"))
    app.selectbox(key="compare.b").set_value("made:3").run()
    assert app.query_params["b"] == "made:3"
    assert "B is better by .050" in html_of(app)


def test_a_point_opens_its_feature_with_both_explanations(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, **two())
    click_chart(app, "compare-pairs", 3)
    assert app.query_params["mode"] == "one"
    assert app.query_params["feature"] == "layers.1.mlp/3"
    assert app.query_params["explanations"] == "4,19"


def test_a_row_opens_its_feature(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, **two())
    app.session_state["compare.largest.B"] = {
        "selection": {"rows": [], "columns": [], "cells": [(0, "A")]}
    }
    app.run()
    assert app.query_params["mode"] == "one"


def test_further_runs_stand_in_a_table_against_the_first(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, **two(score="fuzzing", more="made:3"))
    table = app.dataframe[0].value
    assert table["Difference"].tolist() == ["+.100 [+.100, +.100]", "+.050 [+.050, +.050]"]
    assert table["p, adjusted"].tolist() == ["p < .001", "p < .001"]


def test_the_second_figure_is_drawn_when_it_is_opened(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, **two())
    app.session_state["compare.more.open"] = True
    app.run()
    assert not app.exception
    assert len(figures(app)) == 2


@pytest.mark.parametrize("side", BAD)
def test_a_side_that_is_not_there_is_said_and_another_shown(monkeypatch, made, side):
    app = open_page(monkeypatch, made.folder, a=side, b="made:2")
    said = html_of(app)
    assert "There is no run “" in said
    assert "<img" not in said
    assert len(figures(app)) == 1


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"score": "<i>x"}, "Neither run was scored by “&lt;i&gt;x”; detection is shown"),
        ({"hookpoint": "h.99"}, "have no hookpoint “h.99”"),
        ({"judge": "99"}, "B is better by"),
        ({"cache": "nowhere", "a": ""}, "There is no cache named “nowhere”"),
        ({"judge": "-1"}, "B is better by"),
        ({"mode": "nonsense"}, "B is better by"),
        ({"more": "x"}, "B is better by"),
        ({"b": "made:1"}, "A and B are the same run"),
        ({"b": "made:3", "score": "detection"}, "No feature has a detection score under both"),
    ],
)
def test_what_the_address_gets_wrong_is_one_sentence(monkeypatch, made, query, words):
    assert words in html_of(open_page(monkeypatch, made.folder, **(two() | query)))


def test_texts_of_explanations_are_inert(monkeypatch, made):
    table = open_page(monkeypatch, made.folder, **two()).dataframe[0].value
    assert table.iloc[0, 4] == "Fires on <b>bold</b> & $x$"  # a cell draws text literally
    assert table.iloc[0, 5] == "Fires [202E]back"


def test_without_a_store_the_page_names_the_command(monkeypatch, tmp_path):
    assert "gloss demo" in html_of(open_page(monkeypatch, tmp_path / "none"))


def test_an_empty_store_gives_advice(monkeypatch, tmp_path):
    Catalogue(tmp_path)
    assert "gloss demo" in html_of(open_page(monkeypatch, tmp_path))


def test_nothing_explained_and_one_run_only_say_how_to_go_on(monkeypatch, tmp_path):
    made = make_store(tmp_path, sequences=60, judged=False)
    assert "gloss explain made" in html_of(open_page(monkeypatch, tmp_path))
    compared.explain(made.catalogue, made.cache, {"objective": "f1"}, [0, 1])
    assert "none to compare it with" in html_of(open_page(monkeypatch, tmp_path))
    compared.explain(made.catalogue, made.cache, {"objective": "f2"}, [0, 1])
    assert "Neither run is scored yet" in html_of(open_page(monkeypatch, tmp_path))


@pytest.fixture(scope="module")
def found(made):
    with made.catalogue.reading() as con:
        first, second, _ = (one.side for one in sides(con))
        return compare(read(con, Question(first, second)))


def test_every_pair_is_drawn_once_and_knows_its_place(found):
    figure = pairs.pairs_figure(found)
    points = [t for t in figure["data"] if t["type"] == "scatter" and t.get("xaxis") is None]
    assert sorted(i for trace in points for i in trace["customdata"]) == list(range(15))
    winners = [len(trace["x"]) for trace in points]
    assert winners == [0, 15, 0]  # A better, B better, equal


def test_at_most_two_thousand_points_are_drawn():
    assert len(pairs.drawn(32_768)) == 2000
    assert len(set(pairs.drawn(32_768).tolist())) == 2000
    assert pairs.drawn(3).tolist() == [0, 1, 2]


def test_differences_are_counted_around_zero():
    counts, width = pairs.binned(np.array([0.0, 0.0, 0.3, -0.3, 0.02]))
    assert width == pytest.approx(0.02)
    assert (counts[0], counts[15], counts[30], counts.sum()) == (1, 2, 1, 5)


def test_a_side_keeps_its_colour_and_mark_in_every_panel(made, found):
    with made.catalogue.reading() as con:
        both = [agreement(con, s, None) for s in (found.question.first, found.question.second)]
    figures = [pairs.pairs_figure(found), pairs_parts.parts_figure(found, both)]
    for trace in (t for figure in figures for t in figure["data"]):
        if trace.get("name") in ("A", "B") and "marker" in trace:
            second = trace["name"] == "B"
            assert trace["marker"]["color"] == f"var(--chart-{1 + second})"
            assert trace["marker"]["symbol"] == ("circle", "square")[second]


def test_names_of_hookpoints_are_cut_to_what_differs():
    assert pairs_parts.short_names(["h.1.mlp", "h.12.mlp"]) == ["1", "12"]
    assert pairs_parts.hookpoint_title(["h.1.mlp", "h.12.mlp"]) == "hookpoint (h.….mlp)"
    assert pairs_parts.short_names(["h.1"]) == ["h.1"]
    assert pairs_parts.short_names(["h.1", "h"]) == ["h.1", "h"]


def test_the_download_has_a_row_a_pair(found):
    table = pairs_table(found)
    assert len(table) == 15
    assert table["difference"].tolist() == pytest.approx([0.1] * 15)
    assert table["explanation_b"][0] == 16


def test_the_numbers_of_a_figure_are_those_of_all_its_panels(found):
    drawn = figure_table(found).groupby("panel", sort=False).size()
    assert drawn.to_dict() == {"pairs": 15, "share right by place": sum(map(len, found.curves))}
    none = Agreement(np.array([]), np.array([]), None)
    two = Agreement(np.array([0.7, 0.8]), np.array([0.6, 0.9]), 1.0)
    by = parts_table(found, [two, none]).groupby("by").size()
    assert (by["distribution"], by["detection against fuzzing of a"]) == (15, 2)
    assert by["hookpoint"] == len(found.by_hookpoint)


def test_the_side_chosen_for_b_pairs_with_a_and_both_stand_in_the_address(monkeypatch, tmp_path):
    made = make_store(tmp_path, sequences=60, judged=False)
    far = compared.begin(made.catalogue, "far", ("elsewhere",))
    near = made.cache
    for record, objective, features in (
        (near, "f1", range(5)), (near, "mdl", range(6, 11)), (near, "f2", range(20, 22)),
        (far, "f1", range(5)),
    ):  # fmt: skip
        ids = compared.explain(made.catalogue, record, {"objective": objective}, list(features))
        compared.judge(made.catalogue, ids, dict.fromkeys(features, 0.8))
    ids = compared.explain(made.catalogue, near, {"objective": "f0.5"}, [1, 2])
    compared.judge(made.catalogue, ids, {1: 0.7, 2: 0.6})
    ids = compared.explain(made.catalogue, near, {"objective": "f3"}, [30])
    compared.judge(made.catalogue, ids, {30: 0.7})
    app = open_page(monkeypatch, made.folder)
    assert (app.query_params["a"], app.query_params["b"]) == ("made:1", "made:4")
    app = open_page(monkeypatch, made.folder, a="made:1", b="far:1")
    said = html_of(app)
    assert "They are at different hookpoints" in said
    assert "Choose another B: made:4 shares 2 features with A." in said
    assert "gloss score" not in said

"""The page of similarities: map, words, pairs; and other layers on the page of a feature."""

import json

import pytest
from pages import figures, html_of, open_page
from stores import make_store
from two_seeds import FIRST, SECOND, explain
from two_seeds import make_store as make_seeds
from word_encoder import WordEncoder

from core.pipeline.likeness import LikenessRequest, likeness_stage
from dashboard.charts.similarity import Map, similarity_figure, similarity_table
from dashboard.panels.similarity.start import words_of
from data.catalogue import Catalogue


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    catalogue = make_seeds(tmp_path_factory.mktemp("seeds"))
    for place in (FIRST, SECOND):
        explain(catalogue, "one", place, {f: f"<b>w{f}</b> & $x{f}$" for f in range(24)})
    list(likeness_stage(catalogue, LikenessRequest("one"), WordEncoder()))
    list(likeness_stage(catalogue, LikenessRequest("one", "two"), WordEncoder()))
    return catalogue.store


def row(value=0.5, baseline=0.25, n=20):
    return {"value": value, "baseline": baseline, "low": 0.2, "high": 0.3, "n_pairs": n,
            "n_first": n, "n_second": n, "n_shared": None, "method": "exact"}  # fmt: skip


def test_a_map_draws_numbers_and_leaves_out_what_was_not_compared():
    drawn = Map("co-firing", ["a<b>", "c"], ["a<b>", "c"], {(0, 1): row()}, above=False)
    figure = similarity_figure(drawn, (0, 1))
    heat, marks = figure["data"]
    assert heat["z"] == [[None, 0.5], [None, None]]
    assert marks["customdata"] == [1]
    texts = [note["text"] for note in figure["layout"]["annotations"]]
    assert "mean Jaccard of pairs, n 20 a cell" in texts[0]
    assert "0.50" in texts[1]
    assert "a<b>" not in json.dumps(figure)
    above = similarity_figure(drawn._replace(above=True), None)
    assert above["data"][0]["z"][0][1] == 0.25
    assert similarity_table(drawn)["difference"].tolist() == [0.25]


def test_an_undefined_cell_is_empty_and_not_zero():
    drawn = Map("co-firing", ["a"], ["b"], {(0, 0): row(value=None)}, above=False)
    assert similarity_figure(drawn, None)["data"][0]["z"] == [[None]]


def test_the_page_shows_the_map_its_numbers_and_the_pairs(monkeypatch, compared):
    app = open_page(monkeypatch, compared, "similarity", cache="one")
    (figure,) = figures(app)
    z = figure["data"][0]["z"]
    assert z[0][0] is None
    assert z[0][1] == z[1][0] == pytest.approx(1, abs=1e-3)
    assert "linear assignment" in html_of(app)
    pairs = app.dataframe[0].value
    assert len(pairs) == 24
    assert pairs["A is explained as"][0] == pairs["B is explained as"][0]
    assert "<b>w" not in html_of(app)


def test_the_address_says_with_which_cache_by_what_and_which_cell(monkeypatch, compared):
    query = {"cache": "one", "with": "two", "measure": "decoder", "show": "above",
             "a": SECOND, "b": SECOND}  # fmt: skip
    app = open_page(monkeypatch, compared, "similarity", **query)
    assert f"one:{SECOND} with two:{SECOND}" in html_of(app)
    layout = figures(app)[0]["layout"]
    titles = [layout[name]["title"]["text"] for name in ("yaxis", "xaxis")]
    assert titles == ["cache one", "cache two"]
    assert "24 shared (100.0 %)" in html_of(app)
    assert set(app.dataframe[0].value["Encoder"]) == {1.0}


def test_a_bad_address_falls_back(monkeypatch, compared):
    query = {"cache": "one", "with": "nobody", "measure": "colour", "a": "<i>", "b": "x"}
    app = open_page(monkeypatch, compared, "similarity", **query)
    assert len(app.dataframe) == 1


def test_nothing_compared_names_the_command(monkeypatch, tmp_path):
    make_store(tmp_path, sequences=60, judged=False)
    app = open_page(monkeypatch, tmp_path, "similarity")
    assert "gloss similarity made" in html_of(app)
    assert not figures(app)


def test_the_page_of_a_feature_names_its_like_in_other_layers(monkeypatch, compared):
    with Catalogue(compared).reading() as con:
        live = con.value("select min(feature) from feature where hookpoint_id = 1 and n_active > 0")
    app = open_page(monkeypatch, compared, "feature", cache="one", feature=f"{FIRST}/{live}")
    app.session_state["more"] = ["Other layers"]
    app.run()
    assert not app.exception
    labels = [one.label for one in app.button if one.label.startswith(f"1.00 · #{live} ")]
    assert labels[0].endswith(rf"\<b\>w{live}\</b\> \& \$x{live}\$")


def test_the_words_of_a_start_are_those_of_the_command(compared):
    record = type("Record", (), {"name": "demo"})()
    assert words_of(record, "two", ["decoder", "co-firing"]) == [
        "gloss", "similarity", "demo", "two", "--measure", "decoder,co-firing"
    ]  # fmt: skip

"""The page of baselines: figure, table, what is missing, coverage; and an empty store."""

import pytest
from made_baselines import add_study, begin, make_store, question
from pages import figures, html_of, open_page

from core.baselines.table import table
from core.coverage_price import LITERATURE, PresetPrice, Priced, Tokens, calls
from core.examples import PRESETS
from dashboard.charts.baselines import baselines_figure, baselines_numbers
from dashboard.panels.baselines.covered import price_table
from dashboard.panels.baselines.start import words_of
from data import caches
from data.catalogue import Catalogue


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    catalogue, explainer = make_store(tmp_path_factory.mktemp("made") / "store")
    first = add_study(catalogue, explainer)
    add_study(catalogue, explainer, only=("neurons", "random-sae", "shuffled"))
    return catalogue, explainer, first


def test_the_page_shows_every_row_with_its_n_and_how_to_read_it(monkeypatch, compared):
    app = open_page(monkeypatch, compared[0].store, "baselines", cache="one")
    text = html_of(app)
    assert "does not show learned computation" in text
    assert all(word in text for word in ("random SAE", "paired"))
    (figure,) = figures(app)
    assert "n 5" in [note["text"] for note in figure["layout"]["annotations"]]
    assert "6 (75 %)" in text  # explained, of eight features that fire


def test_what_is_missing_has_its_command_and_a_button(monkeypatch, compared):
    app = open_page(monkeypatch, compared[0].store, "baselines", cache="one")
    assert "Not there yet" in html_of(app)
    assert any("--only neurons,random-sae,shuffled --steps 0" in one.value for one in app.code)
    assert "Make what is missing" in [one.label for one in app.button]


def test_the_address_chooses_the_run(monkeypatch, compared):
    app = open_page(monkeypatch, compared[0].store, "baselines", cache="one", of=str(compared[2]))
    text = html_of(app)
    assert f"run {compared[2]}: all, grammar" in text
    assert "neurons" not in text.partition("Published")[0].partition("Detection")[2][:600]


def test_the_address_of_a_baseline_opens_what_it_stands_beside(monkeypatch, compared):
    app = open_page(monkeypatch, compared[0].store, "baselines", cache="one.random-sae")
    assert "one · h.1" in html_of(app)


def test_without_baselines_the_page_says_what_makes_them(monkeypatch, tmp_path):
    catalogue = Catalogue(tmp_path / "store")
    begin(catalogue, "bare", {}, (None,))
    app = open_page(monkeypatch, catalogue.store, "baselines")
    assert "Nothing stands beside the SAE" in html_of(app)
    assert any("gloss baselines bare" in one.value for one in app.code)
    assert "Start" in [one.label for one in app.button]


def test_an_empty_store_says_what_fills_it(monkeypatch, tmp_path):
    Catalogue(tmp_path / "store")
    app = open_page(monkeypatch, tmp_path / "store", "baselines")
    assert "gloss demo" in html_of(app)


def test_a_price_that_cannot_be_had_is_said_on_the_page(monkeypatch, compared):
    app = open_page(monkeypatch, compared[0].store, "baselines", cache="one")
    app.button(key="baselines.price").click().run()
    assert "No price where nothing was measured: no cache in" in html_of(app)


def test_the_figure_draws_one_box_a_row_and_scorer(compared):
    catalogue, explainer, _ = compared
    found = table(catalogue, question(explainer))
    figure = baselines_figure(found.rows, found.scorers)
    boxes = {(box["xaxis"], box["name"]): box["x"] for box in figure["data"]}
    assert boxes["x", "the SAE"] == [0.9, 0.8, 0.7, 0.6, 0.5]
    assert len(boxes["x", "shuffled"]) == 10
    assert boxes["x2", "the SAE"] == []  # exact: rules were not checked
    assert len(baselines_numbers(found, "h.1")) == 5 + 5 + 10


def test_prices_name_their_source():
    tokens = {what: Tokens(1000, 10, 10, "measured, 8 calls of <m>", True, 8)
              for what in ("explanation", "detection", "fuzzing")}  # fmt: skip
    one = PresetPrice("gloss", calls(PRESETS["gloss"]), tokens)
    drawn = price_table(Priced("one", (), 10, 5, (one,), LITERATURE))
    assert "measured, 8 calls of &lt;m&gt;" in drawn
    # (10 + 5 * 80) (1000 * 3 + 10 * 15) millionths = $1.29
    assert "$1.29" in drawn


def test_the_command_of_the_page_leaves_out_what_is_usual(compared):
    record = caches.cache(compared[0], "one")
    assert words_of(record) == ["gloss", "baselines", "one"]
    assert words_of(record, ["shuffled"], "first:9", 0) == [
        "gloss", "baselines", "one", "--features", "first:9", "--only", "shuffled", "--steps", "0"
    ]  # fmt: skip

"""The page of filters by AppTest: counts that lead to lists, drawings, what is missing."""

from pathlib import Path

import planted_subject
import pytest
from pages import html_of, open_page
from planted_subject import POINT, Planted

from core.pipeline.caching import cache_stage
from core.pipeline.filtering import FilterRequest, filter_stage
from dashboard.charts import filters as charts
from data import caches, filter_figures, flags


@pytest.fixture(scope="module")
def filtered(tmp_path_factory):
    catalogue = planted_subject.make_store(tmp_path_factory.mktemp("planted") / "store")
    list(filter_stage(catalogue, FilterRequest("planted")))
    return catalogue


def test_counts_limits_entropies_and_positions_are_shown(monkeypatch, filtered):
    app = open_page(monkeypatch, filtered.store, "filters")
    table = app.dataframe[0].value.set_index("Flag")
    assert table["Features"]["unigram"] == 2
    assert table["Of"]["unigram"] == 8
    assert "2309.04827" in table["Source"]["positional"]
    said = html_of(app)
    assert "2 fire fewer than 50 times" in said
    assert "Token entropy against firing rate" in said
    assert app.number_input[0].value == Planted.POSITIONAL  # the most positional one
    assert not [button for button in app.button if button.key == "filters.start"]  # all is there


def test_the_feature_drawn_by_position_is_in_the_address(monkeypatch, filtered):
    app = open_page(monkeypatch, filtered.store, "filters", position="7")
    assert app.number_input[0].value == Planted.EVERYWHERE
    app.number_input[0].set_value(9).run()
    assert app.query_params["position"] == "9"
    assert "Feature 9 never fired" in html_of(app)


def test_before_the_filters_are_run_the_page_says_how(monkeypatch, tmp_path):
    store = planted_subject.make_store(tmp_path / "store").store
    app = open_page(monkeypatch, store, "filters")
    assert "gloss filters planted" in html_of(app)
    assert [b.label for b in app.button if b.key == "filters.start"] == ["Run the filters"]


def test_the_figures_hold_every_count_and_lead_somewhere(filtered):
    with filtered.reading() as con:
        counts = flags.counts(con, 1)
        clouds = filter_figures.clouds(con, 1, "planted")
    (bars,) = charts.counts_figure(counts)["data"]
    shares = dict(zip(bars["y"], bars["x"], strict=True))
    assert (shares["unigram"], shares["dead"]) == (0.25, 0.1)
    assert bars["customdata"][0] == [0, "positional", 1, 8]
    assert len(charts.counts_table(counts)) == len(flags.Flag)
    figure = charts.entropy_figure(clouds)
    (dots,) = figure["data"]
    assert figure["layout"]["showlegend"]  # n stands there
    assert dots["customdata"] == [f for f in Planted if f not in (Planted.RARE, Planted.DEAD)]
    assert "n = 8, median" in dots["name"]


def test_the_page_of_a_feature_shows_its_flags_and_its_figures(monkeypatch, filtered):
    address = f"{POINT}/{int(Planted.UNIGRAM)}"
    query = {"cache": "planted", "feature": address, "more": "Filters"}
    said = html_of(open_page(monkeypatch, filtered.store, "feature", **query))
    assert "context-independent" in said
    assert "<code> apple</code>" in said
    assert "2 of 2" in said


def test_a_random_sae_of_the_same_place_stands_beside(tmp_path):
    catalogue = planted_subject.make_store(tmp_path / "store")
    (planted,) = caches.cache(catalogue, "planted").hookpoints
    things = Path(planted.sae_source).parent
    asked = planted_subject.request(things, saes=("random:8:4",), name="control",
                                    hookpoints=(POINT,))  # fmt: skip
    list(cache_stage(catalogue, asked))
    for name in ("planted", "control"):
        list(filter_stage(catalogue, FilterRequest(name, run=False)))
    with catalogue.reading() as con:
        own, control = filter_figures.clouds(con, planted.hookpoint_id, "planted")
    assert (own.title, control.title) == ("planted", "control (random)")
    dots = charts.entropy_figure([own, control])["data"]
    assert set(dots[1]["customdata"]) == {-1}  # the control leads nowhere
    assert dots[1]["zorder"] < dots[0]["zorder"]  # and lies below
    assert len(dots[0]["x"]) == 8


def test_the_address_that_a_count_leads_to_lists_its_features(monkeypatch, filtered):
    query = {"cache": "planted", "hookpoint": POINT, "flags": "unigram"}
    app = open_page(monkeypatch, filtered.store, **query)
    assert app.dataframe[0].value["Feature"].tolist() == [1, 4]
    assert app.dataframe[0].value["Flags"][0].endswith("context-independent, single-token")

"""The page of features by AppTest: filters, presets, views, chart, files, what is missing."""

import io

import pandas as pd
import pytest
from pages import click_chart, figures, html_of, open_page
from stores import HOOKPOINT, make_store
from word_encoder import WordEncoder

from core import meaning
from dashboard.panels.features import table
from data import feature_table, notes
from data.catalogue import Catalogue
from data.feature_filter import Filter


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=120)


def listed(app):
    return app.dataframe[0].value["Feature"].tolist()


def words(app):
    return [button.label for button in app.button if "without." in (button.key or "")]


def test_scores_stand_beside_their_intervals(monkeypatch, made):
    table = open_page(monkeypatch, made.folder).dataframe[0].value
    low, high = table["Detection 95 %"][0][1:-1].split(", ")
    assert float(low) < table["Detection"][0] < float(high)
    assert table["Fuzzing 95 %"][2] == ""
    assert len(table["By decile"][0]) == 10
    assert table["Flags"][3] == "scarce"
    assert "no rule covers" in table["Explanation"][4]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"alive": "true", "explained": "explained"}, [0, 1, 2]),
        ({"flags": "dead"}, [5]),
        ({"scorer": "Detection", "score_from": "0.8"}, [0]),
        ({"density_to": "0"}, [5]),
        ({"preset": "Worst explained"}, [1, 0]),
        ({"sort": "by detection, high first", "explained": "explained"}, [0, 1, 2]),
        ({"made_in": "nonsense", "flags": "nonsense", "score_from": "x", "preset": "?"},
         [*range(16)]),
    ],
)  # fmt: skip
def test_the_address_holds_the_filter(monkeypatch, made, query, expected):
    assert listed(open_page(monkeypatch, made.folder, **query)) == expected


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"preset": "Low detection"}, "Detection below 0.70; lowest first."),
        ({"preset": "Most disagreement", "sort": "by index"},
         "Detection and fuzzing differ by 0.15 or more; features with over 10 % failed verdicts "
         "are left out."),
        ({"preset": "Worst explained"}, "lowest upper end of the detection interval first."),
    ],
)  # fmt: skip
def test_the_chosen_preset_says_what_it_means(monkeypatch, made, query, said):
    assert said in html_of(open_page(monkeypatch, made.folder, **query))


def test_what_nothing_here_reads_leaves_the_address(monkeypatch, made):
    asked = {"feature": f"{HOOKPOINT}/3", "judge": "nobody", "flags": "?", "sort": "by index"}
    app = open_page(monkeypatch, made.folder, **asked)
    assert not {"feature", "judge", "flags"} & set(app.query_params)
    assert len(listed(app)) == 16


def test_an_active_filter_is_a_word_that_can_be_taken_away(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, score_from="0.8", alive="true")
    assert words(app) == ["fires", "Detection ≥ 0\\.8", "Clear all"]
    app.button(key="without.1").click().run()
    assert words(app) == ["fires"]
    assert len(listed(app)) == 15


def test_a_facet_shows_the_explanation_of_that_run(monkeypatch, made):
    app = open_page(monkeypatch, made.folder)
    facet = app.selectbox(key="made_in")
    facet.set_value(next(o for o in facet.options if o.startswith("run 2"))).run()
    assert app.dataframe[0].value["Explanation"].tolist() == ["Fires on “ Monday”, “ Friday”"]


def test_a_view_is_saved_opened_and_forgotten(monkeypatch, tmp_path):
    made = make_store(tmp_path, sequences=60, judged=False)
    app = open_page(monkeypatch, tmp_path, flags="dead")
    app.session_state["features.views"] = True
    app.run()
    app.text_input(key="views.name").set_value("**dead** ones")
    next(b for b in app.button if b.label == "Save view").click().run()
    with made.catalogue.reading() as con:
        assert notes.saved(con, "view") == {"**dead** ones": {"flags": ["dead"]}}
    app.button(key="without.0").click().run()
    assert len(listed(app)) == 16
    assert app.button(key="views.open.0").label == "\\*\\*dead\\*\\* ones"
    app.button(key="views.open.0").click().run()
    assert listed(app) == [5]
    app.button(key="views.forget.0").click().run()
    with made.catalogue.reading() as con:
        assert notes.saved(con, "view") == {}


def test_a_saved_view_of_another_store_opens_without_what_is_missing(monkeypatch, tmp_path):
    made = make_store(tmp_path, sequences=60, judged=False)
    body = {"made_in": "run 99", "flags": ["odd"], "score_from": "x", "sort": 3, "alive": True}
    notes.save(made.catalogue, "view", "odd", body)
    app = open_page(monkeypatch, tmp_path)
    app.session_state["features.views"] = True
    app.run()
    app.button(key="views.open.0").click().run()
    assert not app.exception
    assert words(app) == ["fires"]


def test_random_opens_one_that_passes(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, flags="scarce")
    next(b for b in app.button if b.label == "Random").click().run()
    assert "<p id=mark hidden>3</p>" in html_of(app)


def test_the_chart_is_one_figure_and_a_point_opens_its_feature(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, view="Chart")
    (figure,) = figures(app)
    assert figure["data"][-1]["customdata"] == [0, 1]
    titles = " ".join(note["text"] for note in figure["layout"]["annotations"])
    assert "n = 2 features with both" in titles
    assert "16 features" in html_of(app)
    files = [button.proto.label for button in app.get("download_button")]
    assert files == ["CSV of the chart", "CSV of the features", "Parquet of the features"]
    click_chart(app, "scores", 1)
    assert "<p id=mark hidden>1</p>" in html_of(app)


def test_without_a_score_the_chart_says_what_to_do(monkeypatch, tmp_path):
    make_store(tmp_path, sequences=60, judged=False)
    assert "gloss score made" in html_of(open_page(monkeypatch, tmp_path, view="Chart"))


def test_bookmarks_and_labels_are_shown(monkeypatch, tmp_path):
    made = make_store(tmp_path, sequences=60, judged=False)
    notes.write_note(made.catalogue, made.hookpoint_id, 1, "label", "<b>\u202e")
    notes.write_note(made.catalogue, made.hookpoint_id, 1, "bookmark", notes.SET)
    app = open_page(monkeypatch, tmp_path, marked="bookmarked")
    assert app.dataframe[0].value[["★", "Label"]].to_numpy().tolist() == [["★", "<b>[202E]"]]


def test_a_table_by_several_judges_names_them(made):
    with made.catalogue.reading() as con:
        rows = feature_table.features(con, made.hookpoint_id, Filter()).rows
    one = table.readable(rows, Filter(), has_labels=False)
    assert "Judge" not in one.columns
    elsewhere = table.readable(rows, Filter(), has_labels=False, has_judges=True)
    assert elsewhere["Judge"].tolist()[:3] == ["grammar", "grammar", ""]
    rows.loc[1, "judge"] = "\u202ellama"
    both = table.readable(rows, Filter(), has_labels=False)
    assert both["Judge"].tolist()[:3] == ["grammar", "[202E]llama", ""]


def test_files_hold_every_row_that_passes(made):
    with made.catalogue.reading() as con:
        rows = feature_table.whole(con, made.hookpoint_id, Filter())
    again = pd.read_csv(io.BytesIO(table.csv(rows)))
    assert again["feature"].tolist() == [*range(16)]
    assert again["text"][0] == "Fires on the days of the week"
    pd.testing.assert_frame_equal(
        pd.read_parquet(io.BytesIO(table.parquet(rows))), rows, check_dtype=False
    )


def test_a_search_by_meaning_lists_the_nearest_first(monkeypatch, made):
    monkeypatch.setattr("dashboard.panels.features.meaning.packaged", WordEncoder)
    monkeypatch.setattr(meaning, "is_installed", lambda: True)
    app = open_page(monkeypatch, made.folder, q="days week", meaning="true")
    table = app.dataframe[0].value
    assert table["Explanation"][0] == "Fires on the days of the week"
    assert table["Similarity"].is_monotonic_decreasing
    assert len(table) == 3


def test_without_the_extra_its_name_is_the_hint(monkeypatch, made):
    monkeypatch.setattr(meaning, "is_installed", lambda: False)
    app = open_page(monkeypatch, made.folder, q="days", meaning="true")
    assert "gloss-sae[embeddings]" in html_of(app)
    assert not [toggle for toggle in app.toggle if toggle.key == "meaning"]
    assert listed(app) == [0]


def test_a_store_without_features_of_its_own_is_no_error(monkeypatch, tmp_path):
    made = make_store(tmp_path, sequences=60, judged=False)
    with Catalogue(tmp_path).writing() as con:
        con.run("delete from feature where hookpoint_id = ?", [made.hookpoint_id])
    app = open_page(monkeypatch, tmp_path)
    assert "No feature passes this filter" in html_of(app)
    assert "0 features" in html_of(app)


def test_an_imported_run_without_activations_is_listed(monkeypatch, tmp_path):
    made = make_store(tmp_path, sequences=60)
    with Catalogue(tmp_path).writing() as con:
        con.run("update feature set n_active = null, density = null, max_activation = null, "
                "mean_activation = null, top_token_share = null, reason = null")  # fmt: skip
    table = open_page(monkeypatch, made.folder, sort="by density, high first").dataframe[0].value
    assert table["Explanation"][0] == "Fires on the days of the week"
    assert table["Explanation"][5] == "— not explained yet"
    assert table["Flags"].eq("").all()

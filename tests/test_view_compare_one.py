"""One feature under several explanations, the figures of runs, and the sweep's drawer."""

import json
from pathlib import Path

import pages
import pytest
from pages import figures, html_of
from stores import HOOKPOINT, begin, make_store

from core.drawing.spans import Verdict
from core.explain.settings import ExplainerSettings
from core.figures.intervals import picture
from dashboard.charts import blog, deciles
from dashboard.options import DARK, LIGHT
from dashboard.side_by_side import MOST, Group, compared
from data import ledger, runs
from data.catalogue import Catalogue

CSS = Path(__file__).parents[1] / "dashboard" / "style" / "compare_one.css"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=120)


def open_page(monkeypatch, store, **query):
    return pages.open_page(monkeypatch, store, "compare", patience=60, **query)


def one(monkeypatch, store, feature, **query):
    return open_page(monkeypatch, store, mode="one", feature=f"{HOOKPOINT}/{feature}", **query)


def test_two_explanations_stand_side_by_side_with_what_differs(monkeypatch, made):
    app = one(monkeypatch, made.folder, 0)
    drawn = html_of(app)
    assert drawn.index("Fires on the days of the week") < drawn.index("“ Monday”, “ Friday”")
    assert "<dt>examples</dt><dd>–</dd>" in drawn
    assert "<dt>examples</dt><dd>40</dd>" in drawn
    assert "<dt>objective</dt>" not in drawn
    assert "right only in" in drawn
    assert drawn.index("Verdicts differ") < drawn.index("Right under every explanation")
    (figure,) = figures(app)
    assert [t["name"] for t in figure["data"]] == ["A #1", "B #5"]
    assert all("color" not in t["marker"] for t in figure["data"])
    assert [t["marker"]["symbol"] for t in figure["data"]] == ["circle", "square"]


def test_the_address_says_which_and_in_which_order(monkeypatch, made):
    app = one(monkeypatch, made.folder, 0, explanations="5,1")
    assert [t["name"] for t in figures(app)[0]["data"]] == ["A #5", "B #1"]
    app.multiselect(key="one.chosen").set_value(["1"]).run()
    assert app.query_params["explanations"] == "1"
    assert "This is one explanation" in html_of(app)


def test_one_explanation_says_how_to_get_another(monkeypatch, made):
    drawn = html_of(one(monkeypatch, made.folder, 2))
    assert "This is one explanation. To get another one" in drawn
    assert "none of these is scored" in drawn
    assert "gloss score made" in drawn


@pytest.mark.parametrize(
    ("feature", "said"),
    [
        ("6", "not explained yet"),
        ("5", "Dead: it never fired"),
        ("4", "No explanation: no rule covers a tenth of the firings"),
        ("999", "There is no feature"),
        (HOSTILE, "There is no feature"),
    ],
)
def test_what_cannot_be_compared_is_said(monkeypatch, made, feature, said):
    drawn = html_of(one(monkeypatch, made.folder, feature))
    assert said in drawn
    assert "<img" not in drawn


@pytest.mark.parametrize("odd", ["x", "99", HOSTILE, ",,", "1,1,1", "5, 1", "9" * 400])
def test_odd_explanations_in_the_address_are_one_line(monkeypatch, made, odd):
    drawn = html_of(one(monkeypatch, made.folder, 0, explanations=odd))
    assert "<img" not in drawn
    assert ("has no explanation #" in drawn) == (odd in ("x", "99", HOSTILE, "9" * 400))
    assert "Fires on" in drawn


def test_without_a_feature_one_with_several_explanations_is_shown(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, mode="one")
    assert app.number_input(key="one.number").value == 0
    assert [b.disabled for b in app.button if b.label in ("Previous", "Next")] == [True, True]


def verdict_row(explanation, scorer, first, right, **more):
    return {
        "explanation_id": explanation, "scorer": scorer, "kind": "activating",
        "context_kind": "activating", "first_token": first, "marks": None, "expected": True,
        "predicted": right,
    } | more  # fmt: skip


def test_contexts_are_grouped_by_whether_the_verdicts_agree():
    rows = [
        verdict_row(1, "detection", 0, True), verdict_row(2, "detection", 0, False),
        verdict_row(1, "detection", 32, False), verdict_row(2, "detection", 32, False),
        verdict_row(1, "detection", 64, True), verdict_row(2, "detection", 64, None),
        verdict_row(1, "fuzzing", 96, None),
        verdict_row(3, "detection", 96, True),
        verdict_row(2, "fuzzing", 0, True, kind="wrong-mark", expected=False, marks=[3]),
    ]  # fmt: skip
    found = {(c.context[1], c.kind): c for c in compared(rows, [1, 2])}
    assert {key: c.group for key, c in found.items()} == {
        (0, "activating"): Group.DIFFER, (32, "activating"): Group.WRONG,
        (64, "activating"): Group.RIGHT, (96, "activating"): Group.NOTHING,
        (0, "wrong-mark"): Group.WRONG,
    }  # fmt: skip
    assert found[0, "activating"].said == ((Verdict.RIGHT, None), (Verdict.WRONG, None))
    assert found[0, "wrong-mark"].marks == {3}


def test_columns_have_the_colours_of_the_chart():
    sheet = CSS.read_text(encoding="utf-8")
    pairs = zip(LIGHT["theme.light.chartCategoricalColors"],
                DARK["theme.dark.chartCategoricalColors"], strict=True)  # fmt: skip
    for k, (light, dark) in enumerate(list(pairs)[:MOST]):
        assert f".fx .c{k} {{ --c: light-dark({light}, {dark}) }}" in sheet


def test_the_figures_of_all_settings_are_drawn(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, mode="figures")
    drawn = html_of(app)
    assert "1 feature · judge grammar, preset made" in drawn
    found = figures(app)
    names = [[t.get("name") for t in f["data"]] for f in found]
    assert ["A", "B examples 40, sampling quantiles"] in names
    assert ["Only detection right", "Only fuzzing right", "Both right", "Neither right"] in names
    assert "Left out:" in drawn


def test_all_features_count_when_they_need_not_be_the_same(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, mode="figures", settings="1")
    assert "2 features · judge grammar, preset made" in html_of(app)
    app = open_page(monkeypatch, made.folder, mode="figures", settings="1", of="0")
    assert "1 feature · judge grammar" in html_of(app)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"settings": "77"}, "There is no setting “made:77”"),
        ({"settings": HOSTILE}, "There is no setting"),
        ({"settings": "1", "of": HOSTILE}, "There is no feature"),
        ({"settings": "1", "of": "7"}, "No feature was scored"),
        ({"run": "999"}, "Run 999 explained and scored nothing"),
        ({"run": HOSTILE}, "Accuracy by decile"),
        ({"a": "made:1", "b": "made:2"}, "examples"),
        ({"a": "x", "b": ":"}, "There is no setting"),
        ({"settings": "made:1", "pool": "odd", "bars": "odd", "over": "odd"}, "pooled"),
    ],
)
def test_odd_addresses_of_figures_are_one_line(monkeypatch, made, query, said):
    app = open_page(monkeypatch, made.folder, mode="figures", **query)
    drawn = html_of(app) + json.dumps(figures(app)) + "pooled"
    assert said in drawn
    assert "<img" not in html_of(app)


def test_a_run_in_the_address_shows_what_it_wrote(monkeypatch, made):
    with made.catalogue.reading() as con:
        run = con.value("select max(run_id) from explanation")
    app = open_page(monkeypatch, made.folder, mode="figures", run=str(run))
    assert [t["name"] for t in figures(app)[0]["data"]] == ["A"]
    assert app.multiselect(key="figures.settings").value == ["made:2"]


def test_a_store_without_explanations_says_how_to_begin(monkeypatch, tmp_path):
    make_store(tmp_path, sequences=60, judged=False)
    for mode in ("figures", "one"):
        drawn = html_of(open_page(monkeypatch, tmp_path, mode=mode, feature=f"{HOOKPOINT}/7"))
        assert "gloss explain made" in drawn


def test_a_cache_in_the_making_and_no_store_at_all(monkeypatch, tmp_path):
    begin(Catalogue(tmp_path / "begun"))
    for store, said in (("begun", "is still being made"), ("none", "gloss demo")):
        for mode in ("figures", "one"):
            assert said in html_of(open_page(monkeypatch, tmp_path / store, mode=mode))


def test_unscored_settings_name_the_command_and_hostile_names_are_inert(monkeypatch, tmp_path):
    made = make_store(tmp_path, sequences=60, judged=False)
    settings = ExplainerSettings(explainer="plain").recorded()
    explainer = ledger.method_id(made.catalogue, "explainer", "plain", HOSTILE, settings)
    plan = runs.Plan("explain", made.cache.cache_id, made.hookpoint_id, explainer, {})
    run = runs.start_run(made.catalogue, plan, total=1)
    new = ledger.NewExplanation(0, HOSTILE, None, "done", None, 0.1, 0, (), None)
    ledger.write_explanations(made.catalogue, made.hookpoint_id, explainer, 1, run, [new])
    runs.end_run(made.catalogue, run, "done")
    app = open_page(monkeypatch, tmp_path, mode="figures")
    assert "not scored by detection or fuzzing yet" in html_of(app)
    drawn = html_of(one(monkeypatch, tmp_path, 0))
    assert "<img" not in drawn
    assert "&lt;img" in drawn


def test_names_in_figures_are_escaped():
    spot = deciles.Spot(1, deciles.wilson(1, 2), 2, 0)
    line = deciles.Line("<a href=x>", {"detection": [spot]})
    assert deciles.decile_figure([line], "")["data"][0]["name"] == "&lt;a href=x&gt;"
    empty = picture([{"interval": 0, "detection": 1, "fuzzing": 1, "n": 1}])
    figure = blog.outcome_figure([blog.Panel("<a href=x>", empty)], shares=True)
    assert "<a" not in figure["layout"]["annotations"][0]["text"]
    assert blog.outcome_table([blog.Panel("<a>", empty)])["setting"][0] == "<a>"


def drawer(monkeypatch, store, **chosen):
    """A run with drafts in the drawer, then one that opens it."""
    app = open_page(monkeypatch, store, mode="figures")
    for name, value in chosen.items():
        app.session_state[f"sweep.{name}"] = value
    app.button(key="sweep.open").click().run()
    assert not app.exception
    return app


def test_the_drawer_counts_and_plans_a_sweep(monkeypatch, tmp_path):
    make_store(tmp_path, sequences=60, judged=False)
    app = drawer(monkeypatch, tmp_path, features="0-1", objective=["f1", "mdl"])
    drawn = html_of(app)
    assert "2 settings" in drawn
    assert "2 settings × 2 features: 4 explanations to write, 4 to score" in drawn
    assert app.button(key="sweep.start").label == "Start"
    command = next(c.value for c in app.code if "gloss sweep" in c.value)
    assert "--vary objective=f1,mdl" in command


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"explainers": ["plain"]}, "Which model? Type its id above"),
        ({"explainers": []}, "No explainer is named"),
        ({"features": "bard"}, "is not understood"),
    ],
)
def test_a_sweep_that_cannot_be_says_so_in_the_drawer(monkeypatch, made, chosen, said):
    assert said in html_of(drawer(monkeypatch, made.folder, **chosen))


def test_sweeps_are_listed_with_a_button_that_shows_their_settings(monkeypatch, tmp_path):
    made = make_store(tmp_path, sequences=60)
    command = ("gloss", "sweep", "made", "--vary", "objective=f1")
    plan = runs.Plan("explain", made.cache.cache_id, made.hookpoint_id, 2, {}, command)
    runs.end_run(made.catalogue, runs.start_run(made.catalogue, plan, total=1), "done")
    app = open_page(monkeypatch, tmp_path, mode="figures")
    assert "1 setting · done <code>gloss sweep made --vary objective=f1" in html_of(app)
    app.button(key="sweep.show.0").click().run()
    assert app.query_params["settings"] == "2"
    assert [t["name"] for t in figures(app)[0]["data"]] == ["A"]


def test_what_is_chosen_by_itself_stands_in_the_address(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, mode="one")
    assert app.query_params["feature"] == f"{HOOKPOINT}/0"
    assert len(app.query_params["explanations"].split(",")) > 1
    app = open_page(monkeypatch, made.folder, mode="figures")
    assert app.query_params["settings"].startswith("made:")
    app = open_page(monkeypatch, made.folder, mode="figures", a="made:1")
    assert "settings" not in app.query_params

"""The pages, driven by AppTest: one good case and one empty state each, and what may be missing."""

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict, replace
from threading import Timer
from time import sleep

import pytest
from pages import figures, html_of, open_page
from stores import HOOKPOINT, begin, make_store, new_explanation

from core.grammar.settings import Settings
from core.pipeline.ask import Ask
from dashboard import session
from dashboard.library import Place
from dashboard.panels import reexplain
from data import ledger, runs
from data.catalogue import Catalogue
from data.errors import StoreBusy


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=120)


def test_the_features_are_listed_with_their_scores(monkeypatch, made):
    app = open_page(monkeypatch, made.folder)
    table = app.dataframe[0].value
    assert len(table) == 16
    assert table["Explanation"][0] == "Fires on the days of the week"
    assert table["Explanation"][5] == "— dead: never fired"
    assert "1–16 of 16" in html_of(app)


def test_a_search_without_a_hit_gives_advice(monkeypatch, made):
    app = open_page(monkeypatch, made.folder)
    app.text_input(key="q").set_value("nothing like this").run()
    assert "No feature passes this filter" in html_of(app)


@pytest.mark.parametrize(
    "typed", ["7", f"{HOOKPOINT}/7", f"http://x/feature?feature={HOOKPOINT}/7"]
)
def test_a_typed_feature_opens(monkeypatch, made, typed):
    app = open_page(monkeypatch, made.folder)
    app.text_input(key="q").set_value(typed).run()
    assert "<p id=mark hidden>7</p>" in html_of(app)


def test_a_number_beyond_the_last_names_the_range(monkeypatch, made):
    app = open_page(monkeypatch, made.folder)
    app.text_input(key="q").set_value("99").run()
    assert "features are 0–15" in html_of(app)


def test_an_empty_preset_is_good_news(monkeypatch, tmp_path):
    make_store(tmp_path, sequences=60, judged=False)
    app = open_page(monkeypatch, tmp_path, preset="Failed verdicts")
    assert "No verdict has failed" in html_of(app)


def test_a_clicked_cell_opens_its_feature(monkeypatch, made):
    app = open_page(monkeypatch, made.folder)
    app.session_state["table"] = {"selection": {"rows": [], "columns": [], "cells": [(1, "Max")]}}
    app.run()
    assert "<p id=mark hidden>1</p>" in html_of(app)


@pytest.mark.parametrize("page", ["", "feature", "runs"])
def test_without_a_store_every_page_names_the_command(monkeypatch, tmp_path, page):
    app = open_page(monkeypatch, tmp_path / "none", page)
    assert "gloss demo" in html_of(app)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("page", ["", "feature", "runs"])
def test_an_empty_store_gives_advice(monkeypatch, tmp_path, page):
    Catalogue(tmp_path)
    assert "gloss demo" in html_of(open_page(monkeypatch, tmp_path, page))


@pytest.mark.parametrize("page", ["", "feature"])
def test_a_cache_that_is_being_made_says_so(monkeypatch, tmp_path, page):
    begin(Catalogue(tmp_path))
    assert "still being made" in html_of(open_page(monkeypatch, tmp_path, page))


def test_a_feature_shows_explanations_contexts_and_figure(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, "feature", feature="0")
    drawn = html_of(app)
    assert "Fires on the days of the week" in drawn
    assert "Decile 10" in drawn
    assert "3 failed" in drawn
    assert "precision 0.91" in drawn
    assert len(figures(app)) == 1


def test_wrong_verdicts_are_grouped_by_what_was_asked(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, "feature", feature="0")
    app.segmented_control(key="show").set_value("Wrong verdicts").run()
    assert "No usable reply" in html_of(app)
    assert "D?" in html_of(app)


def test_two_explanations_stand_side_by_side_with_their_difference(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, "feature", feature="0", explanation="1", against="5")
    assert "right only on the left" in html_of(app)
    assert "circle-open" in str(figures(app)[0])


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        ("2", "not scored"),
        ("3", "Scarce"),
        ("4", "no rule covers a tenth of the firings"),
        ("5", "Dead: it never fired"),
        ("6", "Not explained yet"),
        ("99", "layers.1.mlp has features 0–15."),
        ("nonsense", "There is no feature “nonsense”"),
    ],
)
def test_what_is_missing_is_said_with_its_reason(monkeypatch, made, feature, words):
    assert words in html_of(open_page(monkeypatch, made.folder, "feature", feature=feature))


def test_a_bad_address_keeps_the_buttons(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, "feature", feature="99")
    next(b for b in app.button if b.label == "Next").click().run()
    assert "<p id=mark hidden>1</p>" in html_of(app)


def test_a_dead_feature_cannot_be_explained(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, "feature", feature="5")
    button = next(b for b in app.button if b.label == "Re-explain")
    assert button.disabled
    assert button.help.startswith("Dead")


def test_an_explanation_that_is_not_there_is_said(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, "feature", feature="0", explanation="77")
    assert "no explanation #77; the best one is shown" in html_of(app)


@pytest.mark.parametrize(
    ("feature", "words"),
    [("2", "This explanation is not scored yet"), ("4", "there is nothing to score")],
)
def test_without_verdicts_wrong_verdicts_says_what_to_do(monkeypatch, made, feature, words):
    app = open_page(monkeypatch, made.folder, "feature", feature=feature, show="Wrong verdicts")
    assert words in html_of(app)


def test_a_re_explanation_that_failed_says_so_in_the_drawer(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, "feature", feature="6")

    def fail(_stop):
        raise StoreBusy("the store is held by process 1")

    place = Place(made.cache, made.cache.hookpoints[0])
    key = reexplain.job_key(place, 6, Ask(Settings(objective="mdl")))
    job = session._library(str(made.folder)).jobs.start(key, "failing", fail)
    while job.is_running:
        sleep(0.01)
    app.session_state["reexplain.open"] = (made.hookpoint_id, 6)
    app.session_state["reexplain.objective"] = "mdl"
    app.run()
    assert "That did not work: the store is held by process 1." in html_of(app)
    assert app.segmented_control(key="reexplain.objective").value == "mdl"
    assert app.button(key="reexplain.start").label == "Start"


def test_an_explanation_without_a_score_can_be_scored(monkeypatch, tmp_path):
    made = make_store(tmp_path, sequences=60, judged=False)
    explainer = ledger.method_id(
        made.catalogue, "explainer", "grammar", None, asdict(Settings()))  # fmt: skip
    exact = ledger.method_id(made.catalogue, "scorer", "exact", "grammar", {"preset": "exact"})
    plan = runs.Plan("explain", made.cache.cache_id, made.hookpoint_id, explainer, {})
    run = runs.start_run(made.catalogue, plan, total=1)
    ledger.write_explanations(made.catalogue, made.hookpoint_id, explainer, exact, run,
                              [replace(new_explanation(6, "Fires on meet"), seed=0)])  # fmt: skip
    runs.end_run(made.catalogue, run, "done")
    app = open_page(monkeypatch, tmp_path, "feature", feature="6")
    next(b for b in app.button if b.label == "Re-explain").click().run()
    assert "it is not scored yet" in html_of(app)
    assert app.button(key="reexplain.start").label == "Score it"


def test_a_feature_of_an_unexplained_cache_still_shows_its_contexts(monkeypatch, tmp_path):
    make_store(tmp_path, sequences=60, judged=False)
    drawn = html_of(open_page(monkeypatch, tmp_path, "feature", feature="6"))
    assert "Decile 10" in drawn
    assert "D✓" not in drawn


def test_hostile_tokens_are_escaped_in_the_page(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, "feature", feature="1", show="Strongest")
    drawn = html_of(app)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in drawn
    assert "<script" not in drawn
    assert "<img" not in drawn
    assert "\u202e" not in drawn


HOLD = """
import duckdb, sys, time
held = duckdb.connect(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def waits(monkeypatch):
    """What spinners say; nothing waits for longer than two seconds."""
    said = []

    @contextmanager
    def spinner(text, **_):
        said.append(text)
        yield

    monkeypatch.setattr(session.st, "spinner", spinner)
    monkeypatch.setattr(session, "PATIENCE", 2.0)
    return said


@contextmanager
def held(store):
    """Another process that holds the store."""
    path = str(store / "catalogue.duckdb")
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        yield holder
        holder.kill()


def test_a_busy_store_is_one_sentence_and_can_be_tried_again(monkeypatch, tmp_path, waits):
    Catalogue(tmp_path)
    with held(tmp_path) as holder:
        app = open_page(monkeypatch, tmp_path)
    assert f"is held by process {holder.pid}" in html_of(app)
    assert waits == ["Waiting for the store, which another process holds …"]
    app.button[0].click().run()
    assert "gloss demo" in html_of(app)


def test_a_page_that_waits_for_an_open_store_says_so_and_goes_on(monkeypatch, tmp_path, waits):
    Catalogue(tmp_path)
    app = open_page(monkeypatch, tmp_path)
    assert waits == []
    monkeypatch.setattr("data.catalogue.opening.SOON", 0.1)
    with held(tmp_path) as holder:
        os.utime(tmp_path / "catalogue.duckdb")  # as after a commit: what was read counts no more
        Timer(0.8, holder.kill).start()
        app.run()
    assert waits == ["Waiting for the store, which another process holds …"]
    assert "gloss demo" in html_of(app)


LIGHT = """
import importlib, pkgutil, sys
import dashboard
for found in pkgutil.walk_packages(dashboard.__path__, "dashboard."):
    if found.name not in ("dashboard.app", "dashboard.__main__"):
        importlib.import_module(found.name)
heavy = {"torch", "transformers", "nnsight", "openai"} & set(sys.modules)
assert not heavy, heavy
"""


def test_the_dashboard_loads_no_model_library():
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr

"""The page of runs, driven by AppTest."""

import os
import shutil
from dataclasses import asdict
from datetime import UTC, datetime

import pytest
from made_runs import COMMAND, add, failed_explanations, interrupted, many
from pages import html_of, open_page
from stores import HOOKPOINT, begin, make_store

from core import launching
from core.explain.settings import ExplainerSettings
from core.llm.dispatch import KEPT
from dashboard import run_words, session
from data import caches, run_queries, runs
from data.catalogue import Catalogue
from data.errors import StoreTrouble

HOSTILE = "<img src=x onerror=alert(1)> $x$ **b** \u202e"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=60)


@pytest.fixture
def launched(monkeypatch):
    """What would have been started; this process stands for it."""
    asked = []

    def launch(store, words):
        asked.append((store, tuple(words)))
        return launching.Launched(os.getpid(), store / "logs" / "none.log")

    monkeypatch.setattr(launching, "launch", launch)
    return asked


def codes(app):
    return [element.value for element in app.code]


def test_an_interrupted_run_is_resumed_by_its_command(monkeypatch, tmp_path, launched):
    interrupted(tmp_path)
    app = open_page(monkeypatch, tmp_path, "runs")
    assert app.dataframe[0].value["Progress"].tolist() == ["4 / 10"]
    assert "Run 1: explain made at layers.1.mlp, interrupted, 6 features left" in html_of(app)
    assert codes(app) == [f"gloss explain made --features 0-9 --store {tmp_path}"]
    app.button(key="resume-0").click().run()
    assert launched == [(tmp_path, COMMAND)]
    assert f"Process {os.getpid()} is starting" in html_of(app)
    assert app.button(key="resume-0").disabled


def test_runs_of_one_command_are_resumed_together(monkeypatch, tmp_path):
    catalogue, record = interrupted(tmp_path)
    add(catalogue, record, {"features": "0-9", "objective": "mdl"}, "failed", HOSTILE, COMMAND)
    app = open_page(monkeypatch, tmp_path, "runs")
    assert len(codes(app)) == 1
    assert "and 1 other run, failed" in html_of(app)


def test_a_command_that_cannot_be_started_is_one_sentence(monkeypatch, tmp_path):
    interrupted(tmp_path)

    def refuse(_store, _words):
        raise StoreTrouble("no room left on the disk")

    monkeypatch.setattr(launching, "launch", refuse)
    app = open_page(monkeypatch, tmp_path, "runs")
    app.button(key="resume-0").click().run()
    assert not app.exception
    assert "No room left on the disk." in html_of(app)


def test_a_run_that_a_page_began_says_where_it_goes_on(monkeypatch, tmp_path):
    interrupted(tmp_path, command=())
    app = open_page(monkeypatch, tmp_path, "runs")
    assert "a page began it" in html_of(app)
    assert not [button for button in app.button if button.label in ("Resume", "Open")]


def test_a_run_that_a_page_began_is_opened_with_its_settings(monkeypatch, tmp_path):
    folder = shutil.copytree(make_store(tmp_path / "made", sequences=60).folder, tmp_path / "store")
    asked = ExplainerSettings("cot", examples=12, sampling="top")
    catalogue = Catalogue(folder)
    settings = asdict(asked) | {"features": "6", "model": "m1"}
    run = add(catalogue, caches.caches(catalogue)[0], settings, "failed", KEPT)
    app = open_page(monkeypatch, folder, "runs")
    assert "asking again goes on" in html_of(open_page(monkeypatch, folder, "runs", run=str(run)))
    app.button(key="resume-0-open").click().run()
    assert not app.exception
    assert app.query_params["feature"] == f"{HOOKPOINT}/6"
    assert app.selectbox(key="reexplain.explainer").value == "cot"
    assert app.text_input(key="reexplain.model.model").value == "m1"
    assert app.number_input(key="reexplain.asking.examples").value == 12
    assert app.checkbox(key="reexplain.explainer.shows.chain of thought").value


def test_an_unfinished_scoring_is_opened_with_its_judge(monkeypatch, tmp_path):
    folder = shutil.copytree(make_store(tmp_path / "made", sequences=60).folder, tmp_path / "store")
    with Catalogue(folder).reading() as con:
        number = con.value("select min(explanation_id) from explanation where feature = 1")
    catalogue = Catalogue(folder)
    record = caches.caches(catalogue)[0]
    settings = {"features": "1", "explanations": [number], "scorers": ["fuzzing"],
                "preset": "quick", "judge": "j1"}  # fmt: skip
    run = add(catalogue, record, settings, "cancelled", stage="score")
    app = open_page(monkeypatch, folder, "runs", run=str(run))
    app.button(key="open-run").click().run()
    assert not app.exception
    assert app.query_params["explanation"] == str(number)
    assert app.text_input(key="reexplain.judge.model").value == "j1"
    assert app.pills(key="reexplain.scorers.Another model").value == ["fuzzing"]


def test_a_job_and_its_run_are_one_line(monkeypatch, tmp_path):
    folder = shutil.copytree(make_store(tmp_path / "made", sequences=60).folder, tmp_path / "store")
    catalogue = Catalogue(folder)
    record = caches.caches(catalogue)[0]
    key = ("reexplain", record.cache_id, record.hookpoints[0].hookpoint_id, 6, "ask")
    job = session._library(str(folder)).jobs.start(key, "re-explaining 6", lambda s: s.wait(20))
    step = add(catalogue, record, {"features": "6"}, "running")
    other = add(catalogue, record, {"features": "7"}, "running")
    app = open_page(monkeypatch, folder, "runs")
    cancels = [button.key for button in app.button if button.label == "Cancel"]
    assert cancels == [f"cancel-{other}", f"stop-{job.started}"]
    assert f"run {step}: explain" in html_of(app)
    job.stop.set()


def test_a_running_run_shows_its_progress_and_can_be_cancelled(monkeypatch, tmp_path):
    catalogue = Catalogue(tmp_path)
    record = begin(catalogue)
    plan = runs.Plan("cache", record.cache_id, None, None, {})
    runs.start_run(catalogue, plan, total=1_000, done=250)
    app = open_page(monkeypatch, tmp_path, "runs")
    assert "250 of 1,000 tokens" in html_of(app)
    app.button(key="cancel-1").click().run()
    assert app.dataframe[0].value["Status"].tolist() == ["… cancelling"]
    assert "cancelling …; it can be resumed when its process has ended" in html_of(app)
    assert "Stopped before the end" not in html_of(app)
    runs.end_run(catalogue, 1, "cancelled")
    app.run()
    assert app.dataframe[0].value["Status"].tolist() == ["■ cancelled"]
    assert "Stopped before the end" in html_of(app)


def test_a_run_that_is_being_cancelled_cannot_be_resumed_yet(monkeypatch, tmp_path):
    catalogue, _ = interrupted(tmp_path, "running")
    runs.cancel(catalogue, 1)
    app = open_page(monkeypatch, tmp_path, "runs", run="1")
    assert "… cancelling" in html_of(app)
    assert not [button for button in app.button if button.label == "Resume"]
    with catalogue.writing() as con:
        con.run("update run set pid = 4194303")  # nobody's number: its process was killed
    app.run()
    assert [button for button in app.button if button.label == "Resume"]


def test_after_resume_the_page_goes_on_with_the_run_that_goes_on(monkeypatch, tmp_path, launched):
    catalogue, record = interrupted(tmp_path, "cancelled")
    app = open_page(monkeypatch, tmp_path, "runs", run="1")
    app.button(key="resume-run").click().run()
    assert len(launched) == 1
    assert add(catalogue, record, {"features": "0-9"}, "running", command=COMMAND) == 2
    app.run()
    assert app.query_params["run"] == "2"
    assert "Run 2: explain made" in html_of(app)
    app.query_params["run"] = "1"  # Back is not caught
    app.run()
    assert app.query_params["run"] == "1"
    assert "A later run goes on with this one" in html_of(app)
    assert "run=2" in [link.proto.query_string for link in app.get("page_link")]


def test_what_changes_when_runs_begin_and_end_is_noticed(tmp_path):
    catalogue, record = interrupted(tmp_path)

    def standing():
        with catalogue.reading() as con:
            return run_queries.standing(con)

    seen = [standing()]
    run = add(catalogue, record, {"features": "7"}, "running")
    seen.append(standing())
    runs.set_done(catalogue, run, 6, 10)
    assert standing() == seen[-1]
    runs.end_run(catalogue, run, "done")
    assert standing() not in seen


def test_a_job_of_the_dashboard_is_listed_and_can_be_stopped(monkeypatch, made):
    library = session._library(str(made.folder))
    job = library.jobs.start("waiting", "re-explaining <b>7</b>", lambda stop: stop.wait(20))
    app = open_page(monkeypatch, made.folder, "runs")
    assert "re-explaining &lt;b&gt;7&lt;/b&gt;" in html_of(app)
    app.button(key=f"stop-{job.started}").click().run()
    assert job.stop.is_set()


def test_many_runs_are_paged_and_filtered(monkeypatch, tmp_path):
    catalogue = Catalogue(tmp_path)
    many(catalogue, begin(catalogue), 120)
    app = open_page(monkeypatch, tmp_path, "runs")
    assert "1–50 of 120, newest first" in html_of(app)
    app.selectbox(key="stage").set_value("score").run()
    assert "1–40 of 40" in html_of(app)
    assert set(app.dataframe[0].value["Stage"]) == {"score"}


def test_a_run_shows_its_settings_what_it_made_and_why_things_failed(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, "runs", run="1")
    drawn = html_of(app)
    assert "Run 1: explain made at layers.1.mlp" in drawn
    assert "<dt>objective</dt><dd>f1</dd>" in drawn
    assert "3 explanations, 1 failed, 3 scores" in drawn
    assert "no rule covers a tenth of the firings" in drawn
    links = {link.proto.label: link.proto.query_string for link in app.get("page_link")}
    assert links["Features it explained"].startswith(
        "cache=made&hookpoint=layers.1.mlp&made_in=run"
    )
    assert links["4"] == "cache=made&feature=layers.1.mlp%2F4"
    assert links["Compare its explanations"].endswith("a=made%3A1&b=made%3A2")


def test_verdicts_without_usable_reply_are_counted_by_scorer(monkeypatch, made):
    drawn = html_of(open_page(monkeypatch, made.folder, "runs", run="3"))
    assert "Most verdicts without usable reply" in drawn
    assert "<th>detection</th><td>grammar</td>" in drawn
    assert "3 (" in drawn


def test_two_runs_differ_in_what_they_were_asked(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, "runs", run="2")
    app.selectbox(key="runs.other").set_value("1").run()
    drawn = html_of(app)
    assert "<th>sampling</th><td>quantiles</td><td>–</td><td>≠</td>" in drawn
    assert "<th>objective</th>" not in drawn
    app.toggle(key="all_settings").set_value(True).run()
    assert "<th>objective</th><td>f1</td><td>f1</td><td></td>" in html_of(app)


def test_the_other_run_is_in_the_address(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, "runs", run="2", other="1")
    assert "<th>sampling</th><td>quantiles</td><td>–</td><td>≠</td>" in html_of(app)
    app = open_page(monkeypatch, made.folder, "runs", run="2", other="<b>9</b>")
    assert "There is no run “&lt;b&gt;9&lt;/b&gt;” to hold this one against" in html_of(app)


@pytest.mark.parametrize("run", ["99", "-1", "²", "1e3", "<script>alert(1)</script>", "9" * 40])
def test_a_run_that_is_not_there_is_one_sentence(monkeypatch, made, run):
    drawn = html_of(open_page(monkeypatch, made.folder, "runs", run=run))
    assert "There is no run" in drawn
    assert "<script" not in drawn


def test_a_chosen_run_that_stopped_can_be_resumed_and_shows_its_log(
    monkeypatch, tmp_path, launched
):
    interrupted(tmp_path, "failed", HOSTILE)
    (tmp_path / "logs").mkdir()
    began = f"{datetime.now(UTC):%Y%m%dT%H%M%S}.000000"
    (tmp_path / "logs" / f"{began}-{os.getpid()}.log").write_text("explaining: 4 of 10\nboom\n")
    app = open_page(monkeypatch, tmp_path, "runs", run="1")
    assert "<img" not in html_of(app)
    assert "\u202e" not in html_of(app)
    assert "explaining: 4 of 10\nboom" in codes(app)
    app.button(key="resume-run").click().run()
    assert launched == [(tmp_path, COMMAND)]


def test_a_log_of_an_older_process_of_that_number_is_not_shown(monkeypatch, tmp_path):
    interrupted(tmp_path)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / f"29990101T000000.000000-{os.getpid()}.log").write_text("another\n")
    app = open_page(monkeypatch, tmp_path, "runs", run="1")
    assert "another" not in codes(app)


def test_hostile_settings_errors_and_reasons_are_text(monkeypatch, tmp_path):
    catalogue, record = interrupted(tmp_path, "failed", HOSTILE, **{HOSTILE: {"a": [HOSTILE]}})
    failed_explanations(catalogue, record, [HOSTILE])
    for run in ("1", "2"):
        drawn = html_of(open_page(monkeypatch, tmp_path, "runs", run=run))
        assert "&lt;img src=x" in drawn
        assert "<img" not in drawn
        assert "\u202e" not in drawn


def test_settings_of_any_shape_are_words():
    assert run_words.flat({"a": {"b": {"c": True}}, "d": [], "e": [1, [2]], "f": 0, "g": {}}) == {
        "a.b.c": "yes", "d": "none", "e": "[1, [2]]", "f": "0", "g": "none"
    }  # fmt: skip

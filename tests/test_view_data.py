"""The Data page, driven by AppTest: health, import, export, SQL."""

from time import monotonic, sleep

import pytest
from made_runs import interrupted
from pages import html_of, open_page
from stores import make_store

from dashboard import ready_queries, session
from data import exporting, inspecting, notes
from data.catalogue import Catalogue
from data.exports import folder

HOSTILE = "<img src=x onerror=alert(1)> $x$ **b** \u202e"
PARTS = ("Health", "Import", "Export", "SQL")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=60)


def open_data(monkeypatch, store, **query):
    return open_page(monkeypatch, store, "import_export", **query)


def run_sql(app, text):
    app.text_area(key="sql").set_value(text)
    next(button for button in app.button if button.label == "Run").click().run()
    assert not app.exception
    return app


def test_health_names_state_size_and_features_that_cannot_be_judged(monkeypatch, made):
    drawn = html_of(open_data(monkeypatch, made.folder))
    assert "Health of made" in drawn
    assert "nothing is missing" in drawn
    assert "1 (6.2 %)" in drawn  # one feature of 16 is dead, one scarce
    assert "<dt>tokens</dt><dd>tttt" in drawn


def test_files_are_checked_when_asked(monkeypatch, made):
    app = open_data(monkeypatch, made.folder)
    assert "mismatches" not in html_of(app)
    next(button for button in app.button if button.label == "Check the files").click().run()
    drawn = html_of(app)
    assert "Everything agrees" in drawn or "mismatch" in drawn
    assert "activations at layers.1.mlp" in drawn


def test_half_finished_runs_are_named(monkeypatch, tmp_path):
    interrupted(tmp_path)
    drawn = html_of(open_data(monkeypatch, tmp_path))
    assert "1 run stopped before the end" in drawn
    assert "its vocabulary is missing" in drawn


@pytest.mark.parametrize("part", PARTS)
def test_every_part_opens_from_its_address_also_with_nothing_in_the_store(
    monkeypatch, tmp_path, made, part
):
    open_data(monkeypatch, made.folder, part=part)
    Catalogue(tmp_path)
    drawn = html_of(open_data(monkeypatch, tmp_path, part=part))
    assert part in ("Import", "SQL") or "gloss demo" in drawn


def test_without_a_store_the_page_names_the_command(monkeypatch, tmp_path):
    drawn = html_of(open_data(monkeypatch, tmp_path / "none"))
    assert "gloss demo" in drawn
    assert not (tmp_path / "none").exists()


def test_a_cache_that_is_not_there_is_one_sentence(monkeypatch, made):
    drawn = html_of(open_data(monkeypatch, made.folder, cache=HOSTILE))
    assert "There is no cache named" in drawn
    assert "<img" not in drawn


def test_an_export_is_a_job_and_says_where_its_files_are(monkeypatch, tmp_path):
    store = make_store(tmp_path, sequences=60)
    app = open_data(monkeypatch, tmp_path, part="Export")
    app.button(key="export.start").click().run()
    job = session._library(str(tmp_path)).jobs.get(("export", 1, "parquet"))
    give_up = monotonic() + 20
    while job.is_running and monotonic() < give_up:
        sleep(0.02)
    assert job.error is None
    app.run()
    out = tmp_path / "exports" / "made-parquet"
    assert str(out) in html_of(app)
    with store.catalogue.reading() as con:
        assert folder.read_manifest(out).rows == exporting.counts(con, 1)
    assert any(f"gloss export parquet made --out FOLDER --store {tmp_path}" in c.value
               for c in app.code)  # fmt: skip


def test_a_question_is_answered(monkeypatch, made):
    app = open_data(monkeypatch, made.folder, part="SQL")
    run_sql(app, "select feature, n_active from feature order by feature limit 3")
    assert app.dataframe[0].value["feature"].tolist() == [0, 1, 2]
    assert "3 rows" in html_of(app)


def test_a_refused_question_is_one_sentence_and_the_old_answer_goes(monkeypatch, made):
    app = open_data(monkeypatch, made.folder, part="SQL")
    run_sql(app, "select 1 as a")
    run_sql(app, "drop table run")
    assert "One statement that reads is answered here" in html_of(app)
    assert len(app.dataframe) == 0
    run_sql(app, f"select '{HOSTILE}' from nowhere")
    assert "Table with name nowhere does not exist." in html_of(app)


def test_an_answer_goes_when_another_question_is_chosen(monkeypatch, made):
    app = open_data(monkeypatch, made.folder, part="SQL")
    run_sql(app, "select 1 as a")
    assert len(app.dataframe) == 1
    app.selectbox(key="sql.chosen").set_value(next(iter(ready_queries.READY))).run()
    assert len(app.dataframe) == 0
    run_sql(app, "select nope from run")
    app.selectbox(key="sql.chosen").set_value(list(ready_queries.READY)[1]).run()
    assert "nope" not in html_of(app)


def test_a_catalogue_too_large_to_copy_has_a_shorter_limit_that_is_said(monkeypatch, made):
    app = open_data(monkeypatch, made.folder, part="SQL")
    assert any("10 seconds" in caption.value for caption in app.caption)
    monkeypatch.setattr("data.snapshots.LARGEST", 1000)
    app.run()
    assert any("3 seconds" in c.value and "too large" in c.value for c in app.caption)


def test_hostile_answers_and_questions_are_text(monkeypatch, made):
    app = open_data(monkeypatch, made.folder, part="SQL")
    run_sql(app, f"select '{HOSTILE}' as \"{HOSTILE}\"")
    frame = app.dataframe[0].value
    assert frame.iloc[0, 0] == "<img src=x onerror=alert(1)> $x$ **b** [202E]"
    assert list(frame) == ["<img src=x onerror=alert(1)> $x$ **b** [202E]"]
    run_sql(app, HOSTILE)
    assert "<img" not in html_of(app)


def test_a_question_is_saved_chosen_and_taken_back(monkeypatch, made):
    app = open_data(monkeypatch, made.folder, part="SQL")
    app.text_area(key="sql").set_value("select 7 as seven")
    app.text_input(key="sql.name").set_value(HOSTILE)
    app.button(key="sql.save").click().run()
    with made.catalogue.reading() as con:
        assert notes.saved(con, "query") == {HOSTILE.strip(): "select 7 as seven"}
    app = open_data(monkeypatch, made.folder, part="SQL")
    app.selectbox(key="sql.chosen").set_value(HOSTILE.strip()).run()
    assert app.text_area(key="sql").value == "select 7 as seven"
    app.button(key="sql.delete").click().run()
    with made.catalogue.reading() as con:
        assert notes.saved(con, "query") == {}


def test_a_question_in_the_address_is_shown_and_not_asked(monkeypatch, made):
    app = open_data(monkeypatch, made.folder, part="SQL", sql="select 1")
    assert app.text_area(key="sql").value == "select 1"
    assert len(app.dataframe) == 0


@pytest.mark.parametrize("name", list(ready_queries.READY))
def test_every_ready_made_question_has_an_answer(made, name):
    answer = inspecting.query(made.catalogue, ready_queries.READY[name])
    assert len(answer.frame) >= 1

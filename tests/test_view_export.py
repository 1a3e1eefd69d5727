"""The Export part of the Data page: what it offers is what `gloss export` does."""

from time import monotonic, sleep

import pytest
from commands import gloss
from pages import html_of, open_page
from stores import make_store

from dashboard import exports, session
from dashboard.exports import Options
from data.exports import folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=60)


def open_export(monkeypatch, made, format):
    query = {"part": "Export", "export_format": format}
    return open_page(monkeypatch, made.folder, "import_export", **query)


def exported(app, made, format):
    """Press Export and wait for the job."""
    app.button(key="export.start").click().run()
    job = session._library(str(made.folder)).jobs.get(("export", made.cache.cache_id, format))
    give_up = monotonic() + 60
    while job.is_running and monotonic() < give_up:
        sleep(0.02)
    app.run()
    return job


def test_a_report_is_made_of_the_features_that_were_asked_for(monkeypatch, made):
    app = open_export(monkeypatch, made, "html")
    app.text_input(key="export.features.html").set_value("0-2").run()
    assert exported(app, made, "html").error is None
    out = made.folder / "exports" / "made-html"
    assert "3 pages, 0.2 MB, as of" in html_of(app)
    assert str(out / "index.html") in html_of(app)
    assert len(list(out.glob("*/*.html"))) == 3


def test_neuronpedia_has_its_options_and_says_what_is_left_out(monkeypatch, made):
    app = open_export(monkeypatch, made, "neuronpedia")
    app.text_input(key="export.features.neuronpedia").set_value("0,1").run()
    app.text_input(key="export.set").set_value("mine").run()
    assert exported(app, made, "neuronpedia").error is None
    assert "2 features, " in html_of(app)
    assert "explanations that failed are left out" in html_of(app)
    command = "gloss export neuronpedia made --out FOLDER --features 0,1 --set mine"
    assert [c.value for c in app.code] == [f"{command} --store {made.folder}"]


def test_a_delphi_run_is_made(monkeypatch, made):
    app = open_export(monkeypatch, made, "delphi")
    assert exported(app, made, "delphi").error is None
    assert "detection verdicts" in html_of(app)
    assert folder.read_manifest(made.folder / "exports" / "made-delphi").format == "delphi"


def test_an_option_that_cannot_be_is_one_sentence(monkeypatch, made):
    app = open_export(monkeypatch, made, "html")
    app.text_input(key="export.features.html").set_value("<b>9999").run()
    exported(app, made, "html")
    assert "is not understood" in html_of(app)
    assert "<b>9999" not in html_of(app)


@pytest.mark.parametrize("format", exports.NAMES)
def test_the_command_shown_is_one_that_can_be_typed(made, tmp_path, format):
    options = Options(format, (made.cache.hookpoints[0].name,), "0", model_id="m", set_name="s",
                      user_id="u")  # fmt: skip
    given = {"parquet": Options("parquet"), "csv": Options("csv"),
             "delphi": Options("delphi", options.hookpoints),
             "html": Options("html", options.hookpoints, "0")}.get(format, options)  # fmt: skip
    words = exports.words(made.cache, given)
    words[words.index("FOLDER")] = str(tmp_path / "out")
    assert gloss(*words[1:], "--store", str(made.folder)).returncode == 0
    assert folder.read_manifest(tmp_path / "out").format == format

"""Imported runs on the pages, driven by AppTest: no page raises, and what is unknown is said."""

from time import monotonic, sleep

import pytest
from delphi_runs import HOOK, put, row, write_text_run
from neuronpedia_runs import write_export
from pages import html_of, open_page
from test_view_data import open_data

from core import status
from core.drawing.imported import ImportedReader
from core.drawing.reader import Width
from core.importing.delphi import ImportRequest, import_delphi
from core.show import cache_lines
from dashboard import health_words
from dashboard.library import Library, Place
from data import caches, health, queries, results
from data.catalogue import Catalogue

HOSTILE = "<img src=x onerror=alert(1)> $x$ **b** \u202e"


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("imported")
    run = write_text_run(folder / "run")
    name = f"{HOOK}_latent1.txt"
    put(run / "explanations" / name, HOSTILE)
    rows = [row([HOSTILE, "\n", " b"], [1.5, 0, 0], distance=0, prediction=False)]
    put(run / "scores" / "detection" / name, rows)
    list(import_delphi(folder / "store", ImportRequest(run)))
    return folder / "store"


@pytest.fixture
def place(imported) -> Place:
    record = caches.cache(Catalogue(imported), "run")
    return Place(record, record.hookpoints[0])


def test_the_features_page_lists_an_import(monkeypatch, imported):
    app = open_page(monkeypatch, imported, "features")
    assert "1–3 of 3" in html_of(app)


@pytest.mark.parametrize("show", ["Strongest", "All deciles", "Non-activating", "Wrong verdicts"])
def test_a_feature_shows_the_contexts_of_the_run(monkeypatch, imported, show):
    drawn = html_of(open_page(monkeypatch, imported, "feature", feature=f"{HOOK}/0", show=show))
    assert "not in the import" in drawn  # how often it fires
    assert " thing" in drawn if show == "Non-activating" else "cat" in drawn or "the" in drawn


def test_hostile_tokens_and_explanations_are_inert(monkeypatch, imported):
    drawn = html_of(open_page(monkeypatch, imported, "feature", feature=f"{HOOK}/1"))
    assert "<img" not in drawn
    assert "[202E]" in drawn


def test_a_feature_that_the_run_lacks_says_so(monkeypatch, tmp_path):
    list(import_delphi(tmp_path / "s", ImportRequest(write_text_run(tmp_path / "run"))))
    drawn = html_of(open_page(monkeypatch, tmp_path / "s", "feature", feature=f"{HOOK}/1"))
    assert "not in the import" in drawn


@pytest.mark.parametrize("mode", ["One feature", "Features", "Figures"])
def test_the_compare_page_takes_an_import(monkeypatch, imported, mode):
    open_page(monkeypatch, imported, "compare", mode=mode)


def test_the_data_page_imports_a_run_and_shows_its_report(monkeypatch, imported, tmp_path):
    run = write_text_run(tmp_path / "second", features=(1,))
    app = open_data(monkeypatch, imported, part="Import")
    assert "train_test_overlap" in html_of(app)
    app.text_input(key="import.path").set_value(str(run)).run()
    app.button(key="import.start").click().run()
    end = monotonic() + 30
    while "second” holds this import" not in html_of(app) and monotonic() < end:
        sleep(0.2)
        app.run()
    assert "second” holds this import" in html_of(app)
    assert not app.exception


def test_the_data_page_imports_an_export_and_the_page_of_a_feature_shows_it(
    monkeypatch, imported, tmp_path
):
    app = open_data(monkeypatch, imported, part="Import")
    app.selectbox(key="kind").set_value("neuronpedia").run()
    app.text_input(key="import.path").set_value(str(write_export(tmp_path / "np"))).run()
    app.button(key="import.start").click().run()
    end = monotonic() + 30
    while "np” holds this import" not in html_of(app) and monotonic() < end:
        sleep(0.2)
        app.run()
    assert "2-res-mine" in html_of(app)
    assert "gloss import neuronpedia" in app.code[0].value
    drawn = html_of(open_page(monkeypatch, imported, "feature", cache="np", feature="2-res-mine/7"))
    assert "Interval 1–2" in drawn
    assert "Strongest of the export" in drawn
    assert "2 %" in drawn  # of the tokens, as the export says
    assert "not in the import" not in drawn


def test_a_folder_that_is_no_run_is_one_sentence(monkeypatch, imported, tmp_path):
    app = open_data(monkeypatch, imported, part="Import")
    app.text_input(key="import.path").set_value(str(tmp_path)).run()
    app.button(key="import.start").click().run()
    end = monotonic() + 30
    while "no delphi run" not in html_of(app) and monotonic() < end:
        sleep(0.2)
        app.run()
    assert "no delphi run" in html_of(app)


def test_contexts_keep_their_own_lengths(imported, place):
    reader = Library(Catalogue(imported)).reader(place, 0)
    assert isinstance(reader, ImportedReader)
    passages = reader.passages(reader.drawn.first_token)
    assert [len(passage.pieces) for passage in passages] == [4, 2, 3, 2]
    assert [max(passage.activations) for passage in passages] == [2.5, 0.5, 0, 0]


@pytest.mark.parametrize("width", list(Width))
def test_no_width_reaches_into_another_context(imported, place, width):
    reader = Library(Catalogue(imported)).reader(place, 0)
    (passage,) = reader.passages(reader.drawn.first_token[:1], width, {0: frozenset([3])})
    assert "".join(passage.pieces) == " the cat xy"
    assert passage.marks == {3}


def test_the_size_of_the_sae_is_not_made_up(monkeypatch, imported, place):
    catalogue = Catalogue(imported)
    n = place.hookpoint.n_alive
    words = f"{n} features known; size of the SAE and dead features unknown"
    assert words in "\n".join(status.lines(catalogue, as_json=False))
    assert status.as_object(catalogue)["caches"][0]["features"] is None
    assert list(cache_lines(catalogue, "run", None, as_json=False))[-1].endswith(words)
    found = health.health(catalogue, place.cache)
    assert words in health_words.verdict(found)
    assert "unknown" in health_words.hookpoints(found)
    with catalogue.reading() as con:
        named = dict(health.identity(con, place.cache.cache_id))
    assert named["subject's weights"] == "not known"


def test_next_and_previous_stay_with_the_known_features(monkeypatch, tmp_path):
    run = write_text_run(tmp_path / "run")
    put(run / "explanations" / f"{HOOK}_latent900.txt", "Far away")
    list(import_delphi(tmp_path / "s", ImportRequest(run)))
    record = caches.cache(Catalogue(tmp_path / "s"), "run")
    with Catalogue(tmp_path / "s").reading() as con:
        known = queries.live_features(con, record.hookpoints[0].hookpoint_id)
        assert results.beside(con, record.hookpoints[0].hookpoint_id, 0) == (known[-1], known[1])
    app = open_page(monkeypatch, tmp_path / "s", "feature", feature=f"{HOOK}/0")
    assert "Activation distribution<span>not in the import" in html_of(app)
    next(b for b in app.button if b.label == "Next").click().run()
    assert app.query_params["feature"] == f"{HOOK}/{known[1]}"

"""The page of texts, driven by AppTest on a real small subject: empty, gone, loaded, steered."""

import shutil
from time import sleep

import pages
import pytest
import tiny
from pages import figures, html_of
from stores import begin

from core.pipeline.caching import CacheRequest, cache_stage
from dashboard import session
from dashboard.panels.try_text import loading
from data import caches, ledger, runs
from data.catalogue import Catalogue
from data.ledger import NewExplanation

POINT = "gpt_neox.layers.1"
RULE = 'here:token="a" -> 1 @ 0.5'


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A cache of the tiny subject with two SAEs; every fourth feature has an explanation."""
    folder = tmp_path_factory.mktemp("texts")
    tiny.save_subject(folder / "model")
    tiny.save_sae(folder / "saes" / "layers.1", tiny.weights(seed=1))
    tiny.save_sae(folder / "saes" / "layers.2", tiny.weights(seed=2))
    (folder / "text.txt").write_text("\n".join(tiny.texts(8)))
    catalogue = Catalogue(folder / "store")
    request = CacheRequest(
        subject=str(folder / "model"), saes=(str(folder / "saes"),), name="small",
        corpus=str(folder / "text.txt"), n_tokens=1000, sequence_length=32, anyway=True,
    )  # fmt: skip
    list(cache_stage(catalogue, request))
    record = caches.cache(catalogue, "small")
    first = record.hookpoints[0].hookpoint_id
    explainer = ledger.method_id(catalogue, "explainer", "grammar", None, {})
    exact = ledger.method_id(catalogue, "scorer", "exact", "grammar", {"preset": "exact"})
    run = runs.start_run(catalogue, runs.Plan("explain", record.cache_id, first, explainer, {}), 6)
    news = [
        NewExplanation(f, "Fires on <b>a</b>", RULE, "done", None, 0.1, 7, None, None)
        for f in range(0, 24, 4)
    ]
    ledger.write_explanations(catalogue, first, explainer, exact, run, news)
    runs.end_run(catalogue, run, "done")
    return folder / "store"


def open_page(monkeypatch, store, **query):
    return pages.open_page(monkeypatch, store, "try_text", **query)


def again(app):
    app.run()
    assert not app.exception, app.exception
    return app


def settled(app, words, patience=30.0):
    """Run until something is said."""
    while words not in html_of(app) and patience > 0:
        sleep(0.1)
        patience -= 0.1
        again(app)
    assert words in html_of(app)
    return app


def loaded(monkeypatch, store, **query):
    """The page with the subject loaded, by the button if it is not."""
    app = open_page(monkeypatch, store, **query)
    if any(button.key == "try.load" for button in app.button):
        app.button(key="try.load").click()
        again(app)
    return settled(app, "Loaded for all sessions")


def test_without_a_store_the_command_is_named(monkeypatch, tmp_path):
    assert "gloss demo" in html_of(open_page(monkeypatch, tmp_path / "none"))


def test_an_unfinished_cache_says_so(monkeypatch, tmp_path):
    begin(Catalogue(tmp_path))
    assert "still being made" in html_of(open_page(monkeypatch, tmp_path))


def test_nothing_is_loaded_before_it_is_asked_for(monkeypatch, store):
    loading.holding(str(store)).release()
    app = open_page(monkeypatch, store, text="a link with a text")
    drawn = html_of(app)
    assert "loaded only when asked" in drawn
    assert "3 layers of width 16" in drawn
    assert app.text_area(key="try.text").value == "a link with a text"
    assert loading.holding(str(store)).record is None


def test_a_subject_that_is_gone_is_one_sentence(monkeypatch, store, tmp_path):
    shutil.copytree(store, tmp_path / "store")
    catalogue = Catalogue(tmp_path / "store")
    with catalogue.writing() as con:
        con.run("update subject set name = '/nowhere/model'")
    app = open_page(monkeypatch, tmp_path / "store", text="a")
    assert "is not in /nowhere/model any more" in html_of(app)
    assert not any(button.key == "try.load" for button in app.button)


def test_a_subject_that_does_not_load_says_why(monkeypatch, store, tmp_path):
    shutil.copytree(store, tmp_path / "store")
    meta = tmp_path / "store" / "caches" / "small" / "cache.json"
    meta.write_text(meta.read_text().replace("/model", "/no-model"))
    app = open_page(monkeypatch, tmp_path / "store")
    app.button(key="try.load").click()
    again(app)
    settled(app, "The subject could not be loaded: no folder")


def test_an_entered_text_loads_the_subject_and_lists_what_fires(monkeypatch, store):
    loading.holding(str(store)).release()
    app = open_page(monkeypatch, store)
    app.text_area(key="try.text").set_value("12 monkeys")
    settled(again(app), "features fire")
    table = app.dataframe[0].value
    assert {name.rpartition("/")[0] for name in table["Feature"]} == {POINT, "gpt_neox.layers.2"}
    assert table["Activation"].is_monotonic_decreasing
    assert set(table["Interval"]) <= {"", "not scored"}
    assert "10 tokens" in html_of(app)
    app.selectbox(key="order").set_value("by share of maximum")
    again(app)
    assert app.dataframe[0].value["Share of max"].is_monotonic_decreasing


def test_a_text_longer_than_a_sequence_says_how_it_is_cut(monkeypatch, store):
    app = loaded(monkeypatch, store, text="12 monkeys " * 6)
    settled(app, "features fire")
    assert "pieces of 32 tokens" in html_of(app)
    app = loaded(monkeypatch, store, text="12 monkeys")
    settled(app, "features fire")
    assert "pieces of" not in html_of(app)


def test_tokens_in_the_address_sort_by_their_sum(monkeypatch, store):
    app = loaded(monkeypatch, store, text="12 monkeys", tokens="3,4", at=POINT)
    settled(app, "sorted by the sum over 2 tokens")
    table = app.dataframe[0].value
    assert table["Sum"].is_monotonic_decreasing
    assert {name.rpartition("/")[0] for name in table["Feature"]} == {POINT}
    app.button(key="try.clear").click()
    assert "at their strongest" in html_of(again(app))


def test_one_feature_is_shown_with_what_its_rules_claim(monkeypatch, store):
    app = loaded(monkeypatch, store, text="a banana", feature=f"{POINT}/4")
    settled(app, "features fire")
    drawn = html_of(app)
    assert "shaded by feature 4" in drawn
    assert "the rules claim 4 tokens" in drawn
    assert "Fires on &lt;b&gt;a&lt;/b&gt;" in drawn
    assert app.text_input(key="try.feature").value == f"{POINT}/4"


@pytest.mark.parametrize("typed", ["99", "nonsense", "a/b"])
def test_a_feature_that_is_not_there_is_said(monkeypatch, store, typed):
    app = loaded(monkeypatch, store, text="a", feature="3")
    app.text_input(key="try.feature").set_value(typed)
    assert "No such feature" in html_of(again(app))
    assert "There is no feature “99”" in html_of(open_page(monkeypatch, store, feature="99"))


def test_a_long_text_is_cut_in_the_address_only(monkeypatch, store):
    app = loaded(monkeypatch, store)
    app.text_area(key="try.text").set_value("word " * 300)
    again(app)
    assert "keeps the first 1,000 of 1,500" in app.caption[0].value
    assert app.session_state["text"] == ("word " * 300)[:1000]
    settled(app, "features fire")
    assert "1,500 tokens" in html_of(app)


def test_a_text_that_is_too_long_is_cut_and_said_to_be(monkeypatch, store):
    app = loaded(monkeypatch, store)
    monkeypatch.setattr("dashboard.panels.try_text.asking.LONGEST", 6)
    app.text_area(key="try.text").set_value("a word").run()
    assert not app.toast
    app.text_area(key="try.text").set_value("a word more").run()
    assert app.text_area(key="try.text").value == "a word"
    assert app.toast[0].value == "The text was cut to 6 characters."


def test_hostile_text_is_text(monkeypatch, store):
    text = "<script>alert(1)</script>\u202e:material/home: $x$ **b**"
    app = loaded(monkeypatch, store, text=text, feature=f"{POINT}/0", do="Steer a feature")
    settled(app, "Feature 0")
    drawn = html_of(app)
    assert "<script" not in drawn
    assert "&lt;script&gt;" in drawn
    assert "[202E]" in drawn


def test_a_feature_is_steered_and_the_texts_stand_side_by_side(monkeypatch, store):
    app = loaded(monkeypatch, store, text="12 monkeys", feature=f"{POINT}/4", new="3",
                 do="Steer a feature")  # fmt: skip
    settled(app, "Nothing is written with these settings yet")
    app.button(key="try.write").click()
    settled(again(app), "With the edit")
    drawn = html_of(app)
    assert "KL at the next token" in drawn
    assert len(figures(app)) == 1
    app.slider(key="strength").set_value(0.0)
    again(app)
    app.button(key="try.write").click()
    settled(again(app), "Both sides are the same")
    assert '<div class="v">0<small>nats' in html_of(app)


def test_a_prompt_that_cannot_be_continued_says_why(monkeypatch, store):
    app = loaded(monkeypatch, store, text="a<eos>", feature=f"{POINT}/4", do="Steer a feature")
    app = settled(app, "Nothing is written")
    app.button(key="try.write").click()
    settled(again(app), "Nothing was written: there is no prompt to go on from")


def test_steering_asks_for_a_feature_first(monkeypatch, store):
    app = loaded(monkeypatch, store, text="a", do="Steer a feature")
    settled(app, "Choose the feature to steer")


def test_release_gives_the_subject_back(monkeypatch, store):
    app = loaded(monkeypatch, store, text="a")
    app.button(key="try.release").click()
    assert "loaded only when asked" in html_of(again(app))
    assert loading.holding(str(store)).record is None


def test_another_cache_is_not_loaded_in_place_of_one_without_being_asked(monkeypatch, store):
    loaded(monkeypatch, store)
    other = caches.cache(Catalogue(store), "small")
    held = loading.holding(str(store))
    probe = held.probe(other, [POINT])
    held.put(type(other)(**{f: getattr(other, f) for f in other.__slots__} | {
        "name": "another", "cache_id": 99}), probe)  # fmt: skip
    app = open_page(monkeypatch, store)
    app.text_area(key="try.text").set_value("12")
    again(app)
    assert "The subject of cache “another” is loaded" in html_of(app)
    assert "in place of “another”" in app.button(key="try.load").label
    held.release()
    assert not session.library().jobs.running()

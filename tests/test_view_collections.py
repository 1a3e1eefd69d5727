"""The page of collections: pasting a list, the table over hookpoints, starting work."""

import json

import pytest
from pages import html_of, open_page
from stores import HOOKPOINT, make_store

from core.llm.settings import EndpointSettings
from core.pipeline.collecting import make
from dashboard.panels import launched
from dashboard.panels.collections.work import explain_words, score_words
from data import collections

PAGE = "collected"
EVIL = "<img src=x onerror=alert(1)> [a](b) $x$"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    store = make_store(tmp_path_factory.mktemp("listed"), sequences=60)
    text = f"{HOOKPOINT}/0 days\n{HOOKPOINT}/1 {EVIL}\n{HOOKPOINT}/5\n{HOOKPOINT}/3"
    make(store.catalogue, EVIL, "made", text, "pasted")
    return store


def test_an_empty_store_shows_the_form_and_the_command(monkeypatch, tmp_path):
    made = make_store(tmp_path, sequences=60, judged=False)
    app = open_page(monkeypatch, made.folder, PAGE)
    assert "gloss collection new NAME made --from FILE" in html_of(app)
    app.text_input(key="collections.name").set_value("mine")
    app.text_area(key="collections.list").set_value(f"{HOOKPOINT}/99\nnowhere/1")
    app.button(key="collections.create").click().run()
    assert "2 entries are not in cache" in html_of(app)
    with made.catalogue.reading() as con:
        assert collections.collections(con) == []
    app.text_area(key="collections.list").set_value(f"{HOOKPOINT}/1\n{HOOKPOINT}/1\n2")
    app.button(key="collections.create").click().run()
    assert not app.exception
    assert "1 entry names a feature again" in html_of(app)
    assert app.query_params["collection"] == "mine"
    assert app.dataframe[0].value["Feature"].tolist() == [f"{HOOKPOINT}/1", f"{HOOKPOINT}/2"]


def test_the_table_shows_what_is_read_beside_what_is_done(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, PAGE, collection=EVIL)
    table = app.dataframe[0].value
    assert list(table.columns[:6]) == [
        "Feature", "What it reads", "Fires on", "What it does", "Promotes", "Suppresses"
    ]  # fmt: skip
    assert table["What it reads"][0] == "Fires on the days of the week"
    assert table["What it reads"][2] == "— dead: it never fired"
    assert "Monday" in table["Fires on"][0]
    assert table["Feature"][1].endswith(f"\n{EVIL}")
    assert set(table["Role"]) == {"not known"}
    assert table["Detection"][0] > 0.5
    assert " n\u00a0" in table["Detection 95 %"][0]


def test_side_by_side_says_what_each_reads_and_does(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, PAGE, collection=EVIL, **{"as": "sides"})
    shown = html_of(app)
    assert not app.dataframe
    assert "Fires on the days of the week" in shown
    assert "fires on <code> Monday</code>" in shown
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert" in shown


def test_hostile_names_are_text(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, PAGE, collection=EVIL)
    assert "<img" not in html_of(app)
    assert "&lt;img" in html_of(app)
    gone = open_page(monkeypatch, made.folder, PAGE, collection="<b>nobody")
    assert "<b>nobody" not in html_of(gone)
    assert "There is no collection" in html_of(gone)


def test_a_role_in_the_address_narrows_the_table_and_a_bad_one_does_not(monkeypatch, made):
    for role, n in (("not known", 4), ("colour", 4)):
        app = open_page(monkeypatch, made.folder, PAGE, collection=EVIL, role=role)
        assert len(app.dataframe[0].value) == n


def test_a_click_lists_the_members_among_the_features(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, PAGE, collection=EVIL)
    app.button(key=f"collections.list.{HOOKPOINT}").click().run()
    assert not app.exception
    assert app.dataframe[0].value["Feature"].tolist() == [0, 1, 3, 5]
    again = open_page(monkeypatch, made.folder, listed_in=EVIL, alive="true")
    assert again.dataframe[0].value["Feature"].tolist() == [0, 1, 3]
    assert again.button(key="without.1").label.startswith("in \\<img")


def test_start_begins_the_command_that_is_shown(monkeypatch, made):
    begun = []
    monkeypatch.setattr(launched, "launch", lambda store, words: begun.append(words) or (0, None))
    with pytest.raises(AttributeError):  # the fake has no process id: nothing ran
        launched.begin("collections", explain_words(EVIL, "grammar", None))
    assert begun == [["gloss", "collection", "explain", EVIL]]


def test_the_words_of_a_start_name_the_model_once():
    endpoint = EndpointSettings("m", "http://host:1/v1")
    assert explain_words("a b", "cot", endpoint)[:6] == [
        "gloss", "collection", "explain", "a b", "--explainer", "cot"
    ]  # fmt: skip
    words = score_words("a", ["detection"], endpoint)
    assert words[4:8] == ["--scorers", "detection", "--judge", "m"]
    assert "--model" not in words
    assert score_words("a", [], None) is None
    assert explain_words("a", "cot", EndpointSettings()) is None
    assert explain_words("a", "output", None)[4:] == ["--explainer", "output"]


def test_the_form_keeps_what_was_typed_when_something_is_wrong(monkeypatch, made):
    app = open_page(monkeypatch, made.folder, PAGE, collection=EVIL)
    app.text_input(key="collections.name").set_value(EVIL)
    app.text_area(key="collections.list").set_value(json.dumps([[HOOKPOINT, 1]]))
    app.button(key="collections.create").click().run()
    assert "with other features" in html_of(app)
    assert app.text_input(key="collections.name").value == EVIL

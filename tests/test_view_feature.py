"""The page of one feature, driven by AppTest: what is pinned, filtered, noted, opened."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pages import click_chart, figures, html_of, open_page, sent_to
from stores import HOOKPOINT, make_store

from dashboard import session
from dashboard.library import Place
from dashboard.panels import header, more
from data.cachefiles import CacheFiles
from data.notes import write_note
from data.strongest import write_strongest

HOSTILE = "<img src=x onerror=alert(1)> **b** :material/home:"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=120)


@pytest.fixture(scope="module")
def unexplained(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("bare"), sequences=60, judged=False).folder


@pytest.fixture
def opened(monkeypatch, made):
    def open_feature(store=made.folder, **query):
        return open_page(monkeypatch, store, "feature", **query)

    return open_feature


def button(app, label):
    return next(b for b in app.button if b.label == label)


def test_a_pinned_explanation_stays_while_another_one_is_shown(opened):
    app = opened(feature="0", explanation="1")
    button(app, "Pin").click().run()
    assert app.query_params["against"] == "1"
    assert 'class="two"' not in html_of(app)  # it is the shown one
    button(app, "Show explanation 5").click().run()
    assert 'class="two"' in html_of(app)
    assert "<span>#5</span><span>#1</span>" in html_of(app)
    button(app, "Unpin #1").click().run()
    assert "against" not in app.query_params
    assert 'class="fx pinned"' not in html_of(app)


def test_the_key_of_pin_says_why_it_does_nothing(opened):
    app = opened(feature="2")
    button(app, "Pin").click().run()
    assert "one explanation" in app.toast[0].value
    assert "against" not in app.query_params


def test_a_number_that_is_typed_opens_its_feature_from_this_page_alone(opened, monkeypatch, made):
    app = opened(feature="0")
    app.number_input(key="feature.number.0").set_value(3).run()
    assert app.query_params["feature"].endswith("/3")
    place, moved = Place(made.cache, made.cache.hookpoints[0]), []
    monkeypatch.setattr(session, "go_to", lambda _place, number: moved.append(number))
    monkeypatch.setattr(session, "last_feature", lambda _hookpoint: 3)
    monkeypatch.setattr(header.st, "session_state", {"feature.number.0": 3, "feature.number.3": 5})
    header.go_to_typed(place, 0, "feature.number.0")  # a field of the page before
    assert moved == []
    header.go_to_typed(place, 3, "feature.number.3")
    assert moved == [5]


def test_the_next_feature_leaves_the_explanations_and_keeps_the_view(opened):
    app = opened(feature="0", explanation="1", against="5", show="Strongest", shade="log")
    button(app, "Next").click().run()
    assert not {"explanation", "against"} & set(app.query_params)
    assert app.segmented_control(key="show").value == "Strongest"
    assert app.segmented_control(key="shade").value == "log"


def test_a_click_on_a_decile_shows_it_and_a_second_one_shows_all(opened):
    app = opened(feature="0")
    click_chart(app, "figure", ["", "", "", "7"])
    assert app.selectbox(key="decile").value == "7"
    assert "Decile 7<" in html_of(app)
    assert "Decile 6<" not in html_of(app)
    assert 6.5 in [shape.get("x0") for shape in figures(app)[0]["layout"]["shapes"]]
    click_chart(app, "figure", ["", "", "", "7"])
    assert "Decile 6<" in html_of(app)


@pytest.mark.parametrize("decile", ["12", "x", "3–5"])
def test_a_decile_that_is_none_is_all_of_them(opened, decile):
    assert "Decile 10<" in html_of(opened(feature="0", decile=decile))


def test_the_listed_contexts_can_be_had_as_plain_text(opened):
    app = opened(feature="0", decile="10", plain="true")
    lines = app.code[0].value.splitlines()
    assert lines[0].startswith("# Decile 10: peak")
    assert all("\t" in line for line in lines[1:])


def test_without_line_breaks_a_context_is_one_line(opened):
    def rows(app):
        return html_of(app).partition('class="row"')[2]

    assert "<i>↵</i>\n" in rows(opened(feature="0"))
    assert "\n" not in rows(opened(feature="0", breaks="false")).replace("hits\n", "")


def test_details_show_every_score_and_say_that_no_model_was_asked(opened):
    app = opened(feature="0", explanation="1")
    button(app, "Details").click().run()
    assert not app.exception
    drawn = html_of(app)
    assert 'class="scores"' in drawn
    for words in ("exact", "detection", "fuzzing", "no model was asked", "all train tokens"):
        assert words in drawn
    assert "3 failed" in drawn


def test_details_of_a_failed_explanation_say_why(opened):
    app = opened(feature="4")
    button(app, "Details").click().run()
    assert "failed: no rule covers a tenth of the firings" in html_of(app)
    assert "Not scored yet." in html_of(app)


def test_a_bookmark_is_set_and_taken_back(opened):
    app = opened(feature="7")
    button(app, "Bookmark").click().run()
    button(app, "Bookmarked").click().run()
    assert button(app, "Bookmark")


def test_label_and_remark_are_kept_and_hostile_ones_are_only_text(opened):
    app = opened(feature="8")
    app.text_input(key="notes.label").set_value(HOSTILE)
    app.text_area(key="notes.remark").set_value("seen")
    button(app, "Keep").click().run()
    assert "&lt;img src=x onerror=alert(1)&gt; **b** :material/home:" in html_of(app)
    assert "<img" not in html_of(app)
    button(app, "Next").click().run()
    assert app.text_input(key="notes.label").value == ""
    button(app, "Previous").click().run()
    assert app.text_area(key="notes.remark").value == "seen"


def test_a_long_label_is_cut_and_said_to_be(opened):
    app = opened(feature="10")
    app.text_input(key="notes.label").set_value("day " * 20)
    button(app, "Keep").click().run()
    assert app.toast[0].value == "The label was cut to 60 characters."
    assert app.text_input(key="notes.label").value == ("day " * 15).strip()


def test_a_note_of_somebody_else_fills_the_field(opened, made):
    app = opened(feature="9")
    write_note(made.catalogue, made.hookpoint_id, 9, "label", "theirs")
    app.run()
    assert app.text_input(key="notes.label").value == "theirs"


def test_the_export_is_what_gloss_show_prints(opened, made):
    opened(feature="0")
    place = Place(made.cache, made.cache.hookpoints[0])
    library = session._library(str(made.folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "library", lambda: library)
        found = json.loads(header.as_json(place, 0))
    assert (found["hookpoint"], found["feature"]) == (HOOKPOINT, 0)
    assert len(found["explanations"]) == 2
    assert found["examples"]


def test_a_neighbour_is_a_button_that_goes_there(opened):
    app = opened(feature="0")
    app.session_state["more"] = ["Neighbours"]
    app.run()
    found = [b for b in app.button if b.key and b.key.startswith("near.")]
    assert found[0].label == r"0.61 · #1 · Fires on \<b\>markup\</b\> \& \$x\$"
    found[0].click().run()
    assert "<p id=mark hidden>1</p>" in html_of(app)


def neighbours_of(opened, **query):
    app = opened(**query)
    app.session_state["more"] = ["Neighbours"]
    app.run()
    assert not app.exception
    return app, [b.label for b in app.button if b.key and b.key.startswith("near.co-firing")]


def without_cofiring(folder):
    made = make_store(folder, sequences=60)
    with made.catalogue.writing() as con:
        con.run("delete from neighbour where measure = 'co-firing'")
    return made


def test_what_fires_together_is_counted_when_it_is_not_stored(opened, tmp_path):
    made = without_cofiring(tmp_path)
    files = CacheFiles.open(tmp_path / made.cache.folder)
    columns, n = files.columns(made.hookpoint_id), files.meta.n_tokens
    monday = columns.slice(0).token
    both = monday[: len(monday) // 2]  # half of the firings of 0, with a feature of its own
    write_strongest(files.hookpoint_folder(made.hookpoint_id), 0, token=np.repeat(both, 2),
                    feature=np.tile([0, 1], len(both)), activation=np.ones(2 * len(both), "<f2"),
                    n_tokens=n, k=4, n_features=16)  # fmt: skip
    app, found = neighbours_of(opened, store=tmp_path, feature="0")
    counts = columns.counts()
    value = len(both) / (counts[0] + counts[1] - len(both))
    assert found == [rf"{value:.2f} · #1 · Fires on \<b\>markup\</b\> \& \$x\$"]
    assert "among the 4 strongest features of each token" in html_of(app)
    app.button(key="near.co-firing.1").click().run()
    assert "<p id=mark hidden>1</p>" in html_of(app)


def test_without_activations_nothing_says_what_fires_together(opened, tmp_path):
    made = without_cofiring(tmp_path)
    place = Place(replace(made.cache, has_activations=False), made.cache.hookpoints[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "place", lambda: place)
        app, found = neighbours_of(opened, store=tmp_path, feature="0")
    assert found == []
    assert "imported without activations" in html_of(app)


def test_mistakes_stand_with_what_they_are_ordered_by(opened):
    """Missed activations, and what the rules predict where nothing fires."""

    class Around:
        def around(self, tokens):
            return {token: token for token in tokens if token != 6}  # 6 is in the context of 5

    rows = more.listed_rows(Around(), [(5, 9.5), (6, 8.0), (40, 7.25)], "missed")
    assert [(row.passage, row.peak) for row in rows] == [(5, 9.5), (40, 7.25)]


@pytest.mark.parametrize("show", ["Strongest", "All deciles", "Non-activating", "Train"])
def test_contexts_are_there_without_any_explanation(unexplained, opened, show):
    drawn = html_of(opened(store=unexplained, feature="0", show=show))
    assert 'class="row"' in drawn
    assert "Not explained yet" in drawn


def test_the_words_of_the_next_feature_are_sent_ahead_and_are_those_that_it_has(opened):
    app = opened(feature="0")
    (sent,) = (json.loads(one.proto.json) for one in sent_to(app, "ahead"))
    assert (sent["of"], sent["key"], sent["feature"]) == (0, "ArrowRight", 1)
    button(app, "Next").click().run()
    drawn = {json.loads(one.proto.json)["html"] for one in sent_to(app, "words")}
    assert drawn == {sent[part] for part in ("card", "facts", "list")}
    assert figures(app)[0] == json.loads(sent["figure"])
    button(app, "Previous").click().run()
    button(app, "Previous").click().run()
    (sent,) = (json.loads(one.proto.json) for one in sent_to(app, "ahead"))
    assert sent["key"] == "ArrowLeft"


def test_no_words_are_sent_ahead_of_a_feature_without_any(opened):
    (sent,) = (json.loads(one.proto.json) for one in sent_to(opened(feature="4"), "ahead"))
    assert sent.keys() == {"of", "key", "at"}  # feature 5 is dead

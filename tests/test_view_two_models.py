"""The page of two models: empty, compared, and each of its parts."""

import diffed
import numpy as np
import planted_subject
import pytest
from pages import figures, html_of, open_page
from planted_subject import Planted

from core.diffing.settings import DiffSettings, NoiseSettings
from core.pipeline.contrasting import PairsRequest, pairs_stage
from core.pipeline.diffing import DiffRequest, diff_stage
from core.pipeline.noising import NoiseRequest, noise_stage
from dashboard.charts.two_models import depth, diff_figure
from data import guesses

PAGE = "two_models"


@pytest.fixture
def store(tmp_path):
    return diffed.make_store(tmp_path / "store")


def test_one_cache_alone_says_which_command_makes_a_second(monkeypatch, tmp_path):
    planted_subject.make_store(tmp_path / "store")
    app = open_page(monkeypatch, tmp_path / "store", PAGE)
    assert "gloss diff cache planted SUBJECT" in html_of(app)
    assert app.button(key="two.new").disabled


def test_features_that_differ_are_listed_with_reconstruction_of_both(monkeypatch, store):
    app = open_page(monkeypatch, store.store, PAGE, first="planted", second="tuned")
    said = html_of(app)
    assert "FVU, first → second" in said
    assert "2.057 → 2.199" in said
    assert "differ 2 by mean activation, 2 of them confirmed" in said
    assert app.dataframe[0].value["Feature"][:2].tolist() == [3, 4]
    assert app.query_params.get("shown") is None


def test_one_feature_shows_contexts_of_both_subjects(monkeypatch, store):
    feature = str(int(Planted.CONTEXT_ONLY))
    app = open_page(monkeypatch, store.store, PAGE, first="planted", second="tuned", shown=feature)
    said = html_of(app)
    assert "in planted" in said
    assert "in tuned" in said
    assert "firing rate 0.09807 -&gt; 0" in said
    assert said.count('<div class="pk">0.00</div>') == 12  # silent in the second


def test_what_stands_in_the_address_is_shown(monkeypatch, store):
    app = open_page(monkeypatch, store.store, PAGE, first="planted", second="tuned", sure="1",
                    figure="rate", order="feature")  # fmt: skip
    assert app.dataframe[0].value["Feature"].tolist() == [3, 4]
    shown = app.dataframe[0].value["Difference"].tolist()
    assert shown == pytest.approx([-0.103, -0.0066], rel=0.1)
    app = open_page(monkeypatch, store.store, PAGE, first="planted", second="gone")
    assert "Cache “gone” cannot be compared so" in html_of(app)


def test_two_that_are_not_compared_yet_say_how(monkeypatch, store):
    for part in ("features", "game"):
        app = open_page(monkeypatch, store.store, PAGE, first="planted", second="twin", part=part)
        assert "gloss diff features planted twin" in html_of(app)


def test_each_of_several_comparisons_can_be_seen_and_played(monkeypatch, store):
    list(diff_stage(store, DiffRequest("planted", "tuned", settings=DiffSettings(level=1e-6))))
    first, newest = (str(one.diff_id) for one in diffed.all_found(store))
    asked = {"first": "planted", "second": "tuned"}
    app = open_page(monkeypatch, store.store, PAGE, **asked)
    assert f"comparison {newest}: q 1e-06, seed 0" in html_of(app)
    app.selectbox(key="two.compared").select(first).run()
    assert app.query_params["compared"] == first
    assert f"comparison {first}: q 0.05, seed 0" in html_of(app)
    app = open_page(monkeypatch, store.store, PAGE, part="game", compared=first, **asked)
    assert "Question 1 of 2" in html_of(app)


def test_pairs_and_noise_say_how_and_show_what_is_there(monkeypatch, store, tmp_path):
    asked = {"first": "planted", "second": "tuned"}
    for part, command in (("pairs", "gloss diff pairs planted PAIRS.jsonl --with tuned"),
                          ("noise", "gloss diff noise planted --with tuned")):  # fmt: skip
        assert command in html_of(open_page(monkeypatch, store.store, PAGE, part=part, **asked))
    (tmp_path / "pairs.jsonl").write_text(
        '{"a": "( the of ) and", "b": "the of and"}\n{"a": "( to in ) of", "b": "to in of"}\n'
    )
    list(pairs_stage(store, PairsRequest("planted", str(tmp_path / "pairs.jsonl"), "tuned")))
    settings = NoiseSettings(strengths=(0.5,), prompts=2, controls=1)
    list(noise_stage(store, NoiseRequest("planted", "tuned", settings=settings, target="lantern")))
    app = open_page(monkeypatch, store.store, PAGE, part="pairs", side="3", **asked)
    assert "2 pairs; mean activation a token" in html_of(app)
    assert app.dataframe[0].value["Feature"][0] == Planted.CONTEXT_ONLY
    app = open_page(monkeypatch, store.store, PAGE, part="noise", **asked)
    assert "2 sequences of the cache, 48 tokens each" in html_of(app)
    assert "Target text: “lantern”" in html_of(app)
    assert figures(app)[0]["data"]


def test_the_game_hides_names_and_counts_answers_when_all_are_given(monkeypatch, store):
    app = open_page(monkeypatch, store.store, PAGE, first="planted", second="tuned", part="game")
    said = html_of(app)
    assert "Question 1 of 2" in said
    evidence = said[said.index("Question 1") :].partition("A language model plays")[0]
    assert "tuned" not in evidence
    assert "planted" not in evidence
    app.button(key="two.guess.0.X").click().run()
    assert "Question 2 of 2" in html_of(app)
    assert "of 1 answers right" not in html_of(app)
    app.button(key="two.guess.1.X").click().run()
    assert "1 answered differently in the two orders" in html_of(app)
    assert "1 of 2 answers right, X named 2 times" in html_of(app)
    with store.reading() as con:
        assert len(guesses.guesses(con, diffed.found(store).diff_id, "person")) == 2


def test_the_figure_draws_every_feature_that_fires_twice(store):
    figure = diff_figure(diffed.rows(store), "mean", 0.05)
    drawn = {trace["name"]: len(trace["x"]) for trace in figure["data"]}
    assert drawn == {"not confirmed (7)": 7, "confirmed (2)": 2}
    assert max(max(trace["y"]) for trace in figure["data"] if "xaxis" not in trace) < 30
    assert depth(np.array([0.0, 1e-3, 1.0])).tolist() == pytest.approx([30.0, 3.0, 0.0])

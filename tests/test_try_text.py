"""What the page of texts is made of, without a page: listing, drawing, holding, addresses."""

from dataclasses import dataclass
from threading import Event
from types import SimpleNamespace

import numpy as np
import pytest

from core.fired import Everything
from core.probe import Continued
from core.steered import Steered, Steering
from dashboard.charts.steering import divergence_figure
from dashboard.panels.try_text import steering
from dashboard.panels.try_text.asking import places_named
from dashboard.panels.try_text.chips import _text
from dashboard.panels.try_text.drawn import Pair, Written, movers, percent, side_by_side
from dashboard.panels.try_text.feature import figures
from dashboard.panels.try_text.fired import begins
from dashboard.panels.try_text.holding import CANCELLED, Holding, is_gone, size_words
from dashboard.panels.try_text.reading import (
    Order,
    lines,
    score_words,
    starts,
    strongest,
    table,
    whole,
)
from data.errors import BadInput, Stopped

FIRST = Everything(
    ("a", " <b>", "", "\n"),
    token=np.array([0, 1, 3]),
    feature=np.array([4, 4, 5], np.int32),
    activation=np.array([1.0, 8.0, 2.0], np.float32),
    ids=np.arange(4),
)
SECOND = FIRST._replace(
    token=np.array([1]), feature=np.array([4], np.int32), activation=np.array([3.0], np.float32)
)
FOUND = {"x": FIRST, "y": SECOND}
MAXIMA = {"x": {4: 16.0, 5: 0.0}, "y": {4: 4.0}}


@dataclass(frozen=True)
class Point:
    """As much of a hookpoint as a table reads."""

    name: str


POINTS = [Point("x"), Point("y")]


def listed(order=Order.ACTIVATION, tokens=()):
    return [line.address for line in lines(FOUND, POINTS, MAXIMA, tokens, order)]


def test_features_of_several_hookpoints_stand_in_one_order():
    assert listed() == ["x/4", "y/4", "x/5"]
    assert listed(Order.SHARE) == ["y/4", "x/4", "x/5"]  # 3/4, 8/16, never seen in the cache
    assert listed(tokens=[3]) == ["x/5", "x/4", "y/4"]
    assert listed(Order.SHARE, tokens=[0, 1]) == ["y/4", "x/4", "x/5"]


def test_a_token_stands_for_its_feature_with_the_largest_share():
    best = strongest(FOUND, MAXIMA)
    assert (best[0].address, best[1].address, best[3].address) == ("x/4", "y/4", "x/5")
    assert best[1].share == 0.75
    assert 2 not in best


def test_a_character_split_over_tokens_is_chosen_whole():
    assert starts(FIRST.pieces) == [0, 1, 3]
    assert whole([1], FIRST.pieces) == [1, 2]
    assert whole([2, 99], FIRST.pieces) == []


def test_the_table_says_where_and_how_much_and_how_far_to_trust():
    row = {"text": "Fires on <b>", "value": 0.8, "low": 0.7, "high": 0.9, "n_judged": 50,
           "n_failed": 2}  # fmt: skip
    shown = lines(FOUND, POINTS, MAXIMA, [1], Order.ACTIVATION)
    frame = table(shown, FIRST.pieces, {"x/4": row}, summed=True)
    assert frame["Feature"].tolist() == ["x/4", "y/4", "x/5"]
    assert frame["Share of max"].tolist()[:2] == [0.5, 0.75]
    assert np.isnan(frame["Share of max"][2])
    assert frame["Sum"].tolist() == [8.0, 3.0, 0.0]
    assert frame["Token"].tolist() == [" <b>", " <b>", "↵"]
    assert frame["Judged"][0] == 50
    assert frame["Explanation"][0] == "Fires on <b>"
    assert "Sum" not in table(shown, FIRST.pieces, {}, summed=False)
    assert score_words(row) == "[.70, .90] · n 50 · 2 failed"
    assert score_words(row | {"n_judged": None}) == "not scored"
    assert score_words(None) == ""


def test_places_come_from_an_address_that_may_hold_anything():
    assert places_named("7,3,x,,-1,3,²,99999999999999999999") == (3, 7)
    assert places_named("") == ()


def test_chips_show_what_is_hidden_and_break_lines_once():
    assert _text("\n\n  a") == "↵↵\n  a"
    assert _text("\u202e<b>") == "[202E]<b>"


def test_figures_of_one_feature_are_a_sentence():
    values = np.array([0.0, 3.0, 1.5])
    whole = "Fires on 2 of 3 tokens; at most 3.00, 50 % of its largest in the cache (6.00)."
    assert figures(values, 6.0) == whole
    assert figures(values, 0.0).endswith("at most 3.00; it never fired in the cache.")
    assert figures(np.zeros(3), 6.0) == "Silent on all 3 tokens of this text."


def test_continuations_are_escaped_and_marked_from_where_they_differ():
    clean, moved = Written(["<b>", " one"], is_ended=True), Written(["<b>", " two"], is_ended=False)
    drawn = side_by_side("p" * 200 + "<i>", [Pair(clean, moved, 1)])
    assert '&lt;b&gt; one<i class="end">' in drawn
    assert '&lt;b&gt;<span class="dv"> two</span>' in drawn
    assert "p" * 118 not in drawn
    assert "&lt;i&gt;" in drawn
    assert "Both sides are the same" in side_by_side("p", [Pair(moved, moved, 2)])


def test_tokens_that_move_stand_on_one_scale():
    drawn = movers([("<x>", 0.0, 0.5)], [(" y", 0.25, 0.1)])
    assert "&lt;x&gt;" in drawn
    assert "width:100.0%" in drawn
    assert "width:50.0%" in drawn
    assert "25 % → 10 %" in drawn
    assert "No probability moves" in movers([], [])
    assert [percent(p) for p in (1.0, 0.999, 1e-9)] == ["100 %", "99.9 %", "< 0.0001 %"]


def test_the_divergence_has_a_line_a_text_and_says_its_unit_and_n():
    figure = divergence_figure([[0.5, 0.1], [0.5]])
    assert [trace["y"] for trace in figure["data"]] == [[0.5, 0.1], [0.5]]
    assert figure["data"][0]["x"] == [1, 2]
    title = figure["layout"]["annotations"][0]["text"]
    assert "nats" in title
    assert "n = 3 tokens of 2 steered texts" in title


RECORD = SimpleNamespace(cache_id=1, name="c", folder="caches/c")
OTHER = SimpleNamespace(cache_id=2, name="d", folder="caches/d")
PROBE = SimpleNamespace(hookpoints=["x"])


def test_one_subject_is_held_with_the_hookpoints_that_are_loaded():
    held = Holding()
    assert held.probe(RECORD, ["x"]) is None
    held.put(RECORD, PROBE)
    assert held.record is RECORD
    assert held.probe(RECORD, ["x"]) is PROBE
    assert held.probe(RECORD, ["x", "y"]) is None
    assert held.probe(OTHER, ["x"]) is None
    held.release()
    assert held.probe(RECORD, ["x"]) is None
    assert held.record is None


def test_a_cancelled_load_holds_nothing(tmp_path):
    held, stop = Holding(), Event()
    stop.set()
    with pytest.raises(Stopped, match=CANCELLED):
        held.load(SimpleNamespace(store=tmp_path), RECORD, ["x"], stop, print)
    assert held.record is None


def test_how_large_a_subject_is_comes_in_words(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"x" * 3 * 2**20)
    row = {"n_layers": 4, "d_model": 192, "vocabulary_size": 8192}
    assert size_words(row, str(tmp_path)) == (
        "4 layers of width 192, about 3.3 million weights, 3.0 MB on disk")  # fmt: skip
    big = {"n_layers": 32, "d_model": 4096, "vocabulary_size": 128_256}
    assert size_words(big, "org/name") == "32 layers of width 4,096, about 7 billion weights"
    assert size_words(None, "org/name") == ""
    assert is_gone(str(tmp_path / "none"))
    assert not is_gone("org/name")
    assert not is_gone(str(tmp_path))


def test_what_cannot_be_loaded_is_one_line(tmp_path):
    from data.catalogue import Catalogue

    with pytest.raises((BadInput, Exception), match="no cache in"):
        Holding().load(Catalogue(tmp_path), RECORD, ["x"], Event(), print)


@pytest.mark.parametrize("where", ["end", "everywhere"])
def test_a_silent_feature_that_is_ablated_says_so_and_where_it_may_not_be(where):
    steered = Steered((), (), 0.0, ((0.0, 0.0),), (), (), 0.0)
    found, asked = Continued(steered, 5, 0), Steering(3, "ablate", 0.0, where=where)
    (_, edit, *_) = steering.facts(found, asked)
    assert (edit.value, "silent" in edit.unit) == ("–", True)
    words = steering.silent_words(found, asked)
    assert words.startswith("The feature is silent at the last token")
    assert ("“Whole prompt too”" in words) == (where == "end")


def test_a_token_that_begins_another_piece_of_a_long_text_is_known():
    assert [begins([token], 4) for token in range(9)] == [t in (4, 8) for t in range(9)]
    assert begins([3, 4], 4)  # a character split over both pieces

"""Marks around tokens: what is marked, and that it can be read back."""

import re

from hypothesis import given
from hypothesis import strategies as st

from core.explain.evidence import Shown
from core.prompts.examples_shown import level
from core.prompts.marking import line, marked, marks_for, runs, tokens

PIECE = st.sampled_from(["", " ", " a", "b", "<", "<<", ">>", "[[", "\n", "{{", " ((", "é", "⟦"])
CONTEXT = st.lists(st.tuples(PIECE, st.sampled_from([0.0, 0.1, 0.5, 1.0])), max_size=8)
USUAL = ("<<", ">>")


def context(pairs):
    return Shown(tuple(p for p, _ in pairs), tuple(v for _, v in pairs), 5)


def text_of(shown, highlight=0.3):
    return marked(line(shown, highlight), USUAL)


@given(st.lists(CONTEXT, max_size=4))
def test_marks_can_be_read_back(contexts):
    lines = [line(context(pairs), 0.3) for pairs in contexts]
    opening, closing = marks = marks_for(lines)
    for one in lines:
        between = f"{re.escape(opening)}|{re.escape(closing)}"
        parts = re.split(between, marked(one, marks))
        assert "".join(parts) == one.text.strip(" ") or one.flags[:1] or one.flags[-1:]
        assert parts[1::2] == [one.text[start:end] for start, end in runs(one.flags)]


@given(CONTEXT)
def test_the_text_is_the_joined_pieces(pairs):
    shown = context(pairs)
    assert line(shown, 0.3).text == "".join(shown.pieces).replace("\n", "↵")


def test_neighbours_share_one_pair_and_the_space_stays_outside():
    shown = context([("in", 0.0), (" Sept", 3.0), ("ember", 4.0), (" 30", 0.0)])
    assert text_of(shown) == "in <<September>> 30"


def test_tokens_from_the_share_of_the_peak_on_are_marked():
    shown = context([("a", 10.0), (" b", 3.0), (" c", 2.9)])
    assert text_of(shown) == "<<a b>> c"
    assert text_of(shown, 0.6) == "<<a>> b c"


def test_a_marked_space_is_kept():
    assert text_of(context([("x", 0.0), (" ", 2.0), ("y", 0.0)])) == "x<< >>y"


def test_a_split_character_is_marked_for_its_later_bytes():
    shown = context([("x", 0.0), ("€", 0.0), ("", 2.0), ("y", 0.0)])
    assert text_of(shown) == "x<<€>>y"
    assert [token.activation for token in tokens(shown, 0.3)] == [0.0, 2.0, 0.0]


def test_nothing_is_marked_in_a_silent_context():
    assert text_of(context([("a", 0.0), (" b", 0.0)])) == "a b"


@given(st.floats(0, 1e4), st.floats(1e-3, 1e3))
def test_levels_stay_on_their_scale(activation, largest):
    up, down = level(activation, largest), level(activation, largest, "floor")
    assert 0 <= down <= up <= 10
    assert (up == 0) == (activation == 0)


def test_levels_by_hand():
    assert [level(a, 8.0) for a in (0.0, 0.1, 2.4, 2.41, 8.0, 9.0)] == [0, 1, 3, 4, 10, 10]
    assert [level(a, 8.0, "floor") for a in (0.1, 2.4, 2.41, 8.0)] == [0, 3, 3, 10]
    assert level(1.0, 0.0) == 0

"""Rules as text: round trip, errors with a position, sentences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.grammar import Literal, Rule, Rules, parse, render
from core.grammar.language import NEAR, STATES, TESTS
from data.errors import BadInput

texts = st.text(min_size=1, max_size=8)
token_tests = st.builds(
    Literal,
    st.sampled_from(["here", "prev", "prev2", *NEAR]),
    st.sampled_from(TESTS),
    st.lists(texts, min_size=1, max_size=3).map(tuple),
    st.booleans(),
)
states = st.builds(Literal, st.just("state"), st.sampled_from(STATES), st.just(()), st.booleans())
positions = st.builds(
    Literal,
    st.just("position"),
    st.just("range"),
    st.tuples(st.integers(0, 500), st.integers(1, 500)).map(lambda p: tuple(map(str, p))),
    st.booleans(),
)
numbers = st.floats(0, 1e6, allow_nan=False)
literals = st.lists(token_tests | states | positions, min_size=1, max_size=3).map(tuple)
rules = st.builds(
    Rules, st.lists(st.builds(Rule, literals, numbers, numbers), max_size=4).map(tuple)
)


@given(rules)
def test_reading_what_was_written_gives_the_same_rules(made):
    assert parse(str(made)) == made
    assert len(str(made).splitlines()) == 1


@given(rules)
def test_every_rule_can_be_said_in_one_line(made):
    said = render(made, 0.5, 0.25)
    assert len(said.splitlines()) == 1
    assert said.endswith(".")


def test_canonical_text_of_a_rule_with_everything():
    text = 'here:word="pizza"|"a\\"b" & not near16:class="digit" & state:seen -> 3.25 @ 0.64'
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", 0),
        ('here:word="a"', 13),
        ('here:wort="a" -> 1 @ 1', 5),
        ('there:word="a" -> 1 @ 1', 0),
        ('here:word="a" -> x @ 1', 17),
        ('here:word="a" -> 1 @ 1 ; ', 25),
        ('here:word="a" -> 1 @ 1 extra', 23),
        ('here:word="\\q" -> 1 @ 1', 10),
        ('position:range="3" -> 1 @ 1', 15),
    ],
)
def test_bad_text_names_the_character_where_reading_stopped(text, place):
    with pytest.raises(BadInput, match=f"at character {place}:"):
        parse(text)


def test_a_sentence_as_a_person_would_say_it():
    made = parse('here:word="pizza"|"pizzas" & near16:word="crust" -> 3 @ 0.64')
    assert render(made, 0.81, 0.64) == (
        "Fires on “pizza” or “pizzas” when “crust” occurred in the 16 tokens before"
        " (81 % of activations, precision 64 %)."
    )


def test_what_cannot_be_seen_is_named():
    made = parse('here:token="\\n"|"\\t"|"   "|"\\u200b" & prev:token=" " -> 1 @ 1')
    assert render(made) == (
        "Fires on a newline, a tab, 3 spaces or a zero-width space right after a space."
    )


def test_long_lists_are_cut_and_counted():
    values = "|".join(f'"word{i}"' for i in range(40))
    many = " ; ".join(f"prev:word={values} -> 1 @ 1" for _ in range(8))
    said = render(parse(many), 0.5, 0.5)
    assert len(said.split()) <= 55
    assert "others" in said
    assert "more rules" in said


def test_negation_and_place_read_naturally():
    made = parse(
        'here:class="digit" & not state:bracketed -> 1 @ 1 ; position:range="0"|"16" -> 1 @ 1 ;'
        ' prev:suffix="ing" & not here:word="the" -> 1 @ 1'
    )
    assert render(made) == (
        "Fires on numbers outside brackets; also on any token within the first 16 positions; "
        "also on any token other than “the” right after words ending in “-ing”."
    )


def test_no_rules_is_said_plainly():
    assert str(Rules()) == "never"
    assert parse("never") == Rules()
    assert "No rule" in render(Rules())

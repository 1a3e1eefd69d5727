"""What is said of a token by looking at it."""

import doctest

import numpy as np
import pytest

from core.grammar import Literal, Words, check, language, render, search, stems, words
from core.grammar.lexicon import lexicon
from core.grammar.text import Text


def decide(literal: str, tokens: list[str], **options) -> list[bool]:
    """Decide one literal at every token of one row."""
    vocabulary = list(dict.fromkeys(tokens))
    ids = np.array([[vocabulary.index(t) for t in tokens]], np.int32)
    text = Text(Words(vocabulary), ids, **options)
    made = language.parse(f"{literal} -> 1 @ 1").rules[0].literals[0]
    return text.holds(made, np.arange(len(tokens))).tolist()


@pytest.mark.parametrize("module", [language, words, stems, check, search])
def test_worked_examples_in_docstrings_hold(module):
    module = __import__(f"core.grammar.{module.__name__.split('.')[-1]}", fromlist=["_"])
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("literal", "tokens", "holds"),
    [
        ('here:token=" Cat"', [" Cat", " cat", "Cat"], [1, 0, 0]),
        ('here:word="cat"', [" Cat", " cat", "Cats"], [1, 1, 0]),
        ('here:stem="walk"', [" walking", " Walked", " wall"], [1, 1, 0]),
        ('here:class="digit"', [" 12", "1a", "x"], [1, 0, 0]),
        ('here:class="all-caps"', [" NASA", " Nasa", " A"], [1, 0, 0]),
        ('here:class="non-latin"', [" да", " da"], [1, 0]),
        ('here:class="newline"|"punctuation"', ["\n\n", "...", "a"], [1, 1, 0]),
        ('here:prefix="un"', [" undo", " UNDO", "un"], [1, 1, 0]),
        ('here:length="3"', [" cat", " cats"], [1, 0]),
        ('here:group="month"', [" May", " maybe"], [1, 0]),
        ('not here:word="a"', [" a", " b"], [0, 1]),
        ('prev:word="a"', [" a", " b", " a"], [0, 1, 0]),
        ('prev2:word="a"', [" a", " b", " c", " d"], [0, 0, 1, 0]),
        ('near4:word="a"', [" a", " b", " b", " b", " b", " b"], [0, 1, 1, 1, 1, 0]),
        ('bigram:word="of\\tthe"', [" of", " the", " cat", " of"], [0, 0, 1, 0]),
        ("state:seen", [" a", " b", " a", " a"], [0, 0, 1, 1]),
        ("state:quoted", ['"', " a", '"', " b", "\n", " c"], [0, 1, 1, 0, 0, 0]),
        ("state:quoted", ["“", " a", "”", " b"], [0, 1, 1, 0]),
        ("state:bracketed", [" a", " (", " b", ")", ")", " (", " c"], [0, 0, 1, 1, 0, 0, 1]),
        ("state:line-start", [" a", "\n", " b", " c"], [0, 0, 1, 0]),
        ("state:sentence-start", [" a", ".", " b", " c"], [0, 0, 1, 0]),
        ('position:range="1"|"3"', [" a", " b", " c", " d"], [0, 1, 1, 0]),
    ],
)
def test_literals_hold_where_they_should(literal, tokens, holds):
    assert decide(literal, tokens) == [bool(x) for x in holds]


def test_positions_count_from_the_start_of_the_sequence():
    held = decide('position:range="0"|"34"', [" a", " b", " c"], starts=np.array([32]))
    assert held == [True, True, False]


def test_rows_do_not_see_each_other():
    text = Text(Words([" a", " b"]), np.array([[1, 0], [1, 1]], np.int32))
    for place in ("prev", "near32"):
        held = text.holds(Literal(place, "word", ("a",)), np.arange(4))
        assert held.tolist() == [False] * 4


def test_special_tokens_and_strange_values_match_nothing():
    made = Words(["<bos>", " a"], special_ids=(0,))
    assert not made.table("token", ("<bos>",)).any()
    assert not made.table("word", ("unheard-of",)).any()


def test_a_cluster_is_a_test_like_any_other():
    made = Words([" cat", " dog", " car"], clusters={"pets": [0, 1]})
    assert made.table("cluster", ("pets",)).tolist() == [True, True, False]
    said = render(language.parse('here:cluster="pets" -> 1 @ 1'))
    assert said == "Fires on words like “pets”."


def test_every_group_is_named_and_its_members_are_folded():
    names, groups_of = lexicon()
    assert {group for found in groups_of.values() for group in found} == set(names)
    assert all(words.fold(word) == word for word in groups_of)
    assert len(names) > 100

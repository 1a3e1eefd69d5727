"""What a sentence begins with: the values that bring in most of the activation."""

import numpy as np
import pytest

from core.explain.grammar import explain
from core.grammar import Corpus, Settings, parse
from core.grammar.emphasis import heaviest_first, leading

WORDS = ["a", " cat", " dog", " owl", " ran"]
TOKENS = np.array([[0, 1, 4, 2, 4, 3, 4, 1]], np.int32)
VALUES = np.array([0, 9, 0, 2, 0, 1, 0, 9], np.float32)


@pytest.fixture
def corpus():
    return Corpus(TOKENS, WORDS)


def fired():
    at = np.flatnonzero(VALUES)
    return at.astype(np.uint32), VALUES[at]


def test_values_are_sorted_by_the_activation_they_bring_in(corpus):
    rule = parse('here:word="owl"|"cat"|"dog" -> 5 @ 1').rules[0]
    (literal,) = heaviest_first(corpus, rule.literals, np.flatnonzero(VALUES), VALUES)
    assert literal.values == ("cat", "dog", "owl")


def test_other_literals_are_left_alone(corpus):
    rule = parse('here:class="letters" & prev:word="ran"|"a" -> 5 @ 1').rules[0]
    assert heaviest_first(corpus, rule.literals, np.flatnonzero(VALUES), VALUES) == rule.literals


def test_few_heavy_values_lead(corpus):
    assert leading(corpus, parse('here:word="cat"|"dog"|"owl" -> 5 @ 1'), *fired()) == 1


def test_nothing_leads_where_the_activation_is_spread(corpus):
    rules = parse('here:word="dog"|"owl"|"ran" -> 5 @ 1 ; here:word="cat" -> 9 @ 1')
    assert leading(corpus, rules, *fired()) == 0


def test_nothing_leads_without_a_tail_or_with_a_condition(corpus):
    assert leading(corpus, parse('here:word="cat"|"dog" -> 5 @ 1'), *fired()) == 0
    rules = parse('here:word="cat"|"dog"|"owl" & near4:word="a" -> 5 @ 1')
    assert leading(corpus, rules, *fired()) == 0


def test_the_sentence_says_so():
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 40, (200, 64)).astype(np.int32)
    flat = tokens.ravel()
    strength = np.zeros(40, np.float32)
    strength[3:9] = [1, 1, 30, 1, 1, 1]
    at = np.flatnonzero(strength[flat])
    vocabulary = [f" w{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(40)]
    made = explain(
        Corpus(tokens, vocabulary, train=np.arange(200) < 80), at.astype(np.uint32),
        strength[flat[at]], Settings(families="token"), seed=0,
    )  # fmt: skip
    assert made.text is not None
    assert made.text.startswith("Fires mostly on “waf”, less on “wa")

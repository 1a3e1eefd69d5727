"""Verdicts, choices and probabilities as read from replies."""

import json
import math
import re

import pytest

from core.llm.requests import TokenLogprob
from core.replies import BadReply
from core.replies.probabilities import probabilities
from core.replies.verdicts import (
    choice,
    choice_schema,
    verdict_schema,
    verdicts,
    written_choice,
    written_verdicts,
)


@pytest.mark.parametrize(
    "text",
    [
        '{"verdicts": [1, 0, 1]}',
        '{"verdicts":[true,false,true]}',
        "[1, 0, 1]",
        "Sure. Here they are:\n```json\n[1,\n 0, 1]\n```\nAnything else?",
        '<think>Text 2 has [0, 0, 0], no.</think>{"verdicts": [1, 0, 1]}',
        'swallowed tag </think> {"verdicts": [1, false, 1]}',
        'First {"verdicts": [0, 0, 0]}, no: {"verdicts": [1, 0, 1]}',
    ],
)
def test_verdicts_are_read_from_an_object_or_a_list(text):
    assert verdicts(text, 3) == (1, 0, 1)


@pytest.mark.parametrize(
    ("text", "defect"),
    [
        ("", "no JSON"),
        ("1, 0, 1", "no JSON"),
        ("[1, 0]", "2 verdicts for 3 texts"),
        ("[1, 0, 1, 1]", "4 verdicts for 3 texts"),
        ("[]", "0 verdicts for 3 texts"),
        ("[1, 2, 0]", "2 is neither 0 nor 1"),
        ("[1, null, 0]", "null is neither"),
        ('["1", "0", "1"]', "is neither"),
        ("[1.0, 0, 1]", "1.0 is neither"),
        ("[[1, 0, 1]]", "is neither"),
        ('{"verdicts": "101"}', "not a list"),
        ('{"verdicts": {"1": 1}}', "not a list"),
        ('{"answers": [1, 0, 1]}', 'no "verdicts"'),
        ('{"verdicts": [1, 0', "no JSON"),
        ("<think>I should answer [1, 0, 1]", "no JSON"),
    ],
)
def test_anything_else_is_no_verdict(text, defect):  # [20]
    with pytest.raises(BadReply, match=re.escape(defect)):
        verdicts(text, 3)


def test_one_verdict_is_enough_for_one_text():  # [19]
    assert verdicts('{"verdicts": [0]}', 1) == (0,)


@pytest.mark.parametrize(
    "text",
    ['{"choice": 3}', "3", " 3.\n", "**3**", '"3"', "<think>1?</think>3", '```\n{"choice":3}```'],
)
def test_a_choice_is_an_object_or_a_bare_number(text):
    assert choice(text, 5) == 3


@pytest.mark.parametrize(
    "text",
    ["", "three", "Text 3", "-3", "3 or 4", "0", "6", '{"choice": 0}', '{"choice": 6}',
     '{"choice": "3"}', '{"choice": true}', '{"choice": 3.0}', '{"choice": null}',
     '{"answer": 3}', '{"choice": [3]}', "[3]"],
)  # fmt: skip
def test_a_choice_that_is_no_number_of_a_text_is_refused(text):
    with pytest.raises(BadReply):
        choice(text, 5)


def test_what_we_write_we_read():
    assert verdicts(written_verdicts((1, 0)), 2) == (1, 0)
    assert choice(written_choice(2), 2) == 2


def test_schemas_fix_length_and_values():
    asked = json.loads(verdict_schema(4))["properties"]["verdicts"]
    assert (asked["minItems"], asked["maxItems"], asked["items"]["enum"]) == (4, 4, [0, 1])
    assert json.loads(choice_schema(3))["properties"]["choice"]["enum"] == [1, 2, 3]


def token(text, **top):
    """A token; alternatives as chances by name: y and n stand for the text with 1 and 0."""
    chances = {"y": text.replace("0", "1"), "n": text.replace("1", "0")}
    found = {chances.get(name, name): math.log(p) for name, p in top.items()}
    return TokenLogprob(text, found.get(text, math.log(0.9)), found)


def test_a_probability_is_the_share_of_yes_among_yes_and_no():
    tokens = [
        token('{"verdicts": ['),
        token("1", y=0.6, n=0.2, other=0.1),
        token(", "),
        token("0", y=0.1, n=0.7),
        token("]}"),
    ]
    assert probabilities(tokens, (1, 0)) == pytest.approx((0.75, 0.125))


def test_tokens_may_hold_brackets_and_commas():
    tokens = [token("["), token("1,", y=0.6, n=0.2), token(" 0]", y=0.1, n=0.3)]
    assert probabilities(tokens, (1, 0)) == pytest.approx((0.75, 0.25))


def test_a_token_of_two_verdicts_gives_each_given_the_ones_before():
    top = {"1, 0": 0.4, "1, 1": 0.1, "0, 0": 0.3, "0, 1": 0.2}
    both = TokenLogprob("1, 0", math.log(0.4), {k: math.log(p) for k, p in top.items()})
    found = probabilities([token("["), both, token("]")], (1, 0))
    assert found == pytest.approx((0.5, 0.2))


def test_words_count_as_verdicts_too():
    said = TokenLogprob("true", math.log(0.5), {"true": math.log(0.5), " false": math.log(0.5)})
    assert probabilities([token("["), said, token("]")], (1,)) == pytest.approx((0.5,))


@pytest.mark.parametrize(
    "tokens",
    [
        None,
        [],
        [token("[0]", y=0.5, n=0.5)],  # another verdict than the one that was read
        [token("[1, 1]", y=1.0)],  # another number of them
        [token("["), token("tr"), token("ue"), token("]")],  # spread over tokens
        [TokenLogprob("[1]", None, {})],
    ],
)
def test_what_does_not_fit_is_unknown_and_no_guess(tokens):
    assert all(math.isnan(value) for value in probabilities(tokens, (1,)))


def test_reasoning_before_the_answer_is_not_mistaken_for_it():
    tokens = [token("<think>[1, 0]?</think>"), token("["), token("1", y=0.9, n=0.1), token("]")]
    assert probabilities(tokens, (1,)) == pytest.approx((0.9,))
    tokens[0] = token("<think>[0] or [1]?</think>")
    assert probabilities(tokens, (1,)) == pytest.approx((0.9,))

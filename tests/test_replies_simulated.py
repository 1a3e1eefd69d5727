"""What simulators answer: pairs as JSON, log-probabilities behind tabs; and lists of texts."""

import json
import math

import pytest

from core.llm.requests import TokenLogprob
from core.replies import BadReply
from core.replies.simulated import (
    expected_values,
    keeps_ten,
    pairs_schema,
    values_in,
    written_pairs,
)
from core.replies.texts import LONGEST, texts_in, texts_schema


@pytest.mark.parametrize(
    ("reply", "values"),
    [
        ('{"values": [[2, 7], [3, 10]]}', (0, 7, 10)),
        ('{"values": []}', (0, 0, 0)),
        ("[[1, 3]]", (3, 0, 0)),
        ("[]", (0, 0, 0)),
        ('{"values": [[1, 12], [2, -3], [3, 4.5]]}', (10, 0, 4.5)),
        ('<think>maybe [[1, 9]]</think>```json\n{"values": [[3, 2]]}\n```', (0, 0, 2)),
        ('{"values": [[1, 1]]} No, wait: {"values": [[2, 2.0]]}', (0, 2, 0)),
    ],
)
def test_tokens_that_are_not_named_are_zero_and_values_are_clamped(reply, values):
    assert values_in(reply, [3]) == [values]


@pytest.mark.parametrize(
    ("reply", "defect"),
    [
        ("none of them", "no JSON"),
        ('{"values": [[4, 1]]}', "token 4, where there are 1 to 3"),
        ('{"values": [[0, 1]]}', "token 0"),
        ('{"values": [[1, 1], [1, 2]]}', "token 1 twice"),
        ('{"values": [[1.5, 1]]}', "no whole number"),
        ('{"values": [["1", 1]]}', "no whole number"),
        ('{"values": [[true, 1]]}', "no whole number"),
        ('{"values": [[1, "high"]]}', "no number"),
        ('{"values": [[1, NaN]]}', "no number"),
        ('{"values": [[1, Infinity]]}', "no number"),
        ('{"values": [[1, 2, 3]]}', "no pair"),
        ('{"values": [0, 7, 10]}', "no pair"),
        ('{"values": {"1": 2}}', "no list"),
        ('{"answer": [[1, 2]]}', "no list"),
        ('{"values": [[3, 8], [1, ', "no pair"),  # cut off: what is left is no answer
    ],
)
def test_anything_else_is_no_answer(reply, defect):
    with pytest.raises(BadReply, match=defect):
        values_in(reply, [3])


def test_several_texts_need_a_list_each():
    assert values_in('{"values": [[[1, 5]], []]}', [2, 1]) == [(5, 0), (0,)]
    for reply in ('{"values": [[[1, 5]]]}', '{"values": [[1, 5], [2, 6]]}', "[]"):
        with pytest.raises(BadReply):
            values_in(reply, [2, 1])


def test_what_is_written_is_read_back_and_fits_the_schema():
    assert values_in(written_pairs([{2: 4}]), [2]) == [(0, 4)]
    assert values_in(written_pairs([{2: 4}, {}]), [2, 1]) == [(0, 4), (0,)]
    assert json.loads(pairs_schema(2))["properties"]["values"]["minItems"] == 2
    assert json.loads(texts_schema(10))["properties"]["texts"]["maxItems"] == 10


def read(token, **top):
    return TokenLogprob(token, -1.0, {name.strip("_"): math.log(p) for name, p in top.items()})


def test_expected_values_are_means_over_the_numbers_that_are_likely():
    echo = [
        TokenLogprob(" ha", None, {}),
        read("ir\t"),  # a tab may end a longer token
        read("?\n", _0=0.1, _10=0.3, cat=0.6),
        read(".", _3=1.0),
        read("\t", _4=1.0),
        read("?", _1=0.25, _3=0.25, _11=0.5),
        read("\n", _7=1.0),
        read("Next", _9=1.0),  # what the model wrote itself
    ]
    assert expected_values(echo, 2, 10) == pytest.approx((7.5, 2.0))


def test_without_a_token_for_ten_the_scale_is_stretched():
    echo = [read("a"), read("\t"), read("?", _9=0.5, _0=0.5)]
    assert expected_values(echo, 1, 9) == pytest.approx((5.0,))
    assert keeps_ten([read("\t"), read("10"), read("\n")])
    assert not keeps_ten([read("\t"), read("1"), read("0")])


@pytest.mark.parametrize(
    ("echo", "defect"),
    [
        (None, "no log-probabilities"),
        ((), "no log-probabilities"),
        ([read("a"), read("\t?"), read("\n")], "joins a tab"),
        ([read("a\t"), read("?", _1=1.0), read("b\t"), read("?", _1=1.0)], "2 lines, not 1"),
        ([read("a\t"), read("?", cat=1.0)], "no number .* line 1"),
        ([read("a\t")], "0 lines"),
    ],
)
def test_an_echo_that_cannot_be_read_is_no_answer(echo, defect):
    with pytest.raises(BadReply, match=defect):
        expected_values(echo, 1, 10)


def test_texts_are_different_texts_and_at_most_as_many_as_wanted():
    said = ["One.", " One. ", "", "  ", "x" * (LONGEST + 1), "Two [2].", "Half \ud83d.", "Four."]
    assert texts_in(json.dumps({"texts": said}), 3) == ("One.", "Two [2].", "Half ?.")
    assert texts_in('Here: ["a", "b"]', 10) == ("a", "b")


@pytest.mark.parametrize("reply", ["1. One.", '["a", 3]', '{"texts": "a"}', '[""]', '["a", "b'])
def test_no_list_of_texts_is_no_answer(reply):
    with pytest.raises(BadReply):
        texts_in(reply, 10)

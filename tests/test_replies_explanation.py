"""Explanations out of replies: the sentence, or a defect with a name."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.replies import BadReply
from core.replies.debate import Submitted, choice, submitted
from core.replies.explanation import explanation


def reply(text):
    return json.dumps({"explanation": text})


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (reply("Names of months."), "Names of months."),
        ('```json\n{"explanation": "Names of months."}\n```', "Names of months."),
        ('<think>{"explanation": "no"}</think>{"explanation": "Months."}', "Months."),
        ('First {"explanation": "A."} but better {"explanation": "Months."} Done.', "Months."),
        ('{"explanation": "Months."} {"note": 1}', "Months."),
        ('{"explanation": "Months,\nin dates."}', "Months, in dates."),
        ('{"explanation": "Opening braces { in code."}', "Opening braces { in code."),
        ("Explanation: a tag.\nShared: x\nExplanation: Months in dates.", "Months in dates."),
        ("**Explanation:** Months in dates.", "Months in dates."),
        ("Explanation:\n\nMonths in dates.", "Months in dates."),
        ('Explanation: "Months in dates."', "Months in dates."),
        ("Explanation: “May” and “June” in dates", "“May” and “June” in dates"),
        (reply("“I'm sorry” and other apologies."), "“I'm sorry” and other apologies."),
        (reply("The HTML tag <summary> and empty braces {}."),
         "The HTML tag <summary> and empty braces {}."),
        (reply("Sorry and other words of regret."), "Sorry and other words of regret."),
        (reply("月の名前"), "月の名前"),
    ],
)  # fmt: skip
def test_the_last_answer_is_read(said, wanted):
    assert explanation(said) == wanted


@pytest.mark.parametrize(
    ("said", "defect"),
    [
        ("", "empty"),
        ("<think>and so on", "empty"),
        ("Names of months.", "no JSON object"),
        ('{"answer": "Months."}', "no JSON object"),
        ('{"explanation": null}', "no text"),
        ('{"explanation": ["Months."]}', "no text"),
        (reply("  "), "empty"),
        (reply("..."), "empty"),
        (reply("word " * 61), "61 words"),
        (reply("x" * 601), "601 characters"),
        (reply("The token <<May>>."), "mark <<"),
        (reply("I'm sorry, but I cannot tell."), "refusal"),
        (reply("I cannot determine what they share."), "refusal"),
        (reply("As an AI language model, I see months."), "refusal"),
        (reply("There is no clear pattern."), "refusal"),
        (reply("Explanation could not be parsed."), "refusal"),
        (reply("your sentence"), "placeholder"),
        (reply("{explanation}"), "placeholder"),
        (reply("The feature is {{ explanation }} here."), "placeholder"),
        (reply("[insert explanation here]"), "placeholder"),
        (reply("<your sentence>"), "placeholder"),
        (reply("N/A"), "placeholder"),
        (reply("None."), "placeholder"),
        (reply("Promotes ..."), "placeholder"),
        ('{"explanation": "a lone \\ud800 surrogate"}', "no text"),
        ('{"explanation": "a\\u0000b"}', "no text"),
        ("Explanation:", "empty"),
    ],
)
def test_what_is_no_explanation_has_a_named_defect(said, defect):
    with pytest.raises(BadReply, match=defect):
        explanation(said, marks=("<<", ">>"))


def test_a_reply_that_was_cut_off_says_so():
    for said in ('{"explanation": "Names of', "Explanation: Names of", ""):
        with pytest.raises(BadReply, match="cut off"):
            explanation(said, ended=False)
    assert explanation('{"explanation": "Months."}\nAnd', ended=False) == "Months."


def test_only_the_marks_of_the_question_are_forbidden():
    assert explanation(reply("The operator <<."), marks=("[[", "]]")) == "The operator <<."


ARBITRARY = st.one_of(
    st.text(max_size=200),
    st.text(alphabet='{}[]":, explanatio.<>\\n', max_size=80),
    st.builds(reply, st.one_of(st.none(), st.integers(), st.text(max_size=80))),
    st.builds(lambda text: f"Explanation: {text}", st.text(max_size=80)),
)


@given(ARBITRARY, st.booleans())
def test_any_reply_gives_its_own_words_or_a_bad_reply(said, ended):
    try:
        found = explanation(said, marks=("<<", ">>"), ended=ended)
    except BadReply:
        return
    assert any(character.isalnum() or not character.isascii() for character in found)
    assert len(found.split()) <= 60
    assert "<<" not in found
    assert "\n" not in found
    text = " ".join(said.split())
    assert found in text or found in " ".join(json.loads(said)["explanation"].split())
    found.encode()  # can be stored


@pytest.mark.parametrize(
    "text", ['{"a":' * 50_000, "[" * 100_000, '{"explanation":' + "[" * 100_000]
)
def test_deep_nesting_is_a_bad_reply(text):
    with pytest.raises(BadReply):
        explanation(text)


def test_an_entry_has_an_explanation_and_quotes():
    said = json.dumps({"quotes": ["on 3 May", "late June"], "explanation": "Months."})
    assert submitted(said) == Submitted("Months.", ("on 3 May", "late June"))
    for wrong in (reply("Months."), '{"quotes": [], "explanation": "M"}',
                  '{"quotes": [1], "explanation": "M"}', "{}", "no"):  # fmt: skip
        with pytest.raises(BadReply):
            submitted(wrong)


def test_a_choice_is_one_of_the_entries():
    assert choice('So: {"choice": 2}', 3) == 2
    for wrong in ('{"choice": 0}', '{"choice": 4}', '{"choice": true}', '{"choice": "2"}', "2"):
        with pytest.raises(BadReply):
            choice(wrong, 3)


@given(st.text(max_size=100))
def test_debate_parsers_raise_nothing_else(said):
    for parse in (submitted, lambda text: choice(text, 3)):
        with suppress(BadReply):
            parse(said)

"""Iterative: mistakes in, a replacement out, kept only if it does better on the same items."""

import json

import numpy as np
import pytest
from golden import check_golden
from one_feature import EVIDENCE, EXAMPLES, SILENT, shown
from scripted import ScriptedClient, queue

from core.explain import explainer_for
from core.explain.explaining import Tools
from core.explain.iterative import gain
from core.explain.settings import ExplainerSettings
from core.explain.trial import Tried

ACTIVATING = np.array([1, 1, 1, 1, 0, 0, 0, 0], bool)


def tried(right, usable="11111111", missed=EXAMPLES[3:4], alarms=SILENT[:1]):
    """Items as digits, four activating and four silent."""
    right, usable = (np.array(list(map(int, text)), bool) for text in (right, usable))
    value = (right[:4].mean() + right[4:].mean()) / 2
    return Tried(right, usable, ACTIVATING, missed, alarms, value)


def said(text):
    return json.dumps({"explanation": text})


def run(answers, trials, **changes):
    client = ScriptedClient(queue(*answers))
    left = dict(trials)
    tools = Tools(client, trial=lambda text: left[text])
    written = explainer_for(ExplainerSettings("iterative", **changes)).explain(EVIDENCE, tools)
    json.dumps(written.detail)
    return written, client


def test_a_better_replacement_is_kept():
    trials = {"Words.": tried("11001100"), "Months.": tried("11101110", missed=(), alarms=())}
    written, client = run([said("Words."), said("Months.")], trials)
    assert written.text == "Months."
    assert written.request == client.asked[1]
    assert written.detail["first"] == {"explanation": "Words.", "value": 0.5}
    (only,) = written.detail["rounds"]
    assert (only["accepted"], only["difference"], only["n"]) == (True, 0.25, 8)
    assert (only["only_new"], only["only_old"], only["missed"], only["false_alarms"]) == (
        2,
        0,
        1,
        1,
    )
    assert written.detail["value"] == 0.75
    assert client.asked[1].purpose == "revision"


def test_an_equal_or_worse_replacement_is_rejected_and_named_in_the_next_round():
    wide, narrow, odd = "Capitalised words.", "Dates with a day and a month.", "Seasons."
    missed = (shown("The| shop| is| closed| in| August|.", 4, August=2.9),)
    trials = {
        wide: tried("11001100", missed=missed),
        narrow: tried("00111100"),
        odd: tried("10001100"),
    }
    written, client = run(map(said, trials), trials, rounds=2)
    assert written.text == wide
    assert [r["accepted"] for r in written.detail["rounds"]] == [False, False]
    assert [r["difference"] for r in written.detail["rounds"]] == [0.0, -0.125]
    assert f"- {narrow}" in client.asked[2].question
    check_golden("explain-iterative-revision", client.asked[2:])


def test_three_rounds_at_most():
    trials = {name: tried("10001000") for name in ("A", "B", "C", "D")}
    written, client = run([said(name) for name in trials], trials)
    assert len(client.asked) == 4
    assert len(written.detail["rounds"]) == 3


def test_without_mistakes_nothing_is_revised():
    written, client = run([said("A.")], {"A.": tried("11111111", missed=(), alarms=())})
    assert (written.text, len(client.asked), written.detail["rounds"]) == ("A.", 1, [])


@pytest.mark.parametrize("again", [[said("A.")], [None], ["no", "no"]])
def test_nothing_new_ends_it_with_what_stands(again):
    written, _ = run([said("A."), *again], {"A.": tried("10001000")})
    assert written.text == "A."
    (only,) = written.detail["rounds"]
    assert only["accepted"] is False
    assert only["error"]


def test_items_without_a_reply_on_either_side_do_not_count():
    old, new = tried("00001111", usable="00111111"), tried("11001111")
    assert gain(new, old).difference == 0.0
    assert gain(new, old).excluded == 2


def test_a_class_without_replies_accepts_nothing():
    trials = {"A.": tried("00001111", usable="00001111"), "B.": tried("11111111")}
    written, _ = run([said("A."), said("B.")], trials, rounds=1)
    assert written.text == "A."
    assert written.detail["rounds"][0]["difference"] is None


def test_the_difference_is_balanced_over_the_classes():
    new = tried("11110000", usable="11111100")
    old = tried("00001111", usable="11111100")
    found = gain(new, old)
    assert (found.only_first, found.only_second) == (4, 2)
    assert found.difference == 0.0


def test_a_failed_first_explanation_is_a_failure():
    written, _ = run([None], {})
    assert (written.text, written.error) == (None, "no reply: scripted failure")


def test_at_most_ten_mistakes_of_either_kind_are_shown():
    trials = {
        "A.": tried("00001111", missed=EXAMPLES * 3, alarms=SILENT * 5),
        "B.": tried("00000000"),
    }
    _, client = run([said("A."), said("B.")], trials, rounds=1)
    missed, alarms, usual = client.asked[1].question.split("\n\n")[1:]
    assert missed.count("Example ") == alarms.count("Example ") == 10
    assert usual.count("Example ") == 5

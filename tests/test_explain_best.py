"""Best of k: chosen on the selection split, ties by length and order."""

import json
from dataclasses import replace

import numpy as np
from one_feature import EVIDENCE, EXAMPLES
from scripted import ScriptedClient, queue

from core.explain import explainer_for
from core.explain.explaining import Tools
from core.explain.settings import ExplainerSettings
from core.explain.trial import Tried
from core.llm.requests import Reply


def said(text):
    return json.dumps({"explanation": text})


def trial_of(values, log=None):
    """Give each text its value; each trial is one call."""

    def trial(text):
        if log is not None:
            log.append(text)
        one = np.ones(4, bool)
        reply = Reply(text, "[1]", "stop", None, 1, 1, 0.1, 0.1)
        return Tried(one, one, np.array([1, 1, 0, 0], bool), (), (), values[text], (reply,))

    return trial


def run(*answers, values, log=None, redraw=None):
    client = ScriptedClient(queue(*answers))
    settings = ExplainerSettings("best-of-k", candidates=len(answers))
    tools = Tools(client, trial=trial_of(values, log), redraw=redraw)
    return explainer_for(settings).explain(EVIDENCE, tools), client


def test_the_best_on_the_selection_split_is_reported():
    written, client = run(said("One"), said("Two"), said("Three"),
                          values={"One": 0.6, "Two": 0.8, "Three": 0.7})  # fmt: skip
    assert written.text == "Two"
    assert written.request == client.asked[1]
    assert written.reply == said("Two")
    assert written.detail["chosen"] == 1
    assert [c["value"] for c in written.detail["candidates"]] == [0.6, 0.8, 0.7]
    assert len(written.outcomes) == 6
    json.dumps(written.detail)


def test_ties_go_to_the_shorter_and_then_to_the_first():
    values = {"Some long words": 0.8, "Short": 0.8, "Brief": 0.8}
    written, _ = run(*map(said, values), values=values)
    assert written.text == "Short"


def test_the_same_words_are_tried_once():
    log = []
    written, _ = run(said("One"), said("One"), values={"One": 0.5}, log=log)
    assert log == ["One"]
    assert len(written.outcomes) == 3


def test_an_unmeasured_candidate_is_not_chosen():
    written, _ = run(said("One"), said("Two"), values={"One": None, "Two": 0.4})
    assert written.text == "Two"


def test_without_any_measurement_there_is_no_explanation():
    written, _ = run(said("One"), said("Two"), values={"One": None, "Two": None})
    assert written.text is None
    assert written.error == "none of 2 candidates could be measured on the selection split"
    assert written.detail["chosen"] is None


def test_a_failed_candidate_does_not_stop_the_others():
    written, _ = run(None, said("Two"), values={"Two": 0.4})
    assert written.text == "Two"
    assert written.detail["candidates"][0]["error"] == "no reply: scripted failure"


def test_all_failed_is_a_failure():
    written, _ = run(None, None, values={})
    assert (written.text, written.error) == (None, "no candidate: no reply: scripted failure")


def test_every_candidate_sees_its_own_draw():
    def redraw(place):
        return replace(EVIDENCE, examples=EXAMPLES[place:])

    _, client = run(said("A"), said("B"), said("C"),
                    values={"A": 0.1, "B": 0.2, "C": 0.3}, redraw=redraw)  # fmt: skip
    assert [request.question.count("Example ") for request in client.asked] == [6, 5, 4]
    assert len({request.seed for request in client.asked}) == 3

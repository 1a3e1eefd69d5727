"""Explainers that ask once: the answer, the repair, the ways to fail."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import get_args

import pytest
from golden import check_golden
from one_feature import EVIDENCE
from scripted import ScriptedClient, queue

from core.explain import EXPLAINERS, explainer_for
from core.explain.explaining import Tools
from core.explain.settings import ExplainerId, ExplainerSettings, expected_calls
from core.llm.requests import Reply
from data.errors import BadInput

MONTHS = '{"explanation": "Names of months."}'


def explain(*answers, name="activations", evidence=EVIDENCE, **changes):
    client = ScriptedClient(queue(*answers))
    settings = ExplainerSettings(name, **changes)
    return explainer_for(settings).explain(evidence, Tools(client)), client


@pytest.mark.parametrize(
    "name", ["plain", "activations", "logits", "cot", "contrastive", "single-token", "output"]
)
def test_a_good_reply_is_the_explanation(name):
    written, client = explain(MONTHS, name=name)
    assert written.text == "Names of months."
    assert written.error is None
    assert written.request == client.asked[0]
    assert written.reply == MONTHS
    assert len(written.outcomes) == 1
    assert written.detail == {}


def test_a_bad_reply_is_sent_back_once_with_its_defect():
    written, client = explain("They are months.", MONTHS)
    check_golden("explain-repair", client.asked[1:])
    assert written.text == "Names of months."
    assert written.request == client.asked[1]
    assert len(written.outcomes) == 2
    assert written.detail == {"defects": ['there is no JSON object with the field "explanation"']}


def test_the_repair_after_stages_asks_for_json():
    _, client = explain("Items: May\nExplanation: {explanation}", MONTHS, name="cot")
    first, repair = client.asked
    assert first.schema is None
    assert repair.schema is not None
    assert "placeholder" in repair.question
    assert repair.messages[-2].content == "Items: May\nExplanation: {explanation}"


def test_reasoning_is_not_sent_back_and_no_turn_is_empty():
    _, client = explain("<think>hm</think>Months.", MONTHS)
    assert client.asked[1].messages[-2].content == "Months."
    _, client = explain("", MONTHS)
    assert client.asked[1].messages[-2].content == "(no answer)"


def test_two_bad_replies_are_a_failure_and_no_text():
    written, client = explain("I don't know.", "I cannot explain this.")
    assert written.text is None
    assert written.error == (
        'no usable reply: there is no JSON object with the field "explanation"'
    )
    assert written.reply == "I cannot explain this."
    assert len(client.asked) == len(written.outcomes) == 2


def test_a_failed_call_is_a_failure_with_its_reason():
    written, _ = explain(None)
    assert (written.text, written.reply) == (None, None)
    assert written.error == "no reply: scripted failure"
    written, _ = explain("Months.", None)
    assert (written.text, written.error) == (None, "no reply: scripted failure")
    assert len(written.outcomes) == 2


def test_a_reply_cut_off_at_its_limit_is_repaired():
    cut = Reply("", '{"explanation": "Names of', "length", None, 1, 1, None, 0.1)
    answers = iter([cut, MONTHS])
    client = ScriptedClient(lambda _request: next(answers))
    written = explainer_for(ExplainerSettings()).explain(EVIDENCE, Tools(client))
    assert written.text == "Names of months."
    assert written.detail == {"defects": ["the reply was cut off at its limit"]}


@pytest.mark.parametrize(
    ("name", "changes", "error"),
    [
        ("activations", {"examples": ()}, "no contexts"),
        ("logits", {"promoted": (), "suppressed": ()}, "effect"),
        ("output", {"promoted": (), "suppressed": ()}, "effect"),
        ("single-token", {"peak_tokens": ()}, "tokens it fires on"),
        ("contrastive", {"silent": ()}, "silent"),
        ("debate", {"examples": ()}, "no contexts"),
    ],
)
def test_lacking_evidence_is_said_and_nothing_is_asked(name, changes, error):
    evidence = replace(EVIDENCE, **changes)
    written, client = explain(name=name, evidence=evidence)
    assert written.text is None
    assert error in (written.error or "")
    assert client.asked == []
    explainer = explainer_for(ExplainerSettings(name))
    assert explainer.opening(evidence, Tools(client)) == []


def test_a_greedy_request_has_no_seed_of_its_own_and_a_warm_one_has():
    _, cold = explain(MONTHS)
    _, warm = explain(MONTHS, temperature=0.7)
    assert (cold.asked[0].temperature, cold.asked[0].seed) == (0.0, 0)
    assert 0 < warm.asked[0].seed < 2**31


def test_another_attempt_makes_other_requests():
    client = ScriptedClient(queue("Months.", MONTHS))
    explainer_for(ExplainerSettings()).explain(EVIDENCE, Tools(client, attempt=2))
    assert [request.attempt for request in client.asked] == [2, 2]


def test_explainers_without_a_trial_say_what_they_need():
    for name in ("best-of-k", "iterative"):
        with pytest.raises(BadInput, match="needs a judge"):
            explain(name=name)


def test_settings_refuse_what_means_nothing():
    for changes in ({"examples": 0}, {"highlight": 2.0}, {"scale": "round"}, {"debaters": 1},
                    {"explainer": "grammar"}, {"sampling": "best"}):  # fmt: skip
        with pytest.raises(BadInput, match="explainer setting"):
            ExplainerSettings(**changes)


def test_recorded_settings_are_those_that_matter():
    assert "rounds" not in ExplainerSettings("activations").recorded()
    assert ExplainerSettings("iterative").recorded()["rounds"] == 3
    json.dumps(ExplainerSettings("best-of-k").recorded())


def test_every_explainer_is_in_the_table_and_has_a_price():
    assert set(EXPLAINERS) == {"grammar", *get_args(ExplainerId)}
    calls = {name: expected_calls(ExplainerSettings(name)) for name in get_args(ExplainerId)}
    assert calls["activations"] == (1, 0, 0, 1)
    assert calls["best-of-k"] == (5, 0, 5, 5)
    assert calls["iterative"] == (4, 0, 4, 1)
    assert calls["debate"] == (3, 1, 0, 3)


def test_the_table_is_light_to_import():
    code = (
        "import sys, core.explain, core.explain.settings; "
        "print({'numpy', 'torch', 'openai', 'core.explain.direct'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"

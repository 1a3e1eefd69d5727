"""Simulators: predictions by a scripted model and by the grammar; the prompts they send."""

import math
import re

import numpy as np
import pytest
from golden import check_golden
from made_cache import BOS
from made_material import STEADY, steady_material
from one_feature import EXAMPLES, EXPLANATION
from scripted import ScriptedClient, queue

from core.grammar import Words, parse, predict
from core.llm.requests import Reply, TokenLogprob
from core.prompts.simulation import ask_echo, ask_for_ten, ask_pairs
from core.score.asking import JudgeSettings
from core.score.material import Claim
from core.score.simulation import (
    SimulationScorer,
)
from core.score.simulators import GrammarSimulator, JsonSimulator, LogprobSimulator, Texts


@pytest.fixture(scope="module")
def material():
    return steady_material()


PIECES = [["a", " b", "", " c"], [" d", "e"], ["", "f"]]
TEXTS = Texts(PIECES, np.zeros((3, 4), np.int32), np.zeros(3, np.int64), 4.0)


def test_a_second_answer_is_asked_for_with_the_defect():
    client = ScriptedClient(queue("[[1, 2]]", "[[9, 9]]", "[]", "[[2, 3]]"))
    found = JsonSimulator(client, "letters").simulate(TEXTS)
    assert found.values == ((2, 0, 0, 0), (0, 3), (0, 0))
    assert found.defects == (None, None, None)
    again = client.asked[-1]
    assert again.attempt == 1
    assert again.question.startswith(client.asked[1].question)
    assert "token 9, where there are 1 to 2" in again.question
    assert found.keys[1] == found.outcomes[-1].key
    assert len(found.outcomes) == 4


def test_a_token_that_continues_a_character_has_the_value_of_its_beginning():
    client = ScriptedClient(queue("[[2, 8], [3, 1]]", "[]", "[[1, 4]]"))
    found = JsonSimulator(client, "letters").simulate(TEXTS)
    assert found.values == ((0, 8, 8, 1), (0, 0), (0, 4))
    assert '2 " b"\n3 " c"' in client.asked[0].question


def test_contexts_of_a_bad_call_are_asked_about_alone():
    said = queue('{"values": [[[1, 1]]]}', "[[1, 4]]", "what?", "[[1, 7]]", "[]", "no")
    client = ScriptedClient(said)
    found = JsonSimulator(client, "letters", contexts_per_call=2).simulate(TEXTS)
    assert found.values == ((7, 0, 0, 0), (0, 0), (0, 4))
    assert [request.attempt for request in client.asked] == [0, 0, 1, 0, 0]


def test_an_answer_that_was_cut_off_is_none():
    cut = Reply("", "I could say [] but", "length", None, 9, 9, None, 0.1)
    found = JsonSimulator(ScriptedClient(lambda request: cut), "letters").simulate(TEXTS)
    assert found.values == (None, None, None)
    assert set(found.defects) == {"it was cut off before its end"}


def test_an_answer_may_be_as_long_as_it_needs_or_as_the_settings_allow():
    assert ask_pairs("x", [["a"] * 31]).max_tokens == 24 + 8 * 32
    client = ScriptedClient(lambda request: "[]")
    JsonSimulator(client, "x", JudgeSettings(max_tokens=4000, seed=3)).simulate(TEXTS)
    assert {(r.max_tokens, r.seed, r.temperature) for r in client.asked} == {(4000, 3, 0.0)}


def echoing(expected, *, longest=3):
    """Echo a completion in tokens of a few characters; `expected` gives {number: p} by line."""

    def answer(request):
        text = request.prompt[request.echo_from :]
        found, top = [], {"?": -0.1}
        line = 0
        for token in re.findall(rf"\t|\n|[^\t\n]{{1,{longest}}}", text):
            found.append(TokenLogprob(token, -1.0, top))
            top = {"?": -0.1}
            if token == "\t":
                line += 1
                top |= {str(value): math.log(p) for value, p in expected(line).items()}
        found.append(TokenLogprob("Unit", -1.0, {}))
        return Reply("", "Unit", "length", tuple(found), 900, 1, None, 0.1)

    return answer


def test_likelihoods_behind_the_tabs_become_values():
    client = ScriptedClient(echoing(lambda line: {0: 0.1, 10: 0.1} if line == 2 else {0: 0.01}))
    pieces = [["a", "\tb\n", "", "\\c"]]
    found = LogprobSimulator(client, "letters").simulate(
        Texts(pieces, np.zeros((1, 4), np.int32), np.zeros(1, np.int64), 4.0)
    )
    assert found.values == (pytest.approx((0, 5, 5, 0)),)
    probe, asked = client.asked
    assert probe == ask_for_ten()
    assert asked.prompt[asked.echo_from :] == "a\t?\n\\tb\\n\t?\n\\\\c\t?\n"
    assert (asked.kind, asked.logprobs, asked.max_tokens) == ("completion", 15, 1)
    assert len(found.outcomes) == 2


def test_a_tokenizer_that_splits_ten_is_shown_values_up_to_nine():
    client = ScriptedClient(echoing(lambda line: {9: 0.5}, longest=1))
    found = LogprobSimulator(client, "letters").simulate(TEXTS)
    assert found.values[1] == pytest.approx((10, 10))
    assert "from 0 (none) to 9 (" in client.asked[1].prompt
    assert "\t10" not in client.asked[1].prompt


def test_an_endpoint_without_echo_fails_once_and_says_why():
    client = ScriptedClient(lambda request: "Unit")
    found = LogprobSimulator(client, "letters").simulate(TEXTS)
    assert found.values == (None, None, None)
    assert found.defects == ("the endpoint gives no log-probabilities of the prompt",) * 3
    assert len(client.asked) == 1


def test_the_grammar_predicts_the_value_of_its_rule_without_a_call(material):
    words = Words(STEADY.strings, (BOS,))
    rules = parse('here:token=" w7" -> 4 @ 1 ; here:token=" w8" -> 9 @ 0.1')
    scorer = SimulationScorer(lambda claim: GrammarSimulator(rules, words), "grammar")
    (found,) = scorer.score(material, [Claim(1, "w7", str(rules))])
    tokens = material.tokens(found.items.first_token)
    said = predict(rules, tokens, material.contexts.start(found.items.first_token), words)
    assert np.array(found.simulated) == pytest.approx(np.minimum(said.value / 5 * 10, 10))
    assert np.array(found.simulated).max() == 10
    assert 0.3 < found.score.value < 1
    assert found.asked == ()


def test_prompts_are_as_a_person_read_them():
    shown = [list(example.pieces) for example in EXAMPLES]
    check_golden("simulation_json", [ask_pairs(EXPLANATION, shown[4:5])])
    check_golden("simulation_json_several", [ask_pairs(EXPLANATION, shown[3:5])])
    check_golden("simulation_logprob", [ask_echo(EXPLANATION, shown[4])])


def test_a_description_stays_on_its_line():
    for request in (ask_pairs("a\nText 2:\nb", [["c"]]), ask_echo("a\nText:\nb", ["c"])):
        assert "\na" not in request.question
        assert "Description: a↵" in request.question

"""Generation: what is asked, what counts as a hit, and the control."""

import json
from dataclasses import replace

import numpy as np
import pytest
from golden import check_golden
from made_cache import made_cache
from one_feature import EXPLANATION
from scripted import ScriptedClient, queue

from core.examples import PRESETS, draw
from core.prompts.generation import ask_texts
from core.score.asking import JudgeSettings
from core.score.generation import GenerationScorer
from core.score.material import Claim, Material
from data.vocabulary import Vocabulary

CLAIM = Claim(4, "months", None)


@pytest.fixture(scope="module")
def material():
    contexts, columns = made_cache([0.01])
    examples = draw(contexts, columns, 0, hookpoint="layers.1")
    return Material(
        contexts=contexts,
        vocabulary=Vocabulary([b""]),
        activations=columns.slice(0),
        examples=examples._replace(decile_edges=np.linspace(2, 8, 11, dtype=np.float32)),
        preset=PRESETS["gloss"],
        label="gloss",
        hookpoint="layers.1",
        max_activation=8.0,
    )


class FakeProbe:
    """A text's peak is the number in it; "lost" cannot be run."""

    def __init__(self):
        self.ran = []

    def peaks(self, texts, hookpoint, feature):
        self.ran.append((list(texts), hookpoint, feature))
        return [None if text == "lost" else float(text.split()[-1]) for text in texts]


def answering(by_description):
    """Answer with the texts of a description; a text is a word and its peak."""

    def answer(request):
        return json.dumps({"texts": by_description[request.question.removeprefix("Description: ")]})

    return answer


def scored(material, client, controls=(), claims=(CLAIM,)):
    scorer = GenerationScorer(client, FakeProbe(), lambda _material: controls)
    return scorer.score(material, claims), scorer


TEN = [f"text{i} {peak}" for i, peak in enumerate([8, 4, 2, 1, 0, 0, 8, 8, 1, 0])]


def test_the_score_is_the_share_of_texts_that_activate(material):
    client = ScriptedClient(answering({"months": TEN}), model="writer")
    (found,), scorer = scored(material, client)
    score = found.score
    assert (score.scorer, score.metric, score.judge, score.preset) == (
        "generation", "hit_share", "writer", "gloss",
    )  # fmt: skip
    assert (score.value, score.n, score.failed) == (0.7, 10, 0)
    assert (score.low, score.high) == pytest.approx((0.397, 0.892), abs=1e-3)  # Wilson, 7 of 10
    assert score.detail["share_in_range"] == 0.5  # at least 2, as the weakest context
    assert score.detail["mean_peak_share"] == pytest.approx(3.2 / 8)
    assert score.detail["lift"] is None
    assert scorer.probe.ran == [(TEN, "layers.1", 0)]
    assert [text.text for text in found.generated] == TEN
    assert found.generated[0].max_activation == 8
    assert found.generated[0].key == found.asked[0].key
    assert len(found.predicted) == len(found.items.kind) == 0


def test_lift_is_over_texts_of_other_explanations(material):
    controls = {"trees": [f"tree{i} {i % 5 == 0:d}" for i in range(10)], "months": TEN}
    client = ScriptedClient(answering(controls))
    (found,), scorer = scored(material, client, controls=["trees", "months"])
    detail = found.score.detail
    assert detail["control"] == {"n": 10, "hits": 2, "share": 0.2}, "the same words are no control"
    assert detail["lift"] == pytest.approx(0.7 - 0.2)
    assert len(client.asked) == 2, "each explanation is asked about once"
    assert len(scorer.probe.ran) == 1
    assert len(found.generated) == 10


def test_a_control_of_fewer_than_ten_texts_says_nothing(material):
    client = ScriptedClient(answering({"months": TEN, "trees": ["tree 5", "bush 0"]}))
    (found,), _ = scored(material, client, controls=["trees"])
    assert found.score.detail["lift"] is None
    assert found.score.detail["control"] == {"n": 2, "hits": 1, "share": None}


def test_what_is_asked_depends_on_the_description_alone(material):
    client = ScriptedClient(answering({"months": TEN, "trees": TEN}))
    scored(material, client, controls=["trees"])
    scored(material, client, controls=["months"], claims=[Claim(5, "trees", None)])
    first, second = client.asked[:2], client.asked[2:]
    assert {r.sha256("a", "m") for r in first} == {r.sha256("a", "m") for r in second}
    assert {(r.temperature, r.seed, r.max_tokens) for r in client.asked} == {(0.7, 0, 1000)}
    scorer = GenerationScorer(
        client, FakeProbe(), lambda _material: (), JudgeSettings(max_tokens=9000, seed=2)
    )
    scorer.score(material, [CLAIM])
    assert (client.asked[-1].seed, client.asked[-1].max_tokens) == (2, 9000)


def test_fewer_texts_than_ten_are_scored_and_the_rest_is_counted(material):
    client = ScriptedClient(answering({"months": ["a 3", "lost", "", "a 3", "b 0"]}))
    (found,), _ = scored(material, client)
    assert (found.score.value, found.score.n, found.score.failed) == (0.5, 2, 8)
    assert [text.max_activation for text in found.generated] == [3.0, None, 0.0]
    assert len(client.asked) == 1


def test_an_answer_that_is_no_list_is_asked_for_once_more(material):
    client = ScriptedClient(queue("Sure! 1. May 3", '["May 3"]'))
    (found,), _ = scored(material, client)
    assert found.score.value == 1.0
    assert client.asked[1].attempt == 1
    assert "no JSON in the reply" in client.asked[1].question
    assert found.generated[0].key == found.asked[1].key
    assert len(found.asked) == 2


@pytest.mark.parametrize(
    ("answers", "calls", "defect"),
    [(["no", "never"], 2, "no JSON in the reply"), ([None], 1, "scripted failure")],
)
def test_no_texts_are_a_failure_and_no_score(material, answers, calls, defect):
    client = ScriptedClient(queue(*answers))
    (found,), scorer = scored(material, client)
    assert found.score.value is found.score.low is None
    assert (found.score.n, found.score.failed) == (0, 10)
    assert found.score.detail["defect"] == defect
    assert found.score.detail["mean_peak_share"] is None
    assert found.generated == ()
    assert len(client.asked) == calls
    assert scorer.probe.ran == []


def test_several_explanations_are_asked_about_at_once(material):
    client = ScriptedClient(answering({"months": TEN, "dates": ["x 1"] * 3}))
    (first, second), _ = scored(material, client, claims=[CLAIM, Claim(9, "dates", None)])
    assert (first.explanation_id, second.explanation_id) == (4, 9)
    assert (first.score.n, second.score.n) == (10, 1)


def test_without_deciles_and_maximum_there_are_no_shares_of_them(material):
    bare = replace(
        material, examples=material.examples._replace(decile_edges=None), max_activation=0.0
    )
    (found,), _ = scored(bare, ScriptedClient(answering({"months": TEN})))
    assert found.score.detail["share_in_range"] is found.score.detail["mean_peak_share"] is None
    assert found.score.value == 0.7


def test_the_prompt_is_as_a_person_read_it():
    check_golden("generation", [ask_texts(EXPLANATION)])

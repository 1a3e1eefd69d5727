"""Detection against the contexts of near features."""

from dataclasses import replace

import numpy as np
import pytest
from made_material import (
    VOCABULARY,
    claim,
    grammar_judge,
    listed,
    made_corpus,
    made_material,
)
from scripted import ScriptedClient

from core.prompts import detection
from core.replies.verdicts import written_verdicts
from core.score.language import LanguageJudge
from core.score.neighbour import neighbour_items, neighbour_scorer


@pytest.fixture(scope="module")
def corpus():
    return made_corpus()


@pytest.fixture(scope="module")
def material(corpus):
    return made_material(corpus, neighbours=11)


def right(request):
    return written_verdicts([int("w1" in text.split()) for text in listed(request)])


def scored(material, answer=right):
    client = ScriptedClient(answer)
    scorer = neighbour_scorer(
        client.model, lambda asked: LanguageJudge(client, asked.text, VOCABULARY, (0,))
    )
    [found] = scorer.score(material, [claim(1)])
    return found, client


def test_activating_and_neighbour_contexts_are_asked_about(material):
    items = neighbour_items(material)
    assert items.kinds.count("activating") == items.kinds.count("neighbour") == 100
    assert len(items.slot) == 200
    assert items.base.all()
    assert np.bincount(items.call).tolist() == [5] * 40
    assert not items.marks.any()


def test_a_judge_that_knows_the_truth_scores_one(material):
    found, client = scored(material)
    assert (found.score.scorer, found.score.metric) == ("neighbour", "balanced_accuracy")
    assert found.score.value == 1.0
    assert set(found.score.non_activating) == {"neighbour"}
    assert len(client.asked) == 40
    assert set(found.items.marks) == {None}


def test_a_judge_that_does_not_look_scores_one_half(material):  # [33]
    found, _ = scored(material, lambda r: written_verdicts([1] * len(listed(r))))
    assert found.score.value == 0.5


def test_garbage_is_failure_and_no_score(material):  # [20]
    found, _ = scored(material, lambda _: "")
    assert found.score.value is None
    assert found.score.failed == 200


def test_every_neighbour_has_its_rank_its_cosine_and_its_counts(material):
    """A judge that takes w3, the second neighbour's word, for the feature's own."""

    def answer(request):
        return written_verdicts(
            [int(bool({"w1", "w3"} & set(text.split()))) for text in listed(request)]
        )

    found, _ = scored(material, answer)
    rows = found.score.detail["neighbours"]
    assert [row["rank"] for row in rows] == list(range(1, 11))
    assert [row["feature"] for row in rows] == list(range(1, 11))
    assert rows[0]["similarity"] == pytest.approx(0.9)
    assert sum(row["n"] for row in rows) == 100
    assert rows[1] == {
        "feature": 2, "rank": 2, "similarity": pytest.approx(0.85),
        "n": 10, "correct": 0, "failed": 0,
    }  # fmt: skip
    assert rows[0]["correct"] > 0
    assert found.score.detail["removed"].keys() == {"neighbour", "active", "overlap"}


def test_too_few_neighbour_contexts_are_not_asked_about(corpus):
    found, client = scored(made_material(corpus))
    assert found.score.value is None
    assert found.score.detail == {"reason": "few-neighbours"}
    assert client.asked == []


def test_the_grammar_answers_too(material):
    scorer = neighbour_scorer("grammar", lambda _: grammar_judge(1))
    [found] = scorer.score(material, [claim(1)])
    assert (found.score.value, found.score.judge) == (1.0, "grammar")
    assert found.predicted.tolist() == scored(material)[0].predicted.tolist()


def test_a_feature_with_too_few_contexts_says_so_first(material):
    poor = replace(material, examples=material.examples._replace(reason="rare"))
    assert scored(poor)[0].score.detail == {"reason": "rare"}


def test_the_question_is_that_of_detection(material):
    _, client = scored(material)
    assert {r.prefix for r in client.asked} == {detection.messages("any", ["any"])[:-1]}
    assert {r.purpose for r in client.asked} == {"detection"}

"""An explanation among siblings: which text was it written for?"""

import numpy as np
import pytest
from golden import check_golden
from made_material import (
    claim,
    grammar_judge,
    listed,
    made_corpus,
    made_material,
    marked_words,
)
from one_feature import EXPLANATION
from scripted import ScriptedClient
from shown_texts import SHOWN, cut, requests_of

from core.examples.contexts import spread
from core.prompts import discrimination as prompt
from core.replies.verdicts import written_choice
from core.score.discrimination import (
    discrimination_scorer,
    discrimination_tasks,
    grammar_discrimination_scorer,
)


@pytest.fixture(scope="module")
def corpus():
    return made_corpus()


@pytest.fixture(scope="module")
def material(corpus):
    return made_material(corpus, neighbours=11)


@pytest.fixture(scope="module")
def tasks(material):
    return discrimination_tasks(material)


def described_word(request):
    return request.question.splitlines()[0].split()[-1]


def truth(request):
    """The text whose marks are the word that is described; else the first."""
    word = described_word(request)
    fits = [i for i, text in enumerate(listed(request), 1) if set(marked_words(text)) == {word}]
    return fits[0] if fits else 1


def scored(material, answer, *claims):
    client = ScriptedClient(answer)
    return discrimination_scorer(client).score(material, claims or [claim(1)]), client


def test_twenty_questions_over_the_deciles_among_ten_texts(tasks):
    assert tasks.first_token.shape == (20, 10)
    assert np.bincount(tasks.decile)[1:].tolist() == [2] * 10
    assert np.bincount(tasks.right).tolist() == [2] * 10


def test_every_text_has_the_marks_of_its_own_feature(material, tasks):
    silent = 0
    for task in range(20):
        for place in range(10):
            first = tasks.first_token[task, [place]]
            own = spread(material.activations, first, 32)[0]
            marked = tasks.marks[task, place]
            assert marked.any()
            if place == tasks.right[task]:
                assert (own[marked] > 0).all()
            else:
                silent += not own.any()
    assert silent == 180, "the feature is silent in its neighbours' texts"


def test_nine_neighbours_the_nearest_first_each_once_a_question(material, tasks):
    near = [n.feature for n in material.nearest][:9]
    for task in range(20):
        found = []
        for place in range(10):
            if place != tasks.right[task]:
                first = tasks.first_token[task, [place]]
                marked = tasks.marks[task, place]
                found += [
                    f for f in near if (spread(material.others[f], first, 32)[0][marked] > 0).all()
                ]
        assert found == near


def test_a_judge_that_knows_the_truth_scores_one(material):
    [found], client = scored(material, lambda r: written_choice(truth(r)))
    assert (found.score.metric, found.score.value, found.score.n) == ("accuracy", 1.0, 20)
    assert found.score.detail["chance"] == 0.1
    assert len(client.asked) == 20


@pytest.mark.parametrize("place", [1, 10])
def test_a_judge_that_always_takes_one_place_is_at_chance(material, place):
    [found], _ = scored(material, lambda _: str(place))
    assert found.score.value == 0.1


def test_a_siblings_explanation_picks_the_sibling(material):
    own, sibling = scored(material, lambda r: written_choice(truth(r)), claim(1, 1), claim(2, 2))[0]
    assert (own.score.value, sibling.score.value) == (1.0, 0.0)
    assert own.items is sibling.items
    assert len(own.asked) == len(sibling.asked) == 20


def test_garbage_is_failure_and_no_score(material):  # [20]
    [found], _ = scored(material, lambda _: "{}")
    assert found.score.value is None
    assert found.score.failed == 20


def test_fewer_neighbours_make_a_smaller_question(corpus):
    [found], client = scored(made_material(corpus, neighbours=5), lambda _: "1")
    assert found.score.detail["chance"] == pytest.approx(1 / 6)
    assert len(listed(client.asked[0])) == 6
    [none], client = scored(made_material(corpus, neighbours=3), lambda _: "1")
    assert none.score.value is None
    assert none.score.detail == {"reason": "few-neighbours"}
    assert client.asked == []


def test_the_grammar_takes_what_satisfies_it_best(material):
    own, sibling = grammar_discrimination_scorer(lambda c: grammar_judge(c.explanation_id)).score(
        material, [claim(1, 1), claim(2, 2)]
    )
    assert own.score.value == 1.0
    assert sibling.score.value == 0.0


def test_the_table_stands_for_the_features_own_contexts(material, tasks):
    [found], _ = scored(material, lambda _: "1")
    assert set(found.items.kind) == {"discrimination"}
    first = tasks.first_token[np.arange(20), tasks.right]
    assert found.items.first_token.tolist() == first.tolist()
    assert (found.items.peak > 0).all()
    assert len(found.items.shown[0]) == 10


def test_discrimination_prompt():
    texts = [cut(one) for one in SHOWN]
    check_golden("discrimination", [requests_of(prompt.messages(EXPLANATION, texts))])

"""The odd one out: how its questions are made, and what answers are worth."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from golden import check_golden
from made_cache import BOS, MadeColumns, made_dense, made_files, made_matrix
from made_material import (
    HOOK,
    claim,
    grammar_judge,
    listed,
    made_corpus,
    made_material,
    marked_words,
)
from scripted import ScriptedClient
from shown_texts import SHOWN, cut, requests_of

from core.examples import Contexts, draw
from core.examples.contexts import spread
from core.prompts import intruder as prompt
from core.replies.verdicts import written_choice
from core.score.choices import arranged_choices, balanced, smallest
from core.score.intruder import grammar_intruder_scorer, intruder_scorer, intruder_tasks
from core.score.statistics import auroc


@pytest.fixture(scope="module")
def corpus():
    return made_corpus()


@pytest.fixture(scope="module")
def material(corpus):
    return made_material(corpus)


@pytest.fixture(scope="module")
def tasks(material):
    return intruder_tasks(material)


def truth(request):
    """The text whose marks are not on w1."""
    odd = [i for i, text in enumerate(listed(request), 1) if set(marked_words(text)) != {"w1"}]
    assert len(odd) == 1
    return odd[0]


def scored(material, answer, *claims):
    client = ScriptedClient(answer)
    return intruder_scorer(client).score(material, claims or [claim(1)]), client


def test_fifty_tasks_five_a_decile(tasks):
    assert tasks.first_token.shape == (50, 5)
    assert np.bincount(tasks.decile)[1:].tolist() == [5] * 10
    assert tasks.skipped == {}


def test_the_intruder_stands_equally_often_in_every_place(tasks):  # [26]
    assert np.bincount(tasks.right).tolist() == [10] * 5


def test_four_are_active_in_their_marks_and_the_intruder_nowhere(material, tasks):
    values = spread(material.activations, tasks.first_token.ravel(), 32).reshape(50, 5, 32)
    for task in range(50):
        for place in range(5):
            marked = tasks.marks[task, place]
            if place == tasks.right[task]:
                assert not values[task, place].any()
                assert marked.any()
            else:
                assert values[task, place][marked].min() > 0


def test_no_context_comes_twice_in_a_task_nor_an_intruder_in_two(tasks):
    assert all(len(set(row)) == 5 for row in tasks.first_token.tolist())
    assert len(set(tasks.first_token[np.arange(50), tasks.right].tolist())) == 50


def test_only_test_contexts_are_shown(material, tasks):  # [7]
    sequence = (tasks.first_token // material.contexts.sequence_length).astype(int)
    assert not material.contexts.train[sequence].any()


def test_contexts_of_a_task_are_of_its_decile(material, tasks):
    edges = material.examples.decile_edges
    peak = spread(material.activations, tasks.first_token.ravel(), 32).max(1).reshape(50, 5)
    for task in range(50):
        shown = np.delete(peak[task], tasks.right[task])
        decile = tasks.decile[task]
        assert edges[decile - 1] <= shown.min() <= shown.max() <= edges[decile]


def test_tasks_depend_on_the_feature_alone(material, tasks):  # [10]
    again = intruder_tasks(material)
    assert (again.first_token == tasks.first_token).all()
    assert (again.marks == tasks.marks).all()


def test_marks_do_not_give_the_intruder_away():  # [21]
    """Number of marks, runs and places, over features of all shapes, tell nothing."""
    matrix = made_matrix(420, seed=3)
    contexts = Contexts.open(made_files(matrix))
    rates = (0.01, 0.006, 0.02, 0.05)
    columns = MadeColumns(
        [made_dense(matrix, rates[i % 4], seed=i, burst=1 + i % 5) for i in range(20)]
    )
    odd, marks = [], []
    for feature in range(20):
        examples = draw(contexts, columns, feature, hookpoint=HOOK)
        one = columns.slice(feature)
        made = intruder_tasks(material_of(contexts, one, examples))
        odd.append(np.arange(5) == made.right[:, None])
        marks.append(made.marks)
    odd, marks = np.concatenate(odd).ravel(), np.concatenate(marks).reshape(-1, 32)
    runs = (np.diff(marks.astype(int), prepend=0, axis=1) == 1).sum(1)
    for told in (marks.sum(1), runs, marks.argmax(1), 31 - marks[:, ::-1].argmax(1)):
        assert 0.45 < auroc(told.astype(float), odd) < 0.55


def material_of(contexts, activations, examples):
    made = made_material(made_corpus(60), 0)
    return replace(made, contexts=contexts, activations=activations, examples=examples)


def test_a_judge_that_knows_the_truth_scores_one(material):
    [found], client = scored(material, lambda r: written_choice(truth(r)))
    assert (found.score.value, found.score.n, found.score.failed) == (1.0, 50, 0)
    assert found.score.low == pytest.approx(0.929, abs=1e-3)  # Wilson, 50 of 50
    assert len(client.asked) == 50
    assert {decile: t.correct for decile, t in found.score.by_decile.items()} == dict.fromkeys(
        range(1, 11), 5
    )


@pytest.mark.parametrize("place", range(1, 6))
def test_a_judge_that_always_takes_one_place_is_at_chance(material, place):
    [found], _ = scored(material, lambda _: str(place))
    assert found.score.value == found.score.detail["chance"] == 0.2
    assert set(found.answer.tolist()) == {place}


def test_a_judge_that_guesses_is_at_chance_within_its_interval(material):  # [26]
    rng = np.random.default_rng(0)
    [found], _ = scored(material, lambda _: written_choice(int(rng.integers(1, 6))))
    assert found.score.low < 0.2 < found.score.high


def test_garbage_is_failure_and_no_score(material):  # [20]
    [found], client = scored(material, lambda _: "None of them.")
    assert found.score.value is None
    assert found.score.failed == 50
    assert found.score.detail["bounds"] == [0.0, 1.0]
    assert set(found.predicted.tolist()) == {-1}
    assert set(found.answer.tolist()) == {0}
    assert Counter(request.attempt for request in client.asked) == {0: 50, 1: 50}


def test_a_bad_answer_is_asked_once_more(material):
    def answer(request):
        return written_choice(truth(request)) if request.attempt else "6"

    [found], client = scored(material, answer)
    assert found.score.value == 1.0
    assert len(found.asked) == 100
    assert "there is no text 6" in client.asked[50].question


def test_failed_calls_leave_the_denominator(material):
    calls = iter(range(100))
    [found], client = scored(
        material, lambda r: None if next(calls) < 10 else written_choice(truth(r))
    )
    assert (found.score.value, found.score.n, found.score.failed) == (1.0, 40, 10)
    assert len(client.asked) == 50
    assert found.keys[:10] == (None,) * 10


def test_a_feature_is_asked_once_for_all_its_explanations(material):
    found, client = scored(
        material, lambda r: written_choice(truth(r)), claim(1, 1), claim(2, 2), claim(3, 3)
    )
    assert [one.explanation_id for one in found] == [1, 2, 3]
    assert len({one.score.value for one in found}) == 1
    assert [len(one.asked) for one in found] == [50, 0, 0], "it was paid once"
    assert len(client.asked) == 50
    assert not any("w1 w" in request.prefix[0].content for request in client.asked)


def test_the_grammar_takes_what_satisfies_it_least(material):
    right, wrong = grammar_intruder_scorer(lambda c: grammar_judge(c.explanation_id)).score(
        material, [claim(1, 1), claim(70, 70)]
    )
    assert right.score.value == 1.0
    assert wrong.score.low < 0.2 < wrong.score.high, "where all are equal, the lot decides"
    assert right.asked == ()
    assert right.keys is None


def test_ties_prefer_no_place():
    chosen = smallest(np.zeros((5000, 5)), seed=1).place
    assert np.bincount(chosen, minlength=5).min() > 900
    assert smallest(np.array([[1.0, 0.5, 0.5, 0.2]]), seed=1).place.tolist() == [3]


def test_the_table_keeps_all_contexts_in_their_places(material, tasks):
    [found], _ = scored(material, lambda _: "1")
    table = found.items
    assert set(table.kind) == {"intruder"}
    for task in (0, 49):
        shown = table.shown[task]
        assert [one["first_token"] for one in shown] == tasks.first_token[task].tolist()
        right = shown[tasks.right[task]]
        assert right == {"first_token": int(table.first_token[task]), "marks": table.marks[task]}
    assert not table.peak.any()


def test_a_reduced_feature_gets_fewer_tasks(corpus):
    contexts, columns = corpus
    one = columns.slice(0)
    kept = one.token < contexts.sequence_length * 70
    few = MadeColumns([np.zeros((1, 1))])
    few.token, few.activation = one.token[kept], one.activation[kept]
    few.indptr = np.array([0, len(few.token)])
    examples = draw(contexts, few, 0, hookpoint=HOOK)
    assert examples.reason == "reduced"
    made = intruder_tasks(material_of(contexts, few.slice(0), examples))
    assert 10 <= len(made.right) < 50
    assert set(made.decile.tolist()) == set(range(1, 11))
    assert all(len(set(row)) == 5 for row in made.first_token.tolist())


def test_quick_asks_for_less_and_too_few_silent_contexts_for_nothing(corpus, material):
    assert len(intruder_tasks(made_material(corpus, preset="quick")).right) == 20
    dense = material.examples._replace(kind=np.zeros_like(material.examples.kind))
    [found], client = scored(replace(material, examples=dense), lambda _: "1")
    assert found.score.detail == {"reason": "few-silent"}
    assert client.asked == []


def test_places_are_balanced_in_blocks():
    places = balanced(7, 12, 5)
    assert sorted(places[:5].tolist()) == sorted(places[5:10].tolist()) == [0, 1, 2, 3, 4]
    assert len(set(places[10:].tolist())) == 2


def test_the_odd_one_goes_to_its_place():
    made = arranged_choices(np.array([9, 8]), np.array([[1, 2], [3, 4]]), np.array([0, 2]))
    assert made.tolist() == [[9, 1, 2], [3, 4, 8]]


def test_intruder_prompt():
    check_golden("intruder", [requests_of(prompt.messages([cut(one) for one in SHOWN]))])


def test_special_tokens_carry_no_marks(material, tasks):
    tokens = material.tokens(tasks.first_token.ravel()).reshape(50, 5, 32)
    assert not tasks.marks[tokens == BOS].any()

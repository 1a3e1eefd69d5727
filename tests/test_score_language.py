"""A language model as a judge: what it is shown, what is made of its answers."""

import json
import math
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
    marked_words,
)
from scripted import ScriptedClient

from core.llm.requests import Reply, TokenLogprob
from core.replies.verdicts import written_verdicts
from core.score.asking import JudgeSettings
from core.score.classify import detection_scorer, fuzzing_scorer
from core.score.items import Items
from core.score.judge import Answers
from core.score.language import LanguageJudge
from core.score.undefined import NO_ITEMS
from data.errors import BadInput


@pytest.fixture(scope="module")
def corpus():
    return made_corpus()


def truth(request):
    """Answer rightly for feature 0, which fires on w1."""
    texts = listed(request)
    if request.purpose == "fuzzing":
        return [int(set(marked_words(text)) == {"w1"}) for text in texts]
    return [int("w1" in text.split()) for text in texts]


def scorer(name, answer, settings=None):
    """A scorer whose judge answers with a function of the request."""
    client = ScriptedClient(answer)

    def judge_for(asked):
        return LanguageJudge(client, asked.text, VOCABULARY, (0,), settings)

    made = {"detection": detection_scorer, "fuzzing": fuzzing_scorer}[name]
    return made(client.model, judge_for), client


def scored(corpus, name, answer, *, settings=None, feature=0, preset="gloss"):
    made, client = scorer(name, answer, settings)
    [outcome] = made.score(made_material(corpus, feature, preset=preset), [claim(1)])
    return outcome, client


def always(value):
    return lambda request: written_verdicts([value] * len(listed(request)))


def right(request):
    return written_verdicts(truth(request))


@pytest.mark.parametrize("name", ["detection", "fuzzing"])
def test_a_judge_that_knows_the_truth_scores_one(corpus, name):
    outcome, client = scored(corpus, name, right)
    assert outcome.score.value == 1.0
    assert (outcome.score.n, outcome.score.failed) == (200, 0)
    assert len(client.asked) == len(outcome.asked) == 40


@pytest.mark.parametrize("name", ["detection", "fuzzing"])
@pytest.mark.parametrize("value", [0, 1])
def test_a_judge_that_does_not_look_scores_exactly_one_half(corpus, name, value):  # [33]
    outcome, _ = scored(corpus, name, always(value))
    assert outcome.score.value == 0.5


@pytest.mark.parametrize("name", ["detection", "fuzzing"])
def test_a_judge_that_guesses_scores_one_half_within_its_interval(corpus, name):
    rng = np.random.default_rng(1)
    outcome, _ = scored(
        corpus, name, lambda r: written_verdicts(rng.integers(0, 2, len(listed(r))).tolist())
    )
    assert outcome.score.low < 0.5 < outcome.score.high


@pytest.mark.parametrize("name", ["detection", "fuzzing"])
def test_garbage_is_failure_and_no_score(corpus, name):  # [20]
    outcome, client = scored(corpus, name, lambda _: "I like them all.")
    assert outcome.score.value is None
    assert (outcome.score.n, outcome.score.failed) == (0, 200)
    assert outcome.score.detail["failure_rate"] == 1.0
    assert set(outcome.predicted.tolist()) == {-1}
    assert len(client.asked) == 40 + 40 + 200


def test_failed_calls_are_counted_and_not_asked_again(corpus):
    calls = iter(range(1000))
    outcome, client = scored(corpus, "detection", lambda r: right(r) if next(calls) % 4 else None)
    assert outcome.score.value == 1.0, "the others are all right"
    assert outcome.score.failed == 50
    assert len(client.asked) == 40
    assert [key is None for key in outcome.keys] == (outcome.predicted == -1).tolist()


def test_a_last_short_call_is_judged(corpus):  # [19]
    made, client = scorer("detection", right)
    material = made_material(corpus)
    material = replace(material, preset=replace(material.preset, batch=7))
    [outcome] = made.score(material, [claim(1)])
    assert outcome.score.n == 200
    assert len(listed(client.asked[-1])) == 200 % 7


def items_of(n, batch):
    """Items of nothing in particular."""
    nothing = np.zeros(n, np.int64)
    marks = np.zeros((n, 4), dtype=bool)
    marks[:, 1] = True
    return Items(
        nothing, nothing, nothing, nothing, nothing, nothing, marks,
        (np.arange(n) // batch).astype(np.int32), np.ones(n, dtype=bool), {},
    )  # fmt: skip


def judged(answer, n=12, batch=5, settings=None, which="detection"):
    """Item i has the word w(i + 1) second; answers see the texts."""
    client = ScriptedClient(answer)
    tokens = np.stack([np.full(n, 70), np.arange(1, n + 1), np.full(n, 71), np.full(n, 72)], axis=1)
    judge = LanguageJudge(client, "even words", VOCABULARY, (0,), settings)
    return judge.answer(which, items_of(n, batch), tokens), client


def even(request):
    """The right verdicts: is the second word even?"""
    return [(int(text.split()[1][1:]) + 1) % 2 for text in listed(request)]


def test_verdicts_come_back_in_the_order_of_the_items():
    answers, client = judged(lambda r: written_verdicts(even(r)))
    assert answers.verdict.tolist() == [0, 1] * 6
    assert answers.call.tolist() == [0] * 5 + [1] * 5 + [2] * 2
    assert [len(listed(request)) for request in client.asked] == [5, 5, 2]
    assert answers.keys[0] == answers.keys[4] != answers.keys[5]
    assert answers.probability is None


def test_a_bad_answer_is_asked_again_with_its_defect():
    answers, client = judged(
        lambda r: written_verdicts(even(r)) if r.attempt or len(listed(r)) < 5 else "[1, 0]"
    )
    assert answers.verdict.tolist() == [0, 1] * 6
    assert answers.call.tolist() == [0] * 5 + [1] * 5 + [2] * 2
    again = client.asked[3]
    assert "2 verdicts for 5 texts" in again.question
    assert again.attempt == 1
    assert again.prefix == client.asked[0].prefix
    assert len({outcome.key for outcome in answers.outcomes}) == 5


def test_then_every_item_is_asked_alone_in_a_call_of_its_own():
    answers, client = judged(lambda r: written_verdicts(even(r)) if len(listed(r)) < 5 else "no")
    assert answers.verdict.tolist() == [0, 1] * 6
    assert len(client.asked) == 3 + 2 + 10
    assert len(set(answers.call[:10].tolist())) == 10
    assert set(answers.call[:10].tolist()).isdisjoint(answers.call[10:].tolist())


def test_an_item_that_stays_unanswered_has_no_verdict():
    answers, client = judged(lambda r: written_verdicts(even(r)) if "w3" not in r.question else "?")
    assert answers.verdict.tolist() == [0, 1, -1, 1, 0, 1] + [0, 1] * 3
    assert answers.keys[2] is None
    assert len(client.asked) == 3 + 1 + 5


def test_an_item_that_was_alone_already_is_not_asked_a_third_time():
    answers, client = judged(lambda r: "?", n=2, batch=1)
    assert answers.verdict.tolist() == [-1, -1]
    assert len(client.asked) == 4


def test_all_first_questions_go_out_together():
    sizes = []

    class Counting(ScriptedClient):
        def ask(self, requests):
            sizes.append(len(requests))
            return super().ask(requests)

    client = Counting(lambda r: "?")
    tokens = np.full((12, 4), 5)
    LanguageJudge(client, "x", VOCABULARY, (0,)).answer("fuzzing", items_of(12, 5), tokens)
    assert sizes == [3, 3, 12]


def with_chances(request):
    """An answer with log-probabilities of .8 for what it says."""
    said = even(request)
    yes, no = {1: math.log(0.8), 0: math.log(0.2)}, {1: math.log(0.2), 0: math.log(0.8)}
    tokens = [TokenLogprob("[", -0.1, {})]
    for verdict in said:
        top = yes if verdict else no
        tokens += [
            TokenLogprob(str(verdict), top[verdict], {str(v): p for v, p in top.items()}),
            TokenLogprob(",", -0.1, {}),
        ]
    tokens[-1] = TokenLogprob("]", -0.1, {})
    return Reply("", json.dumps(said), "stop", tuple(tokens), 10, 10, None, 0.1)


def test_probabilities_are_asked_for_only_where_they_are_wanted():
    answers, client = judged(with_chances, settings=JudgeSettings(probabilities=True))
    assert {request.logprobs for request in client.asked} == {5}
    assert answers.probability == pytest.approx([0.2, 0.8] * 6)
    _, client = judged(with_chances)
    assert {request.logprobs for request in client.asked} == {0}


def test_scores_survive_probabilities_that_are_missing_for_some(corpus):
    def answer(request):
        said = written_verdicts(truth(request))
        tokens = [TokenLogprob("?", -1.0, {})]
        if "w2" in request.question.split():
            tokens = [
                TokenLogprob(
                    part, -0.1, {"1": -0.1, "0": -3.0} if part == "1" else {"0": -0.1, "1": -2.0}
                )
                for part in said.replace("[", "[|")
                .replace("]", "|]")
                .replace(", ", "|, |")
                .split("|")
            ]
        return Reply("", said, "stop", tuple(tokens), 10, 10, None, 0.1)

    outcome, _ = scored(corpus, "detection", answer, settings=JudgeSettings(probabilities=True))
    assert 0 < np.isnan(outcome.probability).sum() < 200
    assert outcome.score.detail["auroc"] == outcome.score.detail["auprc"] == 1.0


def test_grammar_and_language_model_are_scored_by_the_same_code(corpus):
    material = made_material(corpus)
    for made in (detection_scorer, fuzzing_scorer):
        [program] = made("grammar", lambda _: grammar_judge(1)).score(material, [claim(1)])
        asked, _ = scorer(program.score.scorer, right)
        [model] = asked.score(material, [claim(1)])
        assert program.score.value == model.score.value == 1.0
        assert program.predicted.tolist() == model.predicted.tolist()
        assert program.items == replace(
            model.items, decile=program.items.decile, first_token=program.items.first_token,
            peak=program.items.peak,
        )  # fmt: skip
        assert program.items.first_token.tolist() == model.items.first_token.tolist()
        assert program.asked == ()


def test_all_explanations_of_a_feature_answer_the_same_items(corpus):
    made, client = scorer("detection", right)
    two = made.score(made_material(corpus), [claim(1, 1), claim(2, 2)])
    assert [outcome.explanation_id for outcome in two] == [1, 2]
    assert two[0].items is two[1].items
    assert [listed(request) for request in client.asked[:40]] == [
        listed(request) for request in client.asked[40:]
    ]
    assert "w2" in client.asked[40].question.splitlines()[0]


def test_a_feature_with_too_few_contexts_is_not_asked_about(corpus):
    made, client = scorer("detection", right)
    material = made_material(corpus)
    poor = replace(material, examples=material.examples._replace(reason="scarce"))
    [outcome] = made.score(poor, [claim(1)])
    assert outcome.score.value is None
    assert outcome.score.detail == {"reason": "scarce"}
    assert outcome.items is NO_ITEMS
    assert client.asked == []


def test_a_question_that_the_judge_does_not_know_is_refused():
    with pytest.raises(BadInput, match="cannot answer simulation"):
        judged(right, which="simulation")


def test_answers_keep_their_shape_without_items():
    answers, client = judged(right, n=0)
    assert isinstance(answers, Answers)
    assert (len(answers.verdict), client.asked) == (0, [])

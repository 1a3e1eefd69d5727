"""From verdicts to scores, with judges whose scores are known beforehand."""

import json

import numpy as np
import pytest
from made_cache import BOS, MadeColumns, made_files, made_matrix

from core.examples import KINDS, PRESETS, Contexts, draw
from core.grammar import Literal, Rule, Rules, Words
from core.score import METHODS
from core.score.detection import score_detection
from core.score.fuzzing import fuzzing_items, score_fuzzing
from core.score.items import Items, detection_items
from core.score.judge import Answers, GrammarJudge
from core.score.metrics import Setting, score
from data.records import Tally

HOOK, GLOSS = "layers.1", PRESETS["gloss"]
SETTING = Setting("detection", "scripted", "gloss", seed=0)
N_WORDS = 80


class Scripted:
    """A judge that answers by a function of what is expected."""

    name = "scripted"

    def __init__(self, say):
        self.say = say

    def answer(self, scorer, items, tokens):
        return Answers(np.asarray(self.say(items.expected), np.int8), call=items.call)


ALWAYS = Scripted(lambda expected: np.ones(len(expected)))
NEVER = Scripted(lambda expected: np.zeros(len(expected)))
PERFECT = Scripted(lambda expected: expected)
GARBAGE = Scripted(lambda expected: np.full(len(expected), -1))


@pytest.fixture(scope="module")
def made():
    """Twelve features, each fires on one word of its own."""
    matrix = made_matrix(500, words=N_WORDS)
    rng = np.random.default_rng(0)
    strength = (rng.gamma(2, 1, matrix.shape) + 0.1).astype(np.float32)
    dense = [np.where(matrix == word, strength, 0) for word in range(1, 13)]
    return Contexts.open(made_files(matrix)), MadeColumns(dense)


def asked(made, scorer, feature=0):
    contexts, columns = made
    examples = draw(contexts, columns, feature, hookpoint=HOOK)
    if scorer == "detection":
        return detection_items(contexts, examples, GLOSS, hookpoint=HOOK)
    one = columns.slice(feature)
    return fuzzing_items(contexts, one, examples, GLOSS, hookpoint=HOOK)


def judged(made, scorer, judge, feature=0):
    contexts, _ = made
    items = asked(made, scorer, feature)
    tokens = contexts.tokens.windows(items.first_token, contexts.length)
    to_score = score_detection if scorer == "detection" else score_fuzzing
    return to_score(items, judge.answer(scorer, items, tokens), SETTING._replace(scorer=scorer))


def rules_for(word):
    return Rules((Rule((Literal("here", "token", (f" w{word}",)),), 1.0, 0.9),))


WORDS = Words(["<bos>", *(f" w{i}" for i in range(1, N_WORDS))], (BOS,))


@pytest.mark.parametrize("scorer", ["detection", "fuzzing"])
@pytest.mark.parametrize("judge", [ALWAYS, NEVER])
def test_a_judge_that_does_not_look_scores_one_half(made, scorer, judge):  # [33]
    found = judged(made, scorer, judge)
    assert found.value == 0.5
    assert 0.45 < found.low < 0.5 < found.high < 0.55
    assert {found.tpr, found.tnr} == {0.0, 1.0}


@pytest.mark.parametrize("scorer", ["detection", "fuzzing"])
def test_a_judge_that_guesses_scores_about_one_half(made, scorer):
    rng = np.random.default_rng(0)
    found = judged(made, scorer, Scripted(lambda expected: rng.integers(0, 2, len(expected))))
    assert found.low < 0.5 < found.high


@pytest.mark.parametrize("scorer", ["detection", "fuzzing"])
def test_a_perfect_judge_scores_one(made, scorer):
    found = judged(made, scorer, PERFECT)
    assert (found.value, found.n, found.failed) == (1.0, 200, 0)


@pytest.mark.parametrize("scorer", ["detection", "fuzzing"])
def test_garbage_is_all_failures_and_no_score(made, scorer):  # [20]
    found = judged(made, scorer, GARBAGE)
    assert (found.value, found.low, found.tpr, found.n, found.failed) == (None, None, None, 0, 200)
    assert found.by_decile[1] == Tally(n=0, correct=0, failed=10)
    assert found.detail["failure_rate"] == 1.0
    assert found.detail["bounds"] == [0.0, 1.0]


def test_failures_leave_every_denominator(made):
    items = asked(made, "detection")
    verdict = items.expected.astype(np.int8)
    lost = np.flatnonzero(items.expected)[:20]
    verdict[lost] = -1
    found = score(items, Answers(verdict), SETTING)
    assert (found.value, found.tpr, found.n, found.failed) == (1.0, 1.0, 180, 20)
    assert sum(tally.failed for tally in found.by_decile.values()) == 20
    assert found.detail["bounds"] == [pytest.approx(0.9), 1.0]


def test_a_class_without_usable_verdicts_leaves_the_score_undefined(made):
    items = asked(made, "detection")
    found = score(items, Answers(np.where(items.expected, 1, -1).astype(np.int8)), SETTING)
    assert (found.value, found.tpr, found.tnr) == (None, 1.0, None)


def test_counts_by_hand():
    """Four activating, two random, two wrong-mark; right: 3, 1 and 2, one failure besides."""
    kind = np.array([0, 0, 0, 0, 1, 1, 5, 5, 0], np.uint8)
    verdict = np.array([1, 1, 1, 0, 0, 1, 0, 0, -1], np.int8)
    found = score(by_hand(kind), Answers(verdict), SETTING)
    assert found.tpr == 3 / 4
    assert found.tnr == (1 / 2 + 2 / 2) / 2
    assert found.value == 0.75
    assert (found.n, found.failed) == (8, 1)
    assert found.non_activating == {"random": Tally(2, 1), "wrong-mark": Tally(2, 2)}
    assert found.by_decile == {1: Tally(4, 3, 1)}


def by_hand(kind, base=None):
    n = len(kind)
    return Items(
        slot=np.arange(n),
        kind=kind,
        decile=np.where(kind == 0, 1, 0).astype(np.uint8),
        first_token=np.zeros(n, np.uint64),
        start=np.zeros(n, np.int64),
        peak=np.zeros(n, np.float32),
        marks=np.zeros((n, 4), bool),
        call=np.arange(n) // 5,
        base=np.ones(n, bool) if base is None else base,
        skipped={},
    )


def test_kinds_on_request_are_tallied_apart():
    kind = np.array([0, 0, 1, 1, 2, 2], np.uint8)
    items = by_hand(kind, base=kind < 2)
    found = score(items, Answers(np.array([1, 1, 0, 0, 1, 1], np.int8)), SETTING)
    assert (found.value, found.n) == (1.0, 4)
    assert found.non_activating["token"] == Tally(n=2, correct=0)


def test_wrong_marks_missing_leave_the_random_ones():
    found = score(
        by_hand(np.array([0, 0, 1, 1], np.uint8)), Answers(np.array([1, 0, 0, 0], np.int8)), SETTING
    )
    assert (found.value, found.tnr) == (0.75, 1.0)


def test_a_feature_without_negatives_has_no_score():
    found = score(by_hand(np.zeros(4, np.uint8)), Answers(np.ones(4, np.int8)), SETTING)
    assert (found.value, found.tpr, found.tnr, found.low) == (None, 1.0, None, None)


def test_verdicts_in_calls_get_the_wider_interval(made):
    items = asked(made, "detection")
    bad_calls = items.call % 4 == 0
    verdict = (items.expected ^ bad_calls).astype(np.int8)
    alone, in_calls = (
        score(items, Answers(verdict, call=call), SETTING) for call in (None, items.call)
    )
    assert alone.value == in_calls.value
    assert in_calls.high - in_calls.low > 1.5 * (alone.high - alone.low)


def test_detection_says_what_it_means_at_the_base_rate(made):
    items = asked(made, "detection")
    verdict = items.expected.astype(np.int8)
    verdict[np.flatnonzero(items.expected)[:10]] = 0  # TPR .9
    verdict[np.flatnonzero(~items.expected)[:1]] = 1  # FPR .01
    found = score_detection(items, Answers(verdict), SETTING, base_rate=0.001).detail
    assert found["precision"] == pytest.approx(0.0826, abs=0.0001)
    assert found["precision_low"] < 0.03
    assert found["f1"] == pytest.approx(2 * 0.0826 * 0.9 / 0.9826, abs=0.001)
    assert 0.0005 < found["auprc"] < 0.2


def test_the_grammar_judge_knows_its_words(made):
    for feature in range(12):
        judge = GrammarJudge(rules_for(feature + 1), WORDS)
        for scorer in ("detection", "fuzzing"):
            found = judged(made, scorer, judge, feature)
            assert (found.value, found.failed, found.judge) == (1.0, 0, "scripted")


def test_shuffled_explanations_score_about_one_half(made):  # [33]
    for scorer in ("detection", "fuzzing"):
        values = [
            judged(
                made, scorer, GrammarJudge(rules_for((feature + shift) % 12 + 1), WORDS), feature
            ).value
            for feature in range(12)
            for shift in (1, 5, 7)
        ]
        assert np.mean(values) == pytest.approx(0.5, abs=0.03)


def test_fuzzing_is_stricter_than_detection_where_the_place_matters(made):  # [30]
    """Rules that hold for a word next to the right one pass detection and fail fuzzing."""
    rules = Rules((Rule((Literal("prev", "token", (" w1",)),), 1.0, 0.5),))
    found = {s: judged(made, s, GrammarJudge(rules, WORDS)) for s in ("detection", "fuzzing")}
    assert found["detection"].tpr > 0.9
    assert found["fuzzing"].tpr < 0.1


def test_methods_name_metric_range_and_chance():
    assert {"exact", "detection", "fuzzing", "neighbour", "intruder", "discrimination"} <= set(
        METHODS
    )
    assert METHODS["detection"].metric == METHODS["fuzzing"].metric == "balanced_accuracy"  # [28]
    assert all(m.low <= (m.chance or m.low) <= m.high for m in METHODS.values())


def test_scores_are_plain_numbers(made):
    found = judged(made, "fuzzing", ALWAYS)
    assert json.loads(json.dumps(found.detail))["asked"] == 200
    assert set(found.non_activating) <= set(KINDS)
    assert all(type(value) is float for value in (found.value, found.low, found.tpr))

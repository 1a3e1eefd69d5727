"""Learning from a few contexts, judging single contexts, and the published features."""

import numpy as np
import planted
import pytest

from core.bench.blog import BARS, BESIDE, blog
from core.grammar import (
    Contexts,
    Settings,
    Words,
    detection_verdicts,
    fuzzing_verdicts,
    induce,
    induce_few,
    parse,
)

SILENT = [" sun on sea .", " ship of old men .", " the day was long .", " rain fell on it ."]


def contexts(active: list[str], mark: str = "*") -> tuple[Contexts, Words]:
    """Build contexts from text; words after the mark are active."""
    rows = [text.split() for text in active]
    names = [[f" {word.lstrip(mark)}" for word in row] for row in rows]
    silent = [[f" {word}" for word in text.split()] for text in SILENT * 5]
    vocabulary = list(dict.fromkeys(["<pad>", *(w for row in names + silent for w in row)]))
    width = max(len(row) for row in names + silent)

    def ids(texts: list[list[str]]) -> np.ndarray:
        out = np.zeros((len(texts), width), np.int32)
        for i, row in enumerate(texts):
            out[i, : len(row)] = [vocabulary.index(w) for w in row]
        return out

    activation = np.zeros((len(rows), width), np.float32)
    for i, row in enumerate(rows):
        activation[i, : len(row)] = [word.startswith(mark) for word in row]
    return Contexts(ids(names), activation, ids(silent)), Words(vocabulary, (0,))


def test_a_word_is_learnt_from_a_few_contexts():
    made, words = contexts(["the *cat sat", "a *cat on it", "no *cat was old", "its *cat fell"])
    rules = induce_few(made, words, Settings(), 0)
    assert ':stem="cat"' in str(rules) or ':word="cat"' in str(rules)
    assert rules.rules[0].precision > 0.8


def test_a_form_is_preferred_to_words_that_share_it():
    made, words = contexts(["*walking on", "*talking of", "was *singing", "it *ringing long"])
    assert 'suffix="' in str(induce_few(made, words, Settings(), 0))
    assert "suffix" not in str(induce_few(made, words, Settings(families="token"), 0))


def test_a_word_that_is_silent_elsewhere_is_not_worth_its_false_alarms():
    made, words = contexts(["sun *on sea", "old *the day", "*zebra was", "*zebra fell"])
    rules = induce_few(made, words, Settings(families="token", objective="f0.5"), 0)
    assert "zebra" in str(rules)
    assert '"on"' not in str(rules)


def test_nothing_active_gives_no_rules():
    made, words = contexts(["the cat sat"])
    assert not induce_few(made, words, Settings(), 0).rules


@pytest.mark.parametrize("sampling", ["quantiles", "random", "top", "mix"])
def test_examples_are_drawn_from_train_sequences(sampling):
    made = planted.corpus(n=600)
    token, activation = planted.plant(made, lambda w, p: w[p] == " red" and w[p - 1] == " a")
    settings = Settings(examples=20, sampling=sampling)
    rules = induce(made, token, activation, settings, 1)
    on_train = made.train_positions[token]
    assert "red" in str(rules)
    assert rules == induce(made, token[on_train], activation[on_train], settings, 1)


def test_contexts_chosen_by_the_caller_win():
    made = planted.corpus()
    token, activation = planted.plant(made, lambda w, p: w[p] in (" red", " dog"))
    first = np.array([t for t in token if planted.WORDS[made.text.tokens[t]] == " dog"])
    lonely = [t for t in first if t % planted.LENGTH < planted.LENGTH - 32][:6]
    rules = induce(made, token, activation, Settings(examples=5), 1, contexts=np.array(lonely))
    assert "dog" in str(rules)


WORDS = Words(["<bos>", " red", " cat", " dog", " a"], (0,))


def test_detection_asks_whether_any_token_satisfies_the_rules():
    rules = parse('here:word="red" -> 2 @ 0.75 ; here:word="cat" -> 1 @ 0.5')
    tokens = np.array([[0, 1, 2], [0, 3, 2], [0, 3, 4]], np.int32)
    said = detection_verdicts(rules, tokens, np.zeros(3), WORDS)
    assert said.verdict.tolist() == [True, True, False]
    assert said.probability.tolist() == [0.75, 0.5, 0.0]


def test_fuzzing_asks_whether_every_mark_satisfies_the_rules():
    rules = parse('here:word="red" -> 2 @ 1')
    tokens = np.array([[1, 2, 3, 4]] * 4, np.int32)
    marks = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 0]], bool)
    said = fuzzing_verdicts(rules, tokens, np.zeros(4), WORDS, marks)
    assert said.verdict.tolist() == [True, False, False, False]
    assert said.probability == pytest.approx([1, 0.5, 1 / 3, 0])


def test_what_lies_before_the_context_is_not_known_to_the_judge():
    rules = parse('here:word="red" & prev:word="a" -> 1 @ 1')
    tokens = np.array([[4, 1], [1, 4]], np.int32)
    assert detection_verdicts(rules, tokens, np.array([5, 5]), WORDS).verdict.tolist() == [
        True,
        False,
    ]


@pytest.mark.skipif(not BESIDE.is_dir(), reason="the published features are not beside this folder")
def test_published_features_are_answered_better_than_by_a_set_of_tokens():
    figures = blog(BESIDE)
    for key, bar in BARS.items():
        assert figures[key].grammar >= bar, key
        assert figures[key].grammar > figures[key].token_set, key
    assert figures["gpt2_random", "detection"].published == pytest.approx(0.818, abs=0.001)
    assert figures["gpt2_top", "fuzz"].token_set == pytest.approx(0.703, abs=0.001)

"""Planted rules are found, from train sequences only, the same every time."""

from dataclasses import replace

import numpy as np
import planted
import pytest

from core.grammar import Rules, Settings, check, induce
from data.errors import BadInput


def learnt(rule, **settings) -> tuple[str, float]:
    """Learn a planted rule; give its text without figures, and F1 on the test sequences."""
    made = planted.corpus(n=900)
    token, activation = planted.plant(made, rule)
    rules = induce(made, token, activation, Settings(**settings), seed=1)
    f1 = check(made, rules, token, activation).test.tokens.f1
    return " ; ".join(" & ".join(map(str, r.literals)) for r in rules.rules), f1 or 0.0


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (lambda w, p: w[p] in (" red", " Paris"), 'here:word="red"|"paris"'),
        (lambda w, p: w[p].endswith("king"), 'here:suffix="king"'),
        (lambda w, p: w[p] == " cat" and w[p - 1] == " a", 'here:token=" cat" & prev:word="a"'),
        (lambda w, p: w[p] == " pizza" and " crust" in w[max(0, p - 16) : p],
         'here:word="pizza" & near16:word="crust"'),
        (lambda w, p: w[p - 1] == " said", 'prev:word="said"'),
        (lambda w, p: p < 4, 'position:range="0"|"4"'),
        (lambda w, p: w[p].strip().isdigit(), 'here:class="digit"'),
    ],
)  # fmt: skip
def test_a_planted_rule_is_recovered(rule, expected):
    text, f1 = learnt(rule)
    assert f1 == 1.0
    assert sorted(text.split(" & ")) == sorted(expected.split(" & ")) or set(
        text.replace('"paris"|"red"', '"red"|"paris"').split(" & ")
    ) == set(expected.split(" & "))


def test_a_state_of_the_text_is_recovered():
    def bracketed(words, position):
        level = 0
        for word in words[:position]:
            level = max(0, level + (word == " (") - (word == ")"))
        return level > 0 and words[position] == " dog"

    text, f1 = learnt(bracketed)
    assert "state:bracketed" in text
    assert f1 > 0.95


def test_two_ways_to_be_active_make_two_rules_or_a_set():
    _, f1 = learnt(lambda w, p: w[p] == " of" or (w[p] == " the" and w[p - 1] == " in"))
    assert f1 > 0.95


def test_test_sequences_do_not_change_what_is_learnt():
    made = planted.corpus()
    token, activation = planted.plant(made, lambda w, p: w[p] == " red")
    on_train = made.train_positions[token]
    everywhere = np.flatnonzero(made.test_positions & made.valid).astype(np.uint32)
    noisy = np.sort(np.concatenate([token[on_train], everywhere]))
    values = np.full(len(noisy), 9.0, np.float32)
    values[np.isin(noisy, token[on_train])] = activation[on_train]
    assert induce(made, noisy, values, Settings(), 1) == induce(
        made, token, activation, Settings(), 1
    )


def test_the_same_seed_gives_the_same_rules():
    made = planted.corpus()
    token, activation = planted.plant(made, lambda w, p: (w[p], w[p - 1]) > (" t", " b"))
    again = planted.corpus()
    first = induce(made, token, activation, Settings(), 3)
    assert first.rules
    assert first == induce(again, token, activation, Settings(), 3)


def test_objectives_trade_precision_against_recall():
    made = planted.corpus(n=600)
    rng = np.random.default_rng(0)
    shares = {" cat": 0.9, " dog": 0.5, " red": 0.3, " of": 0.15, " in": 0.1}
    token, activation = planted.plant(made, lambda w, p: rng.random() < shares.get(w[p], 0))
    figures = {}
    for objective in ("f0.5", "f1", "f2"):
        rules = induce(made, token, activation, Settings(objective=objective), 1)
        figures[objective] = check(made, rules, token, activation).test.tokens
    assert figures["f0.5"].precision > figures["f1"].precision > figures["f2"].precision
    assert figures["f0.5"].recall < figures["f1"].recall < figures["f2"].recall


def test_the_shortest_description_has_no_more_rules_than_the_best_f():
    made = planted.corpus()
    rng = np.random.default_rng(0)
    token, activation = planted.plant(made, lambda w, p: w[p] == " cat" or rng.random() < 0.01)
    short = induce(made, token, activation, Settings(objective="mdl"), 1)
    assert len(short) <= len(induce(made, token, activation, Settings(), 1))


def test_families_limit_what_rules_ask():
    def rule(words, position):
        return words[position].endswith("ing") and words[position - 1] == " a"

    places = {"token": {"here"}, "form": {"here"}}
    for families, allowed in places.items():
        text, _ = learnt(rule, families=families)
        assert {part.split(":")[0].removeprefix("not ") for part in text.split(" & ")} <= allowed
    assert "prev" in learnt(rule)[0]


def test_limits_on_rules_and_literals_are_kept():
    def rule(words, position):
        return words[position] == " cat" or words[position - 1] == " said" or position == 9

    made = planted.corpus()
    token, activation = planted.plant(made, rule)
    settings = Settings(max_rules=1, max_literals=1)
    rules = induce(made, token, activation, settings, 1)
    assert [len(r.literals) for r in rules.rules] == [1]
    assert len(induce(made, token, activation, replace(settings, max_rules=8), 1)) > 1


def test_the_core_is_learnt_from_strong_activations_only():
    made = planted.corpus()
    token, activation = planted.plant(made, lambda w, p: w[p] in (" cat", " dog"))
    is_dog = np.array([planted.WORDS[made.text.tokens[t]] == " dog" for t in token])
    activation = np.where(is_dog, 0.1, activation).astype(np.float32)
    core = induce(made, token, activation, Settings(threshold=0.3), 1)
    assert "dog" not in str(core)
    assert "dog" in str(induce(made, token, activation, Settings(), 1))


def test_too_little_to_learn_from_gives_no_rules():
    made = planted.corpus()
    nothing = np.zeros(0, np.uint32), np.zeros(0, np.float32)
    assert induce(made, *nothing, Settings(), 1) == Rules()
    one = np.array([5], np.uint32), np.ones(1, np.float32)
    assert induce(made, *one, Settings(), 1) == Rules()
    assert induce(made, *nothing, Settings(examples=20), 1) == Rules()


@pytest.mark.parametrize(
    "wrong", [{"max_rules": 0}, {"max_literals": 4}, {"threshold": 1.0}, {"examples": 0}]
)
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        Settings(**wrong)


def test_a_corpus_that_is_all_train_has_no_headline():
    made = planted.corpus(train=None, selection=None)
    token, activation = planted.plant(made, lambda w, p: w[p] == " red")
    result = check(made, induce(made, token, activation, Settings(), 1), token, activation)
    assert result.test.tokens.n == 0
    assert result.test.tokens.f1 is None
    assert result.corpus.tokens.f1 == 1.0

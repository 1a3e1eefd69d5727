"""The exact check against numbers counted by hand and against a naive evaluator."""

import json

import numpy as np
import planted
import pytest

from core.explain.grammar import explain
from core.grammar import Corpus, Settings, check, induce, parse, predict

TOY = """the cat sat on the mat . the dog sat on the cat . a cat ate
a fish . the fish ate the cat . no dog ate no cat . the end of the cat"""
# 50 tokens in two sequences of 25, the second is test; hand-counted below


def toy() -> Corpus:
    """Build 25 + 25 tokens, the first sequence train, the second test."""
    words = [f" {w}" for w in (TOY.split() * 2)[:50]]
    vocabulary = list(dict.fromkeys(words))
    tokens = np.array([vocabulary.index(w) for w in words], np.int32).reshape(2, 25)
    return Corpus(tokens, vocabulary, train=np.array([True, False]))


def test_counts_on_fifty_tokens_are_those_counted_by_hand():
    made = toy()
    words = np.array([made.words.strings[t] for t in made.text.tokens])
    cats, dogs = np.flatnonzero(words == " cat"), np.flatnonzero(words == " dog")
    assert cats.tolist() == [1, 12, 15, 24, 30, 36, 38, 49]
    assert dogs.tolist() == [8, 27, 45]
    # active: cats at 1, 12, 30, 36 and dogs at 27, 45; claimed: every cat
    token = np.array([1, 12, 27, 30, 36, 45], np.uint32)
    activation = np.array([4, 2, 8, 1, 3, 1], np.float32)
    result = check(made, parse('here:word="cat" -> 2 @ 0.5'), token, activation)
    tokens = result.test.tokens
    assert (tokens.tp, tokens.fp, tokens.fn, tokens.tn, tokens.n) == (2, 2, 2, 19, 25)
    assert (tokens.precision, tokens.recall, tokens.f1) == (0.5, 0.5, 0.5)
    assert tokens.iou == pytest.approx(2 / 6)
    assert tokens.base_rate == pytest.approx(4 / 25)
    assert result.test.weighted_recall == pytest.approx(4 / 13)
    whole = result.corpus.tokens
    assert (whole.tp, whole.fp, whole.fn, whole.tn) == (4, 4, 2, 40)
    assert result.misses == ((27, 8.0), (45, 1.0))
    assert [at for at, _ in result.false_alarms] == [38, 49]


def test_pearson_of_five_sums_is_the_correlation_of_the_dense_vectors():
    made = planted.corpus()
    token, activation = planted.plant(made, lambda w, p: w[p] in (" cat", " dog") and p % 3 > 0)
    rules = parse('here:word="cat" -> 1.5 @ 0.7 ; prev:word="a" -> 0.5 @ 0.2')
    result = check(made, rules, token, activation)
    said = predict(rules, made.text.tokens.reshape(made.n_sequences, -1), [0] * made.n_sequences,
                   made.words)  # fmt: skip
    dense = np.zeros(made.n_tokens)
    dense[token] = activation
    keep = made.valid & made.test_positions
    expected = np.corrcoef(said.value.ravel()[keep], dense[keep])[0, 1]
    assert result.test.pearson == pytest.approx(expected, abs=1e-6)


RULES = [
    'here:word="cat"|"dog" & not prev:word="a" -> 1 @ 1',
    'near8:word="crust" & here:class="letters" -> 2 @ 1 ; here:word="." -> 1 @ 1',
    'state:bracketed -> 1 @ 1 ; not state:quoted & here:suffix="ing" -> 1 @ 1',
    'position:range="3"|"9" & prev2:class="punctuation" -> 1 @ 1',
    'not here:class="letters" & near32:word="pizza" -> 1 @ 1',
    'bigram:word="of\tin" -> 1 @ 1 ; state:seen & here:stem="cat" -> 1 @ 1'.replace("\t", "\\t"),
]


@pytest.mark.parametrize("text", RULES)
def test_the_exact_check_equals_a_naive_evaluator(text):
    made = planted.corpus(n=60)
    token, activation = planted.plant(made, lambda w, p: w[p] == " cat" or w[p - 1] == " of")
    figures = check(made, parse(text), token, activation).test.tokens
    active, claimed = set(token.tolist()), naive(made, text)
    valid = np.flatnonzero(made.valid & made.test_positions).tolist()
    pairs = [(at in claimed, at in active) for at in valid]
    assert figures.tp == pairs.count((True, True))
    assert figures.fp == pairs.count((True, False))
    assert figures.fn == pairs.count((False, True))
    assert figures.tn == pairs.count((False, False))


def naive(made: Corpus, text: str) -> set[int]:
    """Evaluate rules with plain loops over words."""
    rows = made.text.tokens.reshape(made.n_sequences, -1)
    found = set()
    for i, row in enumerate(rows):
        words = [made.words.strings[t] for t in row]
        for p in range(len(words)):
            if any(
                all(asks(x, words, p) != x.negated for x in rule.literals)
                for rule in parse(text).rules
            ):
                found.add(i * len(words) + p)
    return found


def state(kind: str, before: list[str], word: str) -> bool:
    """Decide a state the slow way."""
    if kind == "seen":
        return word in before
    if kind == "quoted":
        line = before[len(before) - before[::-1].index("\n") :] if "\n" in before else before
        return line.count('"') % 2 == 1
    level = 0
    for earlier in before:
        level = max(0, level + (earlier == " (") - (earlier == ")"))
    return level > 0


def asks(literal, words: list[str], p: int) -> bool:
    """Decide one literal the slow way."""

    def token(at: int) -> bool:
        if at < 0 or words[at] == "<bos>":
            return False
        bare = words[at].strip().lower()
        tests = {
            "word": (bare or words[at]) in literal.values,
            "suffix": any(bare.endswith(v) and len(bare) > len(v) for v in literal.values),
            "stem": bare.rstrip("s") in literal.values,
            "class": ("letters" in literal.values and bare.isalpha())
            or ("punctuation" in literal.values and bare in {".", ",", "(", ")", '"'}),
        }
        return tests[literal.kind]

    if literal.place == "state":
        return state(literal.kind, words[:p], words[p])
    if literal.place == "position":
        return int(literal.values[0]) <= p < int(literal.values[1])
    if literal.place == "bigram":
        return p > 1 and "\t".join(w.strip().lower() for w in words[p - 2 : p]) in literal.values
    if literal.place.startswith("near"):
        return any(token(at) for at in range(max(0, p - int(literal.place[4:])), p))
    return token(p - ("here", "prev", "prev2").index(literal.place))


@pytest.mark.parametrize("text", RULES)
def test_predicting_on_whole_sequences_equals_the_check(text):
    made = planted.corpus(n=60)
    token, activation = planted.plant(made, lambda w, p: w[p] == " cat")
    rows = made.text.tokens.reshape(made.n_sequences, -1)
    fires = predict(parse(text), rows, np.zeros(len(rows)), made.words).fires.ravel()
    whole = check(made, parse(text), token, activation).corpus.tokens
    assert whole.tp + whole.fp == fires.sum()
    assert whole.tp == fires[token].sum()


def test_deciles_partition_the_active_contexts_and_strong_ones_come_last():
    made = planted.corpus()
    token, _ = planted.plant(made, lambda w, p: w[p] in (" cat", " dog"))
    strong = np.array([planted.WORDS[made.text.tokens[t]] == " cat" for t in token])
    activation = np.where(strong, 9, 1).astype(np.float32)
    part = check(made, parse('here:word="cat" -> 1 @ 1'), token, activation).test
    counts = [d.n for d in part.deciles]
    assert max(counts) - min(counts) <= 1
    assert sum(counts) == part.contexts.tp + part.contexts.fn
    assert part.deciles[-1].recalled == part.deciles[-1].n
    assert part.deciles[0].recalled == 0


def test_the_interval_holds_f1_and_does_not_depend_on_the_order_of_calls():
    made = planted.corpus()
    token, activation = planted.plant(made, lambda w, p: w[p] == " cat" and p % 4 > 0)
    rules = parse('here:word="cat" -> 1 @ 1')
    first, again = (check(made, rules, token, activation).test for _ in range(2))
    assert first == again
    assert first.f1_low < first.tokens.f1 < first.f1_high


def test_undefined_figures_are_none():
    made = planted.corpus()
    token, activation = planted.plant(made, lambda w, p: w[p] == " cat")
    silent = check(made, parse('here:word="unheard-of" -> 1 @ 1'), token, activation).test
    assert silent.tokens.precision is None
    assert silent.tokens.recall == 0
    assert silent.pearson is None
    nothing = check(made, parse('here:word="cat" -> 1 @ 1'), token[:0], activation[:0]).test
    assert nothing.tokens.recall is None
    assert nothing.weighted_recall is None
    assert nothing.deciles == ()


def test_an_explanation_carries_its_check_as_a_score():
    made = planted.corpus()
    token, activation = planted.plant(made, lambda w, p: w[p] == " red")
    found = explain(made, token, activation, Settings(), 1)
    assert found.text == "Fires on “red” (100 % of activations, precision 100 %)."
    assert found.rule == str(found.rules)
    assert found.exact is not None
    assert (found.exact.value, found.exact.tpr, found.exact.tnr) == (1.0, 1.0, 1.0)
    assert json.loads(json.dumps(found.exact.detail))["test"]["f1"] == 1.0
    assert sum(t.correct for t in found.exact.by_decile.values()) > 0


@pytest.mark.parametrize(("n", "reason"), [(0, "dead"), (1, "rare")])
def test_what_cannot_be_explained_says_why(n, reason):
    made = planted.corpus()
    token = np.arange(1, 1 + n, dtype=np.uint32)
    found = explain(made, token, np.ones(n, np.float32), Settings(), 1)
    assert (found.text, found.exact) == (None, None)
    assert found.reason is not None
    assert found.reason.startswith(reason)


def test_learning_and_checking_leave_their_input_alone():
    made = planted.corpus()
    token, activation = planted.plant(made, lambda w, p: w[p] == " cat")
    before = token.copy(), activation.copy(), made.text.tokens.copy()
    check(made, induce(made, token, activation, Settings(), 1), token, activation)
    for old, new in zip(before, (token, activation, made.text.tokens), strict=True):
        assert np.array_equal(old, new)

"""Translation: the prompt, the reader of rules in JSON, figures from train, the exact check."""

import json

import numpy as np
import pytest
from golden import check_golden
from hypothesis import given, settings
from hypothesis import strategies as st
from one_feature import EXPLANATION
from planted import WORDS, corpus, plant
from scripted import ScriptedClient, queue

from core.explain.translate import (
    Translated,
    TranslatedExact,
    check_translated,
    fitted,
    translate,
)
from core.grammar import Rule, Rules, Words, check, parse
from core.grammar.language import STATES, Literal
from core.grammar.words import classes
from core.llm.requests import CallFailed
from core.prompts.translate import SHOTS, repair_request, translation_request
from core.replies import BadReply
from core.replies.rules import CLASSES, IS, WHERE, rules_in, written
from core.score.material import Claim

VOCABULARY = Words([*WORDS, "May", " May", " may", " MAY", " pick-up"], (0,))


def condition(where="here", kind="word", *values, **other):
    return {"where": where, "is": kind, "any_of": list(values), "not": False} | other


def reply(*rules, left_out=""):
    return json.dumps({"rules": list(rules), "left_out": left_out})


def literals(*conditions):
    """The literals of one rule with these conditions."""
    (rule,) = rules_in(reply(list(conditions)), VOCABULARY).rules
    return rule


def test_the_whole_prompt_reads_as_it_should():
    request = translation_request(EXPLANATION)
    again = repair_request(request, reply([condition("after")]), "rule 1, condition 1: odd")
    check_golden("translate", [request, again])


def test_the_question_is_the_text_alone_in_one_line():
    request = translation_request("Names of\nmonths,  {curly}.")
    assert request.question == "Description: Names of months, {curly}."
    assert request.prefix == translation_request("Other.").prefix
    assert (request.temperature, request.attempt) == (0, 0)


def test_a_very_long_answer_is_not_sent_back_whole():
    again = repair_request(translation_request("x"), "y" * 9000, "odd")
    assert len(again.question) < 2500
    assert again.attempt == 1


@pytest.mark.parametrize("shot", SHOTS)
def test_the_examples_of_the_prompt_are_read_as_rules(shot):
    _, rules, left_out = shot
    vocabulary = Words([" Friday", "not", "n't", " did", " Turkey", " Sea", " 12", '"'])
    found = rules_in(written(rules, left_out), vocabulary)
    assert len(found.rules) == len(rules)
    assert found.left_out == left_out


def test_every_class_that_is_offered_exists():
    made = {
        name
        for token in ("x", " A", "NASA", "7", "a1", ",", "+", "\n", " ", "ж")
        for name in classes(token)
    }
    assert set(CLASSES) == made


KINDS = set(IS.values())
ATTRIBUTES = [VOCABULARY.kind_value(a) for a in range(len(VOCABULARY.kind))]
TESTS = st.builds(
    lambda place, pair, negated: Literal(place, pair[0], (pair[1],), negated),
    st.sampled_from(list(WHERE.values())),
    st.sampled_from([pair for pair in ATTRIBUTES if pair[0] in KINDS]),
    st.booleans(),
)
SETS = st.builds(
    lambda place, values: Literal(place, "token", tuple(values)),
    st.sampled_from(list(WHERE.values())),
    st.lists(st.sampled_from(WORDS[1:]), min_size=1, max_size=6, unique=True),
)
STATED = st.builds(
    lambda s, no: Literal("state", s, (), no), st.sampled_from(STATES), st.booleans()
)
RULE = st.lists(TESTS | SETS | STATED, min_size=1, max_size=3).filter(
    lambda rule: sum(literal.negated for literal in rule) <= 1
)
RULES = st.lists(RULE.map(tuple), min_size=1, max_size=8, unique=True)


@given(RULES, st.text(max_size=20))
@settings(max_examples=200, deadline=None)
def test_rules_come_back_from_json_and_from_canonical_text(rules, left_out):
    found = rules_in(written(rules, left_out), VOCABULARY)
    assert found == (tuple(rules), left_out.strip(), ())
    made = Rules(tuple(Rule(rule, 1.5, 0.25) for rule in found.rules))
    assert parse(str(made)) == made


def test_a_word_is_any_case_with_or_without_its_space():
    (found,) = literals(condition("here", "word", " May", "may"))
    assert found == Literal("here", "word", ("may",))
    named = np.array(VOCABULARY.strings)[VOCABULARY.table(found.kind, found.values)]
    assert named.tolist() == ["May", " May", " may", " MAY"]


def test_a_spelling_is_this_case_with_or_without_its_space():
    assert literals(condition("here", "spelling", "May")) == (
        Literal("here", "token", (" May", "May")),
    )
    assert literals(condition("here", "spelling", " may", "the")) == (
        Literal("here", "token", (" may", " the")),
    )


def test_a_token_is_exactly_itself():
    assert literals(condition("previous", "token", " May")) == (
        Literal("prev", "token", (" May",)),
    )


def test_a_hyphen_before_an_ending_is_taken_away_unless_it_is_meant():
    (found,) = literals(condition("here", "ending", "-ing", "-up"))
    assert found.values == ("ing", "-up")


def test_states_have_no_values_and_not_may_be_missing():
    rule = [{"where": "text", "is": "line start"}, condition("here", "class", "digit")]
    assert literals(*rule) == (Literal("state", "line-start"), Literal("here", "class", ("digit",)))


def test_words_that_no_token_is_are_listed_and_dropped():
    found = rules_in(
        reply(
            [condition("here", "word", "pizza", "calzone")],
            [condition("here", "word", "calzone")],
            [condition("here", "word", "the"), condition("within 8", "word", "calzone")],
            [condition("here", "word", "a"), condition("previous", "word", "ham", **{"not": True})],
            [condition("here", "word", "ham", **{"not": True})],
        ),
        VOCABULARY,
    )
    assert found.rules == (
        (Literal("here", "word", ("pizza",)),),
        (Literal("here", "word", ("a",)),),
    )
    assert found.unknown == ("calzone", "ham")


@pytest.mark.parametrize(
    ("text", "defect"),
    [
        ("I cannot do that.", "no JSON"),
        ('{"rules": []}', '"left_out", a text'),
        ('{"rules": {}, "left_out": ""}', '"rules", a list'),
        (reply(*[[condition("here", "word", "a")]] * 9), "9 rules, at most 8"),
        (reply([]), "rule 1 is not a list of 1 to 3"),
        (reply([condition("here", "word", "a")] * 4), "rule 1 is not a list of 1 to 3"),
        (reply(["here"]), "rule 1, condition 1 needs"),
        (reply([condition("after", "word", "a")]), '"where" is "after", not one of here'),
        (reply([condition("here", "meaning", "a")]), '"is" is "meaning", not one of word'),
        (reply([condition("text", "word", "a")]), '"is" is "word", not one of line start'),
        (reply([condition("here", "word")]), '"any_of" is not a list'),
        (reply([condition("here", "word", 7)]), "value 7 is not a text"),
        (reply([condition("here", "word", "")]), 'value "" is not a text'),
        (reply([condition("here", "word", "New York")]), '"new york" is more than one word'),
        (reply([condition("here", "ending", "ation")]), "not 1 to 4 letters"),
        (reply([condition("here", "length", "13")]), "not a number from 1 to 12"),
        (reply([condition("here", "class", "verb")]), '"class" is "verb", not one of letters'),
        (reply([condition("here", "group", "sauces")]), '"group" is "sauces", not one of the list'),
        (reply([condition("here", "word", "a", **{"not": "no"})]), '"not" is "no"'),
        (reply([condition("here", "word", "a", near=3)]), "nothing else"),
        (reply([condition("here", "word", "a", **{"not": True})] * 2), "more than one condition"),
    ],
)
def test_what_cannot_be_read_is_named(text, defect):
    with pytest.raises(BadReply) as caught:
        rules_in(text, VOCABULARY)
    assert defect in str(caught.value)


def test_talk_and_fences_around_the_answer_do_not_matter():
    text = f"<think>{{}}</think>Here:\n```json\n{reply([condition('here', 'word', 'a')])}\n```"
    assert len(rules_in(text, VOCABULARY).rules) == 1


@pytest.fixture(scope="module")
def made():
    return corpus()


@pytest.fixture(scope="module")
def pizza(made):
    return plant(
        made, lambda words, p: words[p] == " pizza" and " crust" in words[max(0, p - 8) : p]
    )


TRUE = 'here:word="pizza" & near8:word="crust"'


def answer(rule: str, left_out: str = "") -> str:
    return written([one.literals for one in parse(f"{rule} -> 1 @ 1").rules], left_out)


def test_a_right_translation_scores_as_the_rule_itself(made, pizza):
    client = ScriptedClient(queue(answer(TRUE, "that it is Italian")))
    (found,) = translate(client, ["Pizza after crust."], made.words)
    score = check_translated(found, made, *pizza, "scripted")
    assert (score.value, score.tpr, score.tnr) == (1, 1, 1)
    assert (score.scorer, score.judge, score.preset) == ("exact", "scripted", "translated")
    assert score.detail["left_out"] == "that it is Italian"
    rules = parse(score.detail["rule"])
    assert [rule.literals for rule in rules.rules] == list(found.rules or ())
    assert score.detail["test"] == check(made, rules, *pizza).test.as_dict()
    assert score.usage is not None
    assert (score.usage.n_calls, score.usage.input_tokens) == (1, 100)


def test_value_and_precision_come_from_train_tokens_alone(made, pizza):
    token, activation = pizza
    rule = ((Literal("here", "word", ("pizza",)),),)
    found = fitted(made, rule, token, activation).rules.rules[0]
    train = np.repeat(made.train, made.length)
    at = np.flatnonzero(train & (made.text.tokens == WORDS.index(" pizza")))
    dense = np.zeros(made.n_tokens, np.float32)
    dense[token] = activation
    assert found.value == pytest.approx(dense[at].mean(), rel=1e-3)
    assert found.precision == pytest.approx((dense[at] > 0).mean(), rel=1e-3)
    kept = train[token]
    assert fitted(made, rule, token[kept], activation[kept]).rules.rules[0] == found


def test_a_rule_that_no_train_token_shows_still_claims_test_tokens(made):
    rows = made.text.tokens.reshape(made.n_sequences, made.length).copy()
    rows[made.train & (rows == WORDS.index(" big")).any(1)] = WORDS.index(" the")
    other = corpus_of(rows, made)
    token, activation = plant(other, lambda words, p: words[p] == " big")
    assert len(token)
    rules, idle = fitted(other, [(Literal("here", "word", ("big",)),)], token, activation)
    assert [rule.precision for rule in idle] == [0]
    assert rules.rules == idle
    said = Translated(((Literal("here", "word", ("big",)),),), "", (), None, ())
    score = check_translated(said, other, token, activation, "scripted")
    assert score.value == 1
    assert score.detail["idle"] == ['here:word="big" -> 0 @ 0']


def corpus_of(rows, like):
    from core.grammar import Corpus

    return Corpus(rows, WORDS, (0,), train=like.train, selection=like.selection)


def test_an_answer_that_cannot_be_read_is_asked_for_once_more(made):
    client = ScriptedClient(queue(answer(TRUE), "sorry", "no idea", answer(TRUE), "still not"))
    found = translate(client, ["A.", "B.", "C."], made.words)
    assert [one.rules is not None for one in found] == [True, True, False]
    assert [one.error for one in found] == [None, None, "no JSON in the reply"]
    assert [len(one.outcomes) for one in found] == [1, 2, 2]
    again = client.asked[3]
    assert again.attempt == 1
    assert again.question.startswith("Description: B.\n")
    assert "sorry" in again.question
    assert "no JSON in the reply" in again.question


def test_a_call_that_failed_is_not_asked_again_at_once(made, pizza):
    client = ScriptedClient(queue(None))
    (found,) = translate(client, ["A."], made.words)
    assert isinstance(found.outcomes[0], CallFailed)
    score = check_translated(found, made, *pizza, "scripted")
    assert (score.value, score.n, score.failed) == (None, 0, 1)
    assert score.detail["reason"] == "no usable translation: scripted failure"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (written([], "regret"), "cannot be said in rules: regret"),
        (written([]), "no rule was given"),
        (reply([condition("here", "word", "calzone")]), "no token of the subject is calzone"),
    ],
)
def test_an_explanation_without_rules_is_undefined_and_no_failure(made, pizza, said, reason):
    (found,) = translate(ScriptedClient(queue(said)), ["A."], made.words)
    score = check_translated(found, made, *pizza, "scripted")
    assert (score.value, score.failed, score.detail["reason"]) == (None, 0, reason)


def test_the_scorer_gives_one_outcome_for_each_claim_in_order(made, pizza):
    client = ScriptedClient(queue(answer('here:word="pizza"'), answer(TRUE)))
    scorer = TranslatedExact(client, made)
    material = Bare(pizza)
    found = scorer.score(material, [Claim(7, "Pizza.", None), Claim(8, "After crust.", None)])
    assert [one.explanation_id for one in found] == [7, 8]
    assert (scorer.name, scorer.judge) == ("exact", "scripted")
    first, second = (one.score.value for one in found)
    assert first is not None
    assert first < 1
    assert second == 1
    assert all(len(one.items.kind) == len(one.predicted) == 0 for one in found)
    assert len(found[1].asked) == 1


class Bare:
    """Material of which only the activations are looked at."""

    def __init__(self, activations):
        self.activations = activations

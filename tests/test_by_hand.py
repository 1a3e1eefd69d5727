import pytest
from one_store import RULES_ONLY, first_feature

from core.grammar import parse
from core.pipeline.again import reexplain, score_chosen
from core.pipeline.by_hand import offline_offers, read_rule, write_by_hand
from core.pipeline.scorers import Means
from core.pipeline.watching import Hearing
from data import results, runs
from data.errors import BadInput


def records(one):
    with one.catalogue.reading() as con:
        return results.explanations(con, one.hookpoint.hookpoint_id, one.feature)[one.feature]


def test_words_alone_are_stored_without_cost_and_without_a_score(fresh_store):
    one = first_feature(fresh_store)
    made = write_by_hand(*one, "  Names of\nweekdays ", author="Ada")
    (found,) = records(one)
    assert found.explanation_id == made
    assert (found.text, found.rule, found.explainer) == ("Names of weekdays", None, "human")
    assert found.settings == {"explainer": "human", "author": "Ada"}
    assert (found.cost_usd, found.scores, found.status) == (0.0, (), "done")
    assert runs.runs(one.catalogue)[-1]["status"] == "done"


def test_the_same_words_again_are_the_same_explanation_and_others_stand_beside(fresh_store):
    one = first_feature(fresh_store)
    first, again, other = (write_by_hand(*one, text) for text in ("one", "one", "two"))
    assert first == again != other


def test_a_rule_by_hand_is_checked_and_judged_on_the_items_of_all_others(fresh_store):
    one = first_feature(fresh_store)
    learnt = reexplain(*one, RULES_ONLY)
    rule = next(found.rule for found in records(one))
    score_chosen(*one, [learnt], Means(), ("detection", "fuzzing"), hearing=Hearing())
    by_hand = write_by_hand(*one, "", rule)
    both = {found.explanation_id: found for found in records(one)}
    mine, theirs = both[by_hand], both[learnt]
    assert mine.rule == theirs.rule
    assert mine.text
    for scorer in ("exact", "detection", "fuzzing"):
        a, b = (next(s for s in e.scores if s.scorer == scorer) for e in (mine, theirs))
        assert (a.value, a.n, a.judge) == (b.value, b.n, b.judge)


def test_figures_that_are_left_out_are_measured(fresh_store):
    one = first_feature(fresh_store)
    reexplain(*one, RULES_ONLY)
    learnt = parse(records(one)[0].rule)
    bare = " ; ".join(" & ".join(map(str, rule.literals)) for rule in learnt.rules)
    write_by_hand(*one, "mine", bare)
    measured = parse(records(one)[-1].rule)
    assert [rule.literals for rule in measured.rules] == [rule.literals for rule in learnt.rules]
    for rule in measured.rules:
        assert rule.value > 0
        assert 0 < rule.precision <= 1


@pytest.mark.parametrize(
    ("rule", "read"),
    [
        ('here:token="a"', 'here:token="a" -> 0 @ 0'),
        ('here:token=";->" ; prev:word="b" -> 2 @ 0.5',
         'here:token=";->" -> 0 @ 0 ; prev:word="b" -> 2 @ 0.5'),
    ],
)  # fmt: skip
def test_an_arrow_may_be_left_out(rule, read):
    assert str(read_rule(rule)) == read


@pytest.mark.parametrize(
    ("text", "rule", "words"),
    [
        ("", None, "nothing is written"),
        ("x" * 3_000, None, "are the most"),
        ("a", "never", "explains nothing|cannot be read"),
        ("a", "here:colour=red", "cannot be read at character 5"),
        ("a", 'here:token="a" &', "cannot be read"),
        ("a", 'here:token="a" ;', "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_stores_nothing(cached_store, text, rule, words):
    one = first_feature(cached_store)
    with pytest.raises(BadInput, match=words) as raised:
        write_by_hand(*one, text, rule)
    assert "\n" not in str(raised.value)
    assert not one.rows("select 1 from explanation union all select 1 from explainer")


def test_what_can_judge_words_offline_is_offered_with_a_reason():
    offers = {offer.scorer: offer for offer in offline_offers()}
    assert offers["surprisal"].possible
    assert offers["embedding"].possible or "pip install" in offers["embedding"].words

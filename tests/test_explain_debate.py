"""Debate: quotes are verified, the order is random but fixed, the judge sees no texts."""

import json

from golden import check_golden
from one_feature import EVIDENCE, EXAMPLES
from scripted import ScriptedClient, queue

from core.explain import explainer_for
from core.explain.debate import found, verified
from core.explain.explaining import Tools
from core.explain.settings import ExplainerSettings
from core.prompts.marking import line
from core.replies.debate import Submitted

MARKS = ("<<", ">>")
LINES = [line(one, 0.3) for one in EXAMPLES]


def entry(text, *quotes):
    return json.dumps({"quotes": list(quotes), "explanation": text})


ENTRIES = (
    entry("Months in dates.", "opens on 3 May and closes", "from late June to the end", "made up"),
    entry("Names of months.", "She may return in March", "The April issue was printed"),
    entry("Times of the year.", "14 October 1902"),
)


def run(*answers, judge_says=None, seed=0, evidence=EVIDENCE):
    client = ScriptedClient(queue(*answers))
    judge = ScriptedClient(queue(*(judge_says or ())), model="small")
    tools = Tools(client, judge=judge, seed=seed)
    written = explainer_for(ExplainerSettings("debate")).explain(evidence, tools)
    json.dumps(written.detail)
    return written, client, judge


def test_the_judges_choice_wins():
    written, client, judge = run(*ENTRIES, judge_says=['{"choice": 1}'])
    winner = written.detail["order"][0]
    assert written.detail["winner"] == winner
    assert written.text == json.loads(ENTRIES[winner])["explanation"]
    assert written.request == client.asked[winner]
    assert written.detail["judge"] == "small"
    assert len(written.outcomes) == 4
    check_golden("explain-debate-judge", judge.asked)


def test_the_judge_sees_verified_quotes_and_no_texts():
    _, _, judge = run(*ENTRIES, judge_says=['{"choice": 1}'])
    question = judge.asked[0].question
    assert "made up" not in question
    assert "opens on 3 <<May>> and closes" in question
    assert "a week later" not in question
    assert "Strengths" not in question


def test_made_up_quotes_are_struck_out_and_an_entry_without_any_is_out():
    fake = entry("Colours.", "the red house")
    written, _, judge = run(ENTRIES[0], fake, ENTRIES[2], judge_says=['{"choice": 2}'])
    assert sorted(written.detail["order"]) == [0, 2]
    first, second, _ = written.detail["entries"]
    assert [quote["verified"] for quote in first["quotes"]] == [True, True, False]
    assert second["error"] == "no quote that stands in the texts"
    assert "Colours" not in judge.asked[0].question


def test_a_lone_entry_wins_without_a_judge():
    written, _, judge = run(ENTRIES[0], None, entry("Colours.", "the red house"))
    assert written.text == "Months in dates."
    assert judge.asked == []
    assert written.detail["judge"] is None


def test_no_entry_is_a_failure():
    written, _, _ = run(None, None, None)
    assert (written.text, written.error) == (
        None, "no entry for the judge: no reply: scripted failure",
    )  # fmt: skip


def test_a_judge_without_an_answer_is_a_failure():
    written, _, judge = run(*ENTRIES, judge_says=["the first", '{"choice": 9}'])
    assert written.text is None
    assert written.error == (
        "the judge did not choose: no usable reply: the choice 9 is none of the entries 1 to 3"
    )
    assert len(judge.asked) == 2
    assert written.detail["winner"] is None


def test_the_order_depends_on_the_seed_alone():
    orders = [
        tuple(run(*ENTRIES, judge_says=['{"choice": 1}'], seed=s)[0].detail["order"])
        for s in range(12)
    ]
    again = run(*ENTRIES, judge_says=['{"choice": 1}'], seed=3)[0].detail["order"]
    assert tuple(again) == orders[3]
    assert len(set(orders)) > 2


def test_the_same_client_judges_if_no_other_is_named():
    client = ScriptedClient(queue(*ENTRIES, '{"choice": 3}'))
    written = explainer_for(ExplainerSettings("debate")).explain(EVIDENCE, Tools(client))
    assert written.text is not None
    assert written.detail["judge"] == "scripted"


def test_quotes_match_letter_by_letter():
    assert found("The fair opens", LINES)
    for wrong in ("the fair opens", "fair  opens", "", "later. Rain"):
        assert found(wrong, LINES) is None


def test_marks_copied_with_a_quote_are_no_part_of_it():
    one = Submitted("x", ("on 3 <<May>> and", "on 3 <<June>> and", "on 3 <<May>> and"))
    result = verified(one, LINES, MARKS)
    assert [where is not None for _, where in result] == [True, False]


def test_a_quote_is_cut_out_where_it_holds_a_mark():
    quiet = EXAMPLES[0]._replace(activations=(0.0,) * len(EXAMPLES[0].pieces))
    part = found("3 May", [line(quiet, 0.3), LINES[0]])
    assert part is not None
    assert any(part.flags)

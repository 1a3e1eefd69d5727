"""Prompts of the explainers: whole texts as golden files, and what holds for all of them."""

import re
from dataclasses import replace

import pytest
from golden import check_golden
from one_feature import EVIDENCE, EXAMPLES
from scripted import ScriptedClient, queue

from core.explain import EXPLAINERS, explainer_for
from core.explain.debate import found
from core.explain.evidence import Shown
from core.explain.explaining import Tools
from core.explain.settings import ExplainerSettings
from core.prompts import explain_revision, explain_tokens
from core.prompts.examples_shown import Layout, numbered
from core.prompts.explain_answer import RULES
from core.prompts.explain_contrast import chosen
from core.prompts.explain_shots import SHOTS
from core.prompts.marking import line
from core.replies.debate import submitted
from core.replies.explanation import explanation

NO_CLIENT = Tools(ScriptedClient(queue()))
MODELS = [name for name in EXPLAINERS if name != "grammar"]
FREE = ("cot",)


def opening(name, **changes):
    settings = ExplainerSettings(name, **changes)
    return explainer_for(settings).opening(EVIDENCE, NO_CLIENT)


@pytest.mark.parametrize("name", MODELS)
def test_the_whole_prompt_reads_as_in_its_golden_file(name):
    shown = opening(name)
    check_golden(f"explain-{name}", shown[:1] if name in ("best-of-k", "debate") else shown)


def test_the_papers_preset_changes_marks_and_scale():
    check_golden("explain-activations-paper", opening("activations", highlight=0.6, scale="floor"))


def test_candidates_and_debaters_differ_by_seed_alone():
    for name, n in (("best-of-k", 5), ("debate", 3)):
        shown = opening(name)
        assert len({request.seed for request in shown}) == len(shown) == n
        assert len({request.messages for request in shown}) == 1
        assert {request.temperature for request in shown} == {0.8}


@pytest.mark.parametrize("name", MODELS)
def test_no_template_brace_is_left(name):
    for request in opening(name):
        for message in request.messages:
            assert not re.search(r"\{\w*\}", message.content)


@pytest.mark.parametrize("name", MODELS)
def test_worked_pairs_are_laid_out_as_the_real_question(name):
    """The few-shots' question lines have the same shapes, in the same order of first appearance."""

    def shapes(text):
        said = [re.sub(r"\d+|“.*?”|:.*|- .*", "", row).strip() for row in text.splitlines() if row]
        return list(dict.fromkeys(said))

    request = opening(name)[0]
    *worked, real = [m.content for m in request.messages if m.role == "user"]
    assert len(worked) == 3
    assert all(shapes(text) == shapes(real) for text in worked)


@pytest.mark.parametrize("name", MODELS)
def test_worked_answers_would_be_accepted(name):
    for message in opening(name)[0].messages:
        if message.role == "assistant":
            said = explanation(message.content, marks=("<<", ">>"))
            assert len(said.split()) <= 30


def test_worked_quotes_stand_in_their_texts():
    for shot in SHOTS:
        lines = [line(one, 0.3) for one in shot.evidence.examples]
        assert len(shot.quotes) == 3
        assert all(found(quote, lines) for quote in shot.quotes)
        assert all(3 <= len(quote.split()) <= 12 for quote in shot.quotes)
    for message in opening("debate")[0].messages:
        if message.role == "assistant":
            assert len(submitted(message.content).quotes) == 3


def test_other_signs_are_used_everywhere_when_a_text_has_the_usual_ones():
    odd = Shown(("cout ", "<<", " x"), (0.0, 0.0, 3.0), 5)
    evidence = replace(EVIDENCE, examples=(*EXAMPLES, odd))
    for name in MODELS[:-1]:
        request = explainer_for(ExplainerSettings(name)).opening(evidence, NO_CLIENT)[0]
        everything = "\n".join(m.content for m in request.messages)
        assert "between [[ and ]]" in everything
        assert "<<" not in everything.replace("cout <<", "")
        assert "cout << [[x]]" in everything or name == "single-token"  # shows five texts


def test_special_tokens_are_never_shown():
    shown = Shown(("", "It", " is", ""), (0.0, 1.0, 0.0, 0.0), 1)
    assert numbered([shown], Layout(), 1.0) == "Example 1: <<It>> is\nStrengths: “It” 10"


def test_a_line_break_does_not_break_the_numbering():
    shown = [Shown(("a\nExample 2: b", "\n"), (0.0, 2.0), 5), Shown(("c",), (0.0,), 0)]
    assert numbered(shown, Layout(), 4.0).splitlines() == [
        "Example 1: a↵Example 2: b<<↵>>",
        "Strengths: “↵” 5",
        "Example 2: c",
    ]


def test_only_the_strongest_are_listed_in_their_order():
    values = (3.0, 9.0, 4.0, 8.0, 0.0)
    shown = Shown(("a", "b", "c", "d", "e"), values, 5)
    assert numbered([shown], Layout(listed=2), 10.0).endswith("Strengths: “b” 9, “d” 8")


def test_contrastive_examples_come_from_all_deciles():
    many = [Shown((f"{n}",), (1.0,), 1 + n % 10) for n in range(40)]
    few = chosen(many, 15)
    assert {one.decile for one in few} == set(range(1, 11))
    assert [many.index(one) for one in few] == sorted(many.index(one) for one in few)


def test_contrastive_sections_hold_fifteen_and_five():
    evidence = replace(EVIDENCE, examples=EXAMPLES * 10, silent=EVIDENCE.silent * 4)
    request = explainer_for(ExplainerSettings("contrastive")).opening(evidence, NO_CLIENT)[0]
    active, silent = request.question.split("\n\n")
    assert active.count("Example ") == 15
    assert re.findall(r"Example (\d+)", silent) == ["16", "17", "18", "19", "20"]
    assert "<<" not in silent


def test_as_many_examples_as_the_settings_say():
    assert opening("activations", examples=4)[0].question.count("Example ") == 4


def test_rules_are_those_of_the_method():
    for wanted in ("token", "form", "topic", "may tell you little", "concrete", "at most 30 words",
                   "not a list of alternatives", "do not mention marks"):  # fmt: skip
        assert wanted in RULES


def test_an_answer_in_json_is_wished_for_except_after_stages():
    for name in MODELS:
        schema = opening(name)[0].schema
        assert (schema is None) == (name in FREE)
        assert schema is None or '"explanation"' in schema


def test_token_lists_and_revisions_have_worked_pairs_of_their_own():
    assert len(explain_tokens.SHOTS) == 3
    assert len(explain_revision.SHOTS) == 2

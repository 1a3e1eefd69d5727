"""What --vary says, and a sweep as words."""

import pytest

from core.llm.settings import EndpointSettings
from core.pipeline.sweep_words import Wish, request_of, words_of
from core.pipeline.variations import differences, named, variations
from data.errors import BadInput


def test_every_combination_is_made_once():
    found = variations(["grammar"], ["objective=f1,mdl,f1", "examples=10, none"])
    assert [(s.objective, s.examples) for s in found] == [
        ("f1", 10), ("f1", None), ("mdl", 10), ("mdl", None)]  # fmt: skip


def test_each_explainer_heeds_the_names_that_it_has():
    found = variations(["grammar", "plain", "debate"], ["objective=f1,f2", "debaters=2,3"])
    assert [getattr(s, "explainer", "grammar") for s in found] == [
        "grammar", "grammar", "plain", "debate", "debate"]  # fmt: skip
    assert [s.debaters for s in found[3:]] == [2, 3]


def test_flags_and_numbers_are_read_as_on_the_command_line():
    (found,) = variations(["grammar"], ["rules=4", "threshold=0.3", "sampling=top"])
    assert (found.max_rules, found.threshold, found.sampling) == (4, 0.3, "top")
    (found,) = variations(["cot"], ["max_tokens=50"])
    assert found.max_tokens == 50


@pytest.mark.parametrize(
    ("explainers", "vary", "said"),
    [
        (["grammar"], ["foo=1"], "grammar can vary families, rules, literals"),
        (["grammar"], ["objective=f9"], "there is f1, f0.5, f2, mdl"),
        (["grammar"], ["examples=x"], "give a whole number"),
        (["grammar"], ["examples=0"], "give 1 to 10000"),
        (["grammar"], ["examples"], "write NAME=VALUE,VALUE"),
        (["grammar"], ["examples="], "write NAME=VALUE,VALUE"),
        (["grammar"], ["examples=1", "examples=2"], "given twice"),
        (["grammar"], [f"examples={','.join(map(str, range(1, 99)))}"], "64 are the most"),
        (["bard"], [], "--explainer bard: there is grammar, plain"),
        (["plain"], ["candidates=3"], "plain can vary"),
    ],
)
def test_what_is_not_understood_is_one_line(explainers, vary, said):
    with pytest.raises(BadInput, match=said) as caught:
        variations(explainers, vary)
    assert "\n" not in str(caught.value)


def test_settings_are_told_apart_by_what_differs():
    every = [("grammar", {"a": 1, "b": 2}), ("plain", {"a": 1}), ("grammar", {"a": None, "b": 2})]
    assert differences(every) == [{"a": 1}, {}, {"a": None}]
    assert named("grammar", {"max_rules": None}) == "grammar (max-rules none)"


def test_a_wish_is_the_command_a_person_would_type():
    wish = Wish("demo", ("grammar",), (("objective", ("f1", "mdl")), ("sampling", ())),
                ("layers.1",), "random:20")  # fmt: skip
    assert words_of(wish) == [
        "gloss", "sweep", "demo", "--explainer", "grammar", "--features", "random:20",
        "--vary", "objective=f1,mdl", "--hookpoint", "layers.1", "--judge", "grammar"]  # fmt: skip
    assert len(request_of(wish).settings) == 2
    asking = Wish("demo", ("plain",), judge="m",
                  endpoint=EndpointSettings("m", "http://here/v1", budget=2.0))  # fmt: skip
    assert words_of(asking)[-8:] == ["--judge", "m", "--model", "m", "--base-url",
                                     "http://here/v1", "--budget", "2.0"]  # fmt: skip
    with pytest.raises(BadInput, match="which model"):
        request_of(Wish("demo", ("plain",), judge="m"))

"""What stands behind an explanation, as HTML: facts, every score, nested detail, texts."""

from dataclasses import replace

from core.drawing.spans import Passage
from dashboard import behind, steered_sets
from data.records import ExplanationRecord, Score, Tally, Usage

SCORE = Score("simulation", "pearson", 0.41, 0.3, 0.52, None, None, 40, 2, "llama", "quick", {}, {},
              {"weighted_r": 0.2}, Usage(3, 900, None, None))  # fmt: skip
EXPLANATION = ExplanationRecord(
    7, 1, 3, 1, "cot", "llama", {"examples": 40, "sampling": "top"}, "Fires on <x>", None, "done",
    None, 0.0021, 0.5, "2026-01-02T03:04:05", (SCORE,), usage=Usage(2, 2_314, 150, 0.0021),
)  # fmt: skip
MADE = {"seed": 5, "n_examples": 40, "run_id": 1}


def test_facts_say_calls_tokens_cost_and_seed():
    drawn = behind.facts(EXPLANATION, MADE)
    assert "2 · 2,314 tokens in, 150 out" in drawn
    assert "$0.0021" in drawn
    assert "<dd>5</dd>" in drawn
    assert "40 contexts" in drawn


def test_an_unknown_count_is_not_nought_and_free_is_not_unknown():
    assert behind.usage_words(Usage(1, None, 3, None)) == "1 · unknown tokens in, 3 out"
    free = replace(EXPLANATION, usage=None, cost_usd=0.0)
    assert "no model was asked" in behind.facts(free, MADE | {"n_examples": None})
    assert "at most 40 contexts" in behind.facts(free, MADE | {"n_examples": None})
    every = replace(free, settings={})
    assert "all train tokens" in behind.facts(every, MADE | {"n_examples": None})


def test_every_score_is_a_row_with_interval_n_failures_judge_and_cost():
    undefined = replace(SCORE, value=None, low=None, high=None, judge="grammar", usage=None)
    drawn = behind.score_table([SCORE, undefined])
    assert drawn.count("<tr>") == 3
    for cell in (".41 Pearson&#x27;s r", ".30 to .52", "2 failed", "llama", "cost unknown"):
        assert f"<td>{cell}</td>" in drawn, cell
    assert "<td>undefined</td><td>–</td>" in drawn


def test_score_details_have_tallies_and_what_only_that_scorer_has():
    found = replace(SCORE, by_decile={1: Tally(5, 4, 1)}, non_activating={"random": Tally(9, 9)})
    drawn = behind.score_details([found])
    assert "4 of 5 right, 1 failed" in drawn
    assert "weighted r" in drawn
    assert "arXiv 2410.13928" in drawn


def test_nested_detail_is_escaped_and_long_lists_are_cut():
    drawn = behind.nested({"a_b": ["<img>"] * 30, "c": [{"text": "\u202e", "ok": True}], "d": None})
    assert "<img>" not in drawn
    assert "… 30 in all" in drawn
    assert "a b" in drawn
    assert "[202E]" in drawn
    assert "yes" in drawn
    assert "–" in drawn


def test_generated_texts_show_hits_silence_and_what_could_not_be_run():
    rows = [{"text": "<b>x", "max_activation": 5.0}, {"text": "y", "max_activation": 0.0},
            {"text": "z", "max_activation": None}]  # fmt: skip
    drawn = behind.generated_list(rows, 10.0)
    assert "1 of 2 texts activate" in drawn
    assert "1 could not be run" in drawn
    assert "width:50%" in drawn
    assert "&lt;b&gt;x" in drawn
    assert "not run" in drawn


def test_a_simulated_context_stands_under_the_true_one_on_the_same_scale():
    row = {"decile": 10, "predicted": [0.0, 10.0]}
    drawn = behind.simulated_list([row], [Passage(["a", "b"], [4.0, 0.0])], 8.0)
    assert drawn.count('class="row"') == 2
    assert 'data-v="4.00">a' in drawn
    assert 'data-v="8.00">b' in drawn


def test_a_few_contexts_cover_the_whole_range():
    rows = [{"decile": d} for d in (10, 9, 8, 2, 1, None, None)]
    assert [row["decile"] for row in behind.few(rows)] == [10, 8, 1, None]
    assert behind.few([]) == []


def test_a_conversation_has_every_turn_under_its_role():
    assert behind.turns([["system", "be brief"], ["user", "why?"]]) == (
        "[system]\nbe brief\n\n[user]\nwhy?"
    )


def test_trials_show_every_set_and_which_was_chosen():
    held = {"target": 0.25, "sign": 1, "value": 12.3, "kl": 0.249, "texts": [["We", " <b>", " go"]]}
    sets = [{"feature": f, "held": [held, held | {"sign": -1}]} for f in (7, 3, 9)]
    rows = [{"sets": sets, "answer": 2, "predicted": True},
            {"sets": sets, "answer": 1, "predicted": False},
            {"sets": sets, "answer": None, "predicted": None}]  # fmt: skip
    drawn = steered_sets.trial_list(rows, 3)
    assert "1 of 2 trials right" in drawn
    assert "1 without a usable reply" in drawn
    assert "Trial 1: set 2 chosen, right" in drawn
    assert "Trial 2: set 1 chosen, wrong" in drawn
    assert "Trial 3: no usable reply" in drawn
    assert drawn.count("feature 3 · its own") == 3
    assert drawn.count("Turned down, held at 12.3 (KL .25)") == 9
    assert "<b> go" not in drawn
    assert "&lt;b&gt; go" in drawn


def test_contexts_that_were_run_again_are_counted():
    drawn = steered_sets.originals({"n": 15, "hits": 12, "share": 0.8})
    assert "12 of 15 of the contexts" in drawn
    assert "(80 %)" in drawn
    assert "(" not in steered_sets.originals({"n": 0, "hits": 0, "share": None})

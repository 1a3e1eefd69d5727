"""The dashboard's pure parts: addresses, commands, facts, comparisons, jobs."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from core.drawing import cards, facts
from core.drawing.words import explain_words
from core.score.statistics import Comparison
from dashboard import commands
from dashboard.address import feature_named
from dashboard.comparison import differences, finding, in_words, paired
from dashboard.jobs import Jobs
from data.errors import BadInput
from data.records import CacheRecord, ExplanationRecord, HookpointRecord, Score, Tally, Usage

HERE = HookpointRecord(1, 1, "layers.1.mlp", "sae", "topk", 100, 90, 5_000, 0.2, 4.0, "done")
OTHER = replace(HERE, hookpoint_id=2, name="layers/odd:in")
CACHE = CacheRecord(1, "made", "org/subject", 8, "x.txt", "done", "caches/made", 20_000, 19_000,
                    128, 150, 0, (HERE, OTHER))  # fmt: skip
START = datetime(2026, 1, 2, 3, 4, 5)
RUN = {
    "run_id": 4, "stage": "explain", "cache": "made", "hookpoint": "layers.1.mlp",
    "settings": json.dumps({"features": "0-9", "objective": "mdl", "examples": 40,
                            "sampling": "top", "max_rules": 8, "seed": 0}),
    "command": None, "total": 1_000, "done": 250, "failed": 2, "started_at": START,
    "heartbeat_at": START + timedelta(seconds=10),
}  # fmt: skip
DETECTION = Score(
    "detection", "balanced_accuracy", 0.85, 0.8, 0.9, 0.9, 0.8, 200, 3, "grammar", "gloss",
    {d: Tally(10, 9) for d in range(1, 11)}, {"random": Tally(100, 80)}, {},
)  # fmt: skip
EXPLANATION = ExplanationRecord(
    7, 1, 3, 1, "grammar", None, {"objective": "f1", "examples": None}, "Fires on <x>", "rule",
    "done", None, 0.0, 0.1, "2026-01-02T03:04:05", (DETECTION,),
)  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("17", "layers.1.mlp/17"),
        (" 017 ", "layers.1.mlp/17"),
        ("layers.1.mlp/17", "layers.1.mlp/17"),
        ("layers/odd:in/3", "layers/odd:in/3"),
        ("http://localhost:8501/feature?cache=made&feature=layers.1.mlp%2F17", "layers.1.mlp/17"),
        ("https://www.neuronpedia.org/gpt2-small/2-res-jb/17", "layers.1.mlp/17"),
        ("100", None),
        ("layers.9/1", None),
        ("-1", None),
        ("days of the week", None),
        ("and/or", None),
        ("http://[broken", None),
        ("", None),
        ("²", None),
    ],
)
def test_a_feature_is_named_by_number_address_or_link(typed, named):
    assert feature_named(typed, CACHE, HERE) == named


def test_settings_are_labels():
    assert commands.labels(RUN) == "features 0-9 · 40 examples, top · mdl"
    asked = {"explainer": "cot", "model": "llama", "examples": 40, "sampling": "mix"}
    run = RUN | {"settings": json.dumps(asked)}
    assert commands.labels(run) == "40 examples, mix · cot · llama"


def test_the_command_as_it_was_typed_goes_on_and_a_page_has_none():
    assert commands.resume(RUN) is None
    assert commands.resume(RUN | {"command": ["gloss", "demo"]}) == ["gloss", "demo"]


def test_one_thing_is_not_many():
    assert commands.counted(1, "features") == "1 feature"
    assert commands.counted(1_200, "tokens") == "1,200 tokens"


def test_a_command_names_the_store_only_where_it_must(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert commands.with_store(["gloss", "demo"], tmp_path / "store") == "gloss demo"
    elsewhere = commands.with_store(["gloss", "demo"], Path("/some where"))
    assert elsewhere == "gloss demo --store '/some where'"


def test_progress_is_said_with_rate_and_time_left():
    words = commands.progress_words(RUN, commands.rate_of(RUN, None, now=0.0))
    assert words == ["250 of 1,000 features", "25/s", "30 s left", "2 failed"]


def test_the_rate_of_a_resumed_run_is_what_was_seen_of_it():
    assert commands.rate_of(RUN, (100.0, 150), now=110.0) == 10


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, ""), (42, "42 s"), (200, "3 min"), (9_000, "2.5 h")]
)
def test_durations(seconds, words):
    assert commands.duration(seconds) == words


def test_precision_in_text_uses_the_base_rate():
    found = {"density": 0.004, "n_active": 76, "max_activation": 3.0, "mean_activation": 1.0,
             "n_contexts": 30}  # fmt: skip
    by_label = {f.label: f for f in facts.facts(found, CACHE, EXPLANATION, None, n_contexts=600)}
    # tpr .9, fpr .2, base .05: .045 / (.045 + .19)
    assert by_label["Precision in text"].value == "0.19"
    assert by_label["Activates on"].value == "0.4 %"
    assert by_label["Contexts judged"].unit == "+ 100 silent, 3 failed"


def test_no_false_alarm_gives_a_bound_not_certainty():
    clean = replace(DETECTION, non_activating={"random": Tally(100, 100)})
    found = {"density": 0.004, "n_active": 76, "max_activation": 3.0, "mean_activation": 1.0,
             "n_contexts": 30}  # fmt: skip
    shown = replace(EXPLANATION, scores=(clean,))
    fact = facts.facts(found, CACHE, shown, None, n_contexts=600)[5]
    assert fact.value == "≥ 0.61"  # .045 / (.045 + .03 * .95)


@pytest.mark.parametrize(("reason", "n"), [("dead", 0), ("rare", 3)])
def test_what_cannot_be_explained_is_said(reason, n):
    found = {"reason": reason, "n_active": n, "n_contexts": n}
    assert (facts.why_unexplained(found) or "").startswith(reason.capitalize())
    assert facts.why_unexplained({"reason": None, "n_active": 500, "n_contexts": 400}) is None
    imported = {"reason": None, "n_active": 500, "n_contexts": None}
    assert facts.why_unexplained(imported) is None


@pytest.mark.parametrize(("n", "word"), [(3, "Rare"), (20, "Scarce"), (100, "Reduced")])
def test_few_contexts_are_said(n, word):
    assert (facts.why_little({"n_contexts": n}) or "").startswith(word)


def test_enough_contexts_need_no_word():
    assert facts.why_little({"n_contexts": 200}) is None


def verdict(explanation, token, predicted, *, kind="activating"):
    return {
        "explanation_id": explanation, "scorer": "detection", "preset": "gloss", "judge": "grammar",
        "kind": kind, "context_kind": kind, "first_token": token, "marks": None,
        "predicted": predicted,
        "expected": kind == "activating",
    }  # fmt: skip


def test_two_explanations_are_compared_on_common_items_only():
    rows = [verdict(1, t, predicted=True) for t in range(20)]
    rows += [verdict(2, t, predicted=t < 4) for t in range(19)]
    rows += [verdict(e, t, predicted=False, kind="random") for e in (1, 2) for t in range(20)]
    rows += [verdict(2, 19, predicted=None)]
    found = paired(rows, "detection", 1, 2)
    assert (found.n, found.excluded, found.only_first, found.only_second) == (39, 1, 15, 0)
    assert found.difference == pytest.approx(15 / 19 / 2)
    first = replace(EXPLANATION, explanation_id=1)
    words = differences(rows, first, replace(EXPLANATION, explanation_id=2))
    assert words[0].startswith("Detection +0.39 [")
    assert "the left one is better · 1 without a verdict on both" in words[0]


def test_verdicts_of_two_judges_are_compared_apart_and_the_judge_is_named():
    rows = [verdict(e, t, predicted=True) for e in (1, 2) for t in range(20)]
    other = {"judge": "some-model", "preset": "quick"}
    rows += [verdict(e, t, predicted=e == 1) | other for e in (1, 2) for t in range(20)]
    rows += [verdict(1, t, predicted=True) | {"judge": "third"} for t in range(20)]
    first = replace(EXPLANATION, explanation_id=1)
    words = differences(rows, first, replace(EXPLANATION, explanation_id=2))
    assert [line.split(" [")[0] for line in words] == [
        "Detection +0.00", "Detection by some-model on quick contexts +0.50"]  # fmt: skip


def test_test_and_interval_are_not_made_to_agree():
    few = Comparison(200, 0, 8, 0, 0.008, 0.04, 0.01, 0.07)
    assert finding(few, "A", "B") == "too few differing contexts to tell (8; 15 are needed)"
    unsure = Comparison(200, 0, 30, 12, 0.008, 0.04, -0.01, 0.07)
    assert finding(unsure, "A", "B") == "by the test A is better, but the interval includes 0"
    clear = Comparison(200, 0, 3, 49, 1e-9, -0.11, -0.16, -0.07)
    words = in_words("detection", clear)
    assert "right only on the left: 3, only on the right: 49, of 200 (McNemar p < 0.001)" in words
    assert words.endswith("the right one is better")


def test_explanations_without_common_items_are_not_compared():
    words = differences([], EXPLANATION, replace(EXPLANATION, explanation_id=2))
    assert words == ["Not comparable: no scorer has judged both explanations."]


def test_a_card_escapes_its_text_and_says_what_failed():
    drawn = cards.card(EXPLANATION, ["detection", "fuzzing"], name="first", is_shown=True)
    assert "Fires on &lt;x&gt;" in drawn
    assert "[0.80, 0.90]" in drawn
    assert "3 failed" in drawn
    assert "not scored" in drawn
    assert "all train tokens · f1" in drawn


def test_nothing_on_a_card_is_turned_round_by_a_name_or_a_rule():
    turned = "\u202emodel"
    judged = (replace(DETECTION, judge=turned),)
    told = replace(EXPLANATION, model=turned, rule=turned, scores=judged)
    drawn = cards.card(told, ["detection"], name="", is_shown=True) + cards.sentence(turned, turned)
    assert (drawn.count("[202E]"), "\u202e" in drawn) == (6, False)


def test_a_skipped_explanation_says_why():
    skipped = replace(EXPLANATION, text=None, status="skipped", error="rare: too few", scores=())
    drawn = cards.card(skipped, ["detection"], name="first", is_shown=True)
    assert "No explanation: rare: too few" in drawn


@pytest.mark.parametrize(
    ("preset", "words"),
    [("gloss", ""), ("gloss+token", "harder: token"), ("delphi", "preset delphi")],
)
def test_an_unusual_preset_is_said(preset, words):
    assert cards.preset_words(preset) == words


def test_a_message_starts_with_a_capital_but_a_name_stays():
    assert cards.capital("there is none") == "There is none"
    assert cards.capital("/tmp/x is held") == "/tmp/x is held"


def test_a_score_with_many_failures_is_greyed():
    assert 'class="ci grey"' in cards.interval(replace(DETECTION, failed=40), "detection")
    assert "grey" not in cards.interval(DETECTION, "detection")


@pytest.mark.parametrize(
    ("n", "text"), [(950, "950"), (1_200, "1.2k"), (41_200, "41k"), (2_300_000, "2.3M")]
)
def test_counts_are_short(n, text):
    assert cards.compact(n) == text


def test_the_same_request_joins_the_running_job():
    jobs, gate = Jobs(), Event()
    first = jobs.start("key", "waiting", lambda _: gate.wait(10))
    assert jobs.start("key", "waiting", lambda _: None) is first
    assert jobs.running() == [first]
    gate.set()
    finish(first)
    assert first.result is True


def test_a_failure_becomes_the_job_s_sentence():
    def fail(_):
        raise BadInput("no such thing; name another")

    job = Jobs().start("key", "failing", fail)
    finish(job)
    assert (job.error, job.result) == ("no such thing; name another", None)


def test_all_jobs_are_told_to_stop():
    jobs = Jobs()
    job = jobs.start("key", "working", lambda stop: stop.wait(10))
    jobs.stop_all()
    finish(job)
    assert job.result is True


def finish(job):
    """Wait for a job's thread."""
    deadline = Event()
    for _ in range(1_000):
        if not job.is_running:
            return
        deadline.wait(0.01)
    raise AssertionError("the job did not finish")


def test_other_scores_are_one_line_with_interval_n_and_failures():
    simulation = Score("simulation", "pearson", 0.41, 0.3, 0.52, None, None, 40, 0, "grammar",
                       "gloss", {}, {}, {})  # fmt: skip
    intruder = Score("intruder", "accuracy", None, None, None, None, None, 0, 5, "llama", "quick",
                     {}, {}, {})  # fmt: skip
    nameless = Score("output-side", "accuracy", None, None, None, None, None, 0, 0, "named tokens",
                     "gloss", {}, {}, {"reason": "names-no-<token>"})  # fmt: skip
    shown = replace(EXPLANATION, scores=(DETECTION, simulation, intruder, nameless))
    assert cards.other_scores(shown, ["detection"]) == (
        "simulation r .41 [.30, .52], n 40 · "
        "intruder undefined, n 0, 5 failed, judge llama, preset quick · "
        "output-side undefined: names-no-<token>, n 0, judge named tokens"
    )
    assert "undefined: names-no-&lt;token&gt;" in cards.interval(nameless, "output-side")


def test_a_hand_written_explanation_says_so_and_names_no_settings():
    written = replace(EXPLANATION, explainer="human", settings={})
    assert cards.made_words(written) == ["by hand"]


def test_an_explanation_of_a_push_says_its_prompts_and_kl_and_no_grammar():
    settings = {"explain": 4, "select": 4, "score": 8, "context": 48, "kl": 0.33}
    pushed = replace(EXPLANATION, explainer="rising", model=None, settings=settings)
    assert cards.made_words(pushed) == ["rising", "4/4/8 prompts of 48 tokens", "KL 0.33"]
    assert explain_words({"model": "imported"}) == []
    bare = {"explainer": "output", "examples": None, "sampling": None}
    assert explain_words(bare) == ["output"]


def test_only_what_a_model_was_asked_for_has_a_cost():
    asked = replace(EXPLANATION, explainer="cot", model="llama", cost_usd=0.0021,
                    settings={"explainer": "cot", "examples": 40, "sampling": "top"},
                    usage=Usage(1, 900, 80, 0.0021))  # fmt: skip
    assert "$0.0021" in cards.provenance(asked)
    assert "$" not in cards.provenance(EXPLANATION)
    unknown = replace(asked, cost_usd=None)
    assert "cost unknown" in cards.provenance(unknown)


@pytest.mark.parametrize(
    ("value", "words"), [(0.41, ".41"), (-0.2, "−.20"), (1.0, "1.0"), (0.999, "1.0"), (0, ".00"),
                        (0.625, ".63"), (0.645, ".65")]  # as a browser rounds
)  # fmt: skip
def test_scores_are_short(value, words):
    assert cards.short(value) == words


def test_what_was_not_counted_is_not_nought():
    unknown = {"density": None, "n_active": None, "max_activation": 3.0, "mean_activation": None,
               "n_contexts": None}  # fmt: skip
    by_label = {f.label: f for f in facts.facts(unknown, CACHE, None, None, n_contexts=None)}
    assert by_label["Contexts"].value == "–"
    assert by_label["Precision in text"].value == "–"
    assert facts.why_silent(unknown, CACHE) is None
    assert facts.why_little(unknown) is None


def test_the_exact_check_is_said_in_tokens():
    counted = replace(DETECTION, detail={"corpus": {"tp": 60, "fn": 40, "fp": 20}})
    assert facts.exact_sentence(counted) == (
        "Of 100 tokens of the corpus on which the feature fires the rules claim 60 and miss 40; "
        "of 80 that they claim 20 are silent."
    )
    assert "not stored" in facts.exact_sentence(DETECTION)


def test_positions_are_a_sentence_with_the_share_at_the_most_frequent_one():
    words = facts.position_sentence([0, 30, 10], 50)
    assert words.startswith("75.0 % of its firings are at position 1")
    # f = .6 and .2, mean .4: ½(.6 ln 1.5 + .4 ln ⅔ + .2 ln ½ + .8 ln 4/3)
    assert "0.086 nats" in words

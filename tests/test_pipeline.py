"""Explaining and scoring as stages: resumable, the same whoever does it, never overwriting."""

import os
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import sleep

import pytest
from small import SMALL

from core.grammar.settings import Settings
from core.pipeline.again import answer, reexplain
from core.pipeline.ask import Ask
from core.pipeline.caching import cache_stage
from core.pipeline.explaining import ExplainRequest, explain_stage
from core.pipeline.explaining_grammar import GrammarWork
from core.pipeline.judging import ScoreRequest
from core.pipeline.scoring import score_stage
from core.pipeline.workbench import Workbench
from data import caches, results, runs
from data.catalogue import Catalogue
from data.errors import BadInput, NotFound

EXPLANATIONS = """
select hookpoint_id, feature, text, rule, status, error
from explanation order by hookpoint_id, feature, explanation_id
"""
SCORES = """
select e.feature, m.name, m.preset, s.value, s.low, s.high, s.tpr, s.tnr, s.n_judged, s.n_failed,
       s.detail
from score s join explanation e using (explanation_id) join scorer m using (scorer_id)
order by e.feature, e.explanation_id, m.name, m.preset
"""
VERDICTS = """
select e.feature, m.name, i.kind, i.decile, i.marks, x.first_token, v.expected, v.predicted,
       v.probability
from verdict v join explanation e using (explanation_id) join scorer m using (scorer_id)
join item i using (item_id)
join example x on x.hookpoint_id = i.hookpoint_id and x.feature = i.feature and x.slot = i.slot
order by e.feature, m.name, v.item_id
"""


def content(store: Path) -> list[list[dict]]:
    """Everything the stages wrote, without ids and times."""
    with Catalogue(store).reading() as con:
        return [con.rows(sql) for sql in (EXPLANATIONS, SCORES, VERDICTS)]


def explain_and_score(store: Path, features: str = "0-11", workers: int = 1) -> None:
    catalogue = Catalogue(store)
    list(explain_stage(catalogue, ExplainRequest("small", (), features, Settings(),
                                                 workers=workers)))  # fmt: skip
    list(score_stage(catalogue, ScoreRequest("small", (), features, workers=workers)))


def test_a_stage_run_twice_adds_nothing(fresh_store):
    explain_and_score(fresh_store)
    before = content(fresh_store)
    explain_and_score(fresh_store)
    assert content(fresh_store) == before
    assert len(runs.runs(Catalogue(fresh_store))) == 3  # cache, explain, score: none was added


def test_two_workers_write_what_one_writes(fresh_store, scored_store):
    explain_and_score(fresh_store, "0-39", workers=2)
    assert content(fresh_store) == content(scored_store)


def test_a_wider_selection_only_adds(fresh_store, scored_store):
    explain_and_score(fresh_store, "20-39")
    explain_and_score(fresh_store, "0-39")
    assert content(fresh_store) == content(scored_store)


def test_every_scored_feature_has_full_tables(scored_store):
    with Catalogue(scored_store).reading() as con:
        found = results.explanations(con, 1, 0, 39)
        full = {r["feature"] for r in con.rows("select feature from feature where reason is null")}
    scored = [e for es in found.values() for e in es if e.feature in full and e.rule]
    assert len(scored) >= 5
    for explanation in scored:
        detection, fuzzing = (
            next(s for s in explanation.scores if s.scorer == name)
            for name in ("detection", "fuzzing")
        )
        assert set(detection.by_decile) == set(range(1, 11))
        assert 180 <= detection.n <= 200  # a decile with fewer than ten test contexts has fewer
        assert detection.failed == 0
        assert detection.low <= detection.value <= detection.high
        assert fuzzing.non_activating["random"].n == 50
        assert fuzzing.non_activating["wrong-mark"].n > 0


def test_a_feature_with_too_few_contexts_says_why_it_has_no_score(scored_store):
    with Catalogue(scored_store).reading() as con:
        scarce = con.rows(
            "select f.feature, count(s.scorer_id) as n from feature f "
            "join explanation e using (hookpoint_id, feature) "
            "left join (select s.* from score s join scorer m using (scorer_id) "
            "where m.name <> 'exact') s using (explanation_id) "
            "where f.reason in ('dead', 'rare', 'scarce') group by all"
        )
    assert scarce
    assert all(row["n"] == 0 for row in scarce)


def test_explanations_are_compared_on_the_same_items(fresh_store):
    catalogue = Catalogue(fresh_store)
    record = caches.cache(catalogue, "small")
    feature = first_full(catalogue)
    bench, hookpoint = Workbench.open(catalogue, record), record.hookpoints[0]
    first = reexplain(catalogue, bench, hookpoint, feature, Ask(Settings(), means=None))
    list(score_stage(catalogue, ScoreRequest("small", (), str(feature), workers=1)))
    second = reexplain(catalogue, bench, hookpoint, feature, Ask(Settings(families="token")))
    with catalogue.reading() as con:
        items = [
            con.rows("select item_id, expected from verdict where explanation_id = ?", [e])
            for e in (first, second)
        ]
    assert items[0] == items[1]
    assert len(items[0]) == 400


def first_full(catalogue: Catalogue) -> int:
    with catalogue.reading() as con:
        return con.value("select min(feature) from feature where reason is null")


def test_the_same_question_is_answered_once(fresh_store):
    catalogue = Catalogue(fresh_store)
    record = caches.cache(catalogue, "small")
    bench, hookpoint = Workbench.open(catalogue, record), record.hookpoints[0]
    feature = first_full(catalogue)
    ask = Ask(Settings(examples=20, sampling="top"))
    assert answer(catalogue, hookpoint, feature, ask) is None
    first = reexplain(catalogue, bench, hookpoint, feature, ask)
    assert reexplain(catalogue, bench, hookpoint, feature, ask) == first
    assert answer(catalogue, hookpoint, feature, ask).explanation_id == first


def test_harder_kinds_are_reported_apart(fresh_store):
    explain_and_score(fresh_store, "0-5")
    request = ScoreRequest("small", (), "0-5", kinds=("token", "neighbour"), workers=1)
    list(score_stage(Catalogue(fresh_store), request))
    with Catalogue(fresh_store).reading() as con:
        found = results.explanations(con, 1, 0, 5)
    plain, hard = (
        {e.feature: s for es in found.values() for e in es for s in e.scores
         if s.scorer == "detection" and s.preset == preset}
        for preset in ("gloss", "gloss+neighbour+token")
    )  # fmt: skip
    assert plain
    assert {f: s.value for f, s in plain.items()} == {f: s.value for f, s in hard.items()}
    assert any("token" in s.non_activating for s in hard.values())
    assert any("neighbour" in s.non_activating for s in hard.values())


def test_what_is_shown_is_drawn_at_the_length_that_the_contexts_have(scored_store):
    catalogue = Catalogue(scored_store)
    record = caches.cache(catalogue, "small")
    bench = Workbench.open(catalogue, record, 16)
    drawn = bench.draw(record.hookpoints[0], first_full(catalogue))
    assert set(drawn.first_token % bench.contexts.sequence_length % 16) == {0}
    assert len(drawn.first_token) > 20


@pytest.mark.parametrize("features", ["abc", "5-", "9-3", "0-99999", ""])
def test_features_that_are_not_understood_are_named(fresh_store, features):
    request = ExplainRequest("small", (), features, Settings(), workers=1)
    with pytest.raises(BadInput, match="--features"):
        list(explain_stage(Catalogue(fresh_store), request))


def test_another_preset_stands_beside_the_first(fresh_store):
    catalogue = Catalogue(fresh_store)
    feature = str(first_full(catalogue))
    explain_and_score(fresh_store, feature)
    for _ in range(2):  # the second time there is nothing to do
        list(score_stage(catalogue, ScoreRequest("small", (), feature, preset="blog", workers=1)))
    assert [run["stage"] for run in runs.runs(catalogue)] == ["cache", "explain", "score", "score"]
    with catalogue.reading() as con:
        (found,) = results.explanations(con, 1, int(feature))[int(feature)]
        verdicts = results.verdicts(con, 1, found.feature)
    assert {s.preset for s in found.scores if s.scorer == "detection"} == {"gloss", "blog"}
    assert results.headline(found.scores)["detection"].preset == "gloss"
    assert {row["length"] for row in verdicts} == {20, 32}
    shown = results.headline_verdicts(verdicts, [found], 32)
    assert {(row["preset"], row["length"]) for row in shown} == {("gloss", 32)}


def test_rare_features_are_listed_and_not_explained(scored_store):
    with Catalogue(scored_store).reading() as con:
        rare = con.rows(
            "select e.text, e.status, e.error from explanation e "
            "join feature f using (hookpoint_id, feature) where f.reason = 'rare'"
        )
    assert all(row["text"] is None and row["status"] == "skipped" for row in rare)
    assert all("fewer than 10" in row["error"] for row in rare)


def test_a_scarce_feature_is_learnt_from_train_contexts_only(fresh_store):
    catalogue = Catalogue(fresh_store)
    record = caches.cache(catalogue, "small")
    bench, hookpoint = Workbench.open(catalogue, record), record.hookpoints[0]
    with catalogue.reading() as con:
        rows = con.rows("select feature from feature where reason = 'scarce' order by 1 limit 5")
    scarce = [row["feature"] for row in rows]
    assert scarce
    work = GrammarWork(record, bench.files.folder, hookpoint, Settings(examples=40), 0)
    for feature in scarce:
        chosen = work.contexts(bench, feature)
        assert chosen is not None
        assert bench.contexts.train[chosen // record.sequence_length].all()


def test_a_corpus_too_small_to_split_is_not_explained(tmp_path):
    catalogue = Catalogue(tmp_path)
    list(cache_stage(catalogue, replace(SMALL, n_tokens=1_000)))
    with pytest.raises(BadInput, match="at least 12"):
        list(explain_stage(catalogue, ExplainRequest("small", (), "all", Settings())))


@pytest.mark.parametrize("request_", [
    ScoreRequest("small"), ScoreRequest("small", run_id=99), ScoreRequest("small", run_id=1),
])  # fmt: skip
def test_scoring_nothing_says_so(fresh_store, request_):
    with pytest.raises(NotFound):
        list(score_stage(Catalogue(fresh_store), request_))


def gloss(store: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "core.cli", *words, "--store", str(store)]


def killed_until_done(command: list[str], rng: random.Random, kills: int) -> None:
    """Run a command, killing it at random moments, until it ends by itself."""
    for _ in range(kills):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            process.wait(rng.uniform(1.5, 4.0))  # before that it imports
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_killed_stages_end_as_if_nothing_had_happened(fresh_store, scored_store):
    rng = random.Random(3)
    where = ["small", "--features", "0-39", "--workers", "1"]
    killed_until_done(gloss(fresh_store, "explain", *where), rng, kills=2)
    killed_until_done(gloss(fresh_store, "score", *where), rng, kills=2)
    assert content(fresh_store) == content(scored_store)


def test_ctrl_c_is_one_line_and_the_run_goes_on_later(fresh_store, scored_store):
    command = gloss(fresh_store, "explain", "small", "--features", "0-39", "--workers", "2")
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    is_begun = False
    while not is_begun:
        sleep(0.05)
        with Catalogue(fresh_store).writing() as con:  # while this is held, nothing gets done
            if is_begun := con.value("select count(*) > 0 from run where stage = 'explain'"):
                # As a terminal does: to the parent and its workers.
                os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("gloss: stopped")
    assert runs.runs(Catalogue(fresh_store))[-1]["status"] == "interrupted"
    list(explain_stage(Catalogue(fresh_store),
                       ExplainRequest("small", (), "0-39", Settings(), workers=1)))  # fmt: skip
    explanations, scores, _ = content(scored_store)
    exact = [score for score in scores if score["name"] == "exact"]
    assert content(fresh_store) == [explanations, exact, []]


def test_a_damaged_catalogue_folder_is_one_line(tmp_path):
    shutil.copytree(Path(__file__).parent, tmp_path / "caches")
    done = subprocess.run(gloss(tmp_path, "show", "small"), capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "there is no store" in done.stderr

"""The command line: its contract for scripts, and one line for every mistake."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import gloss

from core import cli
from core.commands.options import number
from data.catalogue import Catalogue

E = {"id", "run", "explainer", "model", "settings", "text", "rule", "status", "cost_usd", "scores"}
S = {"interval", "n", "failed", "judge", "by_decile", "non_activating"}
LIGHT = ("torch", "transformers", "nnsight")


def objects(store: Path, *words: str) -> list[dict]:
    done = gloss("show", "small", *words, "--json", "--store", str(store))
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_show_prints_one_object_a_feature(scored_store):
    found = objects(scored_store)
    assert [one["feature"] for one in found] == list(range(2048))
    assert {one["hookpoint"] for one in found} == {"gpt_neox.layers.2"}
    assert all(one["frequency"] == pytest.approx(one["n_active"] / 39_650, rel=0.01)
               for one in found if one["n_active"])  # fmt: skip


def test_scores_are_as_the_contract_says(scored_store):
    explained = [e for one in objects(scored_store)[:40] for e in one["explanations"]]
    scored = [e for e in explained if "detection" in e["scores"]]
    assert len(scored) >= 15
    for explanation in scored:
        assert set(explanation) >= E
        assert set(explanation["exact"]) == {"test", "corpus"}
        for name in ("detection", "fuzzing"):
            score = explanation["scores"][name]
            assert set(score) >= S | {"balanced_accuracy", "tpr", "tnr"}
            assert [d["decile"] for d in score["by_decile"]] == list(range(1, 11))
            activating = sum(d["n"] for d in score["by_decile"])
            silent = sum(kind["n"] for kind in score["non_activating"].values())
            assert activating + silent == score["n"]
            right = sum(d["correct"] for d in score["by_decile"])
            assert score["tpr"] == pytest.approx(right / activating)
        assert set(explanation["scores"]["exact"]) >= S | {"metric", "value"}


def test_a_feature_is_shown_with_its_contexts_and_verdicts(scored_store):
    feature = next(
        one["feature"] for one in objects(scored_store) if one["explanations"]
        and "detection" in one["explanations"][0]["scores"]
    )  # fmt: skip
    (found,) = objects(scored_store, f"layers.2/{feature}")
    explanation = found["explanations"][0]
    examples = found["examples"]
    assert {e["split"] for e in examples} == {"train", "test"}
    assert all(len(e["tokens"]) == len(e["activations"]) == 32 for e in examples)
    judged = [e for e in examples if e["verdicts"]]
    assert all(e["split"] == "test" for e in judged)
    right = sum(
        e["verdicts"][str(explanation["id"])].get("detection") is True
        for e in judged if e["kind"] == "activating"
    )  # fmt: skip
    assert right == sum(d["correct"] for d in explanation["scores"]["detection"]["by_decile"])


def test_train_and_test_contexts_share_no_sequence(scored_store):
    (found,) = objects(scored_store, "0")
    train, test = (
        {e["sequence"] for e in found["examples"] if e["split"] == split}
        for split in ("train", "test")
    )
    assert train
    assert test
    assert not train & test


def test_status_says_what_is_there(scored_store):
    done = gloss("status", "--json", "--store", str(scored_store))
    found = json.loads(done.stdout)
    (cache,) = found["caches"]
    assert set(cache) >= {"name", "subject", "hookpoints", "tokens", "features", "state", "bytes"}
    assert (cache["name"], cache["state"], cache["features"]) == ("small", "done", 2048)
    assert [run["kind"] for run in found["runs"]] == ["cache", "explain", "score"]
    assert all(run["state"] == "done" and run["failed"] == 0 for run in found["runs"])
    assert all(set(run) >= {"id", "cache", "settings", "features", "done", "cost_usd"}
               for run in found["runs"])  # fmt: skip


@pytest.mark.parametrize("words", [("show", "small"), ("show", "small", "5"), ("status",)])
def test_people_get_lines_to_read(scored_store, words):
    done = gloss(*words, "--store", str(scored_store))
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) >= 3


MISTAKES = {
    "an unknown cache": (("show", "nothing"), "no cache named 'nothing'"),
    "an unknown feature": (("show", "small", "2048"), "no feature '2048'"),
    "an unknown hookpoint": (("explain", "small", "--hookpoint", "layers.9"), "no hookpoint"),
    "an odd selection": (("explain", "small", "--features", "odd"), "--features odd"),
    "an unknown scorer": (("score", "small", "--scorers", "odd"), "--scorers odd"),
    "an unknown kind": (("score", "small", "--kinds", "random"), "--kinds random"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_one(scored_store, mistake):
    words, said = MISTAKES[mistake]
    done = gloss(*words, "--store", str(scored_store))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


def test_what_breaks_a_line_or_colours_it_is_spelt_out_in_errors(scored_store):
    done = gloss("show", "a\nb\x1b[31mc\u202e", "--store", str(scored_store))
    assert done.returncode == 1
    assert done.stderr.startswith(r"gloss: no cache named 'a\nb\x1b[31mc\u202e' in ")
    assert done.stderr.count("\n") == 1


def test_a_signal_in_the_midst_of_a_query_is_one_line_and_code_130(tmp_path, monkeypatch):
    """As DuckDB has it: what the handler raises is lost, the query fails."""

    def query(*_: object) -> None:
        raise RuntimeError("Query interrupted")

    Catalogue(tmp_path)
    monkeypatch.setattr("data.catalogue.connection.Connection.rows", query)
    done = gloss("status", "--store", str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (130, 1)
    assert done.stderr.startswith("gloss: stopped; what was finished is kept")


def test_a_seed_too_large_for_the_catalogue_is_one_line():
    done = gloss("explain", "small", "--seed", str(2**64))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is too large" in done.stderr


def test_a_store_that_is_not_there_is_not_made_by_looking(tmp_path):
    done = gloss("status", "--store", str(tmp_path / "none"))
    assert done.returncode == 1
    assert "there is no store" in done.stderr
    assert not (tmp_path / "none").exists()


def test_wrong_usage_is_exit_code_two():
    assert gloss("explain").returncode == 2
    assert gloss("nonsense").returncode == 2


def test_counts_are_read_as_people_write_them():
    assert [number(text) for text in ("200000", "200k", "1.5M", "200_000")] == [
        200_000, 200_000, 1_500_000, 200_000,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "module",
    ["data.catalogue", "data.queries", "core.cli", "core.examples", "core.grammar", "core.score",
     "core.pipeline.scoring", "core.pipeline.caching", "core.demonstration", "core.show"],
)  # fmt: skip
def test_a_light_import_stays_light(module):
    code = f"import sys, {module}; print([m for m in {LIGHT} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def commands() -> list[tuple[str, ...]]:
    """Every command as it is typed, those of a group behind its name."""
    alone = [("", cli.app)]
    groups = [(group.name, group.typer_instance) for group in cli.app.registered_groups]
    return [
        (*filter(None, (name,)), command.name or command.callback.__name__)
        for name, app in [*alone, *groups]
        for command in app.registered_commands if command.callback is not None
    ]  # fmt: skip


def test_every_command_is_in_the_readme():
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    for first, *_ in commands():
        assert f"`gloss {first}" in readme


def test_every_flag_in_the_readme_exists():
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    known = "".join(gloss(*words, "--help").stdout for words in commands())
    flags = set(re.findall(r"--[a-z][a-z-]+", readme))
    assert flags
    assert not {flag for flag in flags if flag not in known}

"""Runs of delphi become caches: counts, deciles, scores, what is refused and what is reported."""

import json
import os

import numpy as np
import pytest
from delphi_runs import CONFIG, HOOK, put, row, rows_of, write_text_run
from imported_runs import bring, codes, feature_of, rows_in, shown
from typer.testing import CliRunner

from core.cli import app
from core.commands.printing import say
from core.grammar.settings import Settings
from core.importing.deciles import Scale
from core.importing.delphi import ImportRequest, import_delphi
from core.pipeline.explaining import ExplainRequest, explain_stage
from data import caches
from data.catalogue import Catalogue
from data.errors import BadInput, GlossError
from data.imports.report import imports


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Catalogue:
    """A store with one run without activations; only to be read."""
    folder = tmp_path_factory.mktemp("plain")
    return bring(folder / "store", write_text_run(folder / "run"))


def test_every_explanation_context_and_verdict_arrives(plain):
    catalogue = plain
    assert rows_in(catalogue, "explanation", "example", "verdict", "score", "feature") == {
        "explanation": 2, "example": 8, "verdict": 16, "score": 4, "feature": 2
    }  # fmt: skip
    record = caches.cache(catalogue, "run")
    assert (record.origin, record.has_activations, record.n_tokens) == ("delphi", False, 0)


def test_a_feature_shows_its_contexts_as_written(plain):
    found = feature_of(plain, "run", f"{HOOK}/2")
    first = found["examples"][0]
    assert first["tokens"] == [" sat", " cat", " x", "y"]
    assert first["activations"] == [2.5, 0, 0, 1.0]
    assert [one["decile"] for one in found["examples"]] == [10, 1, None, None]
    assert found["n_active"] is None
    assert found["frequency"] is None
    (explanation,) = found["explanations"]
    assert explanation["model"] == "scribe"
    assert explanation["cost_usd"] is None
    said = [example["verdicts"][str(explanation["id"])] for example in found["examples"]]
    verdicts = [one["detection"] for one in said]
    assert verdicts == [True, False, True, None]


def test_scores_are_recomputed_and_failures_counted(plain):
    score = shown(plain, "run")[0]["explanations"][0]["scores"]["detection"]
    assert (score["tpr"], score["tnr"], score["balanced_accuracy"]) == (0.5, 1.0, 0.75)
    assert (score["n"], score["failed"], score["judge"]) == (3, 1, "scribe")
    assert score["preset"] == "delphi (imported)"
    assert "train_test_overlap" in score["flags"]
    assert score["by_decile"][9] == {"decile": 10, "n": 1, "correct": 1, "failed": 0}
    assert codes(plain, "run")["failed_verdicts"] == 4


def test_importing_again_changes_nothing(tmp_path):
    catalogue = bring(tmp_path / "store", write_text_run(tmp_path / "run"))
    before = rows_in(
        catalogue, "run", "cache", "explanation", "verdict", "example", "import_report"
    )
    os.rename(tmp_path / "run", tmp_path / "moved")
    *_, last = import_delphi(tmp_path / "store", ImportRequest(tmp_path / "moved", "other"))
    assert "imported before, as cache 'run'" in last.note
    assert before == rows_in(catalogue, *before)


def test_the_command_prints_its_summary_for_scripts(tmp_path):
    run = write_text_run(tmp_path / "run", features=(1,))
    words = ["import", "delphi", str(run), "--store", str(tmp_path / "s"), "--name", "x", "--json"]
    found = json.loads(CliRunner().invoke(app, words).stdout)
    assert (found["cache"], found["is_new"], found["explanations"]) == ("x", True, 1)
    assert {one["code"]: one["n"] for one in found["report"]}["failed_verdicts"] == 2
    again = json.loads(CliRunner().invoke(app, words).stdout)
    assert again["is_new"] is False


def test_a_name_that_is_taken_is_refused(tmp_path):
    bring(tmp_path / "store", write_text_run(tmp_path / "run"))
    write_text_run(tmp_path / "other", features=(1,))
    with pytest.raises(BadInput, match="another --name"):
        bring(tmp_path / "store", tmp_path / "other", name="run")


@pytest.mark.parametrize(
    ("distances", "expected"),
    [(Scale(0, 10), [10, 9, 1, 0]), (Scale(1, 10), [0, 10, 2, 1]), (Scale(0, 5), [10, 8, 0, 0])],
)
def test_distances_become_deciles(distances, expected):
    assert distances.deciles(np.array([0, 1, 9, 10])).tolist() == expected


def test_distances_that_count_from_one_are_found_out(tmp_path):
    run = write_text_run(tmp_path / "run", features=(0,), config={"name": "page"})
    rows = [row([f" w{d}"], [1.0], distance=d, prediction=True) for d in range(1, 11)]
    put(run / "scores" / "detection" / f"{HOOK}_latent0.txt", rows)
    put(run / "scores" / "fuzz" / f"{HOOK}_latent0.txt", rows)
    catalogue = bring(tmp_path / "store", run)
    examples = feature_of(catalogue, "run", f"{HOOK}/0")["examples"]
    assert [one["decile"] for one in examples] == list(range(10, 0, -1))
    assert {"distance_from_1", "slices_inferred"} <= set(codes(catalogue, "run"))


def test_the_explainers_contexts_are_train_and_in_the_same_unit(tmp_path):
    run = write_text_run(tmp_path / "run", features=(0,))
    rows = [row([" the"], [0.9], distance=0, prediction=True)]
    for scorer in ("detection", "fuzz"):
        put(run / "scores" / scorer / f"{HOOK}_latent0.txt", rows)
    put(
        run / "train" / f"{HOOK}_latent0.json",
        [{"str_tokens": [" the", "!"], "activations": [8, 0]}],
    )
    catalogue = bring(tmp_path / "store", run)
    examples = feature_of(catalogue, "run", f"{HOOK}/0")["examples"]
    by_split = {e["split"]: e["activations"] for e in examples}
    assert by_split["train"] == [pytest.approx(0.8, abs=1e-3), 0]
    assert by_split["test"] == [pytest.approx(0.9, abs=1e-3)]
    assert codes(catalogue, "run")["train_scaled"] == 1
    with catalogue.reading() as con:
        assert len(con.value("select example_tokens from explanation")) == 1


def test_marks_and_wrong_marks_are_kept(tmp_path):
    run = write_text_run(tmp_path / "run", features=(0,))
    put(run / "scores" / "fuzz" / f"{HOOK}_latent0.txt", [
        row([" the", " a"], [1.0, 0], distance=0, prediction=True),
        row([" b", " c"], [0, 0], distance=-1, prediction=True, marked=[1]),
    ])  # fmt: skip
    catalogue = bring(tmp_path / "store", run)
    with catalogue.reading() as con:
        found = con.rows("select kind, marks from item where scorer = 'fuzzing' order by item_id")
    assert found == [{"kind": "activating", "marks": [0]}, {"kind": "wrong-mark", "marks": [1]}]


def test_neighbours_activations_are_not_the_features_own(tmp_path):
    run = write_text_run(tmp_path / "run", features=(0,), scorers=("detection",))
    near = row([" x", " y"], [3.0, 0], distance=-0.7, prediction=False, activating=False)
    put(run / "scores" / "detection" / f"{HOOK}_latent0.txt", [*rows_of(0), near])
    put(
        run / "neighbours" / f"{HOOK}-decoder_similarity.json", {"0": [[0.7, 2], [float("nan"), 1]]}
    )
    catalogue = bring(tmp_path / "store", run)
    example = feature_of(catalogue, "run", f"{HOOK}/0")["examples"][-1]
    assert (example["kind"], example["activations"]) == ("neighbour", [0, 0])


def test_a_failed_explanation_keeps_its_verdicts_but_has_no_text(tmp_path):
    run = write_text_run(tmp_path / "run", features=(0,))
    put(run / "explanations" / f"{HOOK}_latent0.txt", "Explanation could not be parsed.")
    (found,) = shown(bring(tmp_path / "store", run), "run")[0]["explanations"]
    assert (found["text"], found["status"]) == (None, "failed")
    assert "of_failed_explanation" in found["scores"]["detection"]["flags"]


def test_joined_tokens_void_fuzzing(tmp_path):
    run = write_text_run(tmp_path / "run", features=(0,))
    joined = [row(["the cat sat"], [1.0, 0, 0], distance=0, prediction=True),
              row(["a dog ran"], [0, 0, 0], distance=-1, prediction=False)]  # fmt: skip
    for scorer in ("detection", "fuzz"):
        put(run / "scores" / scorer / f"{HOOK}_latent0.txt", joined)
    catalogue = bring(tmp_path / "store", run)
    scores = shown(catalogue, "run")[0]["explanations"][0]["scores"]
    assert scores["detection"]["balanced_accuracy"] == 1.0
    assert scores["fuzzing"]["balanced_accuracy"] is None
    assert codes(catalogue, "run")["str_tokens_joined"] == 4


def test_older_runs_call_minus_one_failed_and_one_strongest(tmp_path):
    rows = [
        {"text": "a b", "distance": 1, "ground_truth": True, "prediction": 1, "highlighted": False},
        {"text": "c d", "distance": -1, "ground_truth": False, "prediction": -1},
    ]
    name = f".{HOOK}_feature4.txt"
    put(tmp_path / "run/results/scores/sae/first/detection" / name, rows)
    put(tmp_path / "run/results/explanations/sae/first" / name, "Letters")
    found = feature_of(bring(tmp_path / "store", tmp_path / "run"), "run", f"{HOOK}/4")
    assert [one["decile"] for one in found["examples"]] == [10, None]
    score = found["explanations"][0]["scores"]["detection"]
    assert (score["tpr"], score["n"], score["failed"]) == (1.0, 1, 1)


def test_the_oldest_runs_mix_both_scorers_in_a_list(tmp_path):
    base = {"ground_truth": True, "predicted": True, "text": "a", "quantile": 0}
    rows = [base | {"highlighted": False, "id": 1}, base | {"highlighted": True, "id": 1}]
    put(tmp_path / "run/scores" / "layers.0_feature0.txt", rows)
    found = feature_of(bring(tmp_path / "store", tmp_path / "run"), "run", "layers.0/0")
    (explanation,) = found["explanations"]
    assert explanation["status"] == "skipped"
    assert set(explanation["scores"]) == {
        "detection",
        "fuzzing",
    }


def test_simulations_become_a_correlation(tmp_path):
    run = write_text_run(tmp_path / "run", features=(0,))
    inner = {"tokens": ["a", "b"], "expected_activations": [0, 8]}
    one = {"distance": 0, "simulation": inner, "true_activations": [1, 9]}
    groups = [{"distance": 0, "scored_sequence_simulations": [one], "ev_correlation_score": "nan"}]
    put(run / "scores" / "simulation" / f"{HOOK}_latent0.txt", groups)
    score = shown(bring(tmp_path / "store", run), "run")[0]["explanations"][0]["scores"][
        "simulation"
    ]
    assert score["metric"] == "pearson"
    assert score["value"] == pytest.approx(1)


def test_older_simulations_have_what_was_expected_beside(tmp_path):
    one = {"tokens": ["a", "b", "c"], "true_activations": [0, 5, 9],
           "predicted_activations": [1, 5, 8]}  # fmt: skip
    groups = [{"distance": 1, "scored_sequence_simulations": [one]}]
    put(tmp_path / "run/results/scores/sae/first" / f".{HOOK}_feature4.txt", groups)
    (found,) = shown(bring(tmp_path / "store", tmp_path / "run"), "run")[0]["explanations"]
    assert found["scores"]["simulation"]["value"] == pytest.approx(285 / (222 * 366) ** 0.5)


def test_further_scorers_become_figures(tmp_path):
    run = write_text_run(tmp_path / "run", features=(0,), scorers=())
    name = f"{HOOK}_latent0.txt"
    found = [(1, 0.9), (2, 0.4), (-1, 0.5), (-1, 0.1), (0, 0.3)]
    put(run / "scores" / "embedding" / name,
        [{"text": "a", "distance": d, "similarity": s} for d, s in found])  # fmt: skip
    put(run / "scores" / "intruder" / name,
        [{"prediction": 2, "correct": True}, {"prediction": 0, "correct": False}])  # fmt: skip
    put(run / "scores" / "surprisal" / name,
        [{"text": "a", "distance": d, "no_explanation": [2.0, 1.0], "explanation": [e, 1.0]}
         for d, e in ((1, 0.5), (-1, 2.5))])  # fmt: skip
    put(run / "scores" / "example_embedding" / name, [{"batch": 1}])
    catalogue = bring(tmp_path / "store", run)
    scores = shown(catalogue, "run")[0]["explanations"][0]["scores"]
    assert (scores["embedding"]["metric"], scores["embedding"]["value"]) == ("auroc", 0.75)
    assert (scores["intruder"]["value"], scores["intruder"]["n"]) == (0.5, 2)
    assert scores["surprisal"]["value"] == 1.0
    assert codes(catalogue, "run")["class_ambiguous"] == 2
    assert codes(catalogue, "run")["scorer_not_imported"] == 1


def test_what_fails_while_writing_is_taken_back(tmp_path, monkeypatch):
    catalogue = bring(tmp_path / "store", write_text_run(tmp_path / "first"))
    before = rows_in(catalogue, "cache", "hookpoint", "run", "example", "explanation", "verdict")
    steps = import_delphi(
        tmp_path / "store", ImportRequest(write_text_run(tmp_path / "b", features=(1,)))
    )
    for step in steps:
        if step.stage.startswith("writing"):
            steps.close()
    assert before == rows_in(catalogue, *before)
    assert not (tmp_path / "store" / "caches" / "b").exists()


def test_halves_of_characters_are_mended_and_controls_are_shown(tmp_path, capsys):
    run = write_text_run(tmp_path / "run", features=(0,), scorers=("detection",))
    rows = [row(["a\ud800", " b"], [1.0, 0], distance=0, prediction=True)]
    put(run / "scores" / "detection" / f"{HOOK}_latent0.txt", rows)
    put(run / "explanations" / f"{HOOK}_latent0.txt", "red \x1b[31m \x00 \u202edne")
    catalogue = bring(tmp_path / "store", run)
    assert codes(catalogue, "run")["text_damaged"] == 1
    words = ["show", "run", f"{HOOK}/0", "--store", str(tmp_path / "store")]
    assert "red [001B][31m [0000] [202E]dne" in CliRunner().invoke(app, words).stdout
    found = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert found["examples"][0]["tokens"] == ["a\ufffd", " b"]
    say('{"raw": "\ud800"}', as_json=True)
    assert json.loads(capsys.readouterr().out) == {"raw": "\ud800"}


def test_a_pipe_in_a_run_is_refused(tmp_path):
    run = write_text_run(tmp_path / "run")
    os.mkfifo(run / "explanations" / f"{HOOK}_latent7.txt")
    with pytest.raises(BadInput, match="no regular file"):
        bring(tmp_path / "store", run)


def test_rows_that_lack_something_are_counted(tmp_path):
    run = write_text_run(tmp_path / "run", features=(0,), scorers=("detection",))
    whole = [row([f" w{d}"], [1.0], distance=d % 10, prediction=True) for d in range(40)]
    odd = row([" odd"], [1.0], distance=99, prediction=True)
    bare = {"str_tokens": [" bare"], "activating": True}
    put(run / "scores" / "detection" / f"{HOOK}_latent0.txt", [*whole, odd, bare])
    put(run / "scores" / "fuzz" / f"{HOOK}_latent0.txt", [])
    catalogue = bring(tmp_path / "store", run)
    found = codes(catalogue, "run")
    assert (found["distance_outside"], found["distance_missing"]) == (1, 1)
    assert (found["rows_incomplete"], found["scores_empty"]) == (1, 1)
    examples = feature_of(catalogue, "run", f"{HOOK}/0")["examples"]
    deciles = {"".join(one["tokens"]): one["decile"] for one in examples}
    assert (deciles[" w9"], deciles[" odd"], deciles[" bare"]) == (1, None, None)


@pytest.mark.parametrize("n_quantiles", [5, 20])
def test_no_decile_is_made_where_settings_and_distances_disagree(tmp_path, n_quantiles):
    config = CONFIG | {"sampler_cfg": {"n_quantiles": n_quantiles}}
    run = write_text_run(tmp_path / "run", features=(0,), scorers=("detection",), config=config)
    rows = [row([f" w{d}"], [1.0], distance=d % 10, prediction=True) for d in range(40)]
    put(run / "scores" / "detection" / f"{HOOK}_latent0.txt", rows)
    catalogue = bring(tmp_path / "store", run)
    assert codes(catalogue, "run")["slices_disagree"] == 40
    examples = feature_of(catalogue, "run", f"{HOOK}/0")["examples"]
    assert {one["decile"] for one in examples} == {None}


def test_a_folder_of_runs_and_a_row_without_its_class_are_said_so(tmp_path):
    for name in ("one", "two"):
        write_text_run(tmp_path / "both" / name)
    with pytest.raises(BadInput, match=r"holds 2 runs \(one, two\): give one of them"):
        bring(tmp_path / "store", tmp_path / "both")
    path = tmp_path / "both" / "one" / "scores" / "detection" / f"{HOOK}_latent0.txt"
    put(path, [{"str_tokens": ["a"], "prediction": True}])
    with pytest.raises(BadInput, match="no 'activating'"):
        bring(tmp_path / "store", tmp_path / "both" / "one")


def test_imports_are_listed_with_what_they_came_from(plain):
    with plain.reading() as con:
        (one,) = imports(con)
    assert one["cache"] == "run"
    assert json.loads(one["settings"])["era"] == "D"


def test_nothing_is_explained_or_scored_anew_without_activations(plain):
    catalogue = plain
    with pytest.raises(GlossError, match="imported without activations"):
        list(explain_stage(catalogue, ExplainRequest("run", (), "all", Settings(), workers=1)))

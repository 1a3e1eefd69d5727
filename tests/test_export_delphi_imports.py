"""A delphi run directory of what was imported: it is what it was, whatever was done since."""

import json

import numpy as np
import pytest
from delphi_runs import CONFIG, HOOK, put, write_latents, write_text_run
from delphi_runs import row as run_row
from delphi_runs import rows_of as run_rows
from exported import done
from imported_runs import SHARED, bring, codes, shown
from safetensors.numpy import load_file

from core.exporting.delphi import DelphiRequest, export_delphi
from core.exporting.neuronpedia_about import mlp_width
from data import judgements, ledger, runs
from data.catalogue import Catalogue
from data.exports import folder, queries
from data.items import ItemTable
from data.records import Score

PARITY = SHARED / "parity" / "delphi" / "one_hook"


def test_an_import_gets_its_own_settings_back(tmp_path):
    config = CONFIG | {"hf_token": "secret", "filter_bos": True, "explainer_model": ["x"],
                       "ratio": [None, {"a": [1.5]}]}  # fmt: skip
    catalogue = bring(tmp_path / "store", write_text_run(tmp_path / "run", config=config), name="t")
    done(export_delphi(catalogue, DelphiRequest("t", tmp_path / "out")))
    found = json.loads((tmp_path / "out" / "run_config.json").read_text())
    assert found == config | {"hf_token": None}
    with catalogue.reading() as con:
        assert "secret" not in con.value("select string_agg(settings::varchar) from run")


def test_wrong_marks_come_back_as_such_from_a_silent_context(tmp_path):
    run = write_text_run(tmp_path / "run", features=(0,))
    wrong = run_row([" no", " thing"], [0, 0], distance=-1.0, prediction=False, marked=[1])
    put(run / "scores" / "fuzz" / f"{HOOK}_latent0.txt", [*run_rows(0), wrong])
    catalogue = bring(tmp_path / "store", run, name="t")
    done(export_delphi(catalogue, DelphiRequest("t", tmp_path / "out")))
    again = bring(tmp_path / "again", tmp_path / "out", name="t")
    kinds = [
        shown(one, "t")[0]["explanations"][0]["scores"]["fuzzing"]["non_activating"]
        for one in (catalogue, again)
    ]
    assert kinds[0] == kinds[1]
    assert kinds[0]["wrong-mark"]["n"] == 1


def test_what_was_shown_and_what_was_marked_comes_back(tmp_path):
    run = write_text_run(tmp_path / "run", features=(0,))
    marked = [one | {"marked": [0]} if one["activating"] else one for one in run_rows(0)]
    put(run / "scores" / "fuzz" / f"{HOOK}_latent0.txt",
        [*marked, run_row([" no", " thing"], [0, 0], distance=-1.0, prediction=True, marked=[1],
                          kind="random")])  # fmt: skip
    put(run / "train" / f"{HOOK}_latent0.json",
        [{"str_tokens": [" the", " cat"], "activations": [1.5, 0]},
         {"str_tokens": [" a", " dog"], "activations": [0.75, 0.25]}])  # fmt: skip
    catalogue = bring(tmp_path / "store", run, name="t")
    done(export_delphi(catalogue, DelphiRequest("t", tmp_path / "out")))
    again = bring(tmp_path / "again", tmp_path / "out", name="t")
    for name in ("train", "scores/fuzz"):
        ((was, now),) = [[json.loads(next((root / name).iterdir()).read_text())
                          for root in (run, tmp_path / "out")]]  # fmt: skip
        assert now == was
    assert "train_test_overlap" not in codes(again, "t")
    assert folder.read_manifest(tmp_path / "out").rows["contexts that explainers saw"] == 2


def later(catalogue, by):
    """Another judge's detection on the first explanation of a finished import."""
    with catalogue.reading() as con:
        one = con.row("select explanation_id, hookpoint_id, feature from explanation order by 1")
    score = Score("detection", "balanced_accuracy", 0.5, None, None, 1.0, 0.0, 1, 0, by, "gloss",
                  {}, {}, {})  # fmt: skip
    scorer = ledger.method_id(catalogue, "scorer", "detection", by, {"preset": "gloss"})
    items = ItemTable(["random"], np.zeros(1, np.uint8), np.array([0], np.uint64),
                      np.zeros(1, np.float32), [None])  # fmt: skip
    plan = runs.Plan("score", 1, one["hookpoint_id"], scorer, {})
    run = runs.start_run(catalogue, plan, 1)
    new = judgements.Judgement(one["explanation_id"], one["feature"], scorer, "detection", "gloss",
                               items, np.array([1], np.int8), None, score)  # fmt: skip
    judgements.write_judgements(catalogue, one["hookpoint_id"], run, [new], features_done=1)
    runs.end_run(catalogue, run, "done")


def test_an_import_is_written_as_it_was_whoever_judged_it_later(tmp_path):
    run = write_text_run(tmp_path / "run")
    catalogue = bring(tmp_path / "store", run, name="t")
    later(catalogue, "stub")
    done(export_delphi(catalogue, DelphiRequest("t", tmp_path / "out")))
    for path in (tmp_path / "run").rglob("*.txt"):
        assert json.loads((tmp_path / "out" / path.relative_to(run)).read_text()) == json.loads(
            path.read_text()
        )
    assert json.loads((tmp_path / "out" / "run_config.json").read_text()) == CONFIG | {
        "hf_token": None
    }
    assert any("other judges" in note for note in folder.read_manifest(tmp_path / "out").notes)


def test_what_was_judged_after_an_import_is_not_put_down_to_its_model(tmp_path):
    run = write_text_run(tmp_path / "run", scorers=())
    catalogue = bring(tmp_path / "store", run, name="t")
    later(catalogue, "stub")
    done(export_delphi(catalogue, DelphiRequest("t", tmp_path / "out")))
    found = json.loads((tmp_path / "out" / "run_config.json").read_text())
    assert (found["explainer_model"], found["max_latents"]) == (None, None)
    assert (found["model"], found["cache_cfg"]) == (CONFIG["model"], CONFIG["cache_cfg"])
    assert found["sampler_cfg"]["n_examples_test"] == 0


def test_a_hookpoint_without_activations_is_left_out_and_said(tmp_path):
    run = write_text_run(tmp_path / "run")
    write_latents(run)
    for name in ("explanations", "scores/detection"):
        text = json.loads((run / name / f"{HOOK}_latent0.txt").read_text())
        put(run / name / "layers.1_latent1.txt", text)
    catalogue = bring(tmp_path / "store", run, name="t")
    done(export_delphi(catalogue, DelphiRequest("t", tmp_path / "out")))
    assert [path.name for path in (tmp_path / "out" / "latents").iterdir()] == [HOOK]
    assert "layers.1 has no activations" in " ".join(folder.read_manifest(tmp_path / "out").notes)


@pytest.mark.skipif(not PARITY.is_dir(), reason="the shared parity files are not here")
def test_a_run_of_delphi_itself_has_the_same_rows_after_import_and_export(tmp_path):
    catalogue = bring(tmp_path / "store", PARITY, name="one", subject=PARITY.parent / "model")
    done(export_delphi(catalogue, DelphiRequest("one", tmp_path / "out")))
    compared = 0
    for scorer in ("detection", "fuzz"):
        for path in sorted((PARITY / "scores" / scorer).iterdir()):
            was = json.loads(path.read_text())
            now = json.loads((tmp_path / "out" / "scores" / scorer / path.name).read_text())
            assert now == was, path.name
            compared += len(was)
    assert compared == 3200
    for path in (PARITY / "explanations").iterdir():
        assert (tmp_path / "out" / "explanations" / path.name).read_text() == path.read_text()
    assert same_activations(PARITY, tmp_path / "out") == 131_072
    with catalogue.reading() as con:
        found = queries.bookkeeping(con, 1)["subject_folder"]
    told = json.loads((PARITY.parent / "model" / "config.json").read_text())
    assert mlp_width(found) == told["intermediate_size"]


def same_activations(one, other):
    """How many activations two runs share, of each all."""
    found = [set(), set()]
    for run, into in zip((one, other), found, strict=True):
        for path in (run / "latents" / "layers.2").glob("*.safetensors"):
            rows = load_file(path)
            start = np.array([0, 0, int(path.stem.split("_")[0])])
            where = rows["locations"].astype(np.int64) + start
            values = rows["activations"].tolist()
            into.update((*map(int, w), v) for w, v in zip(where, values, strict=True))
    assert found[0] == found[1]
    return len(found[0])


def test_an_import_without_activations_has_none_to_write(tmp_path):
    catalogue = bring(tmp_path / "store", write_text_run(tmp_path / "run"), name="texts")
    done(export_delphi(catalogue, DelphiRequest("texts", tmp_path / "out")))
    assert not (tmp_path / "out" / "latents").exists()
    again = bring(tmp_path / "again", tmp_path / "out", name="again")
    assert [one["explanations"][0]["text"] for one in shown(again, "again")] == [
        one["explanations"][0]["text"] for one in shown(catalogue, "texts")
    ]
    assert "failed_verdicts" in codes(again, "again")
    assert Catalogue.exists(tmp_path / "again")

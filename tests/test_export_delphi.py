"""A delphi run directory: what is imported from it again is what was in the store."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from delphi_runs import CONFIG, HOOK, put, write_latents, write_text_run
from delphi_runs import row as run_row
from delphi_runs import rows_of as run_rows
from exported import done
from imported_runs import SHARED, bring, codes, feature_of, shown
from safetensors.numpy import load_file
from stores import HOOKPOINT, LENGTH, N_FEATURES, make_store

from core.exporting.delphi import DelphiRequest, delphi_names, export_delphi
from core.exporting.delphi_rows import Kept, distance, rows_of
from core.exporting.neuronpedia_about import mlp_width
from core.exporting.windows import Text
from core.pipeline.workbench import Workbench
from data import caches, judgements, ledger, runs
from data.activations import Columns
from data.catalogue import Catalogue
from data.errors import BadInput, NotFound
from data.exports import folder, queries
from data.exports.delphi import one_file, write_shards
from data.items import ItemTable
from data.records import Score

PARITY = SHARED / "parity" / "delphi" / "one_hook"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=240)


@pytest.fixture(scope="module")
def out(made, tmp_path_factory):
    where = tmp_path_factory.mktemp("out") / "run"
    done(export_delphi(made.catalogue, DelphiRequest("made", where)))
    return where


@pytest.fixture(scope="module")
def again(out, tmp_path_factory):
    return bring(tmp_path_factory.mktemp("again"), out, name="again")


def bench(catalogue, name):
    record = caches.cache(catalogue, name)
    return Workbench.open(catalogue, record), record.hookpoints[0]


def test_imported_again_it_has_the_same_activations_and_tokens(made, again):
    (here, one), (there, other) = bench(made.catalogue, "made"), bench(again, "again")
    assert np.array_equal(here.files.tokens.matrix(), there.files.tokens.matrix())
    counted = 0
    for feature in range(N_FEATURES):
        was, now = here.slice(one, feature), there.slice(other, feature)
        assert np.array_equal(was.token, now.token)
        assert np.array_equal(was.activation, now.activation)
        counted += len(was.token)
    assert counted == 7253


def test_imported_again_it_has_the_same_explanations_and_verdicts(made, again):
    here, there = (
        {one["feature"]: one["explanations"] for one in shown(c, name)}
        for c, name in ((made.catalogue, "made"), (again, "again"))
    )
    assert [e["text"] for e in there[0]] == ["Fires on the days of the week"]  # the best one
    assert [e["status"] for e in there[4]] == ["failed"]
    assert not any(there[f] for f in range(5, N_FEATURES))
    for feature in (0, 1):
        was = next(e for e in here[feature] if e["text"] == there[feature][0]["text"])
        for scorer in ("detection", "fuzzing"):
            old, new = was["scores"][scorer], there[feature][0]["scores"][scorer]
            for same in ("n", "failed", "by_decile", "non_activating"):
                assert new[same] == old[same], (feature, scorer, same)


def test_every_verdict_comes_back_on_its_context(made, again):
    was, now = (
        judged(feature_of(catalogue, name, "0"), "Fires on the days of the week")
        for catalogue, name in ((made.catalogue, "made"), (again, "again"))
    )
    assert was == now
    assert len(was) > 190


def judged(found, text):
    """Verdicts on one explanation by context and scorer."""
    number = str(next(e["id"] for e in found["explanations"] if e["text"] == text))
    return {
        (one["kind"], one["sequence"], one["start"], scorer): verdict
        for one in found["examples"]
        for scorer, verdict in one["verdicts"].get(number, {}).items()
        if one["kind"] == "activating" or one["kind"] == "random"
    }


def test_a_reply_that_was_lost_is_null(out):
    rows = json.loads((out / "scores/detection" / one_file(HOOKPOINT, 0)).read_text())
    assert sum(row["prediction"] is None for row in rows) == 3
    assert all((row["correct"] is None) == (row["prediction"] is None) for row in rows)
    for row in rows:
        assert len(row["str_tokens"]) == len(row["activations"]) == 32
        assert row["activating"] == any(row["activations"])
        assert row["distance"] == -1 or row["activating"]


def test_shards_are_in_the_order_of_the_corpus_and_carry_the_tokens(made, out, tmp_path):
    work, hookpoint = bench(made.catalogue, "made")
    columns, matrix = work.columns(hookpoint), work.files.tokens.matrix()
    shards = list(write_shards(tmp_path / "few", columns, matrix, limit=2000))
    assert shards[0][0] == 0
    assert shards[-1][1] == N_FEATURES - 1
    assert all(one[1] + 1 == two[0] for one, two in pairwise(shards))
    total = 0
    for first, last in shards:
        found = load_file(tmp_path / "few" / f"{first}_{last}.safetensors")
        assert (found["locations"].dtype, found["activations"].dtype) == ("uint16", "float16")
        assert np.array_equal(found["tokens"], matrix)
        row, position, feature = found["locations"].astype(int).T
        key = (row * LENGTH + position) * N_FEATURES + feature
        assert (np.diff(key) > 0).all()
        total += len(key)
    assert total == columns.counts().sum()


def test_firing_counts_are_the_rows_of_every_feature(made, out):
    found = torch.load(out / "log" / "hookpoint_firing_counts.pt", weights_only=True)
    counts = Columns.open(made.folder / made.cache.folder / "1").counts()
    assert found[HOOKPOINT].tolist() == counts.tolist()


def test_neighbours_have_their_value_first(out):
    found = json.loads((out / "neighbours" / f"{HOOKPOINT}-decoder_similarity.json").read_text())
    assert found["3"] == [[pytest.approx(0.61), 4]]
    assert len(found) == N_FEATURES


def test_the_configuration_says_what_the_importer_needs(out):
    found = json.loads((out / "run_config.json").read_text())
    assert found["hookpoints"] == [HOOKPOINT]
    assert found["sampler_cfg"]["n_quantiles"] == 10
    assert (found["fuzz_type"], found["explainer_model"]) == ("active", "grammar")
    assert found["hf_token"] is None
    assert folder.read_manifest(out).rows["detection verdicts"] == 397


def test_explanations_of_one_run_can_be_chosen(made, tmp_path):
    done(export_delphi(made.catalogue, DelphiRequest("made", tmp_path / "a", run=2)))
    files = sorted(path.name for path in (tmp_path / "a" / "explanations").iterdir())
    assert len(files) == 1
    with pytest.raises(NotFound, match="run 99 explained nothing"):
        done(export_delphi(made.catalogue, DelphiRequest("made", tmp_path / "b", run=99)))


def test_names_are_those_of_the_base_model_on_one_side():
    names = ["gpt_neox.layers.2", "gpt_neox.layers.10.mlp"]
    assert delphi_names(names, "GPTNeoXForCausalLM") == ["layers.2", "layers.10.mlp"]
    assert delphi_names(["layers.1:in"], None) == ["layers.1"]
    with pytest.raises(BadInput, match="one side only"):
        delphi_names(["layers.1", "layers.2:in"], None)


def test_a_distance_counts_from_the_strongest():
    assert [distance(decile, 10) for decile in (10, 9, 1, None)] == [0, 1, 9, -1]
    assert [distance(decile, 5) for decile in (10, 8, 2)] == [0, 1, 4]


class OneContext:
    """The same context for every verdict."""

    def load(self, verdicts):
        self.loaded = len(verdicts)

    def of(self, first, length):
        return Text([" a"] * length, [5] * length, [0.0] * length, 0, 0)

    def strings(self, window):
        return window.pieces


def test_kinds_that_delphi_does_not_know_become_random_and_are_counted():
    score = Score("detection", "balanced_accuracy", 0.5, None, None, None, None, 2, 0, "j", "gloss",
                  {}, {}, {})  # fmt: skip
    about = {"first_token": 0, "length": 2, "decile": None, "predicted": False, "probability": 0.25}
    kept = Kept()
    rows = rows_of("detection", score, [about | {"kind": "token"}, about | {"kind": "random"}],
                   OneContext(), kept)  # fmt: skip
    assert kept.as_random == {"token": 1}
    assert kept.has_probabilities
    assert rows[0] == {
        "str_tokens": [" a", " a"], "activations": [0, 0], "distance": -1.0, "activating": False,
        "prediction": False, "probability": 0.25, "correct": True,
    }  # fmt: skip


def test_an_import_gets_its_own_settings_back(tmp_path):
    config = CONFIG | {"hf_token": "secret", "filter_bos": True, "explainer_model": ["x"],
                       "ratio": [None, {"a": [1.5]}]}  # fmt: skip
    catalogue = bring(tmp_path / "store", write_text_run(tmp_path / "run", config=config), name="t")
    done(export_delphi(catalogue, DelphiRequest("t", tmp_path / "out")))
    found = json.loads((tmp_path / "out" / "run_config.json").read_text())
    assert found == config | {"hf_token": None}
    with catalogue.reading() as con:
        assert "secret" not in con.value("select string_agg(settings::varchar) from run")


def test_settings_that_nobody_said_are_null(made, out):
    found = json.loads((out / "run_config.json").read_text())
    for name in ("filter_bos", "max_latents", "explainer_provider", "verbose", "explainer",
                 "num_examples_per_scorer_prompt"):  # fmt: skip
        assert found[name] is None
    assert found["constructor_cfg"]["min_examples"] is None
    assert (found["seed"], found["cache_cfg"]["cache_ctx_len"]) == (made.cache.seed, LENGTH)


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


@pytest.mark.parametrize("name", ["../../../up", "/tmp/up"])
def test_a_hookpoint_whose_name_leads_elsewhere_writes_nothing(made, tmp_path, monkeypatch, name):
    monkeypatch.setattr("core.exporting.delphi.delphi_names", lambda *_: [name])
    with pytest.raises(BadInput, match="cannot be exported: its name"):
        done(export_delphi(made.catalogue, DelphiRequest("made", tmp_path / "out")))
    assert list(tmp_path.iterdir()) == []


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

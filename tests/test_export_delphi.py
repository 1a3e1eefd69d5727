"""A delphi run directory: what is imported from it again is what was in the store."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from exported import done
from imported_runs import bring, codes, feature_of, shown
from safetensors.numpy import load_file
from stores import HOOKPOINT, LENGTH, N_FEATURES, make_store

from core.exporting.delphi import DelphiRequest, delphi_names, export_delphi
from core.exporting.delphi_rows import Kept, distance, rows_of
from core.exporting.windows import Text
from core.pipeline.workbench import Workbench
from data import caches
from data.activations import Columns
from data.errors import BadInput, NotFound
from data.exports import folder
from data.exports.delphi import one_file, write_shards
from data.records import Score


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


def test_rules_come_back_as_made_from_no_judged_context(out, again):
    assert json.loads((out / "train" / one_file(HOOKPOINT, 0)).read_text()) == []
    assert "train_test_overlap" not in codes(again, "again")


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


def test_settings_that_nobody_said_are_null(made, out):
    found = json.loads((out / "run_config.json").read_text())
    for name in ("filter_bos", "max_latents", "explainer_provider", "verbose", "explainer",
                 "num_examples_per_scorer_prompt"):  # fmt: skip
        assert found[name] is None
    assert found["constructor_cfg"]["min_examples"] is None
    assert (found["seed"], found["cache_cfg"]["cache_ctx_len"]) == (made.cache.seed, LENGTH)


@pytest.mark.parametrize("name", ["../../../up", "/tmp/up"])
def test_a_hookpoint_whose_name_leads_elsewhere_writes_nothing(made, tmp_path, monkeypatch, name):
    monkeypatch.setattr("core.exporting.delphi.delphi_names", lambda *_: [name])
    with pytest.raises(BadInput, match="cannot be exported: its name"):
        done(export_delphi(made.catalogue, DelphiRequest("made", tmp_path / "out")))
    assert list(tmp_path.iterdir()) == []

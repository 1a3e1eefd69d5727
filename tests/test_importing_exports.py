"""Exports of Neuronpedia and batches of SAEDashboard become caches of contexts."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from imported_runs import codes, feature_of, rows_in, shown
from neuronpedia_runs import (
    MODEL,
    SOURCE,
    context,
    contexts,
    dashboard_feature,
    explanation,
    feature,
    gloss_score,
    verdict,
    write_dashboard,
    write_export,
    write_lines,
)
from typer.testing import CliRunner

from core.cli import app
from core.grammar.settings import Settings
from core.importing.neuronpedia import import_neuronpedia, import_saedashboard
from core.importing.stage import ImportRequest
from core.pipeline.explaining import ExplainRequest, explain_stage
from data import caches, queries
from data.catalogue import Catalogue
from data.errors import BadInput, GlossError
from data.imports.neuronpedia import read, validate
from data.imports.neuronpedia_names import feature_address, source_name


def bring(store, path, stage=import_neuronpedia, **how) -> Catalogue:
    list(stage(store, ImportRequest(path, **how)))
    return Catalogue(store)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Catalogue:
    """A store with one export; only to be read."""
    folder = tmp_path_factory.mktemp("export")
    return bring(folder / "store", write_export(folder / "np"))


def test_every_row_of_an_export_arrives(plain):
    assert rows_in(plain, "feature", "example", "explanation", "neighbour", "example_interval") == {
        "feature": 2, "example": 6, "explanation": 1, "neighbour": 4, "example_interval": 2
    }  # fmt: skip
    record = caches.cache(plain, "np")
    assert (record.origin, record.subject, record.corpus) == ("neuronpedia", MODEL, "made-up")
    assert record.hookpoints[0].name == SOURCE
    assert not record.has_activations


def test_contexts_have_their_values_and_intervals_but_no_deciles(plain):
    examples = feature_of(plain, "np", f"{SOURCE}/0")["examples"]
    assert [one["tokens"] for one in examples] == [[" the", " cat", "\n"], [" a", " cat"],
                                                    [" no", " thing"]]  # fmt: skip
    assert examples[0]["activations"] == [0, 4.0, 0.5]
    assert {one["decile"] for one in examples} == {None}
    assert [one["kind"] for one in examples] == ["activating", "activating", "random"]
    assert examples[1]["interval"] == {"low": 1.0, "high": 2.0, "share": pytest.approx(0.003)}
    assert "interval" not in examples[0]  # of the strongest


def test_a_feature_has_its_figures_as_they_are_stated(plain):
    hookpoint = caches.cache(plain, "np").hookpoints[0]
    with plain.reading() as con:
        facts = queries.facts(con, hookpoint.hookpoint_id, 7)
        near = queries.neighbours(con, hookpoint.hookpoint_id, 7)
    assert (facts["density"], facts["max_activation"]) == (pytest.approx(0.02), 4.0)
    assert facts["n_active"] is None
    assert facts["value_centres"] == [0.5, 1.5, 2.5]
    assert facts["value_counts"] == [30, 7, 1]
    assert facts["counts"] is None  # those are contexts by peak, which an export does not have
    assert [(one["other"], one["measure"]) for one in near] == [(8, "cosine"), (9, "cosine")]
    bench_strings = json.loads((plain.store / "caches/np/vocabulary.json").read_text())["tokens"]
    assert bench_strings[facts["promoted"][0]["token"]] == " cat"


def test_importing_again_changes_nothing(plain, tmp_path):
    before = rows_in(plain, "run", "cache", "explanation", "example")
    *_, last = import_neuronpedia(plain.store, ImportRequest(write_export(tmp_path / "elsewhere")))
    assert "imported before, as cache 'np'" in last.note
    assert before == rows_in(plain, *before)


def test_a_pasted_address_finds_the_feature(plain):
    link = f"https://www.neuronpedia.org/{MODEL}/{SOURCE}/7"
    assert feature_of(plain, "np", link)["feature"] == 7
    assert feature_address(f"{MODEL}/{SOURCE}/7?x=1") == (MODEL, SOURCE, 7)
    assert feature_address("layers.2/17") is None
    assert source_name("12-gemmascope-res-16k__l0-8") == ("12", "gemmascope-res-16k", "l0-8")
    assert source_name("5") == ("5", None, None)


def test_nothing_can_be_drawn_from_an_export(plain):
    with pytest.raises(GlossError, match="imported without activations"):
        list(explain_stage(plain, ExplainRequest("np", (), "all", Settings(), workers=1)))


def test_the_command_prints_its_summary_for_scripts(tmp_path):
    words = ["import", "saedashboard", str(write_dashboard(tmp_path / "sd")), "--json",
             "--store", str(tmp_path / "s"), "--sae", "mine/sae"]  # fmt: skip
    found = json.loads(CliRunner().invoke(app, words).stdout)
    assert (found["cache"], found["contexts"], found["is_new"]) == ("sd", 4, True)
    (hookpoint,) = caches.cache(Catalogue(tmp_path / "s"), "sd").hookpoints
    assert hookpoint.sae_source == "mine/sae"


def test_batches_of_saedashboard_arrive_as_the_same(tmp_path):
    catalogue = bring(tmp_path / "s", write_dashboard(tmp_path / "sd"), import_saedashboard)
    found = feature_of(catalogue, "sd", f"{SOURCE}/5")
    assert [one["tokens"] for one in found["examples"]] == [[" the", " cat"], [" a", " cat"]]
    assert found["max_activation"] == 4.0
    assert found["examples"][1]["interval"]["share"] == pytest.approx(0.01)
    assert codes(catalogue, "sd")["intervals"] == 2


def test_rows_come_in_any_order_and_indices_may_be_numbers(tmp_path):
    mixed = [one for pair in zip(contexts(7), contexts(0), strict=True) for one in pair]
    rows = [one | {"index": int(one["index"])} for one in mixed]
    catalogue = bring(tmp_path / "s", write_export(tmp_path / "np", activations=rows))
    examples = feature_of(catalogue, "np", f"{SOURCE}/7")["examples"]
    assert [max(one["activations"]) for one in examples] == [4.0, pytest.approx(1.2, 1e-3), 0]


def test_several_explanations_of_a_feature_are_all_kept(tmp_path):
    several = [
        explanation(0),
        explanation(0, "Again", id="second"),
        explanation(0, "By another", id="third", typeName=None, notes='{"seed": 3}'),
    ]
    catalogue = bring(tmp_path / "s", write_export(tmp_path / "np", explanations=several))
    texts = {one["text"] for one in shown(catalogue, "np")[0]["explanations"]}
    assert texts == {"Fires on cat", "Again", "By another"}


def test_several_sources_of_a_model_are_hookpoints_of_one_cache(tmp_path):
    root = write_export(tmp_path / "np")
    other = root / "v1" / MODEL / "11-res-mine"
    rows = [feature(1, layer="11-res-mine")]
    write_lines(other / "features" / "batch-3.jsonl.gz", rows)
    catalogue = bring(tmp_path / "s", root)
    assert [h.name for h in caches.cache(catalogue, "np").hookpoints] == [SOURCE, "11-res-mine"]


def test_what_is_missing_is_unknown_and_what_is_odd_is_counted(tmp_path):
    odd = [
        feature(0, frac_nonzero=-1, maxActApprox=None, pos_str=None, pos_values=None,
                freq_hist_data_bar_heights=[1], topkCosSimIndices=[3]),
        feature(1, frac_nonzero=0),
    ]  # fmt: skip
    rows = [context(0, 0, ["<bos>", "a"], [3.0, 1.0], maxValue=9.0), context(4, 0, [" b"], [1.0])]
    catalogue = bring(tmp_path / "s", write_export(tmp_path / "np", features=odd, activations=rows))
    found = codes(catalogue, "np")
    for code in ("bos_is_max", "peak_disagrees", "histogram_damaged", "neighbours_damaged",
                 "density_unknown", "feature_missing"):  # fmt: skip
        assert found[code] == 1
    first, dead, unknown = shown(catalogue, "np")
    assert (first["frequency"], first["max_activation"]) == (None, 3.0)
    assert (dead["n_active"], dead["reason"]) == (0, "dead")
    assert unknown["feature"] == 4


def test_our_own_scores_come_back_with_their_verdicts(tmp_path):
    said = gloss_score()
    said["gloss"]["nActive"] = 412
    root = write_export(tmp_path / "np", scores=[said])
    assert not validate(read(root)).codes() & {"score_unmatched", "peak_disagrees"}
    catalogue = bring(tmp_path / "s", root)
    found = feature_of(catalogue, "np", f"{SOURCE}/0")
    (explanation_,) = found["explanations"]
    score = explanation_["scores"]["detection"]
    assert (score["balanced_accuracy"], score["n"], score["failed"]) == (1.0, 2, 1)
    assert (score["judge"], score["preset"]) == ("judge", "gloss (imported)")
    assert score["non_activating"]["neighbour"] == {"n": 1, "correct": 0, "failed": 0}
    assert score["by_decile"][9] == {"decile": 10, "n": 1, "correct": 1, "failed": 0}
    assert len(found["examples"]) == 5  # two were among the contexts already
    assert "score_disagrees" not in codes(catalogue, "np")
    assert found["n_active"] == 412
    assert feature_of(catalogue, "np", f"{SOURCE}/7")["n_active"] is None  # it has no score


def test_explanations_that_were_asked_otherwise_share_no_items(tmp_path):
    other = json.dumps([verdict(["a"], [1.0], 1, True, "activating")])
    rows = [
        gloss_score(),
        gloss_score(id="s2"),
        gloss_score(id="s3", explanationId="second", jsonDetails=other),
    ]
    both = [explanation(0), explanation(0, "Again", id="second")]
    catalogue = bring(tmp_path / "s", write_export(tmp_path / "np", explanations=both, scores=rows))
    first, second = shown(catalogue, "np")[0]["explanations"]
    assert first["scores"]["detection"]["preset"] == "gloss (imported)"
    assert second["scores"]["detection"]["preset"] == "gloss 2 (imported)"
    assert codes(catalogue, "np")["scores_repeat"] == 1


def test_a_score_that_had_been_imported_before_says_so_once(tmp_path):
    inner = gloss_score()["gloss"] | {"preset": "delphi (imported)"}
    root = write_export(tmp_path / "np", scores=[gloss_score(gloss=inner)])
    (one,) = shown(bring(tmp_path / "s", root), "np")[0]["explanations"]
    assert one["scores"]["detection"]["preset"] == "delphi (imported)"


def test_verdicts_that_are_cut_off_are_counted_and_the_score_stands(tmp_path):
    write_export(tmp_path / "x", scores=[gloss_score(jsonDetails='[{"text": "a')])
    catalogue = bring(tmp_path / "store", tmp_path / "x")
    assert codes(catalogue, "x")["details_damaged"] == 1
    assert rows_in(catalogue, "score", "verdict") == {"score": 1, "verdict": 0}


def test_halves_of_characters_in_an_export_are_mended(tmp_path):
    rows = [context(0, 0, ["Ġ\ud800", "b"], [0, 1.0])]
    write_export(tmp_path / "x", features=[feature(0, pos_str=["\udfff", "a"])], activations=rows,
                 explanations=[explanation(0)])  # fmt: skip
    catalogue = bring(tmp_path / "store", tmp_path / "x")
    assert codes(catalogue, "x")["text_damaged"] == 2
    (example,) = feature_of(catalogue, "x", "2-res-mine/0")["examples"]
    assert example["tokens"] == [" \ufffd", "b"]


def test_a_model_that_is_called_like_a_folder_above_is_refused(tmp_path):
    write_export(tmp_path / "x")
    where = tmp_path / "x" / "v1" / MODEL / SOURCE / "source.jsonl"
    write_lines(where, [{"id": SOURCE, "modelId": ".."}])
    with pytest.raises(BadInput, match="does not say what it is about"):
        bring(tmp_path / "store", tmp_path / "x")


def test_scores_without_verdicts_stand_as_they_are_written(tmp_path):
    inner = gloss_score()["gloss"] | {"metric": "pearson", "rawValue": -0.2, "nPos": 9}
    row = gloss_score(explanationScoreTypeName="gloss_simulation", value=0.0, jsonDetails="[]",
                      gloss=inner)  # fmt: skip
    lost = gloss_score(id="s2", explanationId="nobody")
    foreign = gloss_score(id="s3", gloss=None, index="0", value=0.2)
    catalogue = bring(tmp_path / "s", write_export(tmp_path / "np", scores=[row, lost, foreign]))
    scores = shown(catalogue, "np")[0]["explanations"][0]["scores"]
    assert (scores["simulation"]["metric"], scores["simulation"]["value"]) == ("pearson", -0.2)
    assert scores["detection"]["preset"] == "neuronpedia (imported)"
    assert {"score_unmatched", "failures_unknown", "score_disagrees"} <= set(codes(catalogue, "np"))


def _rows(name: str, *rows) -> Callable[[Path], None]:
    return lambda source: write_lines(source / f"{name}.jsonl.gz", list(rows))


def _raw(inflated: bytes) -> Callable[[Path], None]:
    return lambda source: (source / BATCH).write_bytes(gzip.compress(inflated))


def _cut(source: Path) -> None:
    (source / BATCH).write_bytes((source / BATCH).read_bytes()[:-20])


BATCH = "activations/batch-0.jsonl.gz"
PLAIN = context(0, 0, [" a"], [1.0])
DAMAGE = {
    "lengths": _rows("activations/batch-0", PLAIN | {"values": [1.0, 2.0]}),
    "nan": _rows("activations/batch-0", PLAIN | {"values": [float("nan")]}),
    "no-list": _rows("activations/batch-0", PLAIN | {"tokens": "a"}),
    "no-index": _rows("activations/batch-0", PLAIN | {"index": "../../etc/passwd"}),
    "other-source": _rows("activations/batch-0", PLAIN | {"layer": "9-else"}),
    "same-id": _rows("activations/batch-1", *contexts(0)),
    "no-object": _rows("activations/batch-0", [1, 2]),
    "feature-twice": _rows("features/batch-1", feature(0)),
    "density": _rows("features/batch-1", feature(3, frac_nonzero=7)),
    "no-text": _rows("explanations/batch-1", explanation(1, "")),
    "verdicts": _rows("scores/batch-0", gloss_score(jsonDetails="[1]")),
    "cut-off": _cut,
    "empty": lambda source: (source / BATCH).write_bytes(b""),
    "no-gzip": lambda source: (source / BATCH).write_bytes(b"{}\n"),
    "utf-8": _raw(b'{"a": "\xff"}\n'),
    "bomb": _raw(b" " * 80_000_000),
    "blank": _raw(b"\n" * 100_001),
    "nested": _raw(b"[" * 100_000),
    "link": lambda source: (source / "explanations/batch-9.jsonl.gz").symlink_to("/etc/passwd"),
    "name": lambda source: write_lines(source / "source.jsonl", [{"id": "../x", "modelId": MODEL}]),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_export_is_one_line_and_leaves_the_store_alone(tmp_path, what):
    root = write_export(tmp_path / "np")
    DAMAGE[what](root / "v1" / MODEL / SOURCE)
    with pytest.raises(BadInput) as error:
        bring(tmp_path / "store", root)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ([dashboard_feature(3), dashboard_feature(3)], "was there already"),
        ([dashboard_feature(3, activations=[7])], "something else than objects"),
        ([dashboard_feature("x")], "no 'feature_index'"),
    ],
)
def test_damaged_batches_are_refused(tmp_path, features, said):
    root = write_dashboard(tmp_path / "sd", features=features)
    with pytest.raises(BadInput, match=said):
        bring(tmp_path / "store", root, import_saedashboard)

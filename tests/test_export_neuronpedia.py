"""Neuronpedia's layout: what is written is what imports read, and what its site takes."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest
from commands import gloss
from exported import done, lines, reader_of
from imported_runs import shown
from stores import HOOKPOINT, make_store

from core.drawing.feature import open_reader
from core.exporting import neuronpedia_about as about
from core.exporting.neuronpedia import NeuronpediaRequest, export_neuronpedia
from core.importing.neuronpedia import import_neuronpedia
from core.importing.stage import ImportRequest
from core.pipeline.workbench import Workbench
from data import items
from data.caches import cache
from data.catalogue import Catalogue
from data.errors import BadInput
from data.exports import folder
from data.exports.neuronpedia import ACTIVATION, EXPLANATION, FEATURE, SCORE, figure, line, text


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=240)


@pytest.fixture(scope="module")
def out(made, tmp_path_factory):
    where = tmp_path_factory.mktemp("out") / "np"
    done(export_neuronpedia(made.catalogue, NeuronpediaRequest("made", where)))
    return where


@pytest.fixture(scope="module")
def again(out, tmp_path_factory):
    """The store that the export was imported into."""
    store = tmp_path_factory.mktemp("again")
    done(import_neuronpedia(store, ImportRequest(out, name="again")))
    return Catalogue(store)


def unpacked(out, part):
    return [gzip.decompress(path.read_bytes()) for path in sorted(out.glob(f"v1/*/*/{part}/*.gz"))]


def explained(catalogue, name):
    return {
        (one["feature"], e["text"]): e
        for one in shown(catalogue, name) for e in one["explanations"] if e["text"]
    }  # fmt: skip


def test_imported_again_it_has_the_same_explanations_and_scores(made, again):
    here, there = explained(made.catalogue, "made"), explained(again, "again")
    assert here.keys() == there.keys()
    assert len(here) == 4
    for key, one in here.items():
        for scorer in ("detection", "fuzzing"):
            if scorer not in one["scores"]:
                continue
            was, now = one["scores"][scorer], there[key]["scores"][scorer]
            assert now["balanced_accuracy"] == pytest.approx(was["balanced_accuracy"], abs=0.005)
            for same in ("n", "failed", "judge", "by_decile", "non_activating"):
                assert now[same] == was[same], (key, scorer, same)


def contexts(reader):
    """Text and values of the strongest contexts and of the drawn test contexts by decile."""
    best, drawn = reader.strongest, reader.drawn
    first = [*best.first_token[:20], *drawn.first_token[drawn.rows("random", "test")][:5]]
    return {
        (tuple(map(text, p.pieces)), tuple(np.float16(p.activations)))
        for p in reader.passages(np.array(first, np.int64))
    }


@pytest.mark.parametrize("feature", [0, 1, 12])
def test_imported_again_it_has_the_same_contexts_and_values(made, again, feature):
    record = cache(again, "again")
    bench = Workbench.open(again, record)
    with again.reading() as con:
        stored = items.examples(con, record.hookpoints[0].hookpoint_id, feature)
    there = open_reader(bench, record.hookpoints[0], feature, stored)
    found = there.passages(np.array([row["first_token"] for row in stored], np.int64))
    kept = {(tuple(p.pieces), tuple(np.float16(p.activations))) for p in found}
    here = contexts(reader_of(made, feature))
    assert len(here) == 25
    assert here <= kept  # six digits tell all values of half precision apart


def test_values_are_those_of_the_cache_to_six_digits(made, out):
    row = next(r for r in lines(out, "activations") if r["index"] == "0" and r["binMin"] == -1)
    (passage,) = reader_of(made, 0).passages(reader_of(made, 0).strongest.first_token[:1])
    assert row["tokens"] == [text(piece) for piece in passage.pieces]
    assert np.float16(row["values"]).tolist() == passage.activations
    assert row["maxValue"] == max(row["values"]) == row["values"][row["maxValueTokenIndex"]]


@pytest.mark.parametrize(
    ("part", "columns"),
    [("features", FEATURE), ("activations", ACTIVATION), ("explanations", EXPLANATION),
     ("scores", SCORE)],
)  # fmt: skip
def test_every_row_has_all_keys_in_one_order(out, part, columns):
    assert {tuple(row) for row in lines(out, part)} == {tuple(columns)}


def test_features_and_explanations_are_in_text_order_and_contexts_in_numeric_order(out):
    described = [row["index"] for row in lines(out, "features")]
    assert described == sorted(described)
    assert described[:3] == ["0", "1", "10"]
    contexts = [int(row["index"]) for row in lines(out, "activations")]
    assert contexts == sorted(contexts)


def test_a_batch_holds_1024_rows_and_ids_are_unique(out):
    sizes = [raw.count(b"\n") for raw in unpacked(out, "activations")]
    assert sizes[0] == 1024
    assert len(sizes) == 2
    for part in ("activations", "explanations", "scores"):
        ids = [row["id"] for row in lines(out, part)]
        assert len(set(ids)) == len(ids)
        assert all(len(one) == 25 and one[0] == "c" and one.isalnum() for one in ids)


def test_a_second_export_has_the_same_bytes(made, out, tmp_path):
    done(export_neuronpedia(made.catalogue, NeuronpediaRequest("made", tmp_path / "b")))
    files = [path.relative_to(out) for path in out.glob("v1/**/*") if path.is_file()]
    assert len(files) == 9
    for name in files:
        assert (out / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_figures_of_a_feature_are_counted_by_hand(made, out):
    row = next(row for row in lines(out, "features") if row["index"] == "0")
    values = reader_of(made, 0)._one.activation
    counts, centres = row["freq_hist_data_bar_heights"], row["freq_hist_data_bar_values"]
    assert len(counts) == len(centres) == 50
    assert sum(counts) == len(values)
    width = (values.max() - values.min()) / 50
    assert centres[0] == pytest.approx(values.min() + width / 2, rel=1e-5)
    assert row["maxActApprox"] == pytest.approx(values.max(), rel=1e-5)
    assert row["pos_values"] == sorted(row["pos_values"], reverse=True)
    assert row["neg_values"] == sorted(row["neg_values"])
    assert (row["topkCosSimIndices"], row["hasVector"], row["vector"]) == ([1], False, [])


def test_a_decile_says_its_range_and_the_share_of_all_tokens_in_it(made, out):
    rows = [r for r in lines(out, "activations") if r["index"] == "0" and (r["binMin"] or 0) > 0]
    reader = reader_of(made, 0)
    edges, values = reader.drawn.decile_edges, reader._one.activation
    lowest = min(rows, key=lambda row: row["binMin"])
    inside = ((values >= edges[0]) & (values < edges[1])).sum()
    assert lowest["binContains"] == pytest.approx(inside / made.cache.n_unmasked, rel=1e-5)
    highest = max(rows, key=lambda row: row["binMin"])
    assert highest["binMin"] <= highest["maxValue"] < highest["binMax"]
    silent = [r for r in lines(out, "activations") if r["index"] == "0" and not r["maxValue"]]
    assert {(r["binMin"], r["binMax"], r["binContains"]) for r in silent} == {(None, None, None)}


def test_a_lost_reply_is_null_and_a_distance_counts_from_the_strongest(out):
    score = next(row for row in lines(out, "scores")
                 if row["explanationScoreTypeName"] == "eleuther_fuzz")  # fmt: skip
    details = json.loads(score["jsonDetails"])
    lost = [one for one in details if one["prediction"] is None]
    assert len(lost) == score["gloss"]["nFailed"] == 3
    assert {one["correct"] for one in lost} == {None}
    for one in details:
        assert one["ground_truth"] is (one["kind"] == "activating")
        assert one["distance"] == (11 - one["decile"] if one["decile"] else -1)
    assert score["value"] == pytest.approx(score["gloss"]["rawValue"])


def test_no_line_holds_what_the_importer_cuts(out):
    assert not any(b"\\u0000" in raw for raw in unpacked(out, "*"))
    assert any("\ufffd" in row["tokens"] for row in lines(out, "activations"))


def test_texts_and_figures_survive_whatever_they_are():
    assert text("a\x00b\\u0000c\ud800") == "a\ufffdb\ufffdc?"
    assert [figure(v) for v in (0.123456789, float("inf"), 3)] == [0.123457, 0.0, 3.0]
    assert json.loads(line({"a": '"\n\u2028'}))["a"] == '"\n\u2028'


def test_the_manifest_says_what_is_left_out(out):
    found = folder.read_manifest(out)
    assert found.rows == {"features": 15, "activations": 1087, "explanations": 4, "scores": 10}
    assert "1 explanations that failed are left out" in found.notes


@pytest.mark.parametrize(
    ("hookpoint", "architecture", "place"),
    [
        ("gpt_neox.layers.2", "GPTNeoXForCausalLM", ("2", "res")),
        ("gpt_neox.layers.2:in", "GPTNeoXForCausalLM", ("2", "res-pre")),
        ("gpt_neox.layers.11.mlp", "GPTNeoXForCausalLM", ("11", "mlp")),
        ("transformer.wte", "GPT2LMHeadModel", ("e", "embed")),
        ("layers.7.some.Part", None, ("7", "some-part")),
        ("layers.7:in", None, ("7", "res-in")),
    ],
)
def test_a_hookpoint_is_called_by_its_layer_and_place(hookpoint, architecture, place):
    assert about.place_of(hookpoint, architecture) == place


def test_an_imported_source_keeps_its_id(made):
    hookpoint = replace(made.cache.hookpoints[0], name="1-t-res")
    record = replace(made.cache, origin="neuronpedia")
    for more, name in (({}, "1-t-res"), ({"set_name": "mine"}, "1-mine")):
        how = {"model_id": None, "set_name": None, "user": "me"} | more
        (source,) = about.sources(record, [hookpoint], {}, **how)
        assert (source.source_id, f"1-{source.set_name}") == (name, name)


def test_an_exact_score_and_its_rule_come_back_whole(made, again):
    exact = 0
    for key, was in explained(made.catalogue, "made").items():
        now = explained(again, "again")[key]
        assert now["rule"] == was["rule"]
        if "exact" in was["scores"]:
            exact += 1
            assert now["scores"]["exact"]["n"] == was["scores"]["exact"]["n"] > 0
            assert was["rule"]
    assert exact


def test_a_hookpoint_without_a_layer_and_odd_ids_are_refused(made):
    with pytest.raises(BadInput, match="no layer"):
        about.place_of("lm_head", None)
    for wrong in ({"model_id": "../up"}, {"set_name": "A B"}, {"user": "no/path"}):
        with pytest.raises(BadInput):
            sources(made, **wrong)


def test_two_hookpoints_of_one_name_are_refused(made):
    twice = [made.cache.hookpoints[0], made.cache.hookpoints[0]]
    with pytest.raises(BadInput, match="would both be 1-mine"):
        sources(made, hookpoints=twice, set_name="mine")


def sources(made, **how):
    known = {"hookpoints": made.cache.hookpoints, "model_id": None, "set_name": None, "user": "me"}
    return about.sources(made.cache, facts={}, **known | how)


def test_paths_of_this_machine_are_not_written():
    assert about.corpus_name("/home/ada/texts/") == "texts"
    assert about.corpus_name("hf:org/set:train") == "hf:org/set:train"
    assert about.mlp_width("/no/such/folder") is None


def test_decoder_rows_and_logits_are_written_when_asked_for(cached_store, tmp_path):
    catalogue = Catalogue(cached_store)
    request = NeuronpediaRequest("small", tmp_path / "np", features="first:3", vectors=True)
    done(export_neuronpedia(catalogue, request))
    rows = lines(tmp_path / "np", "features")
    assert all(row["hasVector"] and len(row["vector"]) > 4 for row in rows)
    assert {row["hookName"].split(".")[0] for row in rows} == {"blocks"}
    assert all(sum(row["logits_hist_data_bar_heights"]) > 10 for row in rows)


def test_the_command_takes_its_options_and_says_what_it_wrote(made, tmp_path):
    out = tmp_path / "out"
    ended = gloss("export", "neuronpedia", "made", "--out", str(out), "--store",
                 str(made.folder), "--features", "0,2", "--model-id", "tiny", "--set", "mine",
                 "--user-id", "me", "--hookpoint", HOOKPOINT)  # fmt: skip
    assert ended.returncode == 0
    assert "2 features" in ended.stdout
    assert (out / "v1" / "tiny" / "1-mine" / "features").is_dir()
    assert {row["creatorId"] for row in lines(out, "features")} == {"me"}

"""Collections: lists read in every shape, refused in one line, explained, scored and labelled."""

import csv
import io
import json
import os
import shutil

import pytest
from answering import plausible
from commands import gloss
from golden import check_golden
from one_feature import EVIDENCE
from scripted import ScriptedClient, queue
from scripted_server import serving

from core.collections import words
from core.collections.listing import Entry, read_list
from core.collections.members import members_of
from core.collections.table import table
from core.explain import explainer_for
from core.explain.explaining import Tools
from core.explain.settings import ExplainerSettings
from core.llm.settings import EndpointSettings
from core.pipeline.collecting import (
    CIRCUIT,
    CollectionRequest,
    explain_collection,
    make,
    score_collection,
)
from core.score.roles import Role
from data import caches, collections, ledger, runs
from data.cachefiles import CacheFiles
from data.catalogue import Catalogue
from data.collections import Member
from data.errors import BadInput, NotFound
from data.records import CacheRecord, HookpointRecord

NAMES = ["gpt_neox.embed_in", "gpt_neox.layers.1", "gpt_neox.layers.1.mlp", "gpt_neox.layers.11"]
HOOKPOINTS = tuple(
    HookpointRecord(number, 1, name, "", "topk", 100, 100, 0, None, None, "done")
    for number, name in enumerate(NAMES)
)
RECORD = CacheRecord(1, "demo", "s", 8, "", "done", "", 0, 0, 32, 9, 0, HOOKPOINTS)


@pytest.mark.parametrize(
    "text",
    [
        '[["layers.1", 17], ["layers.1.mlp", 3, "days"]]',
        '[{"hookpoint": "layers.1", "feature": 17}, '
        '{"hookpoint": "layers.1.mlp", "index": "3", "label": "days"}]',
        '{"features": [{"hookpoint": "layers.1", "feature": 17}, ["layers.1.mlp", 3, "days"]]}',
        "layers.1/17\n\n  layers.1.mlp/3   days \n",
        "layers.1/17,\nlayers.1.mlp/3, days",
        '["layers.1/17", "layers.1.mlp/3 days"]',
        '{"Name": "layers.1/17", "Annotation": ""}\n'
        '{"Name": "layers.1.mlp/3", "Annotation": "days"}',
    ],
    ids=["pairs", "objects", "wrapped", "lines", "commas", "strings", "annotations"],
)
def test_a_list_is_read_in_every_shape(text):
    assert read_list(text) == [Entry("layers.1/17"), Entry("layers.1.mlp/3", "days")]


def test_numbers_by_hookpoint_are_a_list_too():
    assert read_list('{"layers.1": [1, 2], "a": 3}') == [
        Entry("layers.1/1"), Entry("layers.1/2"), Entry("a/3")
    ]  # fmt: skip


def test_published_annotations_find_their_places_and_their_header_counts_for_nothing():
    lines = (
        '{"Component": "resid", "Layer": "1", "Feature": "7", "Name": "resid_1/7", '
        '"Annotation": "plural nouns", "Notes": ""}\n'
        '{"Component": "Component", "Layer": "", "Feature": "", "Name": "Name", '
        '"Annotation": "Annotation", "Notes": "Notes"}\n'
        '{"Component": "mlp", "Layer": 1, "Feature": "9", "Name": "mlp_1/9", "Annotation": ""}\n'
        '{"Component": "embed", "Layer": "", "Feature": "3", "Name": "embed/3", "Annotation": "x"}'
    )
    found = members_of(read_list(lines), RECORD, "GPTNeoXForCausalLM")
    assert found.members == (Member(1, 7, "plural nouns"), Member(2, 9, None), Member(0, 3, "x"))


def test_names_of_other_libraries_mean_the_same_place():
    entries = read_list("blocks.1.hook_resid_post/5\nresid_post_layer_11/6\nlayers.1/7")
    found = members_of(entries, RECORD, "GPTNeoXForCausalLM")
    assert [(m.hookpoint_id, m.feature) for m in found.members] == [(1, 5), (3, 6), (1, 7)]


def test_a_feature_named_twice_counts_once():
    found = members_of(read_list("layers.1/5 first\ngpt_neox.layers.1/5 second"), RECORD)
    assert found == ((Member(1, 5, "first"),), 1)


def test_every_bad_entry_is_named_in_one_line():
    text = "layers.1/5\nlayers.1/100\nlayers.9/0\nwhat\n7\nlayers.1/-1"
    with pytest.raises(BadInput) as caught:
        members_of(read_list(text), RECORD)
    said = str(caught.value)
    assert said.startswith("5 entries are not in cache 'demo', which has gpt_neox.embed_in, ")
    for bad in ("'layers.1/100' (features are 0 to 99)", "'layers.9/0' (no such hookpoint)",
                "'what' (no HOOKPOINT/INDEX)", "'7' (which hookpoint?)",
                "'layers.1/-1' (no HOOKPOINT/INDEX)"):  # fmt: skip
        assert bad in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "text",
    [
        "", " \n ", "[]", "{}", "[" * 100_000, '[["layers.1", 17]', '{"a":', '{"Name": "x"\n',
        "[1e999]", "[null]", "[true]", '[["layers.1", true]]', '[["layers.1", 1.5]]',
        '[["layers.1", 99999999999999999999]]', '[{"feature": {"a": [1]}}]', '[["a", 1, 2, 3]]',
        "<img src=x onerror=alert(1)>/1", "layers.1/\u0663\u0663\u0663\u0663",
        '["layers.1\\u202e/2"]', '[["a\\nb", 1]]', '["\\ud800/1"]', "\x00/1",
        "layers.1/" + "9" * 5000, '{"layers.1": [1], "layers.1": [2]}',
    ],
    ids=[f"hostile-{number}" for number in range(24)],
)  # fmt: skip
def test_what_is_no_list_of_features_is_refused_in_one_line(text):
    with pytest.raises(BadInput) as caught:
        members_of(read_list(text), RECORD)
    assert "\n" not in str(caught.value)
    assert "\u202e" not in str(caught.value)
    str(caught.value).encode("utf-8")


def test_the_question_for_circuits_has_stages_clear_marks_and_effects():
    (request,) = explainer_for(CIRCUIT).opening(EVIDENCE, Tools(ScriptedClient(queue())))
    check_golden("explain-cot-effects", [request])
    asked = request.question
    assert "Likelier: “ 2019” +1.91" in asked
    assert "late <<June>> to the end of <<July>>" in asked  # 5.2 of 6.1 is above 0.7
    assert "<<Sept>>" not in asked.replace("<<September>>", "")  # 3.1 of 4.8 is not
    assert CIRCUIT.recorded()["effects"] == "shown"
    assert "effects" not in ExplainerSettings("plain").recorded()


@pytest.fixture(scope="module")
def scored(cached_store, tmp_path_factory):
    """Eight features explained and scored by the grammar, as a collection."""
    store = tmp_path_factory.mktemp("collected") / "store"
    shutil.copytree(cached_store, store)
    catalogue = Catalogue(store)
    text = "\n".join(f"layers.2/{feature} label {feature}" for feature in range(8))
    make(catalogue, "circuit", "small", text, "list.txt")
    request = CollectionRequest("circuit")
    list(explain_collection(catalogue, request))
    list(score_collection(catalogue, request))
    return catalogue


def rows_of(catalogue, name="circuit"):
    found = collections.collection(catalogue, name)
    record = caches.cache(catalogue, found.cache)
    strings = CacheFiles.open(catalogue.store / record.folder).vocabulary.strings
    with catalogue.reading() as con:
        return found, table(con, found.collection_id, strings)


def test_a_collection_is_explained_and_scored_and_nothing_else_is(scored):
    found, rows = rows_of(scored)
    assert (found.n_members, found.n_hookpoints, found.source) == (8, 1, "list.txt")
    assert [row.feature for row in rows] == list(range(8))
    assert rows[3].label == "label 3"
    usable = [row for row in rows if row.reads]
    assert len(usable) >= 6
    for row in usable:
        assert row.explainer == "grammar"
        assert row.promoted
        assert row.top_tokens
    judged = [row for row in usable if row.detection]
    assert judged
    assert all(row.detection.judge == "grammar" for row in judged)
    assert all(row.null_of == "hookpoint" and 0 < row.null_95 < 1 for row in judged)
    assert all(row.role is None for row in rows)  # what they do is not measured
    assert {words.role_words(row) for row in judged} <= {"reads ✓, acts ?", "reads ×, acts ?"}
    with scored.reading() as con:
        assert con.value("select count(distinct feature) from explanation") == 8


def test_the_same_again_does_nothing(scored):
    before = len(runs.runs(scored))
    for stage in (explain_collection, score_collection):
        steps = list(stage(scored, CollectionRequest("circuit")))
        assert [step.total for step in steps] == [0]
    assert len(runs.runs(scored)) == before


def test_what_it_does_stands_beside_what_it_reads_and_makes_a_role(scored):
    _, rows = rows_of(scored)
    row = max((r for r in rows if r.detection), key=lambda r: r.detection.value - r.null_95)
    place = row.hookpoint_id
    who = ledger.method_id(scored, "explainer", "output", "m", {"explainer": "output"})
    how = ledger.method_id(scored, "scorer", "output-side", "m", {"preset": "gloss"})
    record = caches.cache(scored, "small")
    plan = runs.Plan("explain", record.cache_id, place, who, {"features": str(row.feature)})
    run = runs.start_run(scored, plan, 1)
    new = ledger.NewExplanation(row.feature, "Promotes <b>days</b>.", None, "done", None, 0.0, 0,
                                None, None)  # fmt: skip
    (number,) = ledger.write_explanations(scored, place, who, None, run, [new])
    with scored.writing() as con:
        con.run(
            "insert into score (explanation_id, scorer_id, run_id, metric, value, n_judged, "
            "n_failed) values (?, ?, ?, 'accuracy', 5 / 6, 6, 0)",
            [number, how, run],
        )
    runs.end_run(scored, run, "done")
    _, after = rows_of(scored)
    found = after[row.feature]
    assert found.reads == row.reads
    assert found.does == "Promotes <b>days</b>."
    assert found.output_side.n == 6
    expected = Role.BOTH if row.detection.value > row.null_95 else Role.OUTPUT
    assert found.role == expected


def test_a_collection_goes_out_as_json_and_csv_and_the_json_comes_in_again(scored):
    found, rows = rows_of(scored)
    as_json = json.dumps(words.as_json(found, rows))
    again, repeated = make(scored, "again", "small", as_json, "circuit.json")
    assert (again.n_members, repeated) == (8, 0)
    assert rows_of(scored, "again")[1][2].label == "label 2"
    (head, *lines) = list(csv.reader(io.StringIO(words.as_csv(rows))))
    assert head[:3] == ["hookpoint", "feature", "label"]
    assert [line[1] for line in lines] == [str(n) for n in range(8)]
    assert json.loads(lines[0][head.index("promoted")]) == list(rows[0].promoted)
    assert words.lines(found, rows)[0].startswith("circuit: 8 features at 1 hookpoints of cache")


def test_a_name_belongs_to_one_list(scored):
    text = "\n".join(f"layers.2/{feature} label {feature}" for feature in range(8))
    same, _ = make(scored, " circuit ", "small", text, "other.txt")
    assert same.source == "list.txt"
    with pytest.raises(BadInput, match="with other features"):
        make(scored, "circuit", "small", "layers.2/1", "pasted")
    for name in ("", "-x", "a\nb", "a\u202eb", "x" * 81):
        with pytest.raises(BadInput, match="cannot name a collection"):
            make(scored, name, "small", "layers.2/1", "pasted")
    with pytest.raises(NotFound, match="there are: "):
        collections.collection(scored, "nobody")


def test_a_language_model_is_asked_as_for_circuits(scored):
    with serving(plausible) as server:
        endpoint = EndpointSettings("test-model", server.base_url, timeout=20.0)
        request = CollectionRequest("circuit", settings=CIRCUIT, endpoint=endpoint)
        list(explain_collection(scored, request))
    with scored.reading() as con:
        rows = con.rows("select e.prompt, x.settings from explanation e "
                        "join explainer x using (explainer_id) where x.name = 'cot'")  # fmt: skip
    assert len(rows) == 8
    settings = json.loads(rows[0]["settings"])
    assert (settings["highlight"], settings["effects"]) == (0.7, "shown")
    assert "Likelier: " in rows[0]["prompt"].rpartition("[user]")[2]
    with pytest.raises(BadInput, match="needs a language model"):
        list(explain_collection(scored, CollectionRequest("circuit", settings=CIRCUIT)))


def test_the_commands_make_list_show_and_refuse(scored, tmp_path):
    store = ("--store", str(scored.store))
    (tmp_path / "good.txt").write_text("layers.2/1\nlayers.2/1\nlayers.2/2")
    (tmp_path / "bad.txt").write_text("layers.2/99999\nnowhere/1")
    made = gloss("collection", "new", "two", "small", "--from", str(tmp_path / "good.txt"), *store)
    assert "two: 2 features at 1 hookpoints of small; 1 entry names a feature again" in made.stdout
    bad = gloss("collection", "new", "three", "small", "--from", str(tmp_path / "bad.txt"), *store)
    assert bad.returncode == 1
    assert "2 entries are not in cache 'small'" in bad.stderr
    listed = gloss("collection", "list", "--json", *store)
    assert "two" in [json.loads(line)["name"] for line in listed.stdout.splitlines()]
    shown = json.loads(gloss("collection", "show", "two", "--json", *store).stdout)
    assert [one["feature"] for one in shown["features"]] == [1, 2]
    again = gloss("collection", "explain", "two", "--workers", "1", *store)
    assert "nothing to do" in again.stdout


def test_names_are_quoted_and_what_it_does_needs_no_model(scored, tmp_path):
    store = ("--store", str(scored.store))
    path = tmp_path / os.fsdecode(b"\xff list.txt")  # no UTF-8
    path.write_text("layers.2/1\n")
    made = gloss("collection", "new", "it's a", "small", "--from", str(path), *store)
    assert "next: gloss collection explain 'it'\"'\"'s a', or" in made.stdout
    done = gloss("collection", "explain", "it's a", "--explainer", "output", *store)
    assert done.returncode == 0, done.stderr
    shown = json.loads(gloss("collection", "show", "it's a", "--json", *store).stdout)
    assert shown["source"] == "\\udcff list.txt"
    assert shown["features"][0]["does"].startswith("Promotes")
    refused = gloss("collection", "explain", "it's a", "--explainer", "cot", *store)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)

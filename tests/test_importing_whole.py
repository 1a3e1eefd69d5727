"""Runs of delphi with activations: all of them arrive, contexts are found, damage is refused."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from commands import gloss
from delphi_runs import CONFIG, HOOK, activations, put, row, tile_row, write_latents, write_text_run
from imported_runs import SHARED, bring, codes, feature_of, rows_in
from safetensors.numpy import load_file, save_file

from core.grammar.settings import Settings
from core.pipeline.explaining import UNKNOWN, ExplainRequest, explain_stage
from data import caches, results
from data.cachefiles import CacheFiles
from data.errors import BadInput
from data.imports.delphi_run import require_hookpoint
from data.imports.report import reports
from data.tensorfile import tensors


def whole_run(folder: Path) -> Path:
    """A run with activations whose score rows are tiles of them."""
    run = write_text_run(folder, features=(), config=CONFIG)
    write_latents(run)
    silent = [tile_row(1, r, s, distance=-1.0) for r in range(12) for s in (0, 4)]
    silent = [found for found in silent if not found["activating"]][:2]
    active = [tile_row(1, r, s, distance=r % 10) for r in range(12) for s in (0, 4)]
    active = [found for found in active if found["activating"]][:10]  # they spell every token
    put(run / "explanations" / f"{HOOK}_latent1.txt", "Fires on cat")
    put(run / "scores" / "detection" / f"{HOOK}_latent1.txt", [*active, *silent])
    return run


def test_activations_arrive_and_contexts_are_found_in_them(tmp_path):
    run = whole_run(tmp_path / "run")
    catalogue = bring(tmp_path / "store", run)
    record = caches.cache(catalogue, "run")
    (hookpoint,) = record.hookpoints
    columns = CacheFiles.open(tmp_path / "store" / record.folder).columns(hookpoint.hookpoint_id)
    for feature in range(6):
        wanted = [(8 * r + p, np.float16(v)) for r, p, f, v in activations() if f == feature]
        found = columns.slice(feature)
        assert found.token.tolist() == [token for token, _ in wanted]
        assert found.activation.tolist() == [float(value) for _, value in wanted]
    found = codes(catalogue, "run")
    assert "not_located" not in found
    assert "values_disagree_with_cache" not in found
    assert found["recovered_vocabulary"] == 1  # there is no tokenizer
    examples = feature_of(catalogue, "run", f"{HOOK}/1")["examples"]
    assert all(one["start"] in (0, 4) for one in examples if one["kind"] == "activating")


def test_contexts_that_are_nowhere_keep_their_text(tmp_path):
    run = whole_run(tmp_path / "run")
    path = run / "scores" / "detection" / f"{HOOK}_latent1.txt"
    odd = row([" never", " seen"], [0.5, 0], distance=3, prediction=True)
    put(path, [*json.loads(path.read_text()), odd])
    catalogue = bring(tmp_path / "store", run)
    assert codes(catalogue, "run")["not_located"] >= 1
    examples = feature_of(catalogue, "run", f"{HOOK}/1")["examples"]
    (found,) = [one for one in examples if one["tokens"] == [" never", " seen"]]
    assert found["activations"] == [0.5, 0]
    assert found["sequence"] is None


def test_values_that_differ_from_the_cache_are_counted(tmp_path):
    run = whole_run(tmp_path / "run")
    path = run / "scores" / "detection" / f"{HOOK}_latent1.txt"
    rows = json.loads(path.read_text())
    changed = rows[0] | {"activations": [value * 2 for value in rows[0]["activations"]]}
    for scorer in ("detection", "fuzz"):
        put(run / "scores" / scorer / f"{HOOK}_latent1.txt", [*rows, changed])
    catalogue = bring(tmp_path / "store", run)
    assert codes(catalogue, "run")["values_disagree_with_cache"] == 1  # the same context
    with catalogue.reading() as con:
        (found,) = results.explanations(con, 1, 1)[1]
    flagged = {one.scorer: one.detail.get("values_disagree") for one in found.scores}
    assert flagged == {"detection": 0, "fuzzing": 1}  # its marks were made by those values
    assert "values_disagree_with_cache" in results.headline(found.scores)["fuzzing"].detail["flags"]


def _endless(path: Path) -> None:
    """A shape that no integer holds."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = raw[8 : 8 + length].replace(b'"shape":[', b'"shape":[1e999,', 1)
    path.write_bytes(len(header).to_bytes(8, "little") + header + raw[8 + length :])


def _shard(run: Path, **changed) -> None:
    """Write the first shard again with other tensors; None leaves one out."""
    path = run / "latents" / HOOK / "0_2.safetensors"
    held = load_file(path) | changed
    save_file({name: array for name, array in held.items() if array is not None}, path)


DAMAGE = {
    "cut-off": lambda run: next(run.rglob("detection/*")).write_text('[{"str_tokens": ["a'),
    "empty": lambda run: next(run.rglob("explanations/*")).write_bytes(b""),
    "no-utf8": lambda run: next(run.rglob("fuzz/*")).write_bytes(b'["\xff"]'),
    "no-list": lambda run: put(next(run.rglob("fuzz/*")), {"a": 1}),
    "nested": lambda run: next(run.rglob("fuzz/*")).write_text("[" * 100_000),
    "no-class": lambda run: put(next(run.rglob("fuzz/*")), [{"str_tokens": ["a"]}]),
    "nan": lambda run: put(next(run.rglob("fuzz/*")), [row(["a"], [float("nan")], distance=0,
                                                          prediction=True, activating=True)]),
    "verdict": lambda run: put(next(run.rglob("fuzz/*")), [row(["a"], [1], distance=0,
                                                              prediction="yes")]),
    "twice": lambda run: put(run / "explanations" / f"{HOOK}_feature0.txt", "again"),
    "huge-index": lambda run: put(run / "explanations" / f"{HOOK}_latent999999999.txt", "far"),
    "link": lambda run: (run / "explanations" / f"{HOOK}_latent7.txt").symlink_to("/etc/passwd"),
    "shard-endless": lambda run: _endless(run / "latents" / HOOK / "0_2.safetensors"),
    "shard-cut": lambda run: (run / "latents" / HOOK / "0_2.safetensors").write_bytes(b"\x10" * 40),
    "shard-overlap": lambda run: os.rename(run / "latents" / HOOK / "3_5.safetensors",
                                           run / "latents" / HOOK / "2_5.safetensors"),
    "shard-empty": lambda run: (run / "latents" / HOOK / "0_2.safetensors").write_bytes(b""),
    "shard-shape": lambda run: _shard(run, locations=np.zeros((4, 2), np.uint16)),
    "shard-no-key": lambda run: _shard(run, activations=None),
    "shard-lengths": lambda run: _shard(run, activations=np.ones(3, np.float16)),
    "shard-nan": lambda run: _shard(run, activations=np.full(37, np.nan, np.float16),
                                    locations=np.zeros((37, 3), np.uint16)),
    "shard-twice": lambda run: _shard(run, activations=np.ones(2, np.float16),
                                      locations=np.zeros((2, 3), np.uint16)),
    "shard-kind": lambda run: _shard(run, locations=np.zeros((4, 3), np.float32)),
    "tokens-differ": lambda run: _shard(run, tokens=np.zeros((12, 8), np.int64)),
    "tokens-shape": lambda run: _shard(run, tokens=np.zeros(96, np.int64)),
    "tokens-below-0": lambda run: _shard(run, tokens=np.full((12, 8), -1, np.int64)),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_run_is_one_line_and_leaves_the_store_alone(tmp_path, what):
    run = write_text_run(tmp_path / "run")
    write_latents(run)
    DAMAGE[what](run)
    with pytest.raises(BadInput) as error:
        bring(tmp_path / "store", run)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "store").exists()


def test_what_must_be_reported_is(tmp_path):
    config = CONFIG | {"filter_bos": True, "random": True, "max_latents": 2}
    run = write_text_run(tmp_path / "run", features=(), config=config)
    write_latents(run, ends=(2, 5))
    os.rename(
        run / "latents" / HOOK / "3_5.safetensors", run / "latents" / HOOK / "7_9.safetensors"
    )
    held = load_file(run / "latents" / HOOK / "0_2.safetensors")
    _shard(run, activations=np.full_like(held["activations"], np.inf))
    catalogue = bring(tmp_path / "store", run)
    found = codes(catalogue, "run")
    assert {"bos_removed", "random_sae", "not_centred", "half_precision_ties"} <= set(found)
    assert found["inf_values"] == len(held["activations"])
    assert found["missing_range"] == 4
    with catalogue.reading() as con:
        said = {one["explanation"].split("(")[1].split(")")[0]: one["n"]
                for one in reports(con, 1) if one["code"] == "partial_run"}  # fmt: skip
    assert said == {"dead": 1, "not_covered": 4, "not_selected": 3, "unknown": 2}


def test_settings_beside_the_shards_name_subject_and_corpus(tmp_path):
    write_latents(tmp_path / "run")
    beside = {"model_name": "org/tiny", "dataset_repo": "some/corpus", "ctx_len": 8}
    put(tmp_path / "run" / "latents" / HOOK / "config.json", beside)
    record = caches.cache(bring(tmp_path / "store", tmp_path / "run"), "run")
    assert (record.subject, record.corpus) == ("org/tiny", "some/corpus")


def test_the_command_says_one_line_exits_1_and_leaves_the_store_alone(tmp_path):
    bring(tmp_path / "store", write_text_run(tmp_path / "first"))
    before = {p: p.read_bytes() for p in (tmp_path / "store").rglob("*") if p.is_file()}
    run = write_text_run(tmp_path / "run", features=(1,))
    DAMAGE["cut-off"](run)
    done = gloss("import", "delphi", str(run), "--store", str(tmp_path / "store"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("gloss: ")
    assert "Traceback" not in done.stderr
    after = {p: p.read_bytes() for p in (tmp_path / "store").rglob("*") if p.is_file()}
    assert after == before


def test_names_in_a_run_are_never_paths(tmp_path):
    config = CONFIG | {"name": "../../evil", "model": "../../evil"}
    run = write_text_run(tmp_path / "deep" / "run", config=config)
    bring(tmp_path / "deep" / "deeper" / "store", run)
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("name", ["x/../evil", "/abs/evil", "x//evil", "x\\evil", "x\x1bevil",
                                  ".--..--x"])  # fmt: skip
def test_hookpoints_that_lead_out_of_a_folder_are_refused(tmp_path, name):
    run = write_text_run(tmp_path / "run", config=CONFIG | {"hookpoints": [HOOK, name]})
    with pytest.raises(BadInput, match="no usable name"):
        bring(tmp_path / "store", run)
    with pytest.raises(BadInput, match="no usable name"):
        require_hookpoint(name, "a table")


def test_features_outside_the_shards_are_unknown_and_not_dead(tmp_path):
    run = whole_run(tmp_path / "run")
    os.remove(run / "latents" / HOOK / "0_2.safetensors")
    put(run / "explanations" / f"{HOOK}_latent9.txt", "Fires on nothing that is here")
    catalogue = bring(tmp_path / "store", run)
    with catalogue.reading() as con:
        found = con.rows("select feature, n_active, density, reason from feature order by feature")
    by_feature = {row["feature"]: (row["n_active"], row["density"], row["reason"]) for row in found}
    unknown = (None, None, "unknown")
    assert [by_feature[f] for f in (0, 2, 9)] == [unknown] * 3
    assert by_feature[5] == (0, 0, "dead")
    (hookpoint,) = caches.cache(catalogue, "run").hookpoints
    assert (hookpoint.n_features, hookpoint.n_alive) == (10, 2)  # 3 and 4 fire
    assert codes(catalogue, "run")["not_covered"] == 2  # 1, which has scores, and 9
    asked = ExplainRequest("run", (), "0,9", Settings(), workers=1)
    list(explain_stage(catalogue, asked))
    with catalogue.reading() as con:
        made = con.rows("select feature, status, error from explanation where feature in (0, 9) "
                        "and error is not null order by feature")  # fmt: skip
    assert made == [{"feature": f, "status": "skipped", "error": UNKNOWN} for f in (0, 9)]
    (again,) = explain_stage(catalogue, asked)
    assert again.note == "the chosen features have this explanation"


def test_damage_beside_the_shards_is_counted(tmp_path):
    run = whole_run(tmp_path / "run")
    (run / "latents" / HOOK / "config.json").write_text("[")
    os.rename(run / "latents" / HOOK / "3_5.safetensors",
              run / "latents" / HOOK / "three_5.safetensors")  # fmt: skip
    pairs = [[float("nan"), 1], [0.5, 2], [0.4, 77]]
    put(run / "neighbours" / f"{HOOK}-decoder_similarity.json", {"1": pairs})
    found = codes(bring(tmp_path / "store", run), "run")
    assert (found["settings_damaged"], found["shards_misnamed"]) == (1, 1)
    assert found["neighbours_damaged"] == 2
    shard = run / "latents" / HOOK / "0_2.safetensors"
    os.rename(shard, shard.with_name("0_99999999999.safetensors"))
    with pytest.raises(BadInput, match="no such range"):
        bring(tmp_path / "other", run)


def test_shards_that_lie_are_refused(tmp_path):
    run = whole_run(tmp_path / "run")
    path = run / "latents" / HOOK / "0_2.safetensors"
    offset = tensors(path)["locations"].extent.offset
    raw = bytearray(path.read_bytes())
    raw[offset : offset + 2] = b"\xff\x00"  # a sequence that is not there
    path.write_bytes(raw)
    with pytest.raises(BadInput, match="outside of its"):
        bring(tmp_path / "store", run)


@pytest.mark.skipif(not (SHARED / "parity").is_dir(), reason="the sample runs are not here")
@pytest.mark.parametrize(
    ("name", "stored", "verdicts", "disagree"),
    [("one_hook", 131_072, 3200, None), ("two_hooks", 196_608, 1820, 66)],
)
def test_sample_runs_arrive_complete(tmp_path, name, stored, verdicts, disagree):
    catalogue = bring(tmp_path / "store", SHARED / "parity" / "delphi" / name)
    record = caches.cache(catalogue, name)
    assert sum(h.n_activations for h in record.hookpoints) == stored
    assert rows_in(catalogue, "verdict")["verdict"] == verdicts
    found = codes(catalogue, name)
    assert found.get("values_disagree_with_cache") == disagree
    assert not {"not_located", "silent_not_located", "recovered_vocabulary"} & set(found)

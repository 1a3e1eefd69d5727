"""Exports: the tables of one cache, whole or not at all, never over somebody's files."""

import errno
import io
import json
import os
import resource
import subprocess
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace

import pandas as pd
import pytest
from commands import gloss
from stores import begin, make_store

from core.exporting.delphi import DelphiRequest, export_delphi
from core.exporting.neuronpedia import NeuronpediaRequest, export_neuronpedia
from core.exporting.report import ReportRequest, export_report
from data import caches, exporting
from data.cachefiles import CacheFiles
from data.catalogue import Catalogue
from data.errors import BadInput, GlossError, NotFound, StoreTrouble
from data.exports import folder
from data.records import CacheRecord, Progress


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("it's exported"), sequences=60)


def exported(made, out, format="parquet"):
    return list(exporting.export(made.catalogue, "made", out, format))


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_every_table_of_the_cache_is_written_with_its_rows(made, tmp_path, format):
    steps = exported(made, tmp_path / "out", format)
    assert steps[0] == Progress("exporting", 0, exporting.N_TABLES, "tables", note="cache")
    assert steps[-1].done == steps[-1].total
    found = folder.read_manifest(tmp_path / "out")
    assert (found.cache, found.format) == ("made", format)
    read = pd.read_parquet if format == "parquet" else pd.read_csv
    for table, rows in found.rows.items():
        assert len(read(tmp_path / "out" / f"{table}.{format}")) == rows, table
    with made.catalogue.reading() as con:
        assert found.rows == exporting.counts(con, made.cache.cache_id)
    assert found.rows["feature"] == 16
    assert found.rows["explanation"] == 5
    assert found.rows["verdict"] > 500


def test_no_other_cache_is_in_it(tmp_path):
    made = make_store(tmp_path / "store", sequences=60)
    subject = caches.SubjectFacts("other", None, "GPTNeoX", "float32", 2, 8, 40)
    sae = caches.SaeFacts("layers.0", "sae/other", "topk", "cd" * 32, 4, {})
    other = caches.begin_cache(made.catalogue, "other", subject, [sae], {}, seed=1)
    exported(made, tmp_path / "out")
    assert pd.read_parquet(tmp_path / "out" / "subject.parquet")["name"].tolist() == [
        "tiny-subject"
    ]  # fmt: skip
    with made.catalogue.reading() as con:
        assert exporting.counts(con, other.cache_id)["explanation"] == 0


def test_a_manifest_says_what_was_exported_and_no_path(made, tmp_path):
    exported(made, tmp_path / "out")
    found = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert found["store"] == made.folder.name
    assert str(made.folder) not in json.dumps(found)
    assert found["schema_version"] == 1


def test_an_earlier_export_is_replaced_and_other_files_are_not(made, tmp_path):
    exported(made, tmp_path / "out", "csv")
    before = folder.read_manifest(tmp_path / "out")
    exported(made, tmp_path / "out", "csv")
    assert folder.read_manifest(tmp_path / "out").rows == before.rows
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(BadInput, match="holds other files"):
        exported(made, tmp_path / "mine")
    with pytest.raises(BadInput, match="is a file"):
        exported(made, tmp_path / "mine" / "thesis.txt")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_an_export_that_is_stopped_leaves_what_was_there(made, tmp_path):
    exported(made, tmp_path / "out", "csv")
    before = (tmp_path / "out" / "manifest.json").read_text()
    steps = exporting.export(made.catalogue, "made", tmp_path / "out", "csv")
    for _ in range(5):
        next(steps)
    steps.close()
    assert (tmp_path / "out" / "manifest.json").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_files_that_were_put_into_an_export_are_not_deleted(made, tmp_path):
    exported(made, tmp_path / "out", "csv")
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(BadInput, match="holds other files"):
        exported(made, tmp_path / "out", "csv")
    assert (tmp_path / "out" / "thesis.txt").exists()


def test_what_a_killed_export_left_behind_goes_with_the_next_one(made, tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    for number in (gone.pid, os.getppid()):
        (tmp_path / f".out.{number}.tmp").mkdir()
    exported(made, tmp_path / "out", "csv")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f".out.{os.getppid()}.tmp", "out"]  # that one is at work


STAGES = {
    "csv": lambda made, out: exporting.export(made.catalogue, "made", out, "csv"),
    "neuronpedia": lambda made, out: export_neuronpedia(
        made.catalogue, NeuronpediaRequest("made", out)
    ),
    "delphi": lambda made, out: export_delphi(made.catalogue, DelphiRequest("made", out)),
    "html": lambda made, out: export_report(made.catalogue, ReportRequest("made", out)),
}


@pytest.mark.parametrize("format", STAGES)
def test_a_full_disk_is_one_line_and_nothing_is_left(made, tmp_path, format):
    with largest_file(6000), pytest.raises(StoreTrouble) as refused:
        list(STAGES[format](made, tmp_path / "out"))
    said = str(refused.value)
    assert said.startswith(f"the export to {tmp_path / 'out'} could not be written (")
    assert "\n" not in said
    assert list(tmp_path.iterdir()) == []


@contextmanager
def largest_file(size):
    """A disk on which no file can be larger than this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("format", STAGES)
def test_one_kind_of_export_does_not_take_the_place_of_another(made, tmp_path, format):
    exported(made, tmp_path / "out", "parquet")
    with pytest.raises(BadInput, match="holds an export as parquet"):
        next(STAGES[format](made, tmp_path / "out"))
    assert (tmp_path / "out" / "feature.parquet").exists()


@pytest.mark.parametrize("format", STAGES)
def test_other_files_are_refused_before_anything_is_read(made, tmp_path, format):
    (tmp_path / "thesis.txt").write_text("years of work")
    steps = STAGES[format](made, tmp_path)
    with pytest.raises(BadInput, match="holds other files"):
        next(steps)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_every_table_is_exported_or_left_out_on_purpose(made):
    with made.catalogue.reading() as con:
        tables = {row["table_name"] for row in con.rows(
            "select table_name from information_schema.tables")}  # fmt: skip
    left_out = {"schema_version", "reply", "request_prefix", "saved"}
    assert tables - left_out == set(exporting.TABLES)


@pytest.mark.parametrize("format", STAGES)
def test_a_cache_that_is_not_finished_is_refused(tmp_path, format):
    made = begin_store(tmp_path / "store")
    with pytest.raises(StoreTrouble, match="'made' is not finished; run its gloss cache command"):
        list(STAGES[format](made, tmp_path / "out"))
    half = CacheRecord(1, "half", "s", 8, "c", "running", "f", 0, 0, 0, 0, 0, (), "delphi")
    with pytest.raises(StoreTrouble, match="run its gloss import command again"):
        caches.require_done(half)
    assert not (tmp_path / "out").exists()


def begin_store(where):
    """A store with a cache that has only begun."""
    catalogue = Catalogue(where)
    begin(catalogue)
    return SimpleNamespace(catalogue=catalogue)


@pytest.mark.parametrize("format", STAGES)
def test_files_that_were_put_deep_into_an_export_are_not_deleted(made, tmp_path, format):
    list(STAGES[format](made, tmp_path / "out"))
    list(STAGES[format](made, tmp_path / "out"))
    file = next(p for p in sorted((tmp_path / "out").rglob("*")) if p.is_file())
    mine = file.with_name("thesis.txt")
    mine.write_text("years of work")
    with pytest.raises(BadInput, match=r"holds other files .*, as .*thesis\.txt"):
        list(STAGES[format](made, tmp_path / "out"))
    assert mine.read_text() == "years of work"
    mine.unlink()
    manifest = tmp_path / "out" / "manifest.json"
    whole = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(whole | {"files": list(whole["files"])}))
    with pytest.raises(BadInput, match="does not list its files"):
        list(STAGES[format](made, tmp_path / "out"))
    manifest.write_text(json.dumps(whole))
    file.write_bytes(file.read_bytes() + b"mine")
    with pytest.raises(BadInput, match="holds other files"):
        list(STAGES[format](made, tmp_path / "out"))


def test_a_link_is_followed_and_stays(made, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to("circle")
    for name, real in (("link", "real"), ("dangling", "nowhere")):
        exported(made, tmp_path / name, "csv")
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / real / "feature.csv").exists()
    with pytest.raises(GlossError):
        exported(made, tmp_path / "circle", "csv")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["circle", "dangling", "link", "nowhere", "real"]


def test_an_export_that_a_kill_left_without_its_name_comes_back(made, tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    exported(made, tmp_path / "out", "csv")
    (tmp_path / "out").rename(tmp_path / f".out.{gone.pid}.before")
    with pytest.raises(BadInput, match="holds an export as csv"):
        exported(made, tmp_path / "out", "parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    (tmp_path / f".out.{gone.pid}.before").mkdir()
    exported(made, tmp_path / "out", "csv")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_inside_the_store_is_refused(made):
    for inside in (made.folder, made.folder / "caches" / "x", made.folder.parent):
        with pytest.raises(BadInput, match="is inside the store"):
            exported(made, inside)
    assert not (made.folder / "caches" / "x").exists()


@pytest.mark.parametrize("name", ["/etc", "../../up", "layers.0/../../../up", ""])
def test_a_name_that_leads_out_of_an_export_is_refused(tmp_path, name):
    with pytest.raises(BadInput, match=r"^hookpoint .* cannot be exported: its name"):
        folder.below(tmp_path, "latents", name, of=name)
    assert folder.below(tmp_path, "latents", "a/b.c", of="a/b.c") == tmp_path / "latents/a/b.c"


def test_a_disk_that_refuses_is_said_in_words(tmp_path):
    raw = 'IO Error: {"exception_type":"IO","exception_message":"Could not write","errno":"28"}'
    full = pytest.raises(StoreTrouble, match=r"written \(No space left on device\).*: free some")
    with full, folder.said(tmp_path):
        raise StoreTrouble(f"{tmp_path} is full") from RuntimeError(raw)
    sealed = pytest.raises(StoreTrouble, match=r"\(Read-only file system\).*of it: name another")
    with sealed, folder.said(tmp_path):
        raise OSError(errno.EROFS, "Read-only file system")


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_the_text_of_every_context_can_be_read_without_the_store(made, tmp_path, format):
    exported(made, tmp_path / "out", format)
    read = pd.read_parquet if format == "parquet" else partial(pd.read_csv, keep_default_na=False)
    said, example = (
        read(tmp_path / "out" / f"{table}.{format}") for table in ("example_text", "example")
    )
    assert len(said) == len(example) > 100
    key = ["hookpoint_id", "feature", "slot"]
    both = said.merge(example, on=key)
    pieces = [json.loads(one) if format == "csv" else one.tolist() for one in both["pieces"]]
    assert ["".join(one) for one in pieces] == both["text"].tolist()
    assert [len(one) for one in pieces] == both["length"].tolist()
    files = CacheFiles.open(made.folder / made.cache.folder)
    ids = files.tokens.flat(int(both["first_token"][0]), int(both["length"][0])).tolist()
    words, special = files.vocabulary.pieces(ids), files.meta.special_ids
    assert pieces[0] == ["" if t in special else p for t, p in zip(ids, words, strict=True)]
    notes = folder.read_manifest(tmp_path / "out").notes
    assert any("example_text" in note for note in notes)
    if format == "csv":  # lists of structs are JSON
        text = exporting.table_bytes(made.catalogue, "made", "feature_chart", "csv")
        rows = pd.read_csv(io.BytesIO(text), keep_default_na=False)
        assert {"token", "n", "mean"} == set(json.loads(rows["top_tokens"][0])[0])


def test_one_table_is_given_as_a_file(made):
    text = exporting.table_bytes(made.catalogue, "made", "hookpoint", "csv").decode()
    assert text.splitlines()[0].startswith("hookpoint_id,cache_id,name")
    with pytest.raises(NotFound, match="no table 'run; drop"):
        exporting.table_bytes(made.catalogue, "made", "run; drop table run", "csv")


def test_a_page_exports_into_the_store(made):
    assert folder.folder_of(made.catalogue, "../x", "csv").parent == made.folder / "exports"


def test_the_command_says_what_it_wrote(made, tmp_path):
    out = tmp_path / "out"
    ended = gloss("export", "csv", "made", "--out", str(out), "--store", str(made.folder))
    assert ended.returncode == 0
    assert "rows of made are in" in ended.stdout

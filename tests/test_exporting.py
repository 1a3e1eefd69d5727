"""Exports: the tables of one cache, whole or not at all, never over somebody's files."""

import json

import pandas as pd
import pytest
from stores import begin, make_store

from core import cli
from data import caches, exporting
from data.catalogue import Catalogue
from data.errors import BadInput, NotFound
from data.records import Progress


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("it's exported"), sequences=60)


def exported(made, out, format="parquet"):
    return list(exporting.export(made.catalogue, "made", out, format))


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_every_table_of_the_cache_is_written_with_its_rows(made, tmp_path, format):
    steps = exported(made, tmp_path / "out", format)
    assert steps[0] == Progress("exporting", 0, len(exporting.TABLES), "tables", note="cache")
    assert steps[-1].done == steps[-1].total
    found = exporting.read_manifest(tmp_path / "out")
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
    exported(made, tmp_path / "out", "parquet")
    assert not (tmp_path / "out" / "feature.csv").exists()
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
    steps = exporting.export(made.catalogue, "made", tmp_path / "out", "parquet")
    for _ in range(5):
        next(steps)
    steps.close()
    assert (tmp_path / "out" / "manifest.json").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_cache_without_files_exports_what_is_known(tmp_path):
    catalogue = Catalogue(tmp_path / "store")
    begin(catalogue)
    list(exporting.export(catalogue, "made", tmp_path / "out", "csv"))
    assert exporting.read_manifest(tmp_path / "out").rows["hookpoint"] == 1


def test_one_table_is_given_as_a_file(made):
    text = exporting.table_bytes(made.catalogue, "made", "hookpoint", "csv").decode()
    assert text.splitlines()[0].startswith("hookpoint_id,cache_id,name")
    with pytest.raises(NotFound, match="no table 'run; drop"):
        exporting.table_bytes(made.catalogue, "made", "run; drop table run", "csv")


def test_a_page_exports_into_the_store(made):
    assert exporting.folder_of(made.catalogue, "../x", "csv").parent == made.folder / "exports"


def test_the_command_says_what_it_wrote(made, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    words = ["gloss", "export", "csv", "made", "--out", str(out), "--store", str(made.folder)]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code in (0, None)
    assert "rows of made are in" in capsys.readouterr().out

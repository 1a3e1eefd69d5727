"""The door to DuckDB: versions, transactions, waiting for another process, clear errors."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pyarrow as pa
import pytest

from data.catalogue import Catalogue, opening
from data.errors import StoreBusy, StoreTrouble, StoreVersion

HOLD = """
import sys, time, duckdb
con = duckdb.connect(sys.argv[1])
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


@contextmanager
def held(path, seconds):
    """Another process that holds the file for a while."""
    command = [sys.executable, "-c", HOLD, str(path), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        yield process
        process.kill()


def test_a_new_store_is_made_with_its_schema(tmp_path):
    catalogue = Catalogue(tmp_path / "store")
    with catalogue.reading() as con:
        assert con.value("select count(*) from feature") == 0
    assert [p.name for p in (tmp_path / "store").iterdir()] == ["catalogue.duckdb"]


def test_a_failed_transaction_leaves_nothing(tmp_path):
    catalogue = Catalogue(tmp_path)

    def fail_halfway():
        with catalogue.writing() as con:
            con.run("insert into note (tag) values ('lost')")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail_halfway()
    with catalogue.reading() as con:
        assert con.value("select count(*) from note") == 0


def test_a_locked_file_is_waited_for(tmp_path):
    catalogue = Catalogue(tmp_path)
    with held(catalogue.path, 0.5), catalogue.writing() as con:
        con.run("insert into note (tag) values ('kept')")


def test_a_long_lock_is_reported_with_file_and_process(tmp_path):
    Catalogue(tmp_path)
    with held(tmp_path / "catalogue.duckdb", 20) as process, pytest.raises(StoreBusy) as caught:
        Catalogue(tmp_path, patience=0.2)
    assert f"catalogue.duckdb is held by process {process.pid}" in str(caught.value)


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path):
    (tmp_path / "catalogue.duckdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreTrouble, match="not a valid DuckDB") as caught:
        Catalogue(tmp_path)
    assert "\n" not in str(caught.value)


def test_another_schema_version_is_refused(tmp_path):
    catalogue = Catalogue(tmp_path)
    with catalogue.writing() as con:
        con.run("update schema_version set version = 999")
    with pytest.raises(StoreVersion, match="schema version 999"):
        Catalogue(tmp_path)


def test_other_tables_of_the_same_version_are_refused(tmp_path):
    catalogue = Catalogue(tmp_path)
    with catalogue.writing() as con:
        con.run("update schema_version set schema_sha256 = 'older'")
    with pytest.raises(StoreVersion, match="written by another Gloss"):
        Catalogue(tmp_path)


def test_a_database_of_something_else_is_refused(tmp_path):
    other = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('create table t (x int)')"
    subprocess.run([sys.executable, "-c", other, str(tmp_path / "catalogue.duckdb")], check=True)
    with pytest.raises(StoreVersion, match="none of Gloss's tables"):
        Catalogue(tmp_path)


def test_a_commit_changes_the_revision_and_a_read_does_not(tmp_path):
    catalogue = Catalogue(tmp_path)
    before = catalogue.revision()
    with catalogue.reading() as con:
        con.value("select count(*) from note")
    assert catalogue.revision() == before
    with catalogue.writing() as con:
        con.run("insert into note (tag) values ('new')")
    assert catalogue.revision() != before


def test_threads_may_write_at_once(tmp_path):
    catalogue = Catalogue(tmp_path)

    def write():
        for _ in range(10):
            with catalogue.writing() as con:
                con.run("insert into note (tag) values ('x')")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with catalogue.reading() as con:
        assert con.value("select count(*) from note") == 40


def test_threads_that_open_at_once_all_find_a_whole_database(tmp_path):
    catalogue = Catalogue(tmp_path)
    one = pa.table({"a": ["x"]})

    def look(_turn: int) -> int:
        with catalogue.reading() as con, con.table("wanted", one):
            return con.value("select count(*) from wanted")

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(look, range(600))) == {1}


def test_a_fatal_error_ends_with_the_connections_that_it_met(tmp_path):
    one, other = Catalogue(tmp_path / "one"), Catalogue(tmp_path / "other")
    with one.reading() as con, one.reading() as beside:
        opening._instances[-1].is_broken = True  # what DuckDB says when a disk fails under it
        assert con.value("select count(*) from note") == 0
        with other.writing() as elsewhere:  # another instance has taken over
            elsewhere.run("insert into note (tag) values ('kept')")
        assert beside.value("select count(*) from note") == 0
    assert not any(instance.is_broken for instance in opening._instances)
    with one.reading() as con, other.reading() as elsewhere:
        assert con.value("select count(*) from note") == 0
        assert elsewhere.value("select tag from note") == "kept"


def test_a_file_is_let_go_between_uses(tmp_path):
    catalogue = Catalogue(tmp_path)
    with catalogue.writing() as con:
        con.run("insert into note (tag) values ('kept')")
    before = catalogue.revision()
    with catalogue.reading(), catalogue.reading() as con:
        assert con.value("select tag from note") == "kept"
    assert catalogue.revision() == before
    with held(catalogue.path, 20) as process:
        assert process.poll() is None

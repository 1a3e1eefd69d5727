"""The SQL box's door: it answers questions and does nothing else."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import monotonic

import pytest
from inspected import ask, quoted_store
from stores import make_store

from data import notes
from data.catalogue import Catalogue
from data.errors import BadInput, StoreBusy
from data.inspecting import query, seconds_for, tables


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return quoted_store(tmp_path_factory.mktemp("asked"))


def test_a_question_is_answered_with_numbers_truth_and_text(made):
    sql = "select 1 as a, 2 as a, 1.5 as d, null as z, true as b, [1, 2] as l, 'x' as t"
    answer = ask(made, sql)
    assert list(answer.frame) == ["a", "a_2", "d", "z", "b", "l", "t"]
    assert answer.frame.iloc[0].to_dict() | {"z": None} == {
        "a": 1, "a_2": 2, "d": 1.5, "z": None, "b": True, "l": "[1, 2]", "t": "x"
    }  # fmt: skip
    assert not answer.truncated


def test_whole_numbers_stay_whole_beside_nothing_and_text_beyond_64_bits(made):
    frame = ask(made, "select * from (values (1, 2::hugeint ** 100), (null, 0)) t(a, b)").frame
    assert str(frame["a"].dtype) == "Int64"
    wide = ask(made, "select 170141183460469231731687303715884105727 as h").frame
    assert wide["h"].tolist() == ["170141183460469231731687303715884105727"]


def test_an_answer_is_cut_at_the_limit_and_says_so(made):
    answer = ask(made, "select * from feature order by feature", limit=3)
    assert answer.frame["feature"].tolist() == [0, 1, 2]
    assert answer.truncated
    assert not ask(made, "select * from feature", limit=16).truncated


def test_long_cells_are_cut(made):
    assert len(ask(made, "select repeat('x', 50000)").frame.iloc[0, 0]) == 10_000


def test_an_empty_answer_keeps_its_columns(made):
    assert list(ask(made, "select feature, text from explanation where false").frame) == [
        "feature", "text"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) from range(1000000000000)",
        "with recursive t as (select 1 as a union all select a + 1 from t) select count(*) from t",
        "select count(*) from verdict a, verdict b, verdict c, verdict d where a.item_id > 0",
    ],
)
def test_what_takes_too_long_is_stopped(made, sql):
    began = monotonic()
    with pytest.raises(BadInput, match=r"took longer than 0\.4 s and was stopped"):
        ask(made, sql, seconds=0.4)
    assert monotonic() - began < 5


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("", "there is no question"),
        ("  \n ", "there is no question"),
        ("-- nothing", "one statement that reads"),
        ("select" + " " * 30_000, "20,000 are allowed"),
        ("selec 1", 'syntax error at or near "selec"'),
        ("select nope from run", 'Referenced column "nope" not found'),
        ("select * from nowhere", "Table with name nowhere does not exist"),
        ("select 'a'::integer", "Could not convert string 'a'"),
        ("select \0", "was not found"),
    ],
)
def test_a_mistake_is_one_sentence(made, sql, words):
    with pytest.raises(BadInput, match=words) as refused:
        ask(made, sql)
    assert "\n" not in str(refused.value)


def test_a_process_that_breaks_is_not_called_slow(made, monkeypatch):
    monkeypatch.setattr("data.inspecting.environment", lambda: {"PYTHONHOME": "/nowhere"})
    with pytest.raises(BadInput, match="broke off"):
        ask(made, "select 1")


WRITE = """
import sys, time
from pathlib import Path
from data import notes
from data.catalogue import Catalogue
catalogue = Catalogue(Path(sys.argv[1]))
print("writing", flush=True)
until = time.monotonic() + 1
n = 0
while time.monotonic() < until:
    notes.write_note(catalogue, 1, n, "label", "x")
    n += 1
print(n, flush=True)
"""


NOTE = """
import sys
from pathlib import Path
from data import notes
from data.catalogue import Catalogue
notes.write_note(Catalogue(Path(sys.argv[1])), 1, 1, "label", "x")
"""
LEFT = """
import os, sys
from pathlib import Path
from data import notes
from data.catalogue import Catalogue
catalogue = Catalogue(Path(sys.argv[1]))
with catalogue.reading():  # an open connection puts the checkpoint off
    notes.write_note(catalogue, 1, 1, "label", "x")
    os._exit(9)
"""


def test_questions_are_answered_while_another_process_writes(tmp_path):
    made = make_store(tmp_path, sequences=60, judged=False)
    with subprocess.Popen([sys.executable, "-c", WRITE, str(tmp_path)], stdout=subprocess.PIPE,
                          text=True) as writer:  # fmt: skip
        writer.stdout.readline()
        counts = [ask(made, "select count(*) from note").frame.iloc[0, 0] for _ in range(3)]
        written = int(writer.stdout.read())
    assert counts == sorted(counts)
    assert ask(made, "select count(*) from note").frame.iloc[0, 0] == written


def test_a_question_waits_for_our_own_transaction_and_does_not_undo_its_lock(made):
    with made.catalogue.reading() as con:
        con.value("select 1")
        held = subprocess.run(
            [sys.executable, "-c", "import sys, duckdb; duckdb.connect(sys.argv[1])",
             str(made.catalogue.path)], check=False, capture_output=True, text=True,
        )  # fmt: skip
    assert "Could not set lock" in held.stderr


def test_a_busy_catalogue_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("data.inspecting.PATIENCE", 0.2)
    catalogue = Catalogue(tmp_path)
    with catalogue.reading(), pytest.raises(StoreBusy, match=f"process {os.getpid()}"):
        query(catalogue, "select 1")


ENDLESS = "select count(*) from range(1000000000000)"


def test_a_slow_question_delays_nobody(tmp_path):
    catalogue, at_work, enough = Catalogue(tmp_path), Event(), Event()

    def waiting():
        at_work.set()
        if enough.is_set():
            raise KeyError("enough")

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(query, catalogue, ENDLESS, seconds=60, waiting=waiting)
        try:
            assert at_work.wait(30)
            subprocess.run([sys.executable, "-c", NOTE, str(tmp_path)], check=True, timeout=20)
            assert not asked.done()
        finally:
            enough.set()
        assert isinstance(asked.exception(), KeyError)
    assert query(catalogue, "select count(*) from note").frame.iloc[0, 0] == 1


def test_a_catalogue_too_large_to_copy_is_asked_for_a_shorter_time(tmp_path, monkeypatch):
    catalogue = Catalogue(tmp_path)
    assert seconds_for(catalogue, 10) == 10
    monkeypatch.setattr("data.snapshots.LARGEST", 1000)
    monkeypatch.setattr("data.inspecting.ALONE", 0.3)
    assert seconds_for(catalogue, 10) == 0.3
    with pytest.raises(BadInput, match=r"longer than 0\.3 s"):
        query(catalogue, ENDLESS)


def test_one_copy_serves_until_something_is_written_and_is_then_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "copies"))
    orphan = tmp_path / "copies" / "gloss-question-4194303-x"
    orphan.mkdir(parents=True)
    made = make_store(tmp_path / "store", sequences=60, judged=False)
    ask(made, "select 1")
    (first,) = (tmp_path / "copies").iterdir()
    assert first != orphan
    assert first.stat().st_mode & 0o077 == 0
    with made.catalogue.reading():  # nobody is waited for
        ask(made, "select 2")
    assert list((tmp_path / "copies").iterdir()) == [first]
    notes.write_note(made.catalogue, 1, 1, "label", "x")
    assert ask(made, "select count(*) from note").frame.iloc[0, 0] == 1
    (second,) = (tmp_path / "copies").iterdir()
    assert second != first


def test_what_a_killed_writer_left_in_the_log_is_seen(tmp_path):
    made = make_store(tmp_path, sequences=60, judged=False)
    done = subprocess.run([sys.executable, "-c", LEFT, str(tmp_path)], check=False)
    assert done.returncode == 9
    assert (tmp_path / "catalogue.duckdb.wal").exists()
    assert ask(made, "select count(*) from note").frame.iloc[0, 0] == 1


def test_a_question_that_is_not_wanted_any_more_ends(made):
    def refuse():
        raise KeyError("unwanted")

    began = monotonic()
    with pytest.raises(KeyError, match="unwanted"):
        query(made.catalogue, ENDLESS, waiting=refuse)
    assert monotonic() - began < 3


def test_tables_are_described_as_the_schema_says(made):
    described = tables()
    with made.catalogue.reading() as con:
        found = con.rows("select table_name, column_name from duckdb_columns() "
                         "where schema_name = 'main' and not internal")  # fmt: skip
    real = {(row["table_name"], row["column_name"]) for row in found}
    assert {(t, c.name) for t, columns in described.items() for c in columns} == real
    fvu = next(c for c in described["hookpoint"] if c.name == "fvu")
    assert fvu.type == "double"
    assert fvu.comment.startswith("variance that the SAE leaves unexplained")


def test_a_foreign_catalogue_is_not_needed(tmp_path):
    Catalogue(tmp_path)
    assert query(Catalogue(tmp_path), "select count(*) from run").frame.iloc[0, 0] == 0

"""Signals are heard at any moment of a transaction, and end it."""

import subprocess
import sys
import time

import pytest

from data.catalogue import Catalogue

BEGIN = """
import random, signal, sys
from pathlib import Path
from data.catalogue import Catalogue
from data.errors import Halt

def stop(*_):
    raise Halt

catalogue = Catalogue(Path(sys.argv[1]))
"""
ONE_QUERY = """
signal.signal(signal.SIGTERM, stop)
try:
    with catalogue.writing() as con:
        con.run("insert into note (tag) values ('lost')")
        print("asking", flush=True)
        con.value(sys.argv[2])
except Halt:
    print("halted")
"""
MANY_QUERIES = """
signal.signal(signal.SIGALRM, stop)
chance, raised = random.Random(1), []
for _ in range(150):
    try:
        with catalogue.writing() as con:
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.001, 0.01))
            while True:
                con.run("insert into note (tag) values (?)", ["lost"])
                con.rows("select * from note where tag = ?", ["lost"])
                con.ids("item_ids", 50)
    except BaseException as error:
        raised.append(type(error).__name__)
print(sorted(set(raised)))
"""
ENDLESS = {
    "scan": "select count(*) from range(1000000000000) t(n) where n % 7 = n % 11",
    "recursion": "with recursive t as (select 1 as a union all select a + 1 from t) "
                 "select count(*) from t",
}  # fmt: skip


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("query", ENDLESS)
def test_a_query_without_end_is_broken_off(tmp_path, monkeypatch, query, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)  # DuckDB takes it for its own threads, too
    command = [sys.executable, "-c", BEGIN + ONE_QUERY, str(tmp_path), ENDLESS[query]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        time.sleep(0.3)  # in the midst of the query
        process.terminate()
        assert process.communicate(timeout=60)[0] == "halted\n"
    assert process.returncode == 0
    with Catalogue(tmp_path).writing() as con:
        assert con.value("select count(*) from note") == 0
        con.run("insert into note (tag) values ('kept')")


def test_between_and_within_short_queries_nothing_but_the_halt_is_raised(tmp_path):
    command = [sys.executable, "-c", BEGIN + MANY_QUERIES, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "['Halt']\n"
    with Catalogue(tmp_path).reading() as con:
        assert con.value("select count(*) from note") == 0

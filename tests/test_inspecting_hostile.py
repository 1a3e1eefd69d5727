"""The SQL box's door: what is hostile or looks around does nothing and learns nothing."""

import hashlib

import pytest
from answering_apart import forked
from inspected import ask, quoted_store

from data.errors import BadInput
from data.snapshots import environment


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return quoted_store(tmp_path_factory.mktemp("asked"))


HOSTILE = """
insert into run select * from run
delete from explanation
update run set status = 'done'
truncate verdict
drop table run
drop schema main cascade
alter table run add column x integer
create table a (i integer)
create temp table a as select 1
create table memory.main.a as select 1
create view v as select 1
create macro f() as 1
create secret s (type s3)
comment on table run is 'x'
select nextval('run_ids')
select nextval('catalogue.main.run_ids')
with gone as (delete from run returning *) select * from gone
merge into run using (select 1) s on true when matched then delete
select 1; drop table run
begin; drop table run; commit
attach 'CWD/secret.csv' as other
attach ':memory:' as other
attach 'STORE/catalogue.duckdb' as other
detach catalogue
use memory
copy run to 'STORE/stolen.csv'
copy (select 1) to 'STORE/stolen.parquet'
copy run from 'STORE/secret.csv'
copy run to 'STORE/catalogue.duckdb'
export database 'STORE/stolen'
import database 'STORE/stolen'
select * from read_csv('STORE/secret.csv')
select * from 'STORE/secret.csv'
select * from read_text('/etc/passwd')
select * from read_text('/proc/self/environ')
select * from read_blob('STORE/catalogue.duckdb')
select * from read_duckdb('STORE/catalogue.duckdb')
select * from sniff_csv('STORE/secret.csv')
select * from read_json('STORE/caches/made/cache.json')
select * from read_parquet('STORE/x.parquet')
select * from parquet_metadata('STORE/x.parquet')
select * from glob('STORE/*')
select * from glob('/**')
select * from read_csv('https://example.org/x.csv')
select * from 'https://example.org/x.parquet'
select * from 's3://bucket/x.parquet'
select * from query('drop table run')
select * from query('select * from read_text(''/etc/passwd'')')
select * from query_table('STORE/secret.csv')
select * from json_execute_serialized_sql(json_serialize_sql('select * from read_text(''/etc/passwd'')'))
install httpfs
load httpfs
load 'STORE/x.duckdb_extension'
force install spatial from community
set memory_limit = '100GB'
set enable_external_access = true
set lock_configuration = false
reset max_execution_time
pragma enable_profiling
pragma database_list
call force_checkpoint()
checkpoint
vacuum
analyze
explain analyze delete from run
prepare p as delete from run
execute p
select getenv('HOME')
select * from enable_logging()
select * from enable_profiling()
select * from duckdb_secrets()
select * from os
select * from sys.modules
select repeat('x', 4000000000)
select list(a) from range(10000000000) t(a)
select string_agg(repeat('x', 1000000), '') from range(100000)
"""  # noqa: E501


def bytes_of(folder):
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_nothing_hostile_does_anything(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    before = bytes_of(made.folder)
    lines = HOSTILE.strip().splitlines()
    assert len(lines) > 60
    with forked(environment()) as questions:
        for sql in lines:
            with pytest.raises(BadInput) as refused:
                ask(made, sql.replace("STORE", str(made.folder).replace("'", "''")), seconds=5)
            assert "\n" not in str(refused.value), sql
            assert "root:" not in str(refused.value), sql
    assert questions.asked == len(lines)
    assert bytes_of(made.folder) == before
    assert list(tmp_path.iterdir()) == []


def test_no_setting_and_no_variable_of_ours_is_seen(made, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("HTTP_PROXY", "http://user:password@proxy")
    settings = ask(made, "select name, value from duckdb_settings()").frame.to_csv()
    assert "sk-secret" not in settings
    assert "password@proxy" not in settings


def test_looking_at_the_state_of_the_file_leaves_it_alone(made):
    before = bytes_of(made.folder)
    for sql in ("select * from checkpoint()", "select write_log('x')", "show tables",
                "describe run", "summarize feature", "from duckdb_tables()"):  # fmt: skip
        ask(made, sql)
    assert bytes_of(made.folder) == before

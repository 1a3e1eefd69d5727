"""Caches of corpora of rows: resuming, where tokens come from, what was read."""

import gzip
import hashlib
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny

from core.cache import CacheSettings, build
from core.pipeline.caching import CacheRequest, cache_stage
from data import caches, runs
from data.cachefiles import CacheFiles
from data.catalogue import Catalogue
from data.corpora.document import Choice
from data.corpus import documents, open_corpus
from data.errors import BadInput, Stopped
from data.tokens import source_of

SETTINGS = CacheSettings(corpus="tiny", tokens=1000, sequence_length=32, shard_tokens=300)


@pytest.fixture(scope="module")
def neox():
    return tiny.subject()


def make(folder, subject, saes, settings, corpus):
    progress = list(build(folder, subject, saes, corpus, settings))
    return CacheFiles.open(folder), progress


@pytest.fixture
def asked(tmp_path):
    """What `gloss cache` may be asked for, with a corpus of six rows."""
    tiny.save_subject(tmp_path / "model")
    rows = [{"title": f"no {n}", "body": text} for n, text in enumerate(["", *tiny.texts(5)])]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return CacheRequest(
        subject=str(tmp_path / "model"), saes=("random:24:4",), hookpoints=("layers.1",),
        corpus=str(tmp_path / "a.jsonl"), name="small", n_tokens=128, sequence_length=32,
    )  # fmt: skip


def test_how_a_corpus_was_read_is_recorded(tmp_path, asked):
    catalogue = Catalogue(tmp_path / "store")
    list(cache_stage(catalogue, replace(asked, packing="one-per-document", bos="none")))
    with catalogue.reading() as con:
        recorded = json.loads(con.value("select settings from corpus"))
    assert recorded.pop("documents_sha256")
    assert recorded == {
        "bos_id": None, "separator_id": tiny.EOS, "requested_tokens": 128, "exhausted": False,
        "packing": "one-per-document", "column": None, "split_at": None, "shuffle_seed": None,
        "n_empty_documents": 1,
    }  # fmt: skip


def test_bos_is_asked_for_in_vain_where_the_tokenizer_has_none(tmp_path, asked):
    tiny.tokenizer(special=False).save_pretrained(tmp_path / "model")
    catalogue = Catalogue(tmp_path / "store")
    with pytest.raises(BadInput, match=r"--bos first: the tokenizer of .* declares no BOS token"):
        list(cache_stage(catalogue, replace(asked, bos="first")))
    notes = [one.note for one in cache_stage(catalogue, asked)]
    said = "sequences begin without BOS: the subject's configuration names token 256, its tokenizer"
    assert any(note.startswith(said) for note in notes)
    assert any("without a separator" in note for note in notes)
    quiet = replace(asked, bos="none", name="quiet")
    assert not any("BOS" in one.note for one in cache_stage(catalogue, quiet)
                   if one.stage == "loading the subject")  # fmt: skip


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"column": "title"}, "a corpus with the text"),
        ({"shuffle_seed": 3}, "a corpus with the text"),
        ({"bos": "none"}, "bos first, not none"),
        ({"packing": "one-per-document"}, "packing pack, not one-per-document"),
    ],
)
def test_a_corpus_read_another_way_is_another_cache(tmp_path, asked, other, words):
    catalogue = Catalogue(tmp_path / "store")
    list(cache_stage(catalogue, asked))
    with pytest.raises(BadInput, match=f"'small' was begun with {words}"):
        list(cache_stage(catalogue, replace(asked, **other)))


def test_token_ids_of_another_tokenizer_leave_the_store_as_it_was(tmp_path, asked):
    ids = np.full((20, 32), 5)
    ids[19, 31] = 99_999  # far behind the sequences that are tried out
    np.save(tmp_path / "ids.npy", ids)
    catalogue = Catalogue(tmp_path / "store")
    given = replace(asked, corpus=str(tmp_path / "ids.npy"), n_tokens=640, sequence_length=None)
    with pytest.raises(BadInput, match="the token id 99999, the subject's vocabulary ends at"):
        list(cache_stage(catalogue, given))
    assert caches.caches(catalogue) == []
    assert runs.runs(catalogue) == []


def rows_of_text(path, kind):
    table = pa.table({"text": ["", *tiny.texts(20), None]})
    if kind == "jsonl.gz":
        lines = "\n".join(json.dumps(row) for row in table.to_pylist())
        path.write_bytes(gzip.compress(lines.encode()))
    else:
        pq.write_table(table, path, row_group_size=3)
    return path


def stopped(documents, after):
    for number, document in enumerate(documents):
        if number == after:
            raise Stopped
        yield document


@pytest.mark.parametrize("kind", ["jsonl.gz", "parquet"])
@pytest.mark.parametrize("seed", [None, 5])
def test_a_corpus_of_rows_stopped_anywhere_ends_in_the_same_bits(tmp_path, neox, kind, seed):
    path = str(rows_of_text(tmp_path / f"rows.{kind}", kind))
    saes = {1: ("layers.1", tiny.sae())}
    settings = replace(SETTINGS, shuffle_seed=seed)
    choice = Choice(shuffle_seed=seed)
    once, _ = make(tmp_path / "once", neox, saes, settings, open_corpus(path, choice))
    with pytest.raises(Stopped):
        make(tmp_path / "c", neox, saes, settings, stopped(documents(path, choice), 3))
    for progress in build(tmp_path / "c", neox, saes, open_corpus(path, choice), settings):
        if progress.stage == "caching" and progress.done >= 700:
            break
    make(tmp_path / "c", neox, saes, settings, open_corpus(path, choice))
    assert contents(tmp_path / "c") == contents(tmp_path / "once")
    where = source_of(once.tokens, 200)
    text = list(tiny.texts(20))[where.row - 2].encode()
    assert where.name == path.rsplit("/", 1)[-1]
    assert text[where.offset - (where.offset // 32)] == once.tokens.flat(200, 1)[0]


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_what_was_read_is_known_by_its_documents(tmp_path, neox):
    path = rows_of_text(tmp_path / "rows.parquet", "parquet")
    saes = {1: ("layers.1", tiny.sae())}
    settings = replace(SETTINGS, tokens=10_000)
    found = open_corpus(str(path))
    files, progress = make(tmp_path / "c", neox, saes, settings, found)
    digests = [hashlib.sha256(text.encode()).digest() for text in tiny.texts(20)]
    assert files.meta.reading == {
        "documents_sha256": hashlib.sha256(b"".join(digests)).hexdigest(),
        "n_empty_documents": 2,
    }
    assert "2 empty documents left out" in [p.note for p in progress]

"""Damaged and hostile corpora: documents or one line, never anything else, in bounded memory."""

import gzip
import json
import random
import resource
import zipfile
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.numpy
import torch

from data.corpora import json_rows, streams
from data.corpora.document import Choice
from data.corpora.texts import Texts
from data.corpus import documents, open_corpus
from data.errors import BadInput

IDS = np.arange(60).reshape(6, 10)


def zstd(raw: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packed:
        packed.write(raw)
    return sink.getvalue().to_pybytes()


def write_arrow(path, table, *, as_stream=False):
    make = pa.ipc.new_stream if as_stream else pa.ipc.new_file
    with pa.OSFile(str(path), "wb") as sink, make(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def write_seeds(folder):
    """One small sound file of every format."""
    rows = [{"text": f"text {n} é", "meta": {"title": f"t{n}"}} for n in range(5)]
    lines = "\n".join(json.dumps(row) for row in rows).encode()
    table, ids = pa.Table.from_pylist(rows), pa.table({"input_ids": IDS.tolist()})
    (folder / "a.txt").write_bytes(b"one\n\ntwo \xc3\xa9\n---\nthree\n")
    (folder / "a.jsonl").write_bytes(lines)
    (folder / "a.json").write_text(json.dumps(rows))
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(lines))
    (folder / "c.jsonl.zst").write_bytes(zstd(lines))
    pq.write_table(table, folder / "a.parquet", row_group_size=2)
    pq.write_table(ids, folder / "b.parquet", compression="zstd")
    write_arrow(folder / "a.arrow", table)
    write_arrow(folder / "b.arrow", table, as_stream=True)
    write_arrow(folder / "c.arrow", ids)
    np.save(folder / "a.npy", IDS.astype(np.uint16))
    np.savez_compressed(folder / "a.npz", tokens=IDS)
    safetensors.numpy.save_file({"tokens": IDS}, folder / "a.safetensors")
    torch.save(torch.from_numpy(IDS), folder / "a.pt")
    return sorted(folder.iterdir())


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """Flip, cut, double or overwrite a part of a file."""
    out = bytearray(raw)
    first = chance.randrange(len(out))
    last = min(len(out), first + chance.choice([1, 1, 2, 8, 64]))
    match chance.randrange(6):
        case 0:
            del out[first:]
        case 1:
            del out[first:last]
        case 2:
            out[first:first] = out[first:last] * 3
        case 3:
            out[first:last] = bytes(chance.choice([0, 255]) for _ in range(last - first))
        case _:
            for _ in range(chance.choice([1, 1, 3, 10])):
                out[chance.randrange(len(out))] = chance.randrange(256)
    return bytes(out)


def read_all(path, choice=Choice()):  # noqa: B008 - frozen
    found = open_corpus(str(path), choice, length=10)
    if isinstance(found, Texts):
        return [str(document) for document in islice(found, 1000)]
    return [block.ids.shape for block in found]


def complaint(path, choice) -> str:
    try:
        read_all(path, choice)
    except BadInput as error:
        return str(error)
    return ""


def test_every_mutation_gives_documents_or_one_line(tmp_path):
    (tmp_path / "seeds").mkdir()
    chance, refused = random.Random(11), 0
    seeds = write_seeds(tmp_path / "seeds")
    choices = [Choice(), Choice(), Choice(split_at="blank-lines"), Choice(column="meta.title")]
    for number in range(300):
        seed = seeds[number % len(seeds)]
        path = tmp_path / seed.name
        path.write_bytes(mutated(seed.read_bytes(), chance))
        said = complaint(path, chance.choice(choices))
        assert "\n" not in said
        assert not said or seed.name in said
        refused += bool(said)
    assert refused > 100


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.txt", "a.jsonl.gz", "a.jsonl.zst",
                                  "a.parquet", "a.arrow", "a.npy", "a.npz", "a.safetensors",
                                  "a.pt"])  # fmt: skip
def test_an_empty_file_has_no_documents_or_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    if name in ("a.jsonl", "a.json", "a.txt"):
        assert read_all(tmp_path / name) == []
        return
    with pytest.raises(BadInput, match=name):
        read_all(tmp_path / name)


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_a_line_that_inflates_without_end_is_refused_in_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "MOST_DOCUMENT", 2**22)
    with gzip.open(tmp_path / "a.jsonl.gz", "wb", compresslevel=1) as file:
        for _ in range(200):
            file.write(b"a" * 2**20)
    before = peak()
    with pytest.raises(BadInput, match=r"a\.jsonl\.gz, line 1: longer than the 4,194,304 bytes"):
        list(documents(str(tmp_path)))
    assert peak() - before < 60 * 2**20


def test_lines_that_inflate_without_end_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "MOST_INFLATED", 10_000)
    (tmp_path / "a.jsonl.zst").write_bytes(zstd(b'{"text": "many"}\n' * 2000))
    with pytest.raises(BadInput, match="inflates to more than 10,000 bytes"):
        list(documents(str(tmp_path)))


def test_blank_lines_without_end_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(json_rows, "MOST_BLANK", 10)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"text": "x"}\n' + b"\n" * 11))
    with pytest.raises(BadInput, match=r"a\.jsonl\.gz has more than 10 blank lines"):
        list(documents(str(tmp_path)))


def test_a_text_file_that_is_too_long_for_one_document_says_how_to_split_it(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "MOST_DOCUMENT", 1000)
    (tmp_path / "a.txt").write_text("line\n\n" * 300)
    with pytest.raises(BadInput, match=r"split it, e\.g\. with --split-at blank-lines"):
        list(documents(str(tmp_path)))
    assert len(list(documents(str(tmp_path), Choice(split_at="blank-lines")))) == 300


def test_an_array_that_claims_more_than_it_holds_is_refused(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"shape": (10**9, 10**9), "fortran_order": False, "descr": "<i8"}
        )
    with pytest.raises(BadInput, match="claims to hold more than it does"):
        open_corpus(str(tmp_path))


def test_objects_and_code_are_never_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(BadInput, match=r"a\.npy"):
        open_corpus(str(tmp_path / "a.npy"))
    torch.save({"tokens": Choice()}, tmp_path / "a.pt")
    with pytest.raises(BadInput, match="something else than tensors"):
        open_corpus(str(tmp_path / "a.pt"))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("tokens.npy", (tmp_path / "a.npy").read_bytes())
    with pytest.raises(BadInput, match=r"a\.npz"):
        open_corpus(str(tmp_path / "a.npz"))

"""Token caches as corpora: every format gives its sequences; what does not fit is refused."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.numpy
import tiny
import torch

from core.cache import CacheSettings, build
from core.packing import Layout
from core.pipeline.caching import CacheRequest
from core.pipeline.corpora import open_for, settings_of, text_of
from core.taken import Taken
from data.cachefiles import CacheFiles
from data.corpora.document import Choice
from data.corpora.token_rows import Block, TokenRows
from data.corpus import documents, open_corpus
from data.errors import BadInput
from data.tokens import source_of

BOS, EOS = tiny.BOS, tiny.EOS
IDS = np.arange(60).reshape(6, 10)


def rows(ids=IDS, **other):
    ids = np.array(ids, np.int64)
    return TokenRows("given", ids.shape[1], lambda: iter([Block(ids, "a.npy", 1)]), **other)


def take(given, n_sequences=99, **layout):
    options = {"bos_id": BOS, "eos_id": EOS, "special_ids": (BOS, EOS)} | layout
    taken = Taken(
        given, Layout(given.length, n_sequences, **options), vocabulary_size=258, bos_id=BOS
    )
    return np.concatenate(list(taken)).tolist(), taken


def save_torch(path, ids):
    torch.save({"tokens": torch.from_numpy(ids)}, path)


def save_arrow(path, ids):
    table = pa.table({"input_ids": ids.tolist()})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


SAVE = {
    "a.npy": np.save,
    "b.npy": lambda path, ids: np.save(path, ids.astype(">u2")),
    "a.npz": lambda path, ids: np.savez_compressed(path, tokens=ids.astype(np.int32), other=[1.5]),
    "a.safetensors": lambda path, ids: safetensors.numpy.save_file({"input_ids": ids}, path),
    "a.pt": lambda path, ids: torch.save(torch.from_numpy(ids), path),
    "b.pt": save_torch,
    "a.parquet": lambda path, ids: pq.write_table(pa.table({"tokens": ids.tolist()}), path),
    "a.arrow": save_arrow,
}


@pytest.mark.parametrize("name", SAVE)
def test_every_format_gives_its_sequences(tmp_path, name):
    SAVE[name](tmp_path / name, IDS)
    found = open_corpus(str(tmp_path / name))
    (block,) = found
    assert block.ids.tolist() == IDS.tolist()
    assert (block.ids.dtype, block.source, block.row) == (np.int64, name, 1)
    assert found.sha256(6) == rows().sha256(6)


def test_a_folder_is_one_corpus_and_blocks_know_their_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("data.corpora.token_rows.BLOCK", 4)
    for name in ("b.npy", "a.npy"):
        np.save(tmp_path / name, IDS)
    found = [(block.source, block.row, len(block.ids)) for block in open_corpus(str(tmp_path))]
    assert found == [("a.npy", 1, 4), ("a.npy", 5, 2), ("b.npy", 1, 4), ("b.npy", 5, 2)]


def test_one_long_row_needs_a_length(tmp_path):
    np.save(tmp_path / "a.npy", IDS.reshape(-1))
    with pytest.raises(BadInput, match="one row of 60 ids: say with --sequence-length"):
        open_corpus(str(tmp_path))
    (block,) = open_corpus(str(tmp_path), length=25)
    assert block.ids.tolist() == np.arange(50).reshape(2, 25).tolist()


def test_what_does_not_belong_together_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", IDS)
    np.save(tmp_path / "b.npy", IDS.reshape(10, 6))
    with pytest.raises(BadInput, match=r"several lengths \(a\.npy of 10, b\.npy of 6\)"):
        open_corpus(str(tmp_path))
    (tmp_path / "b.npy").unlink()
    (tmp_path / "c.txt").write_text("text")
    with pytest.raises(BadInput, match=r"mixes token ids \(a\.npy\) with other files \(c\.txt\)"):
        open_corpus(str(tmp_path))
    with pytest.raises(BadInput, match="holds token ids, no text"):
        documents(str(tmp_path / "a.npy"))


def test_a_table_with_text_and_ids_is_text_unless_ids_are_named(tmp_path):
    table = pa.table({"text": ["x"] * 6, "input_ids": IDS.tolist()})
    pq.write_table(table, tmp_path / "a.parquet")
    assert [str(d) for d in documents(str(tmp_path))] == ["x"] * 6
    found = open_corpus(str(tmp_path), Choice(column="input_ids"))
    assert found.sha256(6) == rows().sha256(6)


def test_lists_of_several_lengths_are_named_by_their_row(tmp_path):
    pq.write_table(pa.table({"tokens": [[1, 2], [3, 4], [5]]}), tmp_path / "a.parquet")
    with pytest.raises(BadInput, match=r"a\.parquet, row 3: 1 token ids, not 2 as before"):
        list(open_corpus(str(tmp_path)))


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (np.zeros((2, 3)), "no array of whole numbers"),
        (np.zeros((2, 3, 4), np.int64), "int64 of 2 x 3 x 4: expected whole numbers"),
        (np.zeros((0, 3), np.int64), "int64 of 0 x 3"),
        (np.asfortranarray(IDS), "in C order"),
    ],
)
def test_arrays_that_are_no_sequences_are_refused(tmp_path, ids, words):
    np.save(tmp_path / "a.npy", ids)
    with pytest.raises(BadInput, match=words):
        open_corpus(str(tmp_path))


def test_what_stands_beside_the_ids_is_kept_and_compared(tmp_path):
    said = {"tokenizer_name": "gpt2", "context_size": 10, "seed": None, "other": 1, "shuffled": []}
    (tmp_path / "sae_lens.json").write_text(json.dumps(said))
    np.save(tmp_path / "a.npy", IDS)
    found = open_corpus(str(tmp_path))
    assert found.facts == {"tokenizer_name": "gpt2", "context_size": 10, "seed": None}
    (tmp_path / "sae_lens.json").write_text('{"context_size": 12}')
    with pytest.raises(BadInput, match="says that its sequences have 12 tokens, they have 10"):
        open_corpus(str(tmp_path))


def test_the_name_of_a_saebench_file_is_read(tmp_path):
    torch.save(torch.from_numpy(IDS), tmp_path / "pythia-70m_60_tokens_10_ctx.pt")
    found = open_corpus(str(tmp_path))
    assert found.facts == {"subject": "pythia-70m", "context_size": 10}


def test_the_shards_of_delphi_are_read_once(tmp_path):
    extra = {"locations": np.zeros((1, 3), np.uint16), "activations": np.zeros(1, np.float16)}
    for name in ("0_9.safetensors", "10_19.safetensors"):
        safetensors.numpy.save_file({"tokens": IDS} | extra, tmp_path / name)
    assert [len(block.ids) for block in open_corpus(str(tmp_path))] == [6]


def test_sequences_are_taken_as_they_are_and_measured():
    given = [[BOS, 1, 2, EOS, 3], [BOS, 4, EOS, EOS, EOS], [5, 6, 7, BOS, 8]]
    got, taken = take(rows(given))
    assert got == given
    assert taken.starts.token.tolist() == [1, 4, 6, 10, 14]
    assert taken.table()[1].tolist() == [[0, 1], [0, 1], [0, 2], [0, 3], [0, 3]]
    assert (taken.n_sequences, taken.n_unmasked, taken.exhausted) == (3, 8, True)
    assert taken.facts == {"begin_with_bos": 2 / 3, "with_eos_inside": 1 / 3, "n_masked": 0}
    assert taken.note.startswith("67 % of the sequences begin with BOS")


def test_no_more_sequences_are_taken_than_asked_for():
    got, taken = take(rows(), n_sequences=2)
    assert got == IDS[:2].tolist()
    assert not taken.exhausted


def test_masks_at_the_end_become_special_and_others_are_refused():
    got, taken = take(rows([[BOS, 1, 2, -100], [BOS, 3, -100, -100]]))
    assert got == [[BOS, 1, 2, EOS], [BOS, 3, EOS, EOS]]
    assert taken.facts["n_masked"] == 3
    with pytest.raises(BadInput, match=r"a\.npy, row 2 is masked before its text"):
        take(rows([[BOS, 1, 2, 3], [-100, -100, 1, 2]]))
    with pytest.raises(BadInput, match="no special token to put there"):
        take(rows([[1, -100]]), bos_id=None, eos_id=None, special_ids=())


@pytest.mark.parametrize("token", [258, 70_000, -1])
def test_ids_outside_of_the_vocabulary_mean_another_tokenizer(token):
    with pytest.raises(BadInput, match=f"the token id {token}, the subject's vocabulary ends at"):
        take(rows([[1, 2, token]]))


def test_ids_of_16_bits_cannot_be_of_a_large_vocabulary():
    with pytest.raises(BadInput, match="ids of 16 bits, the subject's vocabulary has 128,000"):
        Taken(rows(is_narrow=True), Layout(10, 1), vocabulary_size=128_000, bos_id=None)


@pytest.fixture(scope="module")
def subject():
    return tiny.subject()


@pytest.fixture(scope="module")
def made(tmp_path_factory, subject):
    """A cache of text, and the same sequences kept as an array; only to be read."""
    folder = tmp_path_factory.mktemp("made")
    settings = CacheSettings("tiny", tokens=300, sequence_length=32)
    saes = {1: ("layers.1", tiny.sae())}
    list(build(folder / "cache", subject, saes, tiny.texts(4), settings))
    ids = CacheFiles.open(folder / "cache").tokens.matrix()
    np.save(folder / "ids.npy", ids)
    return folder


def asked(corpus, **other) -> CacheRequest:
    return CacheRequest("model", (), str(corpus), "small", other.pop("n_tokens", 300), **other)


@pytest.mark.parametrize("name", ["ids.npy", "cache"])
def test_sequences_given_back_make_the_same_activations(tmp_path, made, subject, name):
    request = asked(made / name)
    found = open_for(request)
    settings = settings_of(request, found, subject)
    assert (settings.sequence_length, settings.bos, settings.packing) == (32, "first", "stored")
    saes = {1: ("layers.1", tiny.sae())}
    notes = [p.note for p in build(tmp_path, subject, saes, found, settings)]
    one, other = CacheFiles.open(made / "cache"), CacheFiles.open(tmp_path)
    assert one.meta.tokens_sha256 == other.meta.tokens_sha256
    for file in ("token.u32", "activation.f16", "indptr.u64"):
        path = f"1/columns/{file}"
        assert (made / "cache" / path).read_bytes() == (tmp_path / path).read_bytes()
    assert not any("begin with BOS" in note for note in notes)
    assert other.meta.reading["begin_with_bos"] == 1
    assert source_of(other.tokens, 70)[:2] == (name, 3)


def test_a_cache_of_another_tokenizer_is_refused(tmp_path, made, subject):
    given = replace(open_corpus(str(made / "cache")), tokenizer_sha256="f" * 64)
    settings = CacheSettings("x", tokens=64, sequence_length=32, packing="stored")
    with pytest.raises(BadInput, match="tokenised with another vocabulary than the subject"):
        list(build(tmp_path, subject, {1: ("layers.1", tiny.sae())}, given, settings))


def test_the_sequences_that_are_needed_say_which_corpus_it_is():
    one, other = rows(), rows(np.concatenate([IDS[:3], IDS[:1]]))
    assert text_of(one, 21) == text_of(other, 21)
    assert text_of(one, 31) != text_of(other, 31)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"bos": "none"}, "leave out --bos"),
        ({"packing": "pack"}, "leave out --packing"),
        ({"shuffle_seed": 0}, "leave out --shuffle-seed"),
        ({"sequence_length": 64}, "sequences of 32 tokens, not 64: leave out --sequence-length"),
    ],
)
def test_options_for_text_do_not_go_with_sequences(made, option, words):
    with pytest.raises(BadInput, match=words):
        open_for(asked(made / "ids.npy", **option))


def test_sequences_longer_than_the_subject_was_trained_on_are_refused(subject):
    with pytest.raises(BadInput, match="65 tokens, the subject tiny gpt-neox was trained on 64"):
        settings_of(asked("x"), rows(np.zeros((1, 65), int)), subject)

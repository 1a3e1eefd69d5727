"""Search by meaning, with an encoder that counts shared words."""

import subprocess
import sys
from threading import Event

import numpy as np
import pytest
from stores import make_store
from word_encoder import WordEncoder

from core import meaning
from data import vectors
from data.errors import BadInput, StoreTrouble
from data.vectors import Vectors


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=60)


def embed(made, encoder, stop=None):
    return list(meaning.embed(made.catalogue, encoder, made.hookpoint_id, stop or Event()))


def nearest(made, encoder, query):
    return meaning.nearest(made.catalogue, encoder, made.hookpoint_id, query)


def test_explanations_are_read_once_and_the_nearest_comes_first(made):
    encoder = WordEncoder()
    assert [(p.done, p.total) for p in embed(made, encoder)] == [(0, 4), (4, 4)]
    assert [(p.done, p.total) for p in embed(made, encoder)] == [(4, 4)]
    assert len(encoder.asked) == 4
    found = nearest(made, encoder, "days of the week")
    assert found[0].feature == 0
    assert sorted(one.feature for one in found) == [0, 1, 2]
    assert [one.similarity for one in found] == sorted((o.similarity for o in found), reverse=True)
    exact = nearest(made, encoder, "Fires on “ Monday”, “ Friday”")[0]
    assert (exact.feature, exact.explanation_id) == (0, 5)
    assert exact.similarity == pytest.approx(1, abs=2e-3)


def test_a_query_without_words_is_refused(made):
    encoder = WordEncoder()
    embed(made, encoder)
    with pytest.raises(BadInput, match="give it words"):
        nearest(made, encoder, "“”")


def test_a_stopped_reading_goes_on_where_it_ended(tmp_path, monkeypatch):
    made, encoder, stop = make_store(tmp_path, sequences=60), WordEncoder(), Event()
    monkeypatch.setattr(meaning, "CHUNK", 3)
    steps = meaning.embed(made.catalogue, encoder, made.hookpoint_id, stop)
    next(steps)
    next(steps)
    stop.set()
    assert list(steps) == []
    assert [(p.done, p.total) for p in embed(made, encoder)] == [(3, 4), (4, 4)]
    assert len(encoder.asked) == 4


def test_an_encoder_has_a_file_of_its_own(tmp_path):
    inside = meaning.file_of(tmp_path, 3, "a/../b@1")
    assert inside.parent == tmp_path / "meaning"
    assert inside != meaning.file_of(tmp_path, 3, "a@1")


def of(*ids):
    return Vectors(np.array(ids, np.uint64), np.array([[i, 1] for i in ids], np.float32))


def test_vectors_come_back_as_they_were_added(tmp_path):
    path = tmp_path / "deep" / "a.vectors"
    vectors.append(path, of(1, 2, 3))
    vectors.append(path, of(7))
    assert vectors.ids(path).tolist() == [1, 2, 3, 7]
    blocks = list(vectors.blocks(path, size=3))
    assert [len(block.ids) for block in blocks] == [3, 1]
    assert blocks[1].vectors.tolist() == [[7, 1]]


@pytest.mark.parametrize("cut", [3, 8, 13, 31])
def test_a_torn_end_is_cut_off(tmp_path, cut):
    path = tmp_path / "a.vectors"
    vectors.append(path, of(1, 2))  # 8 + 2 * 12 bytes
    path.write_bytes(path.read_bytes()[:cut])
    whole = max(0, cut - 8) // 12
    assert vectors.ids(path).tolist() == [1, 2][:whole]
    vectors.append(path, of(9))
    assert vectors.ids(path).tolist() == [*[1, 2][:whole], 9]


def test_another_width_is_refused(tmp_path):
    path = tmp_path / "a.vectors"
    vectors.append(path, of(1))
    with pytest.raises(StoreTrouble, match="width 2, not 3"):
        vectors.append(path, Vectors(np.array([2], np.uint64), np.ones((1, 3), np.float32)))


def test_no_file_is_no_vectors(tmp_path):
    assert vectors.ids(tmp_path / "none").tolist() == []


LIGHT = """
import sys, core.meaning
core.meaning.is_installed()
heavy = {"torch", "transformers", "sentence_transformers"} & set(sys.modules)
assert not heavy, heavy
"""


def test_asking_whether_it_is_installed_loads_nothing():
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr

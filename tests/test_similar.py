"""Contexts that read like activating ones: the index on disk, and what is taken from it."""

import numpy as np
import pytest
from counting import CountingEncoder
from made_cache import MadeColumns, made_files, made_matrix
from made_material import HOOK, N_WORDS, VOCABULARY

from core.examples import Contexts, draw
from core.examples import similar as module
from core.examples.contexts import TEST
from core.examples.negatives import busy_groups
from core.examples.similar import SimilarIndex, query_slots, round_robin, sample, with_similar
from core.seeds import seed_of
from data.errors import BadInput, StoreTrouble
from data.records import Progress

SEED = seed_of(0, HOOK, 0, "neg-similar-test")


@pytest.fixture(scope="module")
def made():
    """Feature 0 fires on word 1, but only in even sequences; odd ones are silent and alike."""
    matrix = made_matrix(400, words=N_WORDS)
    dense = np.where(matrix == 1, 1 + np.arange(matrix.size).reshape(matrix.shape) % 9, 0)
    dense[1::2] = 0
    return Contexts.open(made_files(matrix)), MadeColumns([dense.astype(np.float32)])


def index_of(folder, contexts, encoder=None, **options):
    encoder = encoder or CountingEncoder()
    return SimilarIndex(folder, contexts, VOCABULARY, encoder, tokens_sha256="t", **options)


@pytest.fixture(scope="module")
def built(made, tmp_path_factory):
    index = index_of(tmp_path_factory.mktemp("cache"), made[0])
    list(index.build())
    return index


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(module, "PART", 256)
    monkeypatch.setattr(module, "STEP", 100)


def examples_of(made, index, size=50):
    contexts, columns = made
    plain = draw(contexts, columns, 0, hookpoint=HOOK)
    return plain, with_similar(contexts, index, columns.slice(0), plain, hookpoint=HOOK, size=size)


def test_similar_contexts_are_silent_of_the_test_side_and_distinct(made, built):
    contexts, columns = made
    _, found = examples_of(made, built)
    first = found.first_token[found.rows("similar", "test")]
    tile = contexts.tile_at(first)
    assert len(set(contexts.group[tile].tolist())) == len(first) == 50
    assert not busy_groups(contexts, columns.slice(0))[contexts.group[tile]].any()
    assert (contexts.split[tile] == TEST).all()  # [7]


def test_similar_contexts_are_nearer_to_the_positives_than_random_ones(made, built):
    _, found = examples_of(made, built)
    positives = built.vectors(found.first_token[query_slots(found, SEED)])
    near, far = (
        (positives @ built.vectors(found.first_token[found.rows(kind, "test")]).T).max(axis=0)
        for kind in ("similar", "random")
    )
    assert near.min() > np.median(far)


def test_asking_for_them_changes_nothing_before(made, built):
    plain, found = examples_of(made, built)
    n = len(plain.kind)
    assert found.first_token[:n].tolist() == plain.first_token.tolist()
    assert examples_of(made, built)[1].first_token.tolist() == found.first_token.tolist()  # [10]


def test_what_was_removed_is_counted(made, built):
    _, found = examples_of(made, built)
    assert set(found.removed) == {"similar-active", "similar-copy"}
    assert found.removed["similar-active"] > 0


def test_near_copies_of_a_query_are_dropped_and_counted(tmp_path):
    """Every odd sequence repeats an even one but for the first word of each context."""
    matrix = made_matrix(300, words=N_WORDS)
    matrix[1::2] = matrix[::2]
    matrix[1::2, ::32] = 79
    dense = np.zeros(matrix.shape, np.float32)
    dense[::2, 40] = 1 + np.arange(150)
    made = Contexts.open(made_files(matrix)), MadeColumns([dense])
    index = index_of(tmp_path, made[0])
    list(index.build())
    _, found = examples_of(made, index)
    assert found.removed["similar-copy"] > 0
    queries = index.vectors(found.first_token[query_slots(found, SEED)])
    taken = index.vectors(found.first_token[found.rows("similar", "test")])
    assert (queries @ taken.T).max() <= 0.951


def test_the_index_is_built_once_and_by_its_key(made, built):
    contexts, _ = made
    again = index_of(built.folder.parents[1], contexts)
    assert again.ready
    assert not list(again.build())
    other = CountingEncoder()
    other.name = "counting@2"
    assert not index_of(built.folder.parents[1], contexts, other).ready  # [12]


def test_a_build_reports_and_a_stopped_one_goes_on(made, tmp_path, small_parts):
    contexts, _ = made
    encoder = CountingEncoder()
    stopped = index_of(tmp_path, contexts, encoder)
    steps = stopped.build()
    for report in steps:
        assert isinstance(report, Progress)
        if report.done > 600:
            break
    steps.close()
    assert not stopped.ready
    begun = sum(map(len, encoder.asked))
    reports = list(index_of(tmp_path, contexts, encoder).build())
    assert reports[-1].done == reports[-1].total == len(stopped)
    assert sum(map(len, encoder.asked)) <= len(stopped) + 256
    assert begun > 600
    fresh = index_of(tmp_path / "other", contexts)
    list(fresh.build())
    queries = fresh.vectors(contexts.first_token(contexts.pool[0][:3]))
    assert (fresh.cosines(queries) == stopped.cosines(queries)).all()  # [3]


def test_an_unfinished_index_is_not_read(made, tmp_path):
    with pytest.raises(StoreTrouble, match="not finished"):
        index_of(tmp_path, made[0]).cosines(np.ones((1, 100), np.float32))


def test_search_is_exact(made, built):
    contexts, _ = made
    texts = CountingEncoder()
    whole = index_of(built.folder.parents[1] / "whole", contexts, texts)
    list(whole.build())
    vectors = CountingEncoder().encode([text for call in texts.asked for text in call])
    queries = vectors[:7]
    assert built.cosines(queries) == pytest.approx(queries @ vectors.T, abs=2e-3)


def test_a_large_corpus_is_sampled_with_a_seed_and_queries_outside_are_encoded(made, tmp_path):
    contexts, _ = made
    chosen = sample(contexts, 500)
    assert len(set(chosen.tolist())) == 500
    assert (chosen == sample(contexts, 500)).all()
    index = index_of(tmp_path, contexts, limit=500)
    reports = list(index.build())
    assert reports[0].note == f"a sample of {contexts.n_distinct:,}"
    _, found = examples_of(made, index, size=20)
    assert len(found.rows("similar", "test")) == 20
    assert set(contexts.tile_at(found.first_token[found.rows("similar", "test")])) <= set(chosen)


def test_texts_without_a_vector_are_never_taken(made, tmp_path):
    contexts, _ = made
    index = index_of(tmp_path, contexts, CountingEncoder(broken=lambda text: "w5 " in text))
    list(index.build())
    _, found = examples_of(made, index)
    tokens = contexts.tokens.windows(found.first_token[found.rows("similar", "test")], 32)
    assert len(tokens) == 50
    assert not (tokens[:, :-1] == 5).any()


def test_an_encoder_that_gives_nothing_builds_no_index(made, tmp_path):
    index = index_of(tmp_path, made[0], CountingEncoder(broken=lambda text: True))
    with pytest.raises(StoreTrouble, match="gave no vector"):
        list(index.build())
    assert not index.ready


def test_contexts_of_another_length_are_refused(made, built):
    matrix = made[0].tokens.matrix()
    other = Contexts.open(made_files(matrix, context_length=16))
    examples = draw(*made, 0, hookpoint=HOOK)
    with pytest.raises(BadInput, match="other contexts"):
        with_similar(other, built, made[1].slice(0), examples, hookpoint=HOOK, size=5)


def test_queries_are_spread_over_the_deciles(made):
    examples = draw(*made, 0, hookpoint=HOOK)
    slots = query_slots(examples, 3)
    assert sorted(examples.decile[slots].tolist()) == list(range(1, 11))
    assert (examples.split[slots] == 0).all()
    assert len(set(query_slots(examples, 3, 25).tolist())) == 25


def test_turns_go_round_the_queries():  # [12]
    cosine = np.array([[0.9, 0.8, 0.1, -np.inf], [0.9, 0.2, 0.7, -np.inf]])
    assert round_robin(cosine, 3).tolist() == [0, 2, 1]
    assert round_robin(cosine, 10).tolist() == [0, 2, 1]
    assert round_robin(np.empty((0, 4)), 3).tolist() == []
    assert round_robin(cosine, 0).tolist() == []

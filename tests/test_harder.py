"""Silent contexts on request: the feature's own tokens, and its neighbours'."""

import numpy as np
import pytest
from made_cache import MadeColumns, made_cache, made_dense, made_files, made_matrix

from core.examples import Contexts, Neighbour, draw, with_neighbours, with_token
from core.examples.contexts import spread
from core.examples.harder import overlap
from core.examples.negatives import busy_groups

HOOK = "layers.1"


def made_word_feature(word=7):
    """Fires on one word, in every other sequence only."""
    matrix = made_matrix(300, words=60)
    dense = np.where(matrix == word, 1.0 + np.arange(matrix.size).reshape(matrix.shape) % 9, 0)
    dense[::2] = 0
    contexts = Contexts.open(made_files(matrix))
    columns = MadeColumns([dense.astype(np.float32)])
    return contexts, columns, draw(contexts, columns, 0, hookpoint=HOOK)


def neighbourhood(other, similarity=0.8):
    """Feature 0, and one neighbour given as a dense matrix."""
    matrix = made_matrix(300)
    contexts = Contexts.open(made_files(matrix))
    own = made_dense(matrix, 0.005)
    columns = MadeColumns([own, other(matrix, own)])
    examples = draw(contexts, columns, 0, hookpoint=HOOK)
    return (
        contexts,
        columns,
        with_neighbours(
            contexts,
            columns,
            columns.slice(0),
            examples,
            [Neighbour(0, 1.0), Neighbour(1, similarity)],
            hookpoint=HOOK,
            size=50,
        ),
    )


def test_token_contexts_hold_the_word_and_are_silent():
    contexts, columns, examples = made_word_feature()
    more = with_token(contexts, columns.slice(0), examples, hookpoint=HOOK, size=50)
    slot = more.rows("token", "test")
    window = contexts.window(more.first_token[slot], columns.slice(0))
    assert len(slot) == 50
    assert (window.tokens == 7).any(axis=1).all()
    assert not window.activations.any()


def test_asking_for_more_changes_nothing_before():
    contexts, columns, examples = made_word_feature()
    more = with_token(contexts, columns.slice(0), examples, hookpoint=HOOK, size=50)
    n = len(examples.kind)
    assert more.first_token[:n].tolist() == examples.first_token.tolist()


def test_neighbour_contexts_are_strong_there_and_silent_here_and_around():
    contexts, columns, examples = neighbourhood(lambda m, _: made_dense(m, 0.005, seed=9))
    slot = examples.rows("neighbour", "test")
    first = examples.first_token[slot]
    assert len(slot) == 10
    assert examples.source[slot].tolist() == [1] * 10
    assert spread(columns.slice(1), first, 32).any(axis=1).all()
    begin = first // contexts.sequence_length * contexts.sequence_length
    wide = np.maximum(first.astype(np.int64) - 16, begin.astype(np.int64))
    assert not spread(columns.slice(0), wide, 48).any()
    assert not busy_groups(contexts, columns.slice(0))[
        contexts.group[contexts.tile_at(first)]
    ].any()


def test_a_neighbour_that_fires_together_is_skipped_and_counted():
    _, _, examples = neighbourhood(lambda _, own: own * 2)
    assert not len(examples.rows("neighbour", "test"))
    assert examples.removed == {"neighbour": 10, "active": 0, "overlap": 0}


def test_what_each_rule_removes_is_counted():
    def sometimes_together(matrix, own):
        shared = np.where(made_dense(matrix, 0.3, seed=5) > 0, 9 * own, 0)
        return np.maximum(made_dense(matrix, 0.004, seed=9), shared)

    _, _, examples = neighbourhood(sometimes_together)
    assert examples.removed["active"] > 0
    assert len(examples.rows("neighbour", "test")) == 10


def test_texts_that_repeat_an_activating_context_are_dropped():
    matrix = made_matrix(300)
    own = np.zeros(matrix.shape, np.float32)
    own[:, 40] = 1 + np.arange(300)
    matrix[:, 96:128] = matrix[:, 32:64]
    matrix[:, 96] = 499  # one token differs: no exact copy, 31 of 32 ids the same
    other = np.zeros(matrix.shape, np.float32)
    other[:, 100] = 1 + np.arange(300)
    contexts, columns = Contexts.open(made_files(matrix)), MadeColumns([own, other])
    examples = draw(contexts, columns, 0, hookpoint=HOOK)
    found = with_neighbours(
        contexts, columns, columns.slice(0), examples, [Neighbour(1, 0.9)], hookpoint=HOOK, size=50
    )
    assert found.removed["overlap"] > 0
    sequences = set((examples.first_token[examples.kind == 0] // 128).tolist())
    kept = set((found.first_token[found.kind == 3] // 128).tolist())
    assert not kept & sequences


def test_overlap_counts_distinct_ids():
    tokens, positives = np.array([[1, 2, 2, 3]]), np.array([[1, 2, 9, 9], [7, 7, 7, 7]])
    assert overlap(tokens, positives).tolist() == [pytest.approx(2 / 3)]


def test_few_neighbours_give_few_contexts():
    contexts, columns = made_cache()
    examples = draw(contexts, columns, 1, hookpoint=HOOK)
    found = with_neighbours(
        contexts, columns, columns.slice(1), examples, [], hookpoint=HOOK, size=50
    )
    assert not len(found.rows("neighbour", "test"))

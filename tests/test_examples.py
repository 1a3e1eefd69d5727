"""Contexts, deciles, the split, and draws; numbers in comments are pitfalls of methods.md 10."""

import subprocess
import sys

import numpy as np
import pytest
from made_cache import BOS, MadeColumns, made_cache, made_dense, made_files, made_matrix

from core import seeds
from core.examples import KINDS, PRESETS, Contexts, draw, draw_all
from core.examples.activating import Stream, activating, sort_by
from core.examples.contexts import TEST, TRAIN, fold, ranges, spread
from core.examples.draw import alone, shares
from core.examples.negatives import busy_groups
from data.activations import FeatureActivations
from data.errors import BadInput

HOOK = "layers.1"


@pytest.fixture(scope="module")
def made():
    return made_cache()


def drawn_from(dense, *, matrix=None, seed=0, preset="gloss"):
    """Contexts, columns and examples of one hand-made feature."""
    matrix = np.arange(1, dense.size + 1).reshape(dense.shape) if matrix is None else matrix
    contexts = Contexts.open(made_files(matrix, seed=seed))
    columns = MadeColumns([dense])
    return contexts, columns, draw(contexts, columns, 0, PRESETS[preset], hookpoint=HOOK)


def found_in(contexts, columns, feature=0):
    stream = Stream(contexts.seed, HOOK, np.array([feature]))
    return activating(contexts, alone(columns.slice(feature)), stream)


def test_tiles_are_aligned_and_the_rest_of_a_sequence_is_left_out():  # [8]
    dense = np.zeros((20, 70), np.float32)
    dense[3, [0, 31, 32, 63, 64, 69]] = 1, 2, 3, 4, 9, 9
    contexts, _, examples = drawn_from(dense)
    assert contexts.tiles_per_sequence == 2
    active = examples.kind == 0
    assert sorted(examples.first_token[active].tolist()) == [210, 242]
    assert sorted(examples.peak[active].tolist()) == [2, 4]


def test_windows_carry_their_own_values():  # [8]
    one = FeatureActivations(np.array([3, 4, 9], np.uint32), np.array([1, 2, 5], np.float32))
    assert spread(one, np.array([2, 8]), 4).tolist() == [[0, 1, 2, 0], [0, 5, 0, 0]]


def test_ranges_are_numbered_one_after_another():
    which, index = ranges(np.array([5, 0, 7]), np.array([7, 0, 8]))
    assert (which.tolist(), index.tolist()) == ([0, 0, 2], [5, 6, 7])


def test_copies_share_a_group_and_near_copies_do_not():
    matrix = np.array([[1, 2, 3, 4], [3, 4, 1, 2], [2, 1, 4, 3]])
    group, copied = fold(matrix, 2)
    assert group.tolist() == [0, 1, 1, 0, 4, 5]
    assert copied.tolist() == [True] * 4 + [False] * 2


def test_train_and_test_share_no_sequence_and_no_text(made):  # [7]
    contexts, columns = made
    for feature in range(columns.n_features):
        examples = draw(contexts, columns, feature, hookpoint=HOOK)
        sides = [examples.first_token[examples.split == side] for side in (TRAIN, TEST)]
        sequences = [set((side // contexts.sequence_length).tolist()) for side in sides]
        texts = [set(contexts.group[contexts.tile_at(side)].tolist()) for side in sides]
        assert not sequences[0] & sequences[1]
        assert not texts[0] & texts[1]
        assert all(sequences)


def test_a_third_of_the_sequences_is_train_and_a_fifth_of_those_selection():
    contexts = Contexts.open(made_files(made_matrix(3000)))
    assert contexts.train.mean() == pytest.approx(1 / 3, abs=0.03)
    assert contexts.selection_sequences[contexts.train].mean() == pytest.approx(1 / 5, abs=0.04)
    assert not contexts.selection_sequences[~contexts.train].any()
    assert (contexts.split.reshape(3000, -1) == np.where(contexts.train, 0, 1)[:, None]).all()


def test_too_few_sequences_are_split_by_context_and_flagged():
    contexts = Contexts.open(made_files(made_matrix(4, 4096)))
    assert contexts.split_by == "context"
    assert 0.2 < (contexts.split == TRAIN).mean() < 0.5
    assert contexts.train.all()


def test_of_copies_one_context_is_kept_and_counted():
    dense = np.zeros((30, 32), np.float32)
    dense[:, 5] = np.arange(1, 31)
    matrix = np.arange(960).reshape(30, 32) + 1
    matrix[10:20] = matrix[10]
    contexts, _, examples = drawn_from(dense, matrix=matrix)
    active = examples.kind == 0
    assert examples.n_contexts == active.sum() == 21
    assert sorted(examples.multiplicity[active].tolist()) == [1] * 20 + [10]
    kept = examples.first_token[active][examples.multiplicity[active] == 10] // 32
    train = np.flatnonzero(contexts.train[10:20]) + 10
    assert kept == train[0], "a copy that the explainer may read in train must not be judged"


def test_deciles_partition_all_contexts_by_peak(made):  # [11]
    contexts, columns = made
    for feature in range(columns.n_features):
        found = found_in(contexts, columns, feature)
        sizes = np.bincount(found.decile, minlength=11)[1:]
        assert sizes.sum() == found.n_contexts[0]
        assert np.ptp(sizes) <= 1
        assert (np.diff(found.peak) >= 0).all()
        assert (np.diff(found.decile.astype(int)) >= 0).all()


def test_decile_edges_bound_their_peaks():
    dense = np.zeros((40, 32), np.float32)
    dense[:25, 3] = np.arange(1, 26)
    _, _, examples = drawn_from(dense)
    assert examples.decile_edges.tolist() == [1, 4, 6, 9, 11, 14, 16, 19, 21, 24, 25]


def test_a_saturated_feature_is_flagged_and_its_ties_are_shuffled():
    matrix = made_matrix(120)
    contexts = Contexts.open(made_files(matrix))
    columns = MadeColumns([made_dense(matrix, 0.02, levels=[1.0])])
    found = found_in(contexts, columns)
    assert found.tied[0]
    assert (np.diff(found.tile) < 0).any(), "ties in corpus order would put early texts low"
    assert not found_in(*made_cache()).tied[0]


@pytest.mark.parametrize(
    ("n", "reason"),
    [(0, "dead"), (9, "rare"), (10, "scarce"), (39, "scarce"), (40, "reduced"), (200, None)],
)
def test_a_feature_with_too_few_contexts_says_why(n, reason):
    dense = np.zeros((240, 32), np.float32)
    dense[:n, 3] = 1 + np.arange(n)
    _, _, examples = drawn_from(dense)
    assert (examples.reason, examples.n_contexts) == (reason, n)


def test_the_full_protocol_gets_its_sizes():
    contexts, columns = made_cache([0.01], n_sequences=600)
    examples = draw(contexts, columns, 0, hookpoint=HOOK)
    sizes = {(k, s): len(examples.rows(k, s)) for k in KINDS[:2] for s in ("train", "test")}
    assert sizes == {
        ("activating", "train"): 40,
        ("activating", "test"): 100,
        ("random", "train"): 40,
        ("random", "test"): 100,
    }
    assert (
        np.bincount(examples.decile[examples.rows("activating", "test")])[1:].tolist() == [10] * 10
    )
    assert (
        np.bincount(examples.decile[examples.rows("activating", "train")])[1:].tolist() == [4] * 10
    )


def test_negatives_are_silent_distinct_and_of_their_split(made):  # [9]
    contexts, columns = made
    for feature in range(columns.n_features):
        examples = draw(contexts, columns, feature, hookpoint=HOOK)
        one = columns.slice(feature)
        silent = examples.kind == 1
        assert not spread(one, examples.first_token[silent], 32).any()
        tile = contexts.tile_at(examples.first_token[silent])
        assert len(set(contexts.group[tile].tolist())) == len(tile)
        assert not busy_groups(contexts, one)[contexts.group[tile]].any()
        assert (contexts.split[tile] == examples.split[silent]).all()


def test_negatives_differ_between_features():  # [9]
    contexts, columns = made_cache([0.002, 0.002])
    drawn = [draw(contexts, columns, feature, hookpoint=HOOK) for feature in (0, 1)]
    first, second = (set(e.first_token[e.kind == 1].tolist()) for e in drawn)
    assert len(first & second) < 0.6 * len(first)


def test_a_silent_copy_of_an_active_context_is_no_negative():
    matrix = made_matrix(60)
    group, copied = fold(matrix, 32)
    tile = int(np.flatnonzero(copied)[0])
    dense = np.zeros(matrix.shape, np.float32)
    dense[tile // 4, 32 * (tile % 4) + 3] = 2
    contexts, _, examples = drawn_from(dense, matrix=matrix)
    drawn = contexts.group[contexts.tile_at(examples.first_token[examples.kind == 1])]
    assert group[tile] not in drawn


def test_random_negatives_are_uniform_over_the_pool():
    contexts, columns = made_cache([0.0005] * 60)
    seen = np.zeros(contexts.n_tiles)
    for block in draw_all(contexts, columns, hookpoint=HOOK):
        np.add.at(
            seen, contexts.tile_at(block.first_token[(block.kind == 1) & (block.split == 1)]), 1
        )
    pool = contexts.pool[TEST]
    halves = seen[pool[: len(pool) // 2]].sum(), seen[pool[len(pool) // 2 :]].sum()
    assert halves[0] / halves[1] == pytest.approx(1, abs=0.08)
    assert (seen[pool] > 0).mean() > 0.9


def test_a_dense_feature_gets_the_negatives_that_exist():
    dense = np.ones((60, 64), np.float32) + np.arange(60)[:, None]
    dense[::6, 32:] = 0
    _, _, examples = drawn_from(dense)
    assert 0 < (examples.kind == 1).sum() <= 10
    dense[:] = 1
    _, _, examples = drawn_from(dense)
    assert not (examples.kind == 1).any()


def test_one_feature_alone_is_the_same_as_in_any_block():  # [10]
    contexts, columns = made_cache([0.0, 0.0002, 0.003, 0.02, 0.3, 0.0, 0.01])
    blocks = [
        *draw_all(contexts, columns, hookpoint=HOOK),
        *draw_all(contexts, columns, hookpoint=HOOK, lo=2, hi=5),
    ]
    seen = 0
    for block in blocks:
        for place, feature in enumerate(block.features.tolist()):
            whole, single = block.of(place), draw(contexts, columns, feature, hookpoint=HOOK)
            for a, b in zip(whole, single, strict=True):
                np.testing.assert_array_equal(a, b)
            seen += 1
    assert seen == 10


def test_negatives_are_the_first_silent_and_new_draws():
    contexts, columns = made_cache([0.004])
    pool, busy = contexts.pool[TEST], busy_groups(contexts, columns.slice(0))
    seed = seeds.seed_of(contexts.seed, HOOK, 0, "neg-random-test")
    expected = []
    for tile in pool[seeds.below(seed, np.arange(5000), len(pool))].tolist():
        if not busy[contexts.group[tile]] and tile not in expected:
            expected.append(tile)
    examples = draw(contexts, columns, 0, hookpoint=HOOK)
    drawn = examples.first_token[examples.rows("random", "test")]
    assert contexts.tile_at(drawn).tolist() == expected[:100]


def test_the_seed_and_the_hookpoint_change_what_is_drawn():
    contexts, columns = made_cache()
    other, _ = made_cache()
    object.__setattr__(other, "seed", 1)
    base = draw(contexts, columns, 1, hookpoint=HOOK).first_token.tolist()
    assert draw(contexts, columns, 1, hookpoint="layers.10").first_token.tolist() != base  # [14]
    assert draw(other, columns, 1, hookpoint=HOOK).first_token.tolist() != base


def test_drawing_leaves_global_random_state_alone(made):  # [10]
    before = np.random.get_state()[1].tolist()
    draw(*made, 1, hookpoint=HOOK)
    assert np.random.get_state()[1].tolist() == before


def test_special_tokens_are_never_active_and_padding_is_no_context():
    matrix = made_matrix(60)
    matrix[5, 32:] = BOS
    contexts = Contexts.open(made_files(matrix))
    pools = np.concatenate(contexts.pool)
    assert not np.isin([21, 22, 23], pools).any()


def test_contexts_with_negative_values_only_are_neither_kind():
    dense = np.zeros((40, 32), np.float32)
    dense[:20, 3] = np.arange(1, 21)
    dense[20:30, 3] = -1
    _, _, examples = drawn_from(dense)
    assert examples.n_contexts == 20
    assert not np.isin(examples.first_token // 32, np.arange(20, 30)).any()


def test_a_preset_of_another_length_is_refused():
    contexts, columns = made_cache()
    with pytest.raises(BadInput, match="20 tokens"):
        draw(contexts, columns, 0, PRESETS["blog"], hookpoint=HOOK)


def test_a_preset_of_another_length_works_on_its_own_contexts():
    matrix = made_matrix(300)
    contexts = Contexts.open(made_files(matrix), length=20)
    columns = MadeColumns([made_dense(matrix, 0.02)])
    examples = draw(contexts, columns, 0, PRESETS["blog"], hookpoint=HOOK)
    assert len(examples.rows("activating", "test")) == 70
    assert len(examples.rows("random", "test")) == 20


def test_presets_have_their_published_sizes():
    gloss, paper, delphi = PRESETS["gloss"], PRESETS["paper"], PRESETS["delphi"]
    assert (gloss.fuzzing.activating, gloss.fuzzing.random, gloss.fuzzing.wrong_mark) == (
        100,
        50,
        50,
    )
    assert (paper.scale, paper.test, paper.test_random) == ("floor", 100, 100)
    assert (delphi.scale, delphi.test, delphi.test_random) == ("ceil", 50, 50)


def test_shares_spread_over_the_deciles():
    assert shares(25).tolist() == [2, 3, 2, 3, 2, 3, 2, 3, 2, 3]


def test_sorting_packed_and_unpacked_agree():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 5, 300), rng.integers(0, 4, 300)
    huge = second + (1 << 60)
    assert (sort_by((first, second)) == np.lexsort((second, first))).all()
    assert (sort_by((first, huge)) == np.lexsort((second, first))).all()


def test_examples_load_no_model():  # [36]
    code = (
        "import sys, core.examples, core.score, core.score.fuzzing, core.score.detection;"
        "print([m for m in ('torch', 'transformers', 'nnsight', 'duckdb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

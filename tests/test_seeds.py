"""Random numbers by address."""

import numpy as np

from core import seeds


def test_splitmix_gives_the_published_numbers():
    # The first outputs of splitmix64 from state 1234567 (Vigna's reference implementation).
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert seeds.draws(1234567, np.arange(3)).tolist() == expected


def test_a_seed_is_the_same_on_every_machine():
    assert seeds.seed_of(0, "layers.1", 7, "train") == seeds.text_seed("0|layers.1|7|train")
    assert seeds.text_seed("gloss") == 0x535B46546BA7F20


def test_streams_differ_by_feature_hookpoint_and_purpose():
    names = [
        (0, "a", 1, "x"),
        (1, "a", 1, "x"),
        (0, "b", 1, "x"),
        (0, "a", 2, "x"),
        (0, "a", 1, "y"),
    ]
    assert len({seeds.seed_of(*name) for name in names}) == 5


def test_many_features_have_the_seeds_of_each():
    many = seeds.seeds_of(3, "h", np.array([5, 9]), "p")
    assert many.tolist() == [seeds.seed_of(3, "h", 5, "p"), seeds.seed_of(3, "h", 9, "p")]


def test_draws_do_not_depend_on_what_else_is_drawn():
    table = seeds.draws(np.array([1, 2], np.uint64)[:, None], np.arange(10))
    assert table[1, 7] == seeds.draws(2, np.array([7]))[0]


def test_integers_are_uniform_and_in_range():
    drawn = seeds.below(5, np.arange(60_000), 6)
    assert np.abs(np.bincount(drawn, minlength=6) - 10_000).max() < 500


def test_a_permutation_holds_everything_once():
    assert sorted(seeds.permutation(1, 50).tolist()) == list(range(50))


def test_no_global_state_is_touched():
    before = np.random.get_state()[1].tolist()
    seeds.generator(3).random(5)
    seeds.permutation(3, 100)
    assert np.random.get_state()[1].tolist() == before

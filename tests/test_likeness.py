"""Comparing SAEs: matching, what chance gives, and what is stored."""

import json

import numpy as np
import pytest
from commands import gloss
from two_seeds import FIRST, ORDER, SECOND, explain, make_store
from word_encoder import WordEncoder

from core.likeness import Cosines, Dense, matched
from core.likeness.directions import Directions, by_direction, cosines
from core.likeness.figures import interval
from core.likeness.matching import greedy, nearest
from core.likeness.together import Firings, Text, by_firing, jaccard
from core.likeness.wording import by_wording
from core.pipeline.likeness import LEFT_OUT, LikenessRequest, likeness_stage
from data import caches, likeness, runs
from data.errors import BadInput


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    made = make_store(tmp_path_factory.mktemp("seeds"))
    for cache in ("one", "two"):
        for place in (FIRST, SECOND):
            explain(made, cache, place, {f: f"speaks of w{f} and v{f % 5}" for f in range(24)})
    return made


def directions(seed, n=40, d=8):
    rng = np.random.default_rng(seed)
    return Directions(rng.normal(size=(n, d)), rng.normal(size=(n, d)), np.ones(n, bool))


def test_exact_matching_has_the_largest_sum_and_greedy_the_largest_pair():
    values = Dense(np.array([[0.9, 0.8], [0.8, 0.1]]))
    assert list(zip(*matched(values)[:2], strict=True)) == [(0, 1), (1, 0)]
    assert list(zip(*greedy(values)[:2], strict=True)) == [(0, 0), (1, 1)]
    assert (matched(values).method, matched(values, exact=1).method) == ("exact", "greedy")


def test_greedy_in_rounds_and_blocks_is_greedy_one_by_one():
    rng = np.random.default_rng(0)
    for n, m in ((30, 30), (17, 40), (40, 17)):
        values = rng.integers(0, 40, (n, m)) / 40  # with ties
        left, pairs = values.copy(), []
        while left.max() >= 0:
            i, j = np.unravel_index(left.argmax(), left.shape)
            pairs.append((int(i), int(j)))
            left[i], left[:, j] = -1, -1
        found = greedy(Dense(values), budget=4 * m * 5)
        assert list(zip(found.first, found.second, strict=True)) == sorted(pairs)


def test_a_shuffled_copy_is_matched_feature_by_feature_at_exactly_one():
    own = directions(1)
    order = np.random.default_rng(2).permutation(40)
    copy = Directions(own.decoder[order], own.encoder[order], own.alive[order])
    found = by_direction(own, copy, seed=3)
    assert np.array_equal(order[found.second], found.first)
    assert found.value.min() == found.value.max() == found.mean == 1.0
    assert found.detail == {"shared": 40, "alive": 40, "shared_alive": 40}
    assert found.baseline < 0.8
    assert found.low > 0.2


def test_the_same_decoder_with_another_encoder_is_not_shared():
    own, other = directions(1), directions(9)
    found = by_direction(own, other._replace(decoder=own.decoder), seed=3)
    assert found.mean == 1.0
    assert found.detail["shared"] < 10


def test_unrelated_directions_are_as_alike_as_chance():
    found = by_direction(directions(1, n=200), directions(2, n=200), seed=3)
    assert abs(found.mean - found.baseline) < 0.03
    assert found.low < 0.03
    assert found.high > -0.03


def test_cosines_by_hand():
    first = np.array([[1.0, 0.0], [3.0, 4.0], [0.0, 0.0]])
    second = np.array([[1.0, 1.0], [3.0, 4.0], [1.0, 0.0]])
    assert cosines(first, second) == pytest.approx([np.sqrt(0.5), 1.0, 0.0])
    assert Cosines(first, second).rows(np.array([2])).tolist() == [[0.0, 0.0, 0.0]]


def test_jaccard_by_hand_and_a_silent_feature_has_none():
    first = Firings(np.array([7]), np.array([0, 3]), np.array([1, 2, 3]))
    second = Firings(np.array([1, 4, 5]), np.array([0, 4, 4, 7]),
                     np.array([2, 3, 4, 5, 1, 2, 3]))  # fmt: skip
    assert jaccard(first, second, 6)[0].tolist() == pytest.approx([0.4, 0.0, 1.0])


def test_firing_together_is_above_the_same_on_other_texts():
    rng = np.random.default_rng(0)
    fires = [np.flatnonzero(rng.random(3200) < 0.05) for _ in range(20)]
    indptr = np.cumsum([0, *map(len, fires)])
    own = Firings(np.arange(20), indptr, np.concatenate(fires))
    found = by_firing(own, own, Text(100, 32), seed=1)
    assert found.mean == 1.0
    assert found.baseline < 0.1
    assert np.array_equal(found.first, found.second)


def test_words_from_one_pool_are_as_alike_as_the_same_words_dealt_out():
    rng = np.random.default_rng(4)
    pool = rng.normal(size=(300, 16))
    found = by_wording((np.arange(150), pool[:150]), (np.arange(150), pool[150:]), seed=2)
    assert abs(found.mean - found.baseline) < 0.02
    assert found.low < 0 < found.high


def test_the_same_words_are_more_alike_than_dealt_out_and_other_words_less():
    rng = np.random.default_rng(4)
    a = rng.normal(size=(100, 16))
    near = by_wording((np.arange(100), a), (np.arange(100), a[::-1]), seed=2)
    assert near.low > 0.05
    far = by_wording((np.arange(100), a + 6), (np.arange(100), a - 6), seed=2)
    assert far.high < 0


def test_a_text_without_a_vector_takes_no_part():
    vectors = np.eye(3)
    vectors[1] = np.nan
    found = by_wording((np.array([4, 5, 6]), vectors), (np.array([7, 8, 9]), np.eye(3)), seed=0)
    assert found.n == (2, 3)
    assert found.first.tolist() == [4, 6]
    assert found.second.tolist() == [7, 9]


def test_an_interval_needs_two_pairs_and_something_to_hold_it_against():
    assert interval(np.array([1.0]), [0.5], 0) == (None, None)
    assert interval(np.array([1.0, 1.0]), [], 0) == (None, None)
    assert interval(np.array([1.0, 1.0]), [0.5], 0) == (0.5, 0.5)


def test_the_nearest_of_either_side_are_sorted():
    forth, back = nearest(Dense(np.array([[0.1, 0.9, 0.5], [0.7, 0.2, 0.3]])), 2)
    assert forth.other.tolist() == [[1, 2], [0, 2]]
    assert back.other.tolist() == [[1, 0], [0, 1], [0, 1]]
    assert back.value[0].tolist() == pytest.approx([0.7, 0.1])


def compared(catalogue, *args, **kwargs):
    steps = list(likeness_stage(catalogue, LikenessRequest(*args, **kwargs), WordEncoder()))
    with catalogue.reading() as con:
        return steps, likeness.cells(con, caches.cache(catalogue, args[0]).cache_id)


def test_two_caches_are_compared_by_every_measure_once(catalogue):
    steps, cells = compared(catalogue, "one", "two", hookpoints=("layers.1",))
    found = {row["measure"]: row for row in cells}
    assert set(found) == {"decoder", "explanations", "co-firing"}
    assert found["decoder"]["value"] == 1.0
    assert found["decoder"]["n_shared"] == 24
    assert json.loads(found["decoder"]["detail"])["alive"] == found["co-firing"]["n_first"]
    assert found["co-firing"]["value"] == 1.0
    with catalogue.reading() as con:
        pairs = likeness.pairs(con, found["decoder"]["similarity_id"], 100)
    assert ORDER[pairs["other"]].tolist() == pairs["feature"].tolist()
    assert (pairs["encoder"] == 1).all()
    assert (
        pairs["first_text"][0] == f"speaks of w{pairs['feature'][0]} and v{pairs['feature'][0] % 5}"
    )
    again, same = compared(catalogue, "one", "two", hookpoints=("layers.1",))
    assert again[-1].note == "all 3 comparisons are there already"
    assert [row["similarity_id"] for row in same] == [row["similarity_id"] for row in cells]
    assert steps[-1].done == 3
    run = runs.runs(catalogue)[-1]
    assert (run["stage"], run["status"], run["done"]) == ("similarity", "done", 3)


def test_a_comparison_from_the_other_side_is_the_same_one(catalogue):
    _, before = compared(catalogue, "one", "two")
    steps, after = compared(catalogue, "two", "one")
    assert steps[-1].note.startswith("all ")
    assert steps[-1].note.endswith(" comparisons are there already")

    def between(rows):
        return {r["similarity_id"] for r in rows if r["first_cache"] != r["second_cache"]}

    assert between(before) == between(after)


def test_one_cache_compares_its_hookpoints_and_says_what_cannot_be(catalogue):
    steps, cells = compared(catalogue, "two")
    assert [s.note for s in steps if s.stage == LEFT_OUT] == [
        "decoder: weights compare at one hookpoint: name a second cache with another SAE there"
    ]
    own = {row["measure"] for row in cells if row["second_cache"] == row["first_cache"]}
    assert own == {"explanations", "co-firing"}


def test_a_feature_finds_its_like_across_hookpoints(catalogue):
    compared(catalogue, "two", measures=("explanations",))
    record = caches.cache(catalogue, "two")
    with catalogue.reading() as con:
        here = likeness.across(con, record.hookpoints[0].hookpoint_id, 3)
    own = [r for r in here if r["cache"] == "two" and r["measure"] == "explanations"]
    assert own[0]["other"] == 3
    assert own[0]["rank"] == 1
    assert own[0]["value"] == pytest.approx(1, abs=1e-3)
    assert own[0]["text"] == "speaks of w3 and v3"


def test_new_explanations_are_compared_anew(catalogue):
    _, before = compared(catalogue, "two", measures=("explanations",))
    (one,) = explain(catalogue, "two", SECOND, {3: "something else"}, attempt=1)
    steps, after = compared(catalogue, "two", measures=("explanations",))
    assert one
    assert steps[-1].total == 1
    own = [[r["similarity_id"] for r in rows if r["first_cache"] == r["second_cache"] == "two"
            and r["measure"] == "explanations"] for rows in (before, after)]  # fmt: skip
    assert own[1][0] > own[0][0]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("one", "one"), "both caches are 'one'"),
        (("one", None, ("layers.1",), ("co-firing",)), "has one hookpoint here"),
        (("one", None, (), ("decoder",)), "name a second cache"),
        (("one", None, (), ("colour",)), "--measure colour: there is decoder, "),
    ],
    ids=["same", "alone", "decoder", "unknown"],
)
def test_what_cannot_be_compared_is_one_line(catalogue, asked, words):
    with pytest.raises(BadInput, match=words) as caught:
        list(likeness_stage(catalogue, LikenessRequest(*asked), WordEncoder()))
    assert "\n" not in str(caught.value)


def test_a_stopped_comparison_goes_on_with_what_is_missing(catalogue):
    request = LikenessRequest("one", "two", measures=("co-firing",), features=9)
    steps = likeness_stage(catalogue, request, WordEncoder())
    while next(steps).done < 1:
        pass
    steps.close()
    assert runs.runs(catalogue)[-1]["status"] == "interrupted"
    first, *_ = [step for step in likeness_stage(catalogue, request, WordEncoder()) if step.total]
    run = runs.runs(catalogue)[-1]
    assert first.total == 3
    assert (run["status"], run["done"], run["total"]) == ("done", 4, 4)


def test_the_command_prints_one_object_a_comparison_and_does_nothing_twice(catalogue):
    words = ("similarity", "one", "two", "--hookpoint", "layers.2", "--measure",
             "decoder,co-firing", "--json", "--store", str(catalogue.store))  # fmt: skip
    done = gloss(*words)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert {one[side]["hookpoint"] for one in found for side in ("first", "second")} == {SECOND}
    assert len(found) == 2
    own = {one["measure"]: one for one in found}
    assert own["decoder"]["value"] == 1.0
    assert (own["decoder"]["shared"], own["decoder"]["method"]) == (24, "exact")
    assert own["decoder"]["interval"][0] > 0
    assert "all 2 comparisons are there already" in gloss(*words).stderr
    only = gloss("similarity", "two", "one", "--measure", "decoder", "--store", words[-1])
    assert {line.split()[0] for line in only.stdout.splitlines()} == {"decoder"}
    bad = gloss("similarity", "one", "nobody", "--store", str(catalogue.store))
    assert (bad.returncode, "no cache named 'nobody'" in bad.stderr) == (1, True)

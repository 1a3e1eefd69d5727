"""Simulation: the score from literal predictions and from scripted models."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_material import steady_material
from scripted import ScriptedClient

from core.score.items import Items
from core.score.material import Claim
from core.score.simulation import (
    SimulationScorer,
    Truth,
    correlations,
    measured,
    r_squared,
    simulation_items,
)
from core.score.simulators import JsonSimulator
from core.score.statistics import Sums, pearson


@pytest.fixture(scope="module")
def material():
    return steady_material()


def oracle(request):
    """Answer rightly from the prompt alone."""
    numbers = re.findall(r'^(\d+) " w7"$', request.question, re.MULTILINE)
    pairs = ", ".join(f"[{number}, 10]" for number in numbers)
    return f'{{"values": [{pairs}]}}'


def scored(material, answer, **settings):
    client = ScriptedClient(answer)
    scorer = SimulationScorer(lambda claim: JsonSimulator(client, claim.text, **settings), "them")
    (found,) = scorer.score(material, [Claim(1, "the word w7", None)])
    return found, client


def test_a_right_simulation_correlates_fully(material):
    found, client = scored(material, oracle)
    score = found.score
    assert (score.metric, score.judge, score.preset) == ("pearson", "them", "gloss")
    assert (score.n, score.failed) == (40, 0)
    assert [score.value, score.low, score.high] == pytest.approx([1, 1, 1])
    assert score.detail["weighted_r"] == score.detail["r_squared"] == pytest.approx(1)
    places = score.detail["placement_only"]
    assert [(row["decile"], row["n"]) for row in places["by_decile"]] == [
        (decile, 2) for decile in range(1, 11)
    ]
    assert len(client.asked) == 40
    assert found.predicted.tolist() == [1] * 40
    assert set(found.keys) == {outcome.key for outcome in found.asked}


def test_contexts_are_twenty_and_twenty_and_the_same_in_any_order(material):
    items = simulation_items(material)
    assert (items.kinds.count("activating"), items.kinds.count("random")) == (20, 20)
    assert np.bincount(items.decile)[1:].tolist() == [2] * 10
    found, _ = scored(material, oracle)
    assert found.items.first_token.tolist() == items.first_token.tolist()
    truth = Truth.of(material, items)
    hits = [max(values) > 0 for values in found.simulated]
    assert hits == truth.items.expected.tolist()


def test_failures_are_left_out_and_counted_never_zeros(material):  # [24]
    right, _ = scored(material, oracle)
    asked = []

    def sometimes(request):
        asked.append(request)
        place = int(re.findall(r'" w(\d+)"', request.question)[0])
        return None if place % 3 == 0 else oracle(request)

    found, _ = scored(material, sometimes)
    failed = [values is None for values in found.simulated]
    assert found.score.failed == sum(failed) > 3
    assert found.score.n == 40 - sum(failed)
    assert found.score.value == pytest.approx(1), "zeros for failures would lower it"
    assert found.score.detail["defects"] == {"scripted failure": sum(failed)}
    assert len(asked) == 40, "a call that failed is not asked again"
    assert [key is None for key in found.keys] == failed
    assert (found.predicted == -1).tolist() == failed
    assert right.score.detail["tokens"] > found.score.detail["tokens"]


def test_a_judge_that_answers_garbage_gives_no_score(material):  # [20]
    found, client = scored(material, lambda request: "I would say high.")
    assert found.score.value is found.score.low is None
    assert (found.score.n, found.score.failed) == (0, 40)
    assert len(client.asked) == 80
    assert set(found.simulated) == {None}


def test_a_constant_prediction_is_zero_and_says_so(material):  # [24]
    found, _ = scored(material, lambda request: '{"values": []}')
    assert found.score.value == 0.0
    assert found.score.detail["constant"]
    assert (found.score.low, found.score.n) == (None, 40)
    assert found.score.detail["weighted_r"] == 0.0


def test_too_little_material_is_undefined_with_a_reason(material):
    scarce = replace(material, examples=material.examples._replace(reason="scarce"))
    found, client = scored(scarce, oracle)
    assert (found.score.value, found.score.detail) == (None, {"reason": "scarce"})
    active = material.examples.kind == 0
    dense = material.examples._replace(
        **{
            name: getattr(material.examples, name)[active]
            for name in ("kind", "split", "decile", "first_token", "peak", "multiplicity", "source")
        }
    )
    found, client = scored(replace(material, examples=dense), oracle)
    assert found.score.detail == {"reason": "no silent test contexts"}
    assert not client.asked


def truth(activations, decile, *, base_rate=0.5, counted=None):
    """Literal contexts: activations [n, length], decile 0 = silent."""
    activations = np.array(activations, np.float32)
    n = len(activations)
    decile = np.array(decile, np.uint8)
    zeros = np.zeros(n, np.int64)
    items = Items(
        slot=np.arange(n),
        kind=(decile == 0).astype(np.uint8),
        decile=decile,
        first_token=zeros.astype(np.uint64),
        start=zeros,
        peak=activations.max(1),
        marks=np.zeros(activations.shape, bool),
        call=zeros.astype(np.int32),
        base=np.ones(n, bool),
        skipped={},
    )
    counted = np.ones(activations.shape, bool) if counted is None else np.array(counted)
    return Truth(items, zeros[:, None] + np.zeros(activations.shape[1]), activations, counted,
                 base_rate, 4.0)  # fmt: skip


ACTIVATIONS = [[0, 4, 0], [2, 0, 0], [0, 0, 0], [0, 0, 0]]
SAID = [(0, 10, 0), (0, 0, 5), (0, 0, 0), (5, 0, 0)]


def test_r_is_that_of_all_tokens_together():
    found = measured(truth(ACTIVATIONS, [9, 2, 0, 0]), SAID, seed=1)
    # x: 10, 5, 5 in twelve; y: 4, 2: r = (40 - 20 * 6 / 12) / sqrt((150 - 100/3) (20 - 3))
    assert found.r == pytest.approx(30 / math.sqrt((150 - 100 / 3) * 17))
    x, y = np.array(SAID, float).ravel(), np.array(ACTIVATIONS, float).ravel()
    assert found.r == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert found.low <= found.r <= found.high
    # a predicted 10 stands for 4: squared errors 0, 4 + 4, 0, 4 of a variance of 17
    assert found.detail["r_squared"] == pytest.approx(1 - 12 / 17)
    by_decile = found.detail["placement_only"]["by_decile"]
    assert by_decile == [
        {"decile": 2, "n": 1, "r": pytest.approx(-0.5)},
        {"decile": 9, "n": 1, "r": pytest.approx(1.0)},
    ]


def test_positions_that_are_special_have_no_say():
    plain = measured(truth(ACTIVATIONS, [9, 2, 0, 0]), SAID, seed=1)
    wide = truth(
        [[99, *row] for row in ACTIVATIONS], [9, 2, 0, 0], counted=[[False, True, True, True]] * 4
    )
    again = measured(wide, [(3.0, *row) for row in SAID], seed=1)
    assert again == plain


def test_weights_make_of_a_sample_what_the_corpus_would_give():
    # 1 % of contexts are active, half of them in either decile; two silent ones are 99 %.
    found = measured(truth(ACTIVATIONS, [9, 2, 0, 0], base_rate=0.01), SAID, seed=1)
    copies = [1, 1, 99, 99]
    x = np.concatenate([np.tile(row, n) for row, n in zip(SAID, copies, strict=True)])
    y = np.concatenate([np.tile(row, n) for row, n in zip(ACTIVATIONS, copies, strict=True)])
    assert found.detail["weighted_r"] == pytest.approx(np.corrcoef(x, y)[0, 1])


def test_without_a_usable_reply_on_one_class_there_is_no_r():
    for said in ([*SAID[:2], None, None], [None, None, *SAID[2:]], [None] * 4):
        found = measured(truth(ACTIVATIONS, [9, 2, 0, 0]), said, seed=1)
        assert found.r is found.low is found.detail["weighted_r"] is None
        assert found.n + found.failed == 4


def test_one_context_of_a_class_gives_r_without_an_interval():
    found = measured(truth(ACTIVATIONS[1:], [2, 0, 0]), SAID[1:], seed=1)
    assert found.r is not None
    assert found.low is None
    silent = measured(truth([[0, 0, 0]] * 3, [1, 0, 0]), SAID[1:], seed=1)
    assert silent.r is None, "truth that does not vary"
    assert r_squared(np.zeros((0, 6)), 1.0) is None


def test_the_interval_depends_on_the_seed_and_on_nothing_else():
    random = np.random.default_rng(3)
    active = random.random((20, 30)) * (random.random((20, 30)) < 0.1)
    made = truth(
        np.vstack([active, np.zeros((20, 30))]), [1 + i % 10 for i in range(20)] + [0] * 20
    )
    noise = random.random((40, 30)) * 2
    said = [tuple(row) for row in (10 * made.activations + noise).tolist()]
    first, again, other = (measured(made, said, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.low != other.low
    assert first.low == pytest.approx(other.low, abs=0.02)
    assert 0.02 < first.high - first.low < 0.2


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 1e4, width=16)), min_size=0, max_size=12))
def test_many_correlations_at_once_are_those_of_the_running_sums(pairs):
    x, y = np.array(pairs, float).reshape(-1, 2).T
    sums = [len(x), x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum()]
    one, (many,) = pearson(Sums(*sums)), correlations(np.array([sums], float))
    assert (one == pytest.approx(many)) if one is not None else (many == 0 or np.isnan(many))

"""How many features share their explanation with another."""

import json

import numpy as np
import pytest
from stores import make_store
from word_encoder import WordEncoder

from core.collisions import Collisions, collided, collision_lines, collisions


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("store"), sequences=60)


def test_a_feature_collides_above_the_bound_and_not_with_itself():
    angle = np.array([0.0, 0.2, 0.6, 3.0])  # cos 0.2 = .980, cos 0.4 = .921
    directions = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert collided(directions).tolist() == [True, True, False, False]
    assert collided(directions, 0.9).tolist() == [True, True, True, False]
    assert collided(directions[:1]).tolist() == [False]
    assert collided(np.empty((0, 2))).tolist() == []


def test_explanations_of_one_explainer_are_compared(made):
    (hookpoint,) = made.cache.hookpoints
    found = collisions(made.catalogue, WordEncoder(), hookpoint)
    assert found
    for one in found:
        assert 0 <= one.collided <= one.n
        assert one.encoder == "words@1"
    name = made.cache.name
    lines = list(collision_lines(made.catalogue, WordEncoder(), name, None, as_json=True))
    assert [json.loads(line)["n"] for line in lines] == [one.n for one in found]


def test_nothing_is_said_of_one_feature():
    assert Collisions("h", "grammar", None, "e", 1, 0).share is None
    assert "(" not in Collisions("h", "grammar", None, "e", 1, 0).words.split("share")[0]
    assert "2 of 4 features (50.0 %)" in Collisions("h", "cot", "m", "e", 4, 2).words

"""Baselines as numbers: kinds and places, summaries by hand, the table of made-up scores."""

import json

import numpy as np
import pytest
from made_baselines import SAID, make_store, question

from core.baselines import words
from core.baselines.kinds import Kind, check, family, kinds_of, nulls_of, reference, title
from core.baselines.places import Dictionary, Mlp, places
from core.baselines.summary import difference, mean_of, summarise
from core.baselines.table import table
from data import baselines, caches
from data.errors import BadInput

NEOX, LLAMA = Mlp("GPTNeoXForCausalLM", 768), Mlp("LlamaForCausalLM", None)
RESIDUAL = Dictionary("gpt_neox.layers.2", 2048, 16)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("made") / "store")


def test_neurons_are_two_rows_and_nulls_need_no_cache():
    found = kinds_of((), steps=300, seed=0)
    assert [kind.name for kind in found] == [
        "neurons-32", "neurons-256", "random-sae", "re-randomised"
    ]  # fmt: skip
    assert kinds_of(("shuffled",), steps=300, seed=0) == []
    assert nulls_of(()) == ["shuffled", "always-yes"]


def test_a_kind_is_named_after_what_is_unusual_about_it():
    assert Kind("re-randomised", steps=0).name == "re-randomised-random-sae"
    assert Kind("re-randomised", steps=70, seed=3).name == "re-randomised-70-steps-seed-3"
    assert family("re-randomised-70-steps-seed-3") == "re-randomised"
    assert title("neurons-256") == "neurons, the 256 largest"
    assert reference("neurons-32", "fuzzing") == ".62, .55"


def test_unknown_names_are_refused_with_those_that_there_are():
    with pytest.raises(BadInput, match="--only neuron: there is neurons, random-sae"):
        check(("neuron",), 300)
    with pytest.raises(BadInput, match="trains an SAE"):
        check(("same-recipe",), 0)


def test_neurons_are_those_of_the_block_and_two_saes_of_a_block_share_them():
    both = [RESIDUAL, Dictionary("gpt_neox.layers.2.mlp", 512, 8)]
    (place,) = places(Kind("neurons", k=32), both, NEOX)
    assert place.hookpoint == "gpt_neox.layers.2.mlp.dense_4h_to_h:in"
    assert place.source == "neurons:32"
    assert place.beside == ("gpt_neox.layers.2", "gpt_neox.layers.2.mlp")


def test_neurons_behind_a_gate_have_both_signs():
    (place,) = places(Kind("neurons", k=32), [Dictionary("model.layers.10", 9, 2)], LLAMA)
    assert (place.hookpoint, place.source) == ("model.layers.10.mlp.down_proj:in",
                                               "neurons:32:both")  # fmt: skip


def test_a_random_sae_has_the_size_of_the_real_one():
    (place,) = places(Kind("random-sae", seed=5), [RESIDUAL], NEOX)
    assert (place.hookpoint, place.source) == ("gpt_neox.layers.2", "random:2048:16:5")
    normed = RESIDUAL._replace(norm="centre+unit_norm")
    assert places(Kind("random-sae"), [normed], NEOX)[0].source == "random:2048:16:centre+unit_norm"


def test_what_cannot_stand_beside_an_sae_says_why():
    with pytest.raises(BadInput, match="is in no block"):
        places(Kind("neurons", k=32), [Dictionary("gpt_neox.embed_in", 9, 2)], NEOX)
    with pytest.raises(BadInput, match="768 neurons, fewer than 1000"):
        places(Kind("neurons", k=1000), [RESIDUAL], NEOX)
    with pytest.raises(BadInput, match="--steps 0"):
        places(Kind("re-randomised", steps=9), [Dictionary("gpt_neox.layers.1:in", 9, 2)], NEOX)


def test_the_mean_is_over_features_and_the_median_over_scores():
    found = summarise(np.array([0.4, 0.6, 0.8]), np.array([1, 1, 2]))
    assert found.mean is not None
    assert (found.n, found.median, found.mean.value) == (2, 0.6, pytest.approx(0.65))


def test_intervals_need_five_features_and_hold_the_mean():
    assert mean_of(np.array([0.1, 0.2])).low is None
    found = mean_of(np.linspace(0.4, 0.8, 50))
    # sd / sqrt(n) = .1178 / 7.07 = .0167, so 1.96 of it is .033
    assert (found.low, found.high) == (pytest.approx(0.567, abs=0.004),
                                       pytest.approx(0.633, abs=0.004))  # fmt: skip


def test_two_groups_are_resampled_apart():
    same = np.tile([0.4, 0.8], 50)
    found = difference(same, same)
    assert found is not None
    assert found.value == 0
    # each mean has the error .2 / 10 = .02, their difference sqrt(2) of it: 1.96 * .0283 = .055
    assert found.low == pytest.approx(-0.055, abs=0.006)
    assert difference(same, np.zeros(0)) is None


def test_the_table_has_the_numbers_of_its_features(made):
    catalogue, explainer = made
    own, random_sae, shuffled = table(catalogue, question(explainer)).rows
    one = own.scores["detection"]
    assert one.summary.mean is not None
    assert (one.summary.n, one.summary.median) == (5, 0.7)
    assert one.summary.mean.value == pytest.approx(0.7)
    assert (one.summary.low, one.summary.high) == (0.6, 0.8)
    assert (one.n_judged, one.n_failed) == (120, 12)
    assert one.without == {"undefined": 1, "not explained yet": 2}
    other = random_sae.scores["detection"]
    assert (random_sae.cache, random_sae.state) == ("one.random-sae", "there")
    assert other.difference is not None
    assert other.difference.value == pytest.approx(0.7 - 0.52)
    null = shuffled.scores["detection"]
    assert null.is_paired
    assert null.difference is not None
    # features' null means are .5 .5 .4 .6 .5: differences .4 .3 .3 0 0
    assert null.difference.value == pytest.approx(0.2)
    assert (null.summary.n, len(null.values)) == (5, 10)


def test_a_null_without_contexts_is_called_what_the_feature_is(tmp_path):
    catalogue, explainer = make_store(tmp_path / "store")
    with catalogue.writing() as con:
        con.run(
            "insert into null_score by name select distinct on (feature) * replace "
            "(if(feature = 0, 6, 5) as feature, null as value) from null_score where feature < 2"
        )  # 6 is rare, 5 is not
    _, _, shuffled = table(catalogue, question(explainer)).rows
    assert shuffled.scores["detection"].without == {"undefined": 1, "too few contexts": 1}


def test_a_sample_is_the_one_that_would_be_explained(made):
    catalogue, explainer = made
    found = table(catalogue, question(explainer, features="0-1")).rows[0]
    assert found.chosen == 2
    mean = found.scores["detection"].summary.mean
    assert mean is not None
    assert mean.value == pytest.approx(0.85)


def test_what_was_not_made_is_a_row_without_numbers(made):
    catalogue, explainer = made
    found = table(catalogue, question(explainer, only=("neurons", "always-yes")))
    states = {row.name: row.state for row in found.rows}
    assert states == {
        "sae": "there", "neurons-32": "missing", "neurons-256": "missing", "random-sae": "there",
        "shuffled": "there", "always-yes": "missing",
    }  # fmt: skip
    assert "not made yet" in "\n".join(words.lines(found))


def test_other_judges_scores_are_not_mixed_in(made):
    catalogue, explainer = made
    found = table(catalogue, question(explainer, judge="someone"))
    assert all(row.scores["detection"].summary.n == 0 for row in found.rows[:2])
    assert found.rows[0].scores["detection"].without["not scored yet"] == 6


def test_scripts_get_an_object_a_row_with_intervals_and_what_is_published(made):
    catalogue, explainer = made
    rows = list(words.objects(table(catalogue, question(explainer))))
    text = json.loads(json.dumps(rows))
    assert [row["row"] for row in text] == ["sae", "random-sae", "shuffled"]
    assert text[1]["scores"]["detection"]["difference"] == pytest.approx(0.18)
    assert text[1]["how"] == SAID["how"]
    assert text[2]["published"][0]["source"] == "arXiv 2410.13928, table A10"


def test_token_entropy_is_shown_where_the_filters_measured_it(tmp_path):
    catalogue, explainer = make_store(tmp_path / "store")
    hookpoint = caches.cache(catalogue, "one").hookpoints[0].hookpoint_id
    with catalogue.writing() as con:
        for feature, run, value in (
            (0, 1, 9.0),
            (0, 2, 1.0),
            (1, 1, 2.0),
            (2, 1, 4.0),
            (3, 1, None),
        ):
            con.run("insert into feature_measure (hookpoint_id, feature, run_id, token_entropy) "
                    "values (?, ?, ?, ?)", [hookpoint, feature, run, value])  # fmt: skip
    own, other, _ = table(catalogue, question(explainer)).rows
    assert own.entropy == (2.0, 3)  # the newest of each feature: 1, 2, 4
    assert other.entropy is None
    assert "median token entropy 2.00 nats over 3 features" in words.aside(own)


def test_people_read_that_a_high_score_is_no_proof(made):
    catalogue, explainer = made
    said = "\n".join(words.lines(table(catalogue, question(explainer))))
    assert all(word in said for word in ("random SAE", "paired", "published"))
    assert "does not show learned computation" in said


def test_a_baseline_knows_what_it_stands_beside(made):
    catalogue, _ = made
    record = caches.cache(catalogue, "one.random-sae")
    assert (record.baseline_of, record.baseline) == ("one", "random-sae")
    assert record.label == "one.random-sae (baseline of one)"
    with catalogue.reading() as con:
        (known,) = baselines.made_for(con, "one")
    assert known.hookpoint_beside("h.1") == "h.1"


@pytest.mark.parametrize(
    ("name", "shown"),
    [("org/name", "org/name"), ("re-randomised:3:/a/b/c/", "re-randomised:3:b/c")],
)
def test_a_redrawn_subject_is_never_shown_as_the_trained_one(name, shown):
    assert baselines.subject_words(name) == shown

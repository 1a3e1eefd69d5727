"""What explainers see of a feature; numbers in comments are pitfalls of methods.md 10."""

import numpy as np
import pytest
from made_cache import MadeColumns, made_cache, made_files

from core.examples import Contexts, draw, explainer_contexts
from core.examples.activating import Stream, activating
from core.examples.contexts import TRAIN
from core.examples.draw import alone

HOOK = "layers.1"


@pytest.fixture(scope="module")
def made():
    return made_cache()


def found_in(contexts, columns, feature=0):
    stream = Stream(contexts.seed, HOOK, np.array([feature]))
    return activating(contexts, alone(columns.slice(feature)), stream)


@pytest.mark.parametrize("sampling", ["quantiles", "random", "top", "mix"])
def test_explainers_see_train_contexts_only(made, sampling):
    contexts, columns = made
    seen = explainer_contexts(contexts, columns, 2, hookpoint=HOOK, sampling=sampling)
    assert len(seen.first_token) == len(set(seen.first_token.tolist())) == 40
    assert contexts.train[(seen.first_token // contexts.sequence_length).astype(int)].all()


def test_top_means_strongest(made):  # [32]
    contexts, columns = made
    seen = explainer_contexts(contexts, columns, 2, hookpoint=HOOK, sampling="top", size=5)
    found = found_in(contexts, columns, 2)
    assert sorted(seen.peak) == sorted(found.peak[found.split == TRAIN])[-5:]


def test_mix_takes_half_from_the_strongest():
    contexts, columns = made_cache([0.03], n_sequences=900)
    seen = explainer_contexts(contexts, columns, 0, hookpoint=HOOK, sampling="mix")
    found = found_in(contexts, columns)
    strong = np.sort(found.peak[found.split == TRAIN])[-200]
    assert (seen.peak >= strong).sum() >= 20
    assert (seen.peak < strong).sum() >= 10


def test_quantiles_are_the_train_sample_of_a_draw(made):
    contexts, columns = made
    drawn = draw(contexts, columns, 2, hookpoint=HOOK)
    seen = explainer_contexts(contexts, columns, 2, hookpoint=HOOK)
    train = drawn.rows("activating", "train")
    assert seen.first_token.tolist() == drawn.first_token[train].tolist()
    again = explainer_contexts(contexts, columns, 2, hookpoint=HOOK, attempt=1)
    assert again.first_token.tolist() != seen.first_token.tolist()


def test_fit_and_selection_are_disjoint_parts_of_train(made):  # [27]
    contexts, columns = made
    parts = {
        part: explainer_contexts(
            contexts, columns, 2, hookpoint=HOOK, part=part, size=10_000, sampling="top"
        )
        for part in ("train", "fit", "selection")
    }
    whole, fit, kept = (set(parts[p].first_token.tolist()) for p in ("train", "fit", "selection"))
    assert fit | kept == whole
    assert not fit & kept
    assert kept


def test_a_scarce_feature_is_explained_from_all_its_contexts():
    dense = np.zeros((60, 32), np.float32)
    dense[:20, 3] = np.arange(1, 21)
    contexts = Contexts.open(made_files(np.arange(1, 1921).reshape(60, 32)))
    columns = MadeColumns([dense])
    assert len(explainer_contexts(contexts, columns, 0, hookpoint=HOOK).first_token) == 20

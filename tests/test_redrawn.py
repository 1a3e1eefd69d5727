"""A subject with its weights drawn anew: the same from the same name, and nothing else."""

import copy

import pytest
import tiny
import torch

from core.subject import Subject
from core.subject.fingerprint import of_weights
from core.subject.redrawn import redraw
from data.baselines import Redrawn, original, redrawn
from data.errors import BadInput


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(tiny.save_subject(tmp_path_factory.mktemp("subject")))


def test_a_name_says_the_seed_and_the_trained_subject():
    assert redrawn("re-randomised:12:org/name") == Redrawn(12, "org/name")
    assert str(Redrawn(12, "org/name")) == "re-randomised:12:org/name"
    assert redrawn("random-embeddings:0:org/name") == Redrawn(0, "org/name", "random-embeddings")
    assert redrawn("re-randomised:x:name") is None
    assert original("re-randomised:0:/a:b/c") == "/a:b/c"
    assert original("org/name") == "org/name"


def test_the_same_name_is_the_same_model_and_another_seed_another(folder):
    loaded = Subject.load(f"re-randomised:0:{folder}").sha256
    trained = tiny.model()
    known = [of_weights(trained, has_head=True)]
    for seed in (0, 1):
        model = copy.deepcopy(trained)
        redraw(model, Redrawn(seed, folder))
        known.append(of_weights(model, has_head=True))
    assert loaded == known[1]
    assert len(set(known)) == 3


def test_every_weight_keeps_its_mean_and_deviation():
    model = tiny.model()
    with torch.no_grad():
        model.gpt_neox.embed_in.weight.normal_(3.0, 0.5)
        model.gpt_neox.layers[0].input_layernorm.weight.fill_(2.0)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    redraw(model, Redrawn(0, "tiny"))
    after = dict(model.named_parameters())
    embedding = after["gpt_neox.embed_in.weight"]
    assert not torch.equal(embedding, before["gpt_neox.embed_in.weight"])
    assert embedding.mean().item() == pytest.approx(3.0, abs=0.03)
    assert embedding.std().item() == pytest.approx(0.5, abs=0.03)
    # what does not vary cannot be drawn otherwise
    assert set(after["gpt_neox.layers.0.input_layernorm.weight"].tolist()) == {2.0}


def test_a_subject_that_reads_noise_knows_no_token_but_repeats_itself(folder):
    found = Subject.load(f"random-embeddings:0:{folder}")
    embedded = "gpt_neox.embed_in"
    ids = torch.tensor([[5, 5, 7], [5, 5, 7], [5, 5, 8]])
    first, again, other = found.activations(ids, [embedded])[embedded]
    assert torch.equal(first, again)  # the same sequence
    assert not torch.equal(first[0], first[1])  # the same token
    assert not torch.equal(first, other)
    trained = tiny.model().gpt_neox.embed_in.weight
    assert first.std().item() == pytest.approx(trained.std().item(), rel=0.3)
    assert found.sha256 != of_weights(found.model, has_head=True)


def test_ndif_has_the_trained_weights_alone():
    with pytest.raises(BadInput, match="leave out --remote"):
        Subject.load("re-randomised:0:org/name", runs_on="ndif")

"""Reconstruction and the loss that it keeps, by hand and by plain hooks."""

import pytest
import tiny
import torch

from core.cache import CacheSettings, build
from core.fit import share_words
from core.quality import Sample, of_vectors
from core.sae import ReLU, TopK, Weights
from core.sae.coder import Origin
from core.sae.hooks import Hook
from core.subject import Subject
from data.cachefiles import CacheFiles
from data.records import LEAST_GAP, Losses

EYE = Weights(torch.eye(2), torch.zeros(2), torch.zeros(2), torch.eye(2))


def test_by_hand():
    x = torch.tensor([[1.0, 3.0], [3.0, 1.0]])  # mean (2, 2), spread 4
    assert of_vectors(ReLU(EYE), x) == (0.0, 2.0, 2)
    assert of_vectors(TopK(EYE, 1), x) == (0.5, 1.0, 2)  # misses a 1 in each row


def test_undefined_is_none():
    assert of_vectors(ReLU(EYE), torch.ones(3, 2)).fvu is None
    assert of_vectors(ReLU(EYE, transcoder=True), torch.eye(2)).fvu is None
    assert of_vectors(ReLU(EYE), torch.ones(0, 2)).fvu is None


def test_of_a_cache(tmp_path):
    subject, saes = tiny.subject(), {4: ("layers.1", tiny.sae())}
    settings = CacheSettings(corpus="tiny", tokens=600, sequence_length=32)
    for _ in build(tmp_path, subject, saes, tiny.texts(), settings):
        pass
    got = Sample.of_cache(subject, CacheFiles.open(tmp_path), sequences=8).quality(*saes[4])
    assert got.l0 == 4
    assert got.n_tokens < 256
    assert got.fvu > 0


IDS = torch.tensor([[tiny.BOS, 65, 66, 67, 68, 69], [tiny.BOS, 97, 98, tiny.EOS, 100, 101]])
POINT = "gpt_neox.layers.1"


def sample(**given) -> Sample:
    return Sample.of_ids(tiny.subject(), IDS, (tiny.BOS, tiny.EOS), **given)


def exact(d: int = 16, **switches) -> ReLU:
    """An SAE that loses nothing: two features for every number, one a sign."""
    both = torch.cat([torch.eye(d), -torch.eye(d)])
    return ReLU(Weights(both.T, torch.zeros(2 * d), torch.zeros(d), both), **switches)


def by_hooks(change) -> float:
    """The loss over ordinary tokens with the output of block 1 changed at ordinary positions."""
    model = tiny.model()
    ordinary = (IDS != tiny.BOS) & (IDS != tiny.EOS)

    def hook(_module, _inputs, output):
        out = output.clone()
        out[ordinary] = change(output[ordinary])
        return out

    model.get_submodule(POINT).register_forward_hook(hook)
    with torch.inference_mode():
        nats = -model(IDS).logits[:, :-1].log_softmax(-1).gather(2, IDS[:, 1:, None])[..., 0]
    return float(nats[ordinary[:, 1:]].mean())


def test_losses_are_those_of_plain_hooks():
    sae, mean = tiny.sae(), torch.linspace(-1, 1, 16)
    found = sample().losses(POINT, sae, mean)
    want = (
        by_hooks(lambda x: x),
        by_hooks(lambda x: sae.decode(sae.encode(x))),
        by_hooks(torch.zeros_like),
        by_hooks(mean.expand_as),
    )
    assert (found.intact, found.spliced, found.zero, found.mean) == pytest.approx(want, rel=1e-5)


def test_an_exact_reconstruction_recovers_everything():
    found = sample().losses(POINT, exact())
    assert found.spliced == pytest.approx(found.intact, rel=1e-6)
    gaps = [other - found.intact for other in (found.zero, found.mean)]
    shares = [found.recovered_zero, found.recovered_mean]
    assert shares == [pytest.approx(1, abs=1e-3) if gap >= LEAST_GAP else None for gap in gaps]
    assert any(gap >= LEAST_GAP for gap in gaps)


def test_shares_are_of_the_gap_and_undefined_without_one():
    found = Losses(intact=2.0, spliced=3.0, zero=6.0, mean=2.0)
    assert found.recovered_zero == 0.75
    assert found.recovered_mean is None
    hardly = Losses(intact=2.0, spliced=2.3, zero=6.0, mean=2.009)  # -3,233 % of nothing
    assert hardly.recovered_mean is None
    assert Losses(2.0, 2.005, 6.0, 2.02).recovered_mean == pytest.approx(0.75)
    said = share_words(hardly.recovered_mean, "mean")
    assert said == "loss recovered not meaningful (mean: the loss hardly changes)"


def test_a_transcoder_is_measured_where_it_writes():
    subject = tiny.subject()
    point = "gpt_neox.layers.1.attention.dense"  # a linear map: a transcoder can be it
    module = subject.model.get_submodule(point)
    both = torch.cat([torch.eye(16), -torch.eye(16)])
    weights = Weights(both.T, torch.zeros(32), module.bias, both @ module.weight.T)
    hook = Hook("module", point, side="in", writes=point)
    sae = ReLU(weights, centred=False, transcoder=True, origin=Origin(hook=hook))
    tried = Sample.of_ids(subject, IDS, (tiny.BOS, tiny.EOS))
    assert tried.quality(f"{point}:in", sae).fvu == pytest.approx(0, abs=1e-9)
    found = tried.losses(f"{point}:in", sae)
    assert found.spliced == pytest.approx(found.intact, rel=1e-6)
    assert found.zero != pytest.approx(found.intact, rel=1e-6)


def test_what_cannot_be_known_is_none():
    w = tiny.weights()
    without = TopK(Weights(w.W_enc, w.b_enc, w.b_dec), 4)
    assert sample().losses(POINT, without) is None
    assert sample().losses("gpt_neox.layers.1.input_layernorm:in", exact()) is None
    headless = Subject(tiny.model(), has_head=False)
    assert Sample.of_ids(headless, IDS, (tiny.BOS,)).losses(POINT, exact()) is None
    special = Sample.of_ids(tiny.subject(), IDS[:, :1], (tiny.BOS,))
    assert special.losses(POINT, exact()) is None


def test_a_loss_is_measured_on_a_bounded_number_of_sequences():
    few = sample(loss_tokens=6).losses(POINT, exact())
    alone = Sample.of_ids(tiny.subject(), IDS[:1], (tiny.BOS, tiny.EOS)).losses(POINT, exact())
    assert few == alone

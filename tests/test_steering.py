"""Steering: nothing at strength 0, nothing of a silent feature, the same as a plain hook."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
import tiny
import torch

from core.sae import TopK, Weights
from core.sae.coder import Origin
from core.sae.hooks import Hook
from core.steered import Steering, Writing
from core.steering import divergence, edit_of, steer
from data.errors import BadInput, NotFound, Stopped

PROMPT = (tiny.BOS, *b"one 2 three 4")
GREEDY, DRAWN = Writing(6), Writing(5, n_texts=3, temperature=1.0, seed=4)


def asked(subject, point, steering, writing=GREEDY, sae=None, **rest):
    sae = sae or tiny.sae()
    return steer(subject, sae, point, PROMPT, steering, writing, special_ids=(256, 257), **rest)


def activations(subject, sae, point, ids=PROMPT):
    """All features at every token of the prompt, [tokens, features]."""
    return sae.encode(subject.activations(torch.tensor([ids]), [point])[point][0]).dense()


@contextmanager
def hooked(model, point, change):
    """Change a block's output with a plain PyTorch hook."""

    def after(_module, _args, output):
        return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)

    handle = model.get_submodule(point).register_forward_hook(after)
    yield
    handle.remove()


def by_hand(subject, point, change, n):
    """Write on greedily without any cache, editing from the last prompt token on."""
    ids, logits = list(PROMPT), []

    def edited(h):
        out = h.clone()
        out[:, len(PROMPT) - 1 :] = change(h[:, len(PROMPT) - 1 :])
        return out

    for _ in range(n):
        with torch.inference_mode(), hooked(subject.model, point, edited):
            logits.append(subject.model(torch.tensor([ids]), use_cache=False).logits[0, -1])
        ids.append(int(logits[-1].argmax()))
    return tuple(ids[len(PROMPT) :]), logits


@pytest.mark.parametrize("family", tiny.FAMILIES)
@pytest.mark.parametrize("writing", [GREEDY, DRAWN])
def test_at_strength_zero_nothing_changes_at_all(family, writing):
    subject, point = tiny.subject(family), tiny.FAMILIES[family][1]
    found = asked(subject, point, Steering(3, "add", 0.0, 7.0), writing)
    assert found.kl == 0.0
    assert found.clean == found.steered
    assert all(kl == 0.0 for text in found.kl_by_token for kl in text)
    assert found.rising == found.falling == ()


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_adding_is_what_a_plain_hook_adds(family):
    subject, point = tiny.subject(family), tiny.FAMILIES[family][1]
    found = asked(subject, point, Steering(3, "add", 2.0, 4.0))
    direction = tiny.sae().W_dec[3]
    ids, logits = by_hand(subject, point, lambda h: h + 8.0 * direction, 6)
    clean_ids, clean = by_hand(subject, point, lambda h: h, 6)
    assert (found.steered[0].ids, found.clean[0].ids) == (ids, clean_ids)
    assert found.kl == pytest.approx(divergence(clean[0][None], logits[0][None])[0], rel=1e-3)
    assert found.kl > 0
    gained = (logits[0].softmax(0) - clean[0].softmax(0)).argmax()
    assert found.rising[0].token == int(gained)
    assert found.rising[0].after > found.rising[0].before


def test_ablating_and_setting_are_what_a_plain_hook_does():
    subject, point = tiny.subject(), "gpt_neox.layers.1"
    sae = tiny.sae()
    active = activations(subject, sae, point)[-1].argmax().item()

    def own(h):
        return sae.encode(h[0]).dense()[:, active, None]

    for steering, change in (
        (Steering(active, "ablate"), lambda h: h - own(h) * sae.W_dec[active]),
        (Steering(active, "set", 3.0, 2.0), lambda h: h + (6.0 - own(h)) * sae.W_dec[active]),
    ):
        found = asked(subject, point, steering, sae=sae)
        ids, logits = by_hand(subject, point, change, 6)
        _, clean = by_hand(subject, point, lambda h: h, 1)
        assert found.steered[0].ids == ids
        assert found.kl == pytest.approx(divergence(clean[0][None], logits[0][None])[0], rel=1e-3)
        assert found.activation == pytest.approx(float(own_at_end(subject, sae, point, active)))


def own_at_end(subject, sae, point, feature):
    return activations(subject, sae, point)[-1, feature]


def test_ablating_a_silent_feature_changes_nothing():
    w = tiny.weights()
    silent = Weights(w.W_enc, w.b_enc.index_fill(0, torch.tensor([5]), -100.0), w.b_dec, w.W_dec)
    for where in ("end", "everywhere"):
        found = asked(tiny.subject(), "gpt_neox.layers.1", Steering(5, "ablate", where=where),
                      sae=TopK(silent, 4))  # fmt: skip
        assert (found.kl, found.activation) == (0.0, 0.0)
        assert found.clean == found.steered


def test_setting_a_feature_to_what_it_has_changes_almost_nothing():
    subject, sae, point = tiny.subject(), tiny.sae(), "gpt_neox.layers.1"
    end = activations(subject, sae, point)[-1]
    feature = int(end.argmax())
    found = asked(subject, point, Steering(feature, "set", 1.0, float(end[feature])), Writing(1))
    assert found.kl == pytest.approx(0.0, abs=1e-9)


def test_everywhere_edits_all_tokens_but_special_ones():
    subject, point = tiny.subject(), "gpt_neox.layers.1"
    found = asked(subject, point, Steering(3, "add", 1.0, 5.0, "everywhere"), Writing(1))

    def change(h):
        out = h + 5.0 * tiny.sae().W_dec[3]
        out[:, 0] = h[:, 0]
        return out

    with torch.inference_mode():
        clean = subject.model(torch.tensor([PROMPT])).logits[0, -1]
        with hooked(subject.model, point, change):
            moved = subject.model(torch.tensor([PROMPT])).logits[0, -1]
    assert found.kl == pytest.approx(divergence(clean[None], moved[None])[0], rel=1e-3)


def test_a_transcoder_reads_the_input_and_writes_the_output():
    subject, point = tiny.subject(), "gpt_neox.layers.1.mlp"
    origin = Origin(hook=Hook("module", point, side="in", writes=point))
    sae = TopK(tiny.weights(), 4, centred=False, transcoder=True, origin=origin)
    found = asked(subject, f"{point}:in", Steering(3, "add", 1.0, 5.0), sae=sae)
    direction = sae.W_dec[3]
    assert found.steered[0].ids == by_hand(subject, point, lambda h: h + 5.0 * direction, 6)[0]
    plain = asked(subject, f"{point}:in", Steering(3, "add", 1.0, 5.0))  # an SAE of the input
    assert plain.kl not in (0.0, found.kl)


def test_drawn_texts_depend_on_the_seed_only_and_the_first_divergence_on_neither():
    subject, point = tiny.subject(), "gpt_neox.layers.1"
    steering = Steering(3, "add", 1.0, 3.0)
    one, again = (asked(subject, point, steering, DRAWN) for _ in range(2))
    other = asked(subject, point, steering, replace(DRAWN, seed=5))
    assert one == again
    assert one.clean != other.clean
    assert len(set(one.clean)) == 3
    assert one.kl == pytest.approx(other.kl)
    for text, apart in zip(one.steered, one.kl_by_token, strict=True):
        assert len(apart) == len(text.ids) + text.is_ended
        assert apart[0] == pytest.approx(one.kl)


def test_a_text_ends_where_the_subject_ends_it():
    subject, point = tiny.subject(), "gpt_neox.layers.1"
    ids = asked(subject, point, Steering(0, strength=0.0)).clean[0].ids
    third = ids[2]
    assert third not in ids[:2]
    with torch.no_grad():  # what was its third token is now the one that ends a text
        head = subject.model.lm_head.weight
        head[[third, tiny.EOS]] = head[[tiny.EOS, third]]
    found = asked(subject, point, Steering(0, strength=0.0))
    assert found.clean == found.steered == ((ids[:2], True),)
    assert len(found.kl_by_token[0]) == 3


def test_it_can_be_stopped_between_tokens():
    seen = []

    def watch(done, total):
        seen.append((done, total))
        if done == 2:
            raise Stopped("that is enough")

    with pytest.raises(Stopped):
        asked(tiny.subject(), "gpt_neox.layers.1", Steering(0), watch=watch)
    assert seen == [(0, 12), (1, 12), (2, 12)]


def test_what_cannot_be_done_is_one_line():
    subject, point, sae = tiny.subject(), "gpt_neox.layers.1", tiny.sae()
    bare = TopK(replace(tiny.weights(), W_dec=None), 4)
    with pytest.raises(BadInput, match="has no decoder"):
        asked(subject, point, Steering(0), sae=bare)
    with pytest.raises(NotFound, match="features 0 to 23, not 24"):
        asked(subject, point, Steering(24))
    with pytest.raises(BadInput, match="1 to 60 tokens"):
        asked(subject, point, Steering(0), Writing(61))
    with pytest.raises(BadInput, match="no prompt to go on from"):
        steer(subject, sae, point, [tiny.BOS], Steering(0), special_ids=(256, 257))
    with pytest.raises(BadInput, match="more than the 64 that the subject"):
        asked(subject, point, Steering(0), Writing(60))


def test_divergence_by_hand():
    clean, steered = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.75, 0.25]]).log()
    assert divergence(clean, steered)[0] == pytest.approx(0.143841036)  # ln(2) - ln(3)/2
    assert divergence(clean, clean) == [0.0]
    masked = torch.tensor([[0.0, -torch.inf]])
    assert divergence(masked, masked) == [0.0]


@pytest.mark.parametrize(
    "switches",
    [
        pytest.param({}, id="plain"),
        pytest.param({"norm": "layer_norm"}, id="layer_norm"),
        pytest.param({"norm": "unit_norm"}, id="unit_norm"),
        pytest.param({"decoder_scaled": True}, id="decoder_scaled"),
    ],
)
def test_an_ablation_takes_out_what_the_feature_adds_to_the_reconstruction(switches):
    """Also where the SAE normalises its inputs: the decoder's row is scaled as the vector is."""
    w = tiny.weights()
    scaled = Weights(w.W_enc, w.b_enc, w.b_dec, 3.0 * w.W_dec)
    sae, subject, point = TopK(scaled, 4, **switches), tiny.subject(), "gpt_neox.layers.1"
    x = 5.0 * subject.activations(torch.tensor([PROMPT]), [point])[point][0]
    active = sae.encode(x)
    feature = int(active.feature[active.row == len(x) - 1][0])
    kept = active.feature != feature
    others = active._replace(
        row=active.row[kept], feature=active.feature[kept], value=active.value[kept]
    )
    added = sae.decode(active, x) - sae.decode(others, x)
    own = active.dense()[:, feature, None]
    assert (own * sae.effect(feature, x) - added).abs().max() < 1e-4
    edit = edit_of(sae, point, Steering(feature, "ablate"), torch.ones(0, dtype=torch.bool))
    moved = edit.change(x[None, -1:], x[None, -1:])[0, 0]
    assert (moved - (x[-1] - added[-1])).abs().max() < 1e-4
    assert (moved - x[-1]).abs().max() > 1e-2

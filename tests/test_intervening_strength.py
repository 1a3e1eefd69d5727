"""Strength by KL: hand-made curves, and pushes of a small subject."""

import math

import pytest
import tiny

from core.intervening.ends import Ends
from core.intervening.strength import matched, pushing, search
from data.errors import BadInput

POINT = "gpt_neox.layers.1"
PROMPTS = [[tiny.BOS, *b"one 2 three 4"], [tiny.BOS, *b"a b c"], [tiny.BOS, *b"d e f"]]


@pytest.mark.parametrize("target", [0.1, 0.33, 1.0, 3.0])
@pytest.mark.parametrize("scale", [1e-6, 1e-2, 1.0, 100.0])
def test_a_curve_that_saturates_is_matched_within_a_tenth_in_ten_steps(target, scale):
    steps = []

    def kl(s):
        steps.append(s)
        return 8 * (1 - math.exp(-scale * s**2))

    found = search(kl, target)
    assert found.reason is None
    assert abs(found.kl - target) <= 0.1 * target
    assert found.kl == kl(found.strength)
    assert len(steps) - 1 == len(found.tried) <= 10


def test_what_was_run_for_another_target_is_not_run_again():
    first = search(lambda s: 1e-4 * s**2, 1.0)
    assert first.strength == 100.0
    second = search(lambda s: pytest.fail("not needed"), 1.05, known=first.tried)
    assert second.strength == 100.0


@pytest.mark.parametrize(
    ("kl", "word"),
    [
        pytest.param(lambda _s: 0.5, "unreachable: at 10000", id="too little"),
        pytest.param(lambda _s: 2.0, "unreachable: at 0.001", id="too much"),
        pytest.param(lambda s: 50 / s, "not monotone", id="falls"),
        pytest.param(lambda s: math.nan if s > 50 else 0.1, "not a number", id="undefined"),
        pytest.param(lambda s: 0.0 if s < 7.77 else 9.0, "not matched in 10", id="a step"),
    ],
)
def test_what_cannot_be_matched_has_no_strength_and_a_reason(kl, word):
    found = search(kl, 1.0)
    assert (found.strength, found.kl) == (None, None)
    assert word in found.reason
    assert 1 <= len(found.tried) <= 10


def test_prompts_of_a_subject_are_pushed_to_the_target():
    found = matched(tiny.subject(), tiny.sae(), POINT, PROMPTS, 3, 3e-3)
    assert found.reason is None
    assert abs(found.kl - 3e-3) <= 3e-4
    alone = [matched(tiny.subject(), tiny.sae(), POINT, [p], 3, 3e-3).strength for p in PROMPTS]
    assert min(alone) <= found.strength <= max(alone)


def test_a_prompt_that_ends_in_a_special_token_is_refused():
    with pytest.raises(BadInput, match="ordinary token"):
        matched(tiny.subject(), tiny.sae(), POINT, [[5, tiny.BOS]], 3, 0.5, special_ids=[tiny.BOS])
    with pytest.raises(BadInput, match="KL of 0"):
        search(lambda s: s, 0.0)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_prompts_of_different_lengths_run_together_as_they_run_alone(family):
    subject, point = tiny.subject(family), tiny.FAMILIES[family][1]
    assert subject.takes_padding
    edit = pushing(tiny.sae(), point, 3, 2.0)
    for change in (None, edit):
        together = Ends(subject, PROMPTS).logits(change)
        alone = [Ends(subject, [prompt]).logits(change)[0] for prompt in PROMPTS]
        for found, own in zip(together, alone, strict=True):
            assert (found - own).abs().max() < 1e-4

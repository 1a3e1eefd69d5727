"""Contrast pairs and the noise sweep, on subjects whose features and difference are known."""

import json

import diffed
import numpy as np
import planted_subject
import pytest
import tiny
import torch
from planted_subject import Planted

from core.diffing.noise import Place, Sweep, prompts_of
from core.diffing.pairs import Reactions, reactions
from core.diffing.points import as_numbers, curves, mean_of
from core.diffing.settings import NoiseSettings, PairSettings
from core.diffing.words import least_words
from core.pipeline.contrasting import PairsRequest, pairs_stage
from core.pipeline.noising import NoiseRequest, key_of, noise_stage, read_prompts, with_strengths
from data import diffs
from data.contrast import read_pairs
from data.diffs import Point
from data.errors import BadInput, NotFound

IN_BRACKETS = "the of ( and to in ) is was for"
WITHOUT = "the of and to in is was for"


@pytest.fixture
def store(tmp_path):
    return diffed.make_store(tmp_path / "store")


def written(path, lines):
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return str(path)


def pairs(path):
    """Eight pairs whose first text has brackets, in other places each."""
    words = WITHOUT.split()
    return written(path, [
        {"a": " ".join([*words[:k % 3], "(", *words[k % 3 : 5], ")", *words[5:], *words[: k // 3]]),
         "b": " ".join([*words, *words[: k // 3]])} for k in range(8)
    ])  # fmt: skip


def test_the_feature_that_reacts_reacts_in_the_first_subject_only(store, tmp_path):
    request = PairsRequest("planted", pairs(tmp_path / "pairs.jsonl"), "tuned")
    list(pairs_stage(store, request))
    assert list(pairs_stage(store, request))[-1].note.startswith("nothing to do")
    with store.reading() as con:
        diff = diffs.diffs(con, "pairs", "planted", "tuned")[0]
        sides = {side: diffs.reacting(con, diff, side).set_index("feature") for side in (1, 2, 3)}
    context = [sides[side].loc[Planted.CONTEXT_ONLY] for side in (1, 2, 3)]
    assert context[0]["low"] > 0
    assert context[0]["p"] == 2 / 2**8  # all of 8 pairs the same way
    assert context[0]["q"] < 0.05
    assert (context[1]["difference"], context[1]["n"], context[1]["p"]) == (0, 0, 1)
    assert context[2]["difference"] == pytest.approx(-context[0]["difference"])
    assert context[2]["q"] < 0.05
    others = sides[3].drop(Planted.CONTEXT_ONLY)
    assert others["difference"].eq(0).all()


def test_reactions_by_hand():
    # Pairs 0 and 1; feature 7 has 3 and 1 on their texts a, 2 on text b of pair 1; 9 has 1 once.
    one = Reactions(np.array([0, 2, 3, 0]), np.array([7, 7, 7, 9]), np.array([3.0, 1.0, 2.0, 1.0]),
                    np.array([True, True]))  # fmt: skip
    (found,) = reactions([one], PairSettings(), "h")
    assert found.feature.tolist() == [7, 9]
    assert found.spans.value.tolist() == [1.0, 0.5]  # (3 - 1) / 2 and 1 / 2
    assert found.n.tolist() == [2, 1]
    assert found.p.tolist() == [1.0, 1.0]  # 3 and -1: |2| is reached by all of 4 patterns but none


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": "x"}\n', "line 1: \"b\" must be a text"),
        ('{"a": "x", "b": "y"}\n', "has 1 pairs: a difference needs at least 2"),
        ('{"a": "x", "b": "y"}\nno\n', "line 2 is no JSON"),
        ('[1]\n', "line 1: \"a\" must be"),
        (b"\xff\xfe", "no UTF-8"),
        ("[" * 200_000, "line 1 is nested too deeply"),
    ],
    ids=["half", "alone", "no-json", "list", "bytes", "deep"],
)  # fmt: skip
def test_a_file_that_has_no_pairs_is_refused_with_its_line(tmp_path, text, words):
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadInput, match=words):
        read_pairs(path)


def test_a_line_ends_at_a_line_feed_only_and_half_a_character_is_replaced(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_bytes('\ufeff{"a": "x\u2028y", "b": "\x85z"}\r\n'.encode()
                     + b'{"a": "x \\ud800", "b": "y"}')  # fmt: skip
    assert read_pairs(path) == [("x\u2028y", "\x85z"), ("x \ufffd", "y")]
    path.write_bytes("\ufeffone\u2028still one\r\n\ntwo\n".encode())
    assert read_prompts(path) == ("one\u2028still one", "two")


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (5, "with 5 pairs p is at least 0.062, so that no feature can react at q .05: give more"),
        (6, "with 6 pairs p is at least 0.031: q .05 takes that p in 62 % of the features tested"),
        (20, "with 20 pairs p is at least 1.9e-06"),
    ],
)
def test_what_so_few_pairs_can_show_is_said(n, words):
    assert least_words(n).startswith(words)


def sweep(settings=None, target=(), ids=None) -> Sweep:
    subject = tiny.subject()
    ids = ids or [[tiny.BOS, 65, 66, 67, 68], [tiny.BOS, 97, 98, 99]]
    prompts = prompts_of(ids, target, (tiny.BOS, tiny.EOS))
    place = Place(subject, tiny.sae(), "gpt_neox.layers.1")
    return Sweep(place, prompts, settings or NoiseSettings(feature=3, controls=2))


@pytest.mark.parametrize("direction", ["noise", "feature", "random"])
def test_strength_0_changes_nothing_and_more_changes_more(direction):
    found = [sweep().measure(direction, strength).kl for strength in (0.0, 0.5, 4.0)]
    assert found[0] == [0.0, 0.0]
    assert all(0 < a < b for a, b in zip(found[1], found[2], strict=True))


def test_a_step_is_that_of_a_plain_hook_and_padding_is_not_seen():
    one = sweep()
    model, hook = tiny.model(), []
    direction = one.place.sae.W_dec[3] / one.place.sae.W_dec[3].norm()

    def change(_module, _inputs, output):
        out = output.clone()
        out[:, 1:] += 0.7 * one.length * direction
        return out

    ids = torch.tensor([[tiny.BOS, 97, 98, 99]])
    with torch.inference_mode():
        clean = model(ids).logits[0, -1].log_softmax(-1)
        hook.append(model.get_submodule("gpt_neox.layers.1").register_forward_hook(change))
        changed = model(ids).logits[0, -1].log_softmax(-1)
    want = float((clean.exp() * (clean - changed)).sum())
    assert one.measure("feature", 0.7).kl[1] == pytest.approx(want, rel=1e-4)


def test_the_target_is_read_after_the_prompt():
    one = sweep(target=[70, 71])
    ids = torch.tensor([[tiny.BOS, 97, 98, 99, 70, 71]])
    with torch.inference_mode():
        shares = tiny.model()(ids).logits[0].log_softmax(-1)
    want = float(shares[3, 70] + shares[4, 71])
    assert one.measure("noise", 0.0).target[1] == pytest.approx(want, rel=1e-5)
    assert sweep().measure("noise", 0.0).target is None


def test_noise_of_a_prompt_does_not_depend_on_the_others():
    alone = sweep(ids=[[tiny.BOS, 65, 66, 67, 68]])
    both = sweep()
    scale = both.length / alone.length  # the unit is the mean length over all prompts
    assert alone.measure("noise", scale).kl[0] == pytest.approx(both.measure("noise", 1.0).kl[0],
                                                                rel=1e-3)  # fmt: skip


def test_a_sweep_that_was_stopped_goes_on_and_both_subjects_are_measured(store):
    settings = with_strengths(NoiseSettings(prompts=3, controls=1, prompt_tokens=9), "1, .5")
    request = NoiseRequest("planted", "tuned", settings=settings, target="lantern")
    steps = noise_stage(store, request)
    for step in steps:
        if step.stage == "adding noise" and step.done == 4:
            break
    steps.close()
    with store.reading() as con:
        assert len(diffs.points(con, key_of(store, request).natural)) == 4
    again = list(noise_stage(store, request))
    assert (again[-1].done, again[-1].total) == (8, 8)
    assert "4 points are there already" in again[-1].note
    assert list(noise_stage(store, request))[-1].note.startswith("nothing to do")
    with store.reading() as con:
        diff = diffs.diffs(con, "noise", "planted", "tuned")[0]
        points = diffs.points_of(con, diff.diff_id)
    assert len(points) == 12  # 2 subjects x 2 directions x 0, .5, 1
    assert all(p.kl == [0, 0, 0] for p in points if p.strength == 0)
    assert {(p.side, p.length) for p in points if p.side == 1} != {
        (p.side, p.length) for p in points if p.side == 2
    }
    kinds = {(one.side, one.direction) for one in curves(points, "target")}
    assert kinds == {(side, d) for side in (1, 2, 3) for d in ("noise", "random")}


def test_the_difference_of_subjects_is_paired_and_what_is_not_finite_is_counted():
    points = [Point(side, "noise", strength, 1.0, kl, None)
              for side, strength, kl in ((1, 0.0, [0, 0, 0]), (1, 1.0, [1, 2, None]),
                                         (2, 0.0, [0, 0, 0]), (2, 1.0, [4, 6, 1.0]))]  # fmt: skip
    (difference,) = [one for one in curves(points, "kl") if one.side == 3]
    assert difference.means[0].value == 0
    assert (difference.means[1].value, difference.means[1].n, difference.means[1].failed) == (
        3.5, 2, 1)  # fmt: skip
    assert mean_of(as_numbers([None])) is None


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (NoiseRequest("planted", settings=NoiseSettings(feature=99)), "features 0 to 9, not 99"),
        (NoiseRequest("planted", settings=NoiseSettings(strengths=(1e9,))), "from -1000 to 1000"),
        (NoiseRequest("planted", prompts="/no/such/file"), "is no file: give a text file"),
        (NoiseRequest("planted", target="the of " * 32), "target has 64 tokens, 66 .* reads 64"),
    ],
    ids=["feature", "strength", "prompts", "target"],
)
def test_what_cannot_be_measured_is_refused(store, asked, words):
    with pytest.raises((BadInput, NotFound), match=words):
        list(noise_stage(store, asked))


def test_a_target_that_is_no_text_is_kept_as_one(store):
    settings = NoiseSettings(strengths=(0.0,), prompts=1, controls=1, prompt_tokens=4)
    list(noise_stage(store, NoiseRequest("planted", settings=settings, target="the \udcff")))
    with store.reading() as con:
        assert diffs.diffs(con, "noise", "planted", None)[0].settings["target"] == "the \ufffd"


def test_strengths_are_read_as_typed():
    with pytest.raises(BadInput, match="write numbers with commas"):
        with_strengths(NoiseSettings(), "a")
    assert with_strengths(NoiseSettings(), "2,.5").strengths == (2.0, 0.5)
    assert planted_subject.LENGTH == 64

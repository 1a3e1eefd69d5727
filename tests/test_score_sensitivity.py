"""Sensitivity: which contexts are shown, what counts as a hit, what a failure is."""

import json

import numpy as np
import pytest
from golden import check_golden
from made_material import made_corpus, made_material
from scripted import ScriptedClient, queue
from shown_texts import SHOWN, cut

from core.prompts.sensitivity import ask_texts
from core.replies import BadReply
from core.score.asking import JudgeSettings
from core.score.material import Claim
from core.score.sensitivity import (
    SensitivityScorer,
    by_weight,
    counted,
    new_texts,
    shown_contexts,
)

CLAIMS = (Claim(4, "months", None), Claim(9, "years", None))
TEN = [f"text{i} {peak}" for i, peak in enumerate([8, 4, 2, 1e-3, 0, 0, 8, 8, 1e-6, 0])]
USUAL = ("<<", ">>")


@pytest.fixture(scope="module")
def material():
    return made_material(made_corpus(features=(1,)))


class FakeProbe:
    """A text's peak is the number in it; contexts of the corpus hold words alone and are 1 or 0."""

    def __init__(self, silent=0):
        self.ran, self.silent = [], silent

    def peaks(self, texts, hookpoint, feature):
        self.ran.append((list(texts), hookpoint, feature))
        out = []
        for text in texts:
            last = text.split()[-1]
            if last.startswith("w"):
                out.append(0.0 if self.silent > 0 else 1.0)
                self.silent -= 1
            else:
                out.append(None if last == "lost" else float(last))
        return out


def scored(material, client, **more):
    probe = FakeProbe(**more)
    return SensitivityScorer(client, probe, JudgeSettings()).score(material, CLAIMS), probe


def test_the_ten_strongest_contexts_and_five_others_are_shown(material):
    shown = shown_contexts(material)
    assert len(set(shown.first_token.tolist())) == 15
    peaks = np.sort(material.values(shown.first_token).max(axis=1))
    every = np.sort(material.values(material.contexts.first_token(
        np.arange(material.contexts.n_tiles))).max(axis=1))  # fmt: skip
    np.testing.assert_array_equal(peaks[-10:], every[-10:])
    assert peaks[0] > 0
    np.testing.assert_array_equal(shown.first_token, shown_contexts(material).first_token)
    for marked, text in zip(shown.marked, shown.texts, strict=True):
        assert "".join(marked) == text
        assert any(" w1" in part for part in marked[1::2])


def test_others_are_drawn_in_proportion_to_their_peak():
    weight = np.array([1.0, 3.0, 0.0001])
    first = [int(by_weight(weight, 1, seed)[0]) for seed in range(2000)]
    assert np.mean([f == 1 for f in first]) == pytest.approx(0.75, abs=0.04)
    assert sorted(by_weight(weight, 5, 0).tolist()) == [0, 1, 2]
    assert len(by_weight(weight[:0], 5, 0)) == 0


def test_the_score_is_the_share_of_new_texts_that_activate(material):
    client = ScriptedClient(queue(json.dumps({"texts": TEN})), model="writer")
    (found, other), probe = scored(material, client, silent=3)
    score = found.score
    assert (score.scorer, score.metric, score.judge) == ("sensitivity", "hit_share", "writer")
    assert (score.value, score.n, score.failed) == (0.6, 10, 0), "1e-6 itself is no hit"
    assert (score.low, score.high) == pytest.approx((0.313, 0.832), abs=1e-3)  # Wilson, 6 of 10
    originals = score.detail["originals"]
    assert (originals["n"], originals["hits"], originals["share"]) == (15, 12, 0.8)
    assert [one["peak"] for one in originals["contexts"]][:4] == [0.0, 0.0, 0.0, 1.0]
    assert [text.text for text in found.generated] == TEN
    assert found.generated[0].key == found.asked[0].key
    (ran,) = probe.ran
    assert (len(ran[0]), ran[1:]) == (25, ("layers.1", 0))
    assert other.score == score, "explanations are not looked at"
    assert other.generated == found.generated
    assert (len(client.asked), len(other.asked)) == (1, 0), "it is paid once"
    assert "months" not in client.asked[0].prompt


def test_fewer_texts_are_failures_and_not_misses(material):
    client = ScriptedClient(queue(json.dumps({"texts": ["a 3", "b lost", "a 3", "c 0"]})))
    (found, _), _ = scored(material, client)
    assert (found.score.value, found.score.n, found.score.failed) == (0.5, 2, 8)


@pytest.mark.parametrize(
    ("answers", "calls", "defect"),
    [
        (["no", "never"], 2, "no JSON in the reply"),
        ([json.dumps({"texts": ["a <<mark>> 1"]}), "no"], 2, "no JSON in the reply"),
        ([None], 1, "scripted failure"),
    ],
    ids=["no list", "marks", "no reply"],
)
def test_no_texts_are_a_failure_and_no_score(material, answers, calls, defect):
    client = ScriptedClient(queue(*answers))
    (found, _), _ = scored(material, client)
    assert found.score.value is found.score.low is None
    assert (found.score.n, found.score.failed) == (0, 10)
    assert found.score.detail["defect"] == defect
    assert found.score.detail["originals"]["n"] == 15, "the originals are run all the same"
    assert len(client.asked) == calls
    assert found.generated == ()


def test_copies_of_given_texts_do_not_count():
    reply = json.dumps({"texts": ["In May.", "Old text", "In June."]})
    assert new_texts(reply, USUAL, [" Old text"]) == ("In May.", "In June.")
    with pytest.raises(BadReply, match="copy"):
        new_texts('["Old text"]', USUAL, ["Old text"])
    with pytest.raises(BadReply, match="marks"):
        new_texts('["In <<May>>."]', USUAL, [])


def test_a_text_that_could_not_be_run_is_in_no_denominator():
    assert counted([1.0, None, 0.0, 2e-6]) == (2, 3)
    assert counted([]) == (0, 0)


def test_the_prompt_is_as_a_person_read_it():
    check_golden("sensitivity", [ask_texts([cut(text) for text in SHOWN])])

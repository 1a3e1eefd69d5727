"""Steered texts: how trials are made, who names the right set, what is stored of it."""

import json
from functools import cache
from types import SimpleNamespace

import numpy as np
import planted_subject
import pytest
import torch
from golden import check_golden
from one_feature import EXPLANATION
from planted_subject import IDS, POINT, PROMOTED, WORDS, Planted
from scripted import ScriptedClient

from core.clamped.edit import Held, holding
from core.clamped.strength import Aim, matched_together
from core.clamped.texts import ClampedWriter, drawn
from core.prompts import output_side as prompt
from core.replies import BadReply
from core.replies.verdicts import last_choice
from core.score import named_tokens
from core.score.asking import JudgeSettings
from core.score.material import Claim
from core.score.output_side import (
    NO_OTHERS,
    UNREACHED,
    OutputSideScorer,
    Refused,
    counting_judge,
    made_trials,
    model_judge,
)
from core.score.roles import Role, null_bar, on_output, role
from core.score.steered_sets import SIGNS, TARGETS, Aimed, Text, TextSet, Trial, read_trial
from data.vocabulary import Vocabulary

SPELT = Vocabulary([f" {word}".encode() for word in WORDS])
MATERIAL = SimpleNamespace(
    feature=int(Planted.OUTPUT_ONLY), hookpoint=POINT, label="gloss", vocabulary=SPELT,
    seed=lambda purpose: sum(map(ord, purpose)),
)  # fmt: skip


class Steerable:
    """The planted subject and its SAE, without any store."""

    n_before, n_vocabulary = 1, len(WORDS)
    subject = planted_subject.subject()
    tokenizer = planted_subject.tokenizer()

    def sae(self, _hookpoint):
        return planted_subject.sae()

    def prompt(self, text):
        return [planted_subject.BOS, *self.tokenizer(text, add_special_tokens=False).input_ids]

    def pieces(self, ids):
        return SPELT.pieces(ids)


@cache
def planted_writer():
    return ClampedWriter(Steerable(), seed=0)


class FakeWriter:
    """Every feature writes its own number; `reached` says which targets it reaches."""

    def __init__(self, reached=None):
        self.reached, self.asked = reached or {}, []

    def aimed(self, _hookpoint, features):
        every = [(kl, sign) for kl in TARGETS for sign in SIGNS]
        return [
            [Aimed(kl, sign, 2.0, kl) if (kl, sign) in self.reached.get(feature, every)
             else Aimed(kl, sign, None, None, "unreachable") for kl, sign in every]
            for feature in features
        ]  # fmt: skip

    def write(self, hookpoint, wanted):
        self.asked += wanted
        aimed = self.aimed(hookpoint, [feature for feature, _ in wanted])
        return [
            TextSet(feature, tuple(
                (at, (Text("We", (f" f{feature}", f" d{draw}")),)) for at in found if at.value
            ))
            for (feature, draw), found in zip(wanted, aimed, strict=True)
        ]  # fmt: skip


def scored(*claims, writer=None, pick=counting_judge, others=range(40), known=()):
    scorer = OutputSideScorer(
        "judge", pick, lambda: writer or FakeWriter(), lambda _m: others, lambda _m: known
    )
    return scorer.score(MATERIAL, claims)


def test_a_feature_held_at_its_own_value_changes_nothing():
    subject, sae = planted_subject.subject(), planted_subject.sae()
    words = [IDS[word] for word in ("the", "apple", "of", "bank")]
    ids = torch.tensor([[planted_subject.BOS, *words]] * 2)
    clean = subject.every_logit(ids)
    own = sae.encode(subject.activations(ids[:1], [POINT])[POINT][0]).dense()[2]
    at_apple = [Held(int(Planted.UNIGRAM), float(own[Planted.UNIGRAM])), Held(9, 0.0)]
    held = subject.every_logit(ids, holding(sae, POINT, at_apple, 1))
    torch.testing.assert_close(held[0, 2], clean[0, 2], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(held[1, 2], clean[1, 2], atol=1e-4, rtol=1e-4)
    assert (held[0, 1] - clean[0, 1]).abs().max() > 0.01, "elsewhere it is silent by itself"


def test_values_for_all_targets_are_searched_together():
    asked = []

    def kl(pairs):
        asked.append(len(pairs))
        return [(feature + 1) * abs(value) * (3 if value < 0 else 1) for feature, value in pairs]

    aims = [
        Aim(feature, target, sign) for feature in (0, 9) for target in TARGETS for sign in SIGNS
    ]
    found = matched_together(aims, kl)
    for aim, at in found.items():
        assert at.kl == pytest.approx(aim.target, rel=0.1)
        steep = (aim.feature + 1) * (3 if aim.sign < 0 else 1)
        assert at.strength == pytest.approx(aim.target / steep, rel=0.1)
    assert len(asked) <= 10
    assert asked[0] == 4, "targets of one feature and sign begin at the same value"
    nothing = matched_together([Aim(0, 0.25, 1)], lambda pairs: [0.0 for _ in pairs])
    assert "unreachable" in nothing[Aim(0, 0.25, 1)].reason


def test_a_token_is_drawn_by_its_own_number():
    logits = torch.tensor([[0.0, -torch.inf, 0.0], [0.0, 0.0, 60.0]])
    half = np.uint64(2**63)
    assert drawn(logits, np.array([half - np.uint64(2**12), half], np.uint64)) == [0, 2]
    assert drawn(logits[:1], np.array([half], np.uint64)) == [2]
    assert drawn(logits[:1], np.array([2**64 - 1], np.uint64)) == [2]


def test_a_text_is_the_same_whatever_it_is_written_beside():
    alone = ClampedWriter(Steerable(), seed=0).write(POINT, [(int(Planted.UNIGRAM), 2)])
    other = int(Planted.OUTPUT_ONLY)
    wanted = [(other, 0), (int(Planted.UNIGRAM), 2), (other, 0)]
    beside = planted_writer().write(POINT, wanted)
    assert beside[1] == alone[0]
    assert beside[0] == beside[2]
    assert len(beside[1].texts(1)) == len(beside[1].texts(-1)) == 6
    assert {len(text.pieces) for text in beside[1].texts(1)} <= set(range(26))


def test_an_output_feature_is_recognised_by_the_tokens_named_and_others_are_not():
    material = SimpleNamespace(**vars(MATERIAL))
    names = f"Promotes “ {PROMOTED}”."
    hits = {}
    for feature in (Planted.OUTPUT_ONLY, Planted.UNIGRAM, Planted.TOKEN_IN_CONTEXT, Planted.RARE):
        material.feature = int(feature)
        scorer = OutputSideScorer("named tokens", counting_judge, planted_writer,
                                  lambda _m: range(len(Planted)), lambda _m: [])  # fmt: skip
        reads = {Planted.UNIGRAM: "apple", Planted.TOKEN_IN_CONTEXT: "bank", Planted.RARE: "zenith"}
        said = names if feature is Planted.OUTPUT_ONLY else f"The word “{reads[feature]}”."
        (found,) = scorer.score(material, [Claim(1, said, None)])
        hits[feature] = found.score.detail["hits"]
        assert (found.score.n, found.score.failed) == (6, 0)
    assert hits[Planted.OUTPUT_ONLY] == 6
    assert max(n for feature, n in hits.items() if feature is not Planted.OUTPUT_ONLY) <= 4
    assert on_output(hits[Planted.OUTPUT_ONLY], 6)


def test_six_trials_with_fresh_distractors_and_the_own_set_in_every_place_twice():
    writer = FakeWriter()
    trials = made_trials(writer, POINT, 5, range(6, 40), np.array([0, 1, 2, 2, 1, 0]))
    assert [trial.right for trial in trials] == [0, 1, 2, 2, 1, 0]
    assert all(trial.sets[trial.right].feature == 5 for trial in trials)
    others = [s.feature for t in trials for s in t.sets if s.feature != 5]
    assert len(set(others)) == 12
    own = [trial.sets[trial.right].held[0][1][0].pieces for trial in trials]
    assert own == [(" f5", f" d{draw}") for draw in range(6)], "new texts in each"
    (found,) = scored(Claim(1, "“ bank”", None))
    shown = found.items.shown
    right = [[one["feature"] for one in trial].index(MATERIAL.feature) for trial in shown]
    assert sorted(right) == [0, 0, 1, 1, 2, 2]


def test_distractors_reach_what_the_feature_reaches():
    up = [(0.25, 1)]
    writer = FakeWriter({5: up, 6: [(0.5, 1)], 7: [(0.25, -1)]})
    trials = made_trials(writer, POINT, 5, range(6, 40), np.zeros(6, np.int64))
    assert not {6, 7} & {one.feature for trial in trials for one in trial.sets}
    assert {at.kind for t in trials for s in t.sets for at, _ in s.held} == set(up)
    few = made_trials(FakeWriter(), POINT, 5, [6, 7, 8], np.zeros(6, np.int64))
    assert {one.feature for trial in few for one in trial.sets} == {5, 6, 7, 8}, "they come again"


@pytest.mark.parametrize(
    ("writer", "others", "reason"),
    [
        (FakeWriter({5: [(0.25, -1), (0.5, -1)]}), [6, 7, 8], UNREACHED),
        (FakeWriter({6: [], 7: []}), [6, 7, 8], NO_OTHERS),
    ],
    ids=["unreached", "no-others"],
)
def test_a_feature_without_trials_says_why(writer, others, reason):
    found = made_trials(writer, POINT, 5, others, np.zeros(6, np.int64))
    assert isinstance(found, Refused)
    assert found.reason == reason
    (outcome,) = scored(Claim(1, "“ bank”", None), writer=writer, others=others)
    assert (outcome.score.value, outcome.score.n, outcome.score.failed) == (None, 0, 0)
    assert outcome.score.detail["reason"] == reason
    assert len(outcome.score.detail["held"]) == 4


def test_tokens_are_named_between_quotation_marks_and_counted_where_the_feature_is_up():
    assert named_tokens.named("“ apple”, \"bank\" and “no token”, zenith", SPELT) == {
        "apple", "bank",
    }  # fmt: skip
    up, down = Aimed(0.25, 1, 2.0, 0.25), Aimed(0.25, -1, -2.0, 0.25)

    def one(feature, *pieces):
        return TextSet(
            feature, ((up, (Text("apple", pieces),)), (down, (Text("We", (" apple",)),)))
        )

    sets = (one(1, " bank", " bank"), one(2, " apple", " bank", " bank", "apple"), one(3, " the"))
    trial = Trial(sets, 1)
    assert named_tokens.counts(frozenset({"bank", "apple"}), trial) == [2, 4, 0]
    assert named_tokens.counts(frozenset({"apple"}), trial) == [0, 2, 0]
    place, ties = named_tokens.choose(frozenset({"bank"}), [trial] * 300, seed=1)
    assert ties == 300
    assert set(place.tolist()) == {0, 1}


def test_a_tie_is_a_guess_among_three():
    claims = [Claim(number, "Promotes “ apple”.", None) for number in range(3)]
    first, second, third = scored(*claims)
    assert first.score.detail["ties"] == 6
    assert first.answer.tolist() == second.answer.tolist() == third.answer.tolist()
    hits = 0
    for feature in range(200):
        material = SimpleNamespace(**vars(MATERIAL) | {
            "feature": feature, "seed": lambda purpose, f=feature: hash((f, len(purpose))) % 2**63,
        })  # fmt: skip
        scorer = OutputSideScorer("j", counting_judge, FakeWriter, lambda _m: range(300),
                                  lambda _m: [])  # fmt: skip
        hits += scorer.score(material, [Claim(0, "“ apple”", None)])[0].score.detail["hits"]
    assert hits / 1200 == pytest.approx(1 / 3, abs=0.05)


def test_an_explanation_that_names_no_token_has_no_verdict_and_a_reason():
    none, names = scored(Claim(1, "Fires on months.", None), Claim(2, "“ bank”", None))
    assert none.score.detail == {"reason": named_tokens.NAMES_NONE}
    assert (none.score.value, none.score.n, none.score.failed) == (None, 0, 0)
    assert len(none.predicted) == 0
    assert names.score.n == 6


def by_number(request):
    """The set whose texts hold the number that the description ends in."""
    number = request.question.splitlines()[0].split()[-1]
    for block in request.question.split("\n\n"):
        if f" f{number} " in block:
            return f"It says {number} a lot.\n{block.splitlines()[0].split()[-1]}"
    return "none of them"


def test_a_model_that_knows_names_its_set_and_a_failure_is_no_miss():
    client = ScriptedClient(by_number, model="m")
    right, lost = scored(
        Claim(1, f"f {MATERIAL.feature}", None), Claim(2, "nothing 99", None),
        pick=model_judge(client, JudgeSettings()),
    )  # fmt: skip
    assert (right.score.value, right.score.n, right.score.detail["hits"]) == (1.0, 6, 6)
    assert right.score.low == pytest.approx(0.610, abs=1e-3)  # Wilson, 6 of 6
    assert right.predicted.tolist() == [1] * 6
    assert len(right.asked) == 6
    assert (lost.score.value, lost.score.n, lost.score.failed) == (None, 0, 6)
    assert lost.predicted.tolist() == [-1] * 6
    assert len(lost.asked) == 12, "each is asked once more"
    assert lost.items is right.items


def test_trials_of_the_store_are_shown_again_and_nothing_is_written():
    writer = FakeWriter()
    (first,) = scored(Claim(1, "“ bank”", None), writer=writer)
    stored = [read_trial(json.loads(json.dumps(one)), MATERIAL.feature)
              for one in first.items.shown]  # fmt: skip
    (again,) = scored(Claim(2, "“ bank”", None), known=stored, writer=None, others=())
    assert again.items.shown == first.items.shown
    assert again.score.detail["held"] == first.score.detail["held"]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ('{"choice": 2}', 2),
        ('{\n "choice": 3\n}', 3),
        ("The first is about rivers, so\n\n**1**", 1),
        ('<think>2?</think>\nWell.\n{"choice": 1}', 1),
    ],
    ids=["json", "json in lines", "thinking aloud", "reasoning block"],
)
def test_the_last_line_is_the_answer(reply, expected):
    assert last_choice(reply, 3) == expected


@pytest.mark.parametrize("reply", ["", "Set 2 fits best", "2\nI am sure.", "4", "1 or 2"])
def test_anything_else_is_no_answer(reply):
    with pytest.raises(BadReply):
        last_choice(reply, 3)


def test_roles_follow_the_rule():
    assert role(0.8, 0.6, 5, 6) is Role.BOTH
    assert role(0.6, 0.6, 4, 6) is Role.NEITHER
    assert role(0.8, None, 6, 6) is role(0.8, 0.6, 3, 3) is None
    assert on_output(4, 4) is True
    assert null_bar([0.5] * 19) is None
    assert null_bar([i / 100 for i in range(101)]) == pytest.approx(0.95)


def test_the_prompt_is_as_a_person_read_it():
    up, down = Aimed(0.25, 1, 2.0, 0.25), Aimed(0.25, -1, -2.0, 0.25)
    sets = [
        TextSet(n, ((up, (Text("We", (f" say\n{word}",)), Text("I think", (f" {word}s",)))),
                    (down, (Text("We", (" went",)),))))
        for n, word in enumerate(("May", "arm", "two"))
    ]  # fmt: skip
    conversation = prompt.messages(EXPLANATION, sets)
    request = JudgeSettings().request(conversation, "{}", "output-side")
    check_golden("output-side", [request])

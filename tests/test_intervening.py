"""Interventions on a planted subject: what is pushed is found, chosen and scored."""

import re

import numpy as np
import planted_subject as planted
import pytest
import torch
from planted_subject import POINT, Planted
from scripted import ScriptedClient, queue

from core.intervening.prompts import ROLES, Text, draw_prompts
from core.intervening.random_sae import run_random
from core.intervening.settings import Sizes, read_kls, read_sizes
from core.intervening.strength import pushing
from core.intervening.study import Study, judged
from core.intervening.verdict import Answers, EndpointJudge, LocalJudge, Said
from core.intervening.wording import Model, Shown, Template, ranked, spoken
from core.llm.requests import Reply, TokenLogprob
from core.prompts.intervention import few_shots, named
from core.steered import Change
from data.activations import FeatureActivations
from data.cachefiles import CacheFiles
from data.errors import BadInput, EndpointRefused
from data.vocabulary import Vocabulary

SMALL = Sizes(explain=4, select=4, score=8, context=40, candidates=3)


class CountingJudge:
    """Finds an explanation likelier, the more often the passage has its words; none of "mute"."""

    name = "counting"

    def __init__(self):
        self.described = {}
        self.asked: list[tuple[str, str]] = []

    def ask(self, passages, explanations):
        self.asked += [(one, passage) for one in explanations for passage in passages]
        return Answers([[self._said(p, one) for p in passages] for one in explanations])

    def _said(self, passage, explanation):
        words = re.findall(r"\w+", explanation)
        if "mute" in words:
            return None
        n = sum(passage.split().count(word) for word in words) / len(words)
        return Said(n - 3.0 * len(words), len(words) + 1)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    store = planted.make_store(tmp_path_factory.mktemp("made") / "store")
    (folder,) = (store.store / "caches").iterdir()
    return CacheFiles.open(folder)


@pytest.fixture(scope="module")
def text(files):
    meta = files.meta
    return Text(files.tokens.matrix(), meta.bos_id, tuple(meta.special_ids))


def active(files, feature) -> FeatureActivations:
    (hookpoint,) = files.meta.hookpoints
    return files.columns(hookpoint.hookpoint_id).slice(feature)


@pytest.fixture(scope="module")
def study(files, text):
    strings = files.vocabulary
    special = set(text.special_ids)
    return Study(
        planted.subject(), planted.sae(), POINT, text, Template(), CountingJudge(), SMALL,
        lambda ids: "".join(strings.pieces([i for i in ids if i not in special])), run_seed=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def measured(study, files):
    return study.measured(
        Planted.OUTPUT_ONLY, active(files, Planted.OUTPUT_ONLY), [0.33, 3.0], arm="feature",
        ablate=True,
    )  # fmt: skip


def test_what_an_output_feature_promotes_is_named_and_scores_high(measured):
    weak, strong, ablated = measured
    for found in (weak, strong):
        assert found.verdict.text == f"“{planted.PROMOTED}”"
        assert abs(found.kl - found.target) <= 0.1 * found.target
        assert found.verdict.figures.low > 0
        assert found.verdict.figures.n == 8
    assert 8 >= strong.verdict.figures.value > weak.verdict.figures.value > 3  # of 8 new tokens
    assert strong.strength > weak.strength
    assert ablated.target is None
    assert ablated.kl < 0.1


def test_an_ablation_leaves_out_prompts_at_whose_end_the_feature_is_silent(measured):
    """OUTPUT_ONLY looks back at fixed places: a prompt from within a sequence is another text."""
    ablated = measured[-1]
    from_start = [one for one in ablated.seen if one.prompt.first_token % planted.LENGTH <= 1]
    pushed = [one for one in ablated.seen if one.kl > 0]
    assert 0 < len(from_start) <= len(pushed) < 16
    assert {one.prompt for one in from_start} <= {one.prompt for one in pushed}
    assert f"on at the end of {len(pushed)} of 16 as they are run" in ablated.note
    score = [one for one in pushed if one.prompt.role == "score"]
    assert ablated.kl == pytest.approx(np.mean([one.kl for one in score]))
    asked = [one.prompt for one in ablated.seen if one.difference is not None]
    assert {*asked} <= {one.prompt for one in pushed}


def test_prompts_end_where_the_feature_begins_and_kinds_share_no_sequence(files, text):
    feature = active(files, Planted.UNIGRAM)
    drawn = draw_prompts(text, feature, Sizes(), seed=3)
    assert [len(drawn.of(role)) for role in ROLES] == [10, 10, 30]
    sequences = [prompt.first_token // 64 for prompt in drawn.prompts]
    assert len(set(sequences)) == 50
    assert len({prompt.ids for prompt in drawn.prompts}) == 50
    on = set(feature.token.tolist())
    for prompt in drawn.prompts:
        own = range(prompt.first_token, prompt.first_token + prompt.length)
        assert [token in on for token in own] == [False] * (prompt.length - 1) + [True]
        assert prompt.ids[0] == planted.BOS
        assert prompt.first_token % 64 >= 1
        assert prompt.length >= 2
    by_quintile = np.bincount([prompt.quintile for prompt in drawn.prompts], minlength=6)
    assert by_quintile.tolist() == [0, 10, 10, 10, 10, 10]
    assert drawn.note == ""
    assert draw_prompts(text, feature, Sizes(), seed=3) == drawn
    assert draw_prompts(text, feature, Sizes(), seed=4).prompts != drawn.prompts


def test_too_few_contexts_are_a_reason_and_fewer_than_wanted_a_note(study, files, text):
    (found,) = study.measured(Planted.RARE, active(files, Planted.RARE), [1.0], arm="feature",
                              ablate=False)  # fmt: skip
    assert found.verdict is None
    assert "prompts can be cut" in found.reason
    whole = active(files, Planted.UNIGRAM)
    few = FeatureActivations(whole.token[:60], whole.activation[:60])
    assert draw_prompts(text, few, Sizes(), 0).note.startswith("reduced: ")


def test_nothing_is_pushed_at_strength_zero(study, files):
    drawn = draw_prompts(study.text, active(files, Planted.UNIGRAM), SMALL, 0)
    from core.intervening.ends import Ends
    from core.intervening.strength import Pushed
    from core.intervening.writing import rising, write

    ends = Ends(study.subject, [prompt.ids for prompt in drawn.prompts])
    feature = Planted.OUTPUT_ONLY
    assert Pushed(study.subject, study.sae, POINT, feature, ends).kl(0.0) == 0.0
    seeds = list(range(ends.n))
    clean = write(ends, None, seeds, SMALL, study.subject.eos_id)
    same = write(ends, pushing(study.sae, POINT, feature, 0.0), seeds, SMALL, study.subject.eos_id)
    assert clean.texts == same.texts
    assert not any(rising(clean.logits, same.logits, 5))
    passages = ["a b lantern", "c"]
    verdict = judged(CountingJudge(), ["lantern"], (passages, passages), (passages, passages), 0)
    assert verdict.figures.value == verdict.figures.low == verdict.figures.high == 0.0


def test_a_text_is_the_same_whatever_is_written_beside_it(study, files):
    from core.intervening.ends import Ends
    from core.intervening.writing import write

    drawn = draw_prompts(study.text, active(files, Planted.UNIGRAM), SMALL, 0)
    ids = [prompt.ids for prompt in drawn.prompts]
    edit = pushing(study.sae, POINT, Planted.OUTPUT_ONLY, 3.0)
    together = write(Ends(study.subject, ids), edit, range(len(ids)), SMALL, None).texts
    alone = [write(Ends(study.subject, [one]), edit, [i], SMALL, None).texts[0]
             for i, one in enumerate(ids)]  # fmt: skip
    assert list(together) == alone
    assert {len(one) for one in together} == {8}


def test_the_candidate_is_chosen_on_other_passages_than_it_is_scored_on():
    select = (["x", "x"], ["apple", "apple"])
    score = (["x", "x"], ["pear", "x pear"])
    judge = CountingJudge()
    verdict = judged(judge, ["pear", "apple", "mute"], select, score, 0)
    assert verdict.text == "apple"
    assert [(one.text, one.value) for one in verdict.candidates] == [
        ("pear", 0.0), ("apple", 1.0), ("mute", None),
    ]  # fmt: skip
    assert verdict.figures.value == 0.0
    assert {passage for one, passage in judge.asked if one == "pear"} == {"x", "apple"}


def test_the_template_names_what_rises_most_over_all_prompts():
    shown = [
        Shown("a", (Change(1, 0.0, 0.2), Change(2, 0.1, 0.4)), (" to", "\n\n")),
        Shown("b", (Change(3, 0.0, 0.2),), ("to",)),
    ]
    assert ranked(shown) == ["“to”", "line breaks"]
    assert Template().candidates(shown, 5, 0).texts == ("“to”", "“to” and line breaks")
    signs = [spoken(piece) for piece in (" )", "and", '"', " ”", "  ")]
    assert signs == ["closing brackets “)”", "“and”", "quotation marks “\"”", "quotation marks",
                     "blank space"]  # fmt: skip
    assert named("“to”") == 'to"'
    assert named("commas “,” and “to”") == "commas ',' and 'to'\""
    assert Template().candidates([Shown("a", (), ())], 5, 0).error


def test_a_model_writes_candidates_and_unusable_answers_are_left_out():
    client = ScriptedClient(queue("the word to", '"The word to."', None))
    shown = [Shown("give it", (Change(1, 0.0, 0.2),), (" to",))]
    found = Model(client).candidates(shown, 3, 7)
    assert found.texts == ("the word to", "The word to")
    assert len(found.outcomes) == 3
    assert {request.attempt for request in client.asked} == {0, 1, 2}
    assert all(request.max_tokens <= 20 and request.temperature == 0.7 for request in client.asked)
    assert "+20.0" in client.asked[0].question


class CountedReader:
    """A local model that notes what it is given: every character is a token of one nat."""

    name = "counted"

    def __init__(self, max_length=None):
        self.max_length = max_length
        self.calls: list[tuple[str, list, int | None]] = []

    def n_tokens(self, prefix):
        return len(prefix) + 1

    def n_text_tokens(self, text):
        return len(text)

    def endings(self, prefix, texts, endings, *, keep):
        self.calls.append((prefix, list(texts), keep))
        return [[-np.ones(len(ending))] * len(texts) for ending in endings]


def test_a_local_judge_gets_all_few_shots_or_as_many_as_fit():
    whole = LocalJudge(CountedReader(), 40)
    assert (whole.n_shots, whole.keep, whole.note) == (4, None, "")
    reader = CountedReader(max_length=len(few_shots(2)) + 150)
    short = LocalJudge(reader, 40)
    assert short.n_shots == 2
    assert "2 of 4 few-shots" in short.note
    assert f"{short.keep} tokens" in short.note
    found = short.ask(["p" * 500, "p"], ["x", "y" * 40])
    assert found.values == [[Said(-2.0, 2)] * 2, [None, None]]
    assert reader.calls[0][0] == few_shots(2)
    assert len(few_shots(2)) + 1 + short.keep + 26 <= reader.max_length
    with pytest.raises(BadInput, match="reads 60 tokens"):
        LocalJudge(CountedReader(max_length=60), 40)


def test_an_endpoint_judge_adds_up_what_begins_in_the_explanation():
    def answer(request):
        echoed = request.prompt[request.echo_from :]
        assert echoed == "rain'" + '"'
        tokens = tuple(TokenLogprob(one, -0.5, {}) for one in echoed)
        return Reply("", "x", "length", tokens, 1, 1, None, 0.1)

    client = ScriptedClient(answer)
    assert EndpointJudge(client).ask(["wet"], ['rain"']).values == [[Said(-3.0, 6)]]
    silent = ScriptedClient(lambda _request: "no log-probabilities")
    with pytest.raises(EndpointRefused, match="echoes no log-probabilities"):
        EndpointJudge(silent).ask(["wet"] * 9, ["rain"])
    assert len(silent.asked) == 1
    lying = ScriptedClient(lambda _: Reply("", "x", "length", (TokenLogprob("r", 5.0, {}),), 1, 1,
                                           None, 0.1))  # fmt: skip
    assert EndpointJudge(lying).ask(["wet"], ["rain"]).values == [[None]]  # above 0: none
    dead = EndpointJudge(ScriptedClient(lambda _request: None))
    assert dead.ask(["wet"], ["rain"]).values == [[None]]


def test_a_random_sae_is_measured_like_a_trained_one(study):
    *_, (_, _, made) = run_random(study.subject, study.sae, POINT, study.text, 0)
    dense = made.sae.encode(torch.zeros(1, planted.D)).shape
    assert dense == (1, len(Planted))
    feature = made.chosen(1, 0)[0]
    fired = made.fired(feature)
    assert (np.diff(fired.token) > 0).all()
    assert (fired.activation > 0).all()
    assert not np.isin(study.text.tokens.ravel()[fired.token], study.text.special_ids).any()


@pytest.mark.parametrize("text", ["", "0", "x", "0.1,-1", "99"], ids=repr)
def test_targets_that_are_no_kl_are_refused(text):
    with pytest.raises(BadInput, match="--kl"):
        read_kls(text)


def test_sizes_are_three_numbers():
    assert read_sizes("1, 2,3", 16) == Sizes(1, 2, 3, 16)
    for wrong in ("10,10", "a,b,c", "0,1,2"):
        with pytest.raises(BadInput, match="--prompts"):
            read_sizes(wrong, 64)


def test_pieces_of_one_character_are_spelt_together():
    strings = Vocabulary([b"a", "é".encode()[:1], "é".encode()[1:]])
    assert "".join(strings.pieces([0, 1, 2])) == "aé"

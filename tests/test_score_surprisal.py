"""The surprisal scorer: information over a control, and a prefix that fits the model."""

import numpy as np
import pytest
from counting import CountingReader
from golden import check_golden
from made_material import claim, made_corpus, made_material
from one_feature import EXPLANATION
from tiny import model, tokenizer

from core.causal import Causal
from core.llm.requests import Request
from core.prompts.surprisal import BLOCKS, CONTROL, continuation, prefix
from core.score.material import Claim
from core.score.surprisal import SurprisalScorer, information


@pytest.fixture(scope="module")
def corpus():
    return made_corpus()


def scores(corpus, reader, *claims):
    return [o.score for o in SurprisalScorer(reader).score(made_material(corpus), claims)]


def test_the_prefixes_read_as_written():
    texts = [prefix(EXPLANATION) + continuation(" opens on 3 May "), prefix(CONTROL, 1)]
    check_golden(
        "surprisal",
        [Request((), text, 0, kind="completion", purpose="surprisal") for text in texts],
    )


def test_blocks_have_two_or_three_sentences_and_get_shorter():
    assert 5 <= len(BLOCKS) <= 9
    assert {len(block.sentences) for block in BLOCKS} == {2, 3}
    lengths = [sum(map(len, block.sentences)) for block in BLOCKS]
    assert lengths == sorted(lengths, reverse=True)


def test_information_is_what_the_description_adds():
    found = [np.array([-1.0, -2.0]), np.array([-3.0]), np.array([])]
    control = [np.array([-2.0, -2.5]), np.array([-1.0]), np.array([])]
    total, mean = information(found, control)
    assert total[:2].tolist() == [1.5, -2.0]
    assert mean[:2].tolist() == [0.75, -2.0]
    assert np.isnan(total[2])
    assert np.isnan(mean[2])


def test_a_right_explanation_informs_and_a_wrong_one_does_not(corpus):
    right, wrong = scores(corpus, CountingReader(), claim(1), claim(40))
    assert right.value == pytest.approx(1)
    assert wrong.low < 0.5 < wrong.high
    assert right.detail["per_token"] == pytest.approx(1)
    assert right.detail["blocks"] == len(BLOCKS)
    assert (right.n, right.failed, right.judge) == (200, 0, "counting")


def test_the_control_is_read_once_for_all_explanations(corpus):
    reader = CountingReader()
    scores(corpus, reader, claim(1), claim(2), claim(3))
    assert len(reader.asked) == 4
    assert [text for text in reader.asked if CONTROL in text] == [prefix(CONTROL)]


def test_a_short_memory_takes_fewer_blocks_and_says_so(corpus):
    reader = CountingReader(max_length=90)
    found = scores(corpus, reader, claim(1))[0]
    assert 0 < found.detail["blocks"] < len(BLOCKS)
    assert found.value == pytest.approx(1)
    assert all(reader.n_tokens(text) + 32 <= 90 for text in reader.asked)
    assert reader.n_tokens(prefix(CONTROL, found.detail["blocks"] + 1)) + 32 > 90


def test_without_room_for_a_block_the_description_stands_alone(corpus):
    reader = CountingReader(max_length=45)
    found = scores(corpus, reader, claim(1))[0]
    assert found.detail["blocks"] == 0
    assert BLOCKS[-1].description not in reader.asked[-1]


def test_an_explanation_too_long_to_be_read_gets_no_score_and_the_others_theirs(corpus):
    long = Claim(2, "a word " * 40, None)
    short, none = scores(corpus, CountingReader(max_length=64), claim(1), long)
    assert short.value == pytest.approx(1)
    assert (none.value, none.n) == (None, 0)
    assert "use a model that reads more" in none.detail["reason"]


def test_a_score_does_not_depend_on_what_is_scored_beside_it(corpus):
    long = Claim(2, "one of many words, " * 6, None)
    alone = scores(corpus, CountingReader(max_length=120), claim(1))[0]
    beside = scores(corpus, CountingReader(max_length=120), long, claim(1))[1]
    assert alone == beside


def test_a_real_model_scores_what_it_has_room_for(corpus):
    material = made_material(corpus, preset="quick")
    reader = Causal(model("llama"), tokenizer(), name="tiny")
    short = SurprisalScorer(reader).score(material, [claim(1)])[0].score
    assert short.value is None  # 64 bytes are less than one context
    reader.model.config.max_position_embeddings = 600
    found = SurprisalScorer(reader).score(material, [claim(1)])[0]
    assert found.score.n == 40
    assert 0 < found.score.detail["blocks"] < len(BLOCKS)
    assert np.isfinite(found.value).all()

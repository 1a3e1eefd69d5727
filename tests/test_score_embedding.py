"""The embedding scorer, and what all ranking scores have: AUROC, intervals, failures."""

import json

import numpy as np
import pytest
from counting import CountingEncoder
from golden import check_golden
from made_material import claim, made_corpus, made_material
from one_feature import EXPLANATION

from core.examples import with_token
from core.examples.draw import ACTIVATING, RANDOM
from core.llm.requests import Request
from core.prompts.embedding import query
from core.score.embedding import EmbeddingScorer
from core.score.items import Items
from core.score.ranking import FAILED, RANKED, Setting, score
from core.score.statistics import auroc_interval, newcombe


@pytest.fixture(scope="module")
def corpus():
    return made_corpus()


def items(kind, decile):
    """Items of which only kind and decile matter."""
    n = len(kind)
    return Items(
        slot=np.arange(n),
        kind=np.array(kind, np.uint8),
        decile=np.array(decile, np.uint8),
        first_token=np.zeros(n, np.uint64),
        start=np.zeros(n, np.int64),
        peak=np.zeros(n, np.float32),
        marks=np.zeros((n, 32), bool),
        call=np.arange(n, dtype=np.int32),
        base=np.array(kind) <= RANDOM,
        skipped={},
    )


def scored(kind, decile, value, base_rate=0.5):
    setting = Setting("embedding", "nobody")
    value = np.array(value, np.float64)
    return score(items(kind, decile), value, setting, preset="gloss", base_rate=base_rate)


def test_the_question_reads_as_written():
    asked = Request((), query(EXPLANATION), 0, kind="completion", purpose="embedding")
    check_golden("embedding", [asked])


def test_a_right_explanation_ranks_all_and_a_wrong_one_none(corpus):
    encoder = CountingEncoder()
    right, wrong = EmbeddingScorer(encoder).score(
        made_material(corpus), [claim(1, 10), claim(40, 20)]
    )
    assert (right.explanation_id, wrong.explanation_id) == (10, 20)
    assert right.score.value == pytest.approx(1)
    assert 0.9 < right.score.low < right.score.high == 1
    assert wrong.score.low < 0.5 < wrong.score.high
    assert (right.score.metric, right.score.judge) == ("auroc", "counting@1")
    assert (right.score.n, right.score.failed) == (200, 0)
    assert set(right.predicted.tolist()) == {RANKED}


def test_contexts_are_encoded_once_for_all_explanations(corpus):
    encoder = CountingEncoder()
    EmbeddingScorer(encoder).score(made_material(corpus), [claim(1), claim(2), claim(3)])
    assert [len(texts) for texts in encoder.asked] == [203]
    assert not any("<bos>" in text for text in encoder.asked[0])


def test_explanations_of_a_feature_share_their_items(corpus):
    first, second = EmbeddingScorer(CountingEncoder()).score(
        made_material(corpus), [claim(1), claim(2)]
    )
    assert first.items.first_token.tolist() == second.items.first_token.tolist()
    assert first.items.marks == [None] * 200
    assert first.value.dtype == np.float32


def test_what_cannot_be_encoded_is_counted_and_changes_nothing_else(corpus):
    whole = EmbeddingScorer(CountingEncoder()).score(made_material(corpus), [claim(40)])[0]
    texts = CountingEncoder()
    EmbeddingScorer(texts).score(made_material(corpus), [claim(40)])
    lost = set(texts.asked[0][:10])
    broken = CountingEncoder(broken=lambda text: text in lost)
    found = EmbeddingScorer(broken).score(made_material(corpus), [claim(40)])[0]
    assert (found.score.n, found.score.failed) == (190, 10)
    assert found.predicted[:10].tolist() == [FAILED] * 10
    assert np.isnan(found.value[:10]).all()
    assert found.value[10:] == pytest.approx(whole.value[10:])
    low, high = found.score.detail["bounds"]
    assert low < found.score.value < high


def test_an_encoder_that_gives_nothing_gives_no_score(corpus):
    broken = CountingEncoder(broken=lambda text: True)
    found = EmbeddingScorer(broken).score(made_material(corpus), [claim(1)])[0].score
    assert (found.value, found.n, found.failed) == (None, 0, 200)  # [20]
    assert found.detail["reason"] == "no usable activating and no usable random contexts"


def test_harder_kinds_are_compared_apart(corpus):
    contexts, columns = corpus
    plain = made_material(corpus)
    examples = with_token(contexts, columns.slice(0), plain.examples, hookpoint="layers.1", size=50)
    more = type(plain)(
        **{name: getattr(plain, name) for name in plain.__dataclass_fields__}
        | {"examples": examples}
    )
    scorer = EmbeddingScorer(CountingEncoder())
    without, found = (scorer.score(m, [claim(1)])[0].score for m in (plain, more))
    assert (found.value, found.low, found.n) == (without.value, without.low, without.n)
    assert set(found.detail["kinds"]) <= {"random", "token"}
    assert found.detail["kinds"]["random"]["n"] == 100


def test_a_feature_with_too_few_contexts_says_so():
    corpus = made_corpus(4, features=[1])
    found = EmbeddingScorer(CountingEncoder()).score(made_material(corpus), [claim(1)])[0]
    assert found.score.value is None
    assert found.score.detail["reason"] in ("rare", "scarce", "dead")


def test_figures_match_a_count_by_hand():
    """Two of decile 1, two of decile 10, two silent: 7 of 8 pairs in order, one a tie."""
    found = scored(
        [ACTIVATING] * 4 + [RANDOM] * 2, [1, 1, 10, 10, 0, 0], [3, 2, 5, 4, 2, 1], base_rate=0.1
    )
    assert found.value == pytest.approx(7.5 / 8)
    assert [(d["decile"], d["auroc"]) for d in found.detail["deciles"]] == [(1, 0.875), (10, 1.0)]
    assert found.detail["kinds"]["random"]["auroc"] == pytest.approx(7.5 / 8)
    # Each context stands for .025, each silent one for .45: the fourth comes with a silent one.
    assert found.detail["auprc"] == pytest.approx(0.75 + 0.25 * 0.1 / 0.55)
    assert json.loads(json.dumps(found.detail)) == found.detail


def test_the_label_comes_from_the_kind_and_never_from_the_sign():
    below = scored([ACTIVATING, ACTIVATING, RANDOM, RANDOM], [1, 2, 0, 0], [-1, -2, -3, -4])
    assert below.value == 1


def test_bounds_put_failures_where_they_help_and_where_they_hurt():
    found = scored([ACTIVATING] * 2 + [RANDOM] * 2, [1, 2, 0, 0], [2, np.nan, 1, np.nan])
    assert (found.value, found.n, found.failed) == (1, 2, 2)
    assert found.detail["bounds"] == [0.25, 1.0]


def test_interval_of_four_values_by_hand():
    """Placements 1, .5 and .5, 1: variance .125 each, SE .354; logit 1.099 -+ 1.96 x 1.886."""
    positive = np.array([True, True, False, False])
    found = auroc_interval(np.array([3.0, 1, 2, 0]), positive)
    assert found.value == 0.75
    assert (found.low, found.high) == pytest.approx((0.0693, 0.9918), abs=1e-4)
    assert auroc_interval(np.zeros(2), np.array([True, True])) is None


def test_a_perfect_order_is_no_certainty():
    positive = np.arange(200) < 100
    found = auroc_interval(positive * 1.0, positive)
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(newcombe(1.0, 100, 100)[0]) == pytest.approx(0.980, abs=1e-3)
    constant = auroc_interval(np.zeros(200), positive)
    assert (constant.low, constant.high) == pytest.approx((0.421, 0.579), abs=1e-3)


def test_interval_ends_solve_the_equation_they_are_defined_by():
    low, high = newcombe(0.75, 10, 30)
    for end in (low, high):
        pairs = 1 + 19 * ((1 - end) / (2 - end) + end / (1 + end))
        assert (0.75 - end) ** 2 == pytest.approx(1.96**2 * end * (1 - end) * pairs / 300)

"""Figures of interventions: means, what stands beside them, and what the bench says."""

import numpy as np

from core.bench.interventions import read, reason
from core.intervening.figures import difference, differences, figures
from core.intervening.pooled import pooled
from core.intervening.verdict import Said
from data.records import Interval


def test_figures_are_means_with_errors_over_prompts():
    found = figures([1.0, 3.0, None], 2, 0)
    assert (found.value, found.error, found.per_token, found.n, found.failed) == (2, 1, 1, 2, 1)
    assert (found.low, found.high) == (1.0, 3.0)
    assert figures([None], 2, 0) == (None, None, None, None, None, 0, 1)
    assert differences([Said(-9.0, 3), None], [Said(-6.5, 3), Said(-1, 3)]) == [2.5, None]
    apart = difference(np.array([3.0, 3.0]), np.array([1.0, 1.0]), 0)
    assert apart == (apart.__class__)(2.0, 2.0, 2.0)


def test_pooled_figures_say_whether_the_random_sae_is_beaten():
    def row(arm, feature, value, target=1.0):
        return {"arm": arm, "feature": feature, "target": target, "value": value, "kl": 1.0}

    rows = [row("feature", i, 2.0 + i / 10) for i in range(10)] + [row("feature", 10, None)]
    rows += [row("random-sae", i, 0.1 * i) for i in range(10)]
    rows += [row("shuffled", i, i / 10) for i in range(9)] + [row("ablation", 0, 0.0, None)]
    (found,) = pooled(rows)
    assert found.arms["feature"].flagged == 1
    assert found.arms["random-sae"].more.low > 0
    assert "beat the random SAE" in found.sentence
    assert found.arms["shuffled"].more == (found.arms["shuffled"].more.__class__)(2.0, 2.0, 2.0)
    (alone,) = pooled(rows[:11])
    assert "no random SAE" in alone.sentence
    (flagged,) = pooled([*rows[:11], row("random-sae", 1, 0.5), row("random-sae", 2, None)])
    assert "directions of the random SAE with a score: 1, flagged: 1." in flagged.sentence
    assert found.arms["ablation"].more is None
    (both,) = pooled([*rows[:10], *(row("ablation", i, 0.0, None) for i in range(10))])
    assert both.arms["ablation"].mean.value == 0.0
    assert both.arms["ablation"].more is None  # it reaches no KL that the features were pushed to
    (equal,) = pooled([*rows[:10], *({**one, "arm": "random-sae"} for one in rows[:10])])
    assert "not told apart" in equal.sentence


def test_the_bench_says_how_near_the_strengths_are_and_what_beats_what():
    def row(arm, feature, value):
        return {"arm": arm, "feature": feature, "target": 1.0, "value": value, "kl": 1.05,
                "strength": 2.0}  # fmt: skip

    rows = [row("feature", i, 2.0 + i) for i in range(4)]
    rows += [row("random-sae", i, 0.0) for i in range(4)]
    said = [str(figure) for figure in read(rows)]
    assert said[0] == "KL achieved, largest distance from its target: 5 % (bar <= 10: met)"
    assert said[1].startswith("interventions at KL 1, feature: 3.5 nats (")
    assert "the features beat the random SAE" in said[-1]
    beaten, equal = (pooled(rows[:4] + [row("random-sae", i, value) for i in range(4)])
                     for value in (0.0, 3.5))  # fmt: skip
    assert reason(Interval(0.03, 0.02, 0.04), beaten) == ""
    assert "worded by the tokens that they raise" in reason(Interval(0.03, 0.02, 0.04), equal)
    assert "cannot tell even that" in reason(Interval(0.0, -0.1, 0.1), beaten)

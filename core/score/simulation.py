"""Simulation: does the explanation predict how strongly the feature fires, token by token?

A simulator (simulators.py) predicts 0..10 for every token of 20 activating test contexts, an equal
share of each decile, and 20 random silent ones. The score is Pearson's r over the concatenated
tokens of all of them, special tokens left out (Bills et al. 2023; methods.md 5.4): never the mean
of per-context r, which is blind to false alarms. Upstream enters failed replies as zeros and
correlates them; here a context without a usable reply is left out and counted.

Strong contexts are drawn far above their share of the corpus, which inflates r. `weighted_r` gives
every context the weight of its stratum in the corpus (methods.md 6.1).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from core import seeds
from core.examples.draw import ACTIVATING
from core.score.classify import item_table
from core.score.detection import stratum_weights
from core.score.items import (
    Items,
    activating_slots,
    arranged,
    silent_slots,
    unmarked,
    valued,
)
from core.score.material import Claim, Material, Outcomes
from core.score.simulators import Simulation, Simulator, Texts
from core.score.statistics import RESAMPLES, Sums, pearson
from core.score.undefined import too_few, undefined, unmarkable
from data.items import ItemTable
from data.records import Score

METRIC = "pearson"
CONTEXTS = 20  # of either class
SCALE = 10.0  # what the feature's maximum is predicted as


@dataclass(frozen=True)
class SimulationScorer:
    """Scores explanations by simulation; the calls are those of its simulators."""

    simulator_for: Callable[[Claim], Simulator]
    judge: str  # "grammar" or the model's name
    name = "simulation"

    def score(self, material: Material, claims: Sequence[Claim]) -> list[Outcomes]:
        """Score the explanations of one feature on the same contexts."""
        items = simulation_items(material)
        reason = too_few(material) or unmarkable(material) or _one_sided(items)
        if reason is not None:
            return undefined(
                material, claims, scorer=self.name, metric=METRIC, judge=self.judge, reason=reason
            )
        table = item_table(items, marked=False)
        truth = Truth.of(material, items)
        texts = Texts(
            material.pieces(truth.tokens), truth.tokens, items.start, material.max_activation
        )
        return [
            self._outcomes(material, claim, table, truth, self.simulator_for(claim).simulate(texts))
            for claim in claims
        ]

    def _outcomes(
        self, material: Material, claim: Claim, table: ItemTable, truth: "Truth", said: Simulation
    ) -> Outcomes:
        usable = np.array([values is not None for values in said.values])
        figures = measured(truth, said.values, seed=material.seed("simulation-bootstrap"))
        return Outcomes(
            explanation_id=claim.explanation_id,
            items=table,
            predicted=np.where(usable, 1, -1).astype(np.int8),
            score=self._score(material, figures, _detail(truth, usable, said)),
            keys=said.keys,
            simulated=_cut(said.values, truth.items.length),
            asked=said.outcomes,
        )

    def _score(self, material: Material, figures: "Figures", detail: dict[str, Any]) -> Score:
        return Score(
            scorer=self.name, metric=METRIC, value=figures.r, low=figures.low, high=figures.high,
            tpr=None, tnr=None, n=figures.n, failed=figures.failed, judge=self.judge,
            preset=material.label, by_decile={}, non_activating={}, detail=figures.detail | detail,
        )  # fmt: skip


def simulation_items(material: Material) -> Items:
    """Draw the contexts: 20 activating ones by decile and 20 random silent ones, shuffled."""
    contexts, examples = material.contexts, material.examples
    known = valued(contexts, material.activations, examples)
    base = [
        unmarked(contexts, ACTIVATING, activating_slots(examples, CONTEXTS, known)),
        *(unmarked(contexts, kind, slot) for kind, slot in silent_slots(examples, CONTEXTS)),
    ]
    seed = material.seed("batches-simulation")
    return arranged(contexts, examples, base, [], seed=seed, batch=1, skipped={})


def _cut(
    said: Sequence[tuple[float, ...] | None], length: int | np.ndarray
) -> tuple[tuple[float, ...] | None, ...]:
    """Leave out what fills up a context that is shorter than others."""
    ends = np.broadcast_to(length, len(said)).tolist()
    return tuple(values and values[:end] for values, end in zip(said, ends, strict=True))


def _one_sided(items: Items) -> str | None:
    """Say which class there are no contexts of; None = there are some of both."""
    if not items.expected.any():
        return "no activating test contexts"
    return None if not items.expected.all() else "no silent test contexts"


class Truth(NamedTuple):
    """What the feature really does in the contexts that are asked about."""

    items: Items
    tokens: np.ndarray  # int32 [n, length]
    activations: np.ndarray  # raw, float32 [n, length]
    counted: np.ndarray  # not special, bool [n, length]
    base_rate: float | None  # share of distinct contexts with the feature, 0..1; None = unknown
    max_activation: float  # over the corpus, raw

    @classmethod
    def of(cls, material: Material, items: Items) -> "Truth":
        """Read tokens and activations."""
        tokens = material.tokens(items.first_token)
        return cls(
            items=items,
            tokens=tokens,
            activations=material.values(items.first_token),
            counted=~material.contexts.special(tokens),
            base_rate=material.base_rate,
            max_activation=material.max_activation,
        )


class Figures(NamedTuple):
    """What a simulation is worth."""

    r: float | None  # -1..1
    low: float | None
    high: float | None
    n: int  # contexts with a usable reply
    failed: int  # contexts without one
    detail: dict[str, Any]


def measured(truth: Truth, said: Sequence[tuple[float, ...] | None], *, seed: int) -> Figures:
    """Compare what was predicted for every context, 0..10 a token, with the truth.

    A class without usable replies leaves r undefined: on activating contexts alone it would say
    where in a context the feature fires, and nothing of false alarms. A constant prediction
    correlates with nothing: 0, flagged. The 95 % interval is the percentile interval of 2,000
    resamples of contexts, activating and silent ones apart, since tokens of one context depend on
    each other; with fewer than two contexts of either class there is none.
    """
    usable = np.array([values is not None for values in said], dtype=bool)
    sums = context_sums(truth, said)
    active, silent = usable & truth.items.expected, usable & ~truth.items.expected
    r, interval, constant, weighted, explained = None, None, False, None, None
    if active.any() and silent.any():
        r, constant = correlation(sums[usable])
        if r is not None and not constant:
            interval = _interval(r, [sums[active], sums[silent]], seed)
        if truth.base_rate is not None:
            weight = stratum_weights(truth.items, active, silent, truth.base_rate)
            weighted = _weighted_r(sums, weight)
        explained = r_squared(sums[usable], truth.max_activation / SCALE)
    low, high = interval or (None, None)
    detail = {
        "constant": constant,
        "weighted_r": weighted,
        "r_squared": explained,
        "placement_only": _placement(sums[active], truth.items.decile[active]),
    }
    return Figures(r, low, high, int(usable.sum()), int((~usable).sum()), detail)


def _placement(sums: np.ndarray, decile: np.ndarray) -> dict[str, Any]:
    """Correlate within activating contexts: where the feature fires, given that it does."""
    by_decile = [
        {
            "decile": int(one),
            "n": int((decile == one).sum()),
            "r": correlation(sums[decile == one])[0],
        }
        for one in np.unique(decile[decile > 0])
    ]
    return {"r": correlation(sums)[0], "by_decile": by_decile}


def context_sums(truth: Truth, said: Sequence[tuple[float, ...] | None]) -> np.ndarray:
    """Sum n, x, y, xx, yy, xy over the tokens of each context, float64 [contexts, 6].

    x is the prediction, y the activation. Everything below follows from these sums: they add up
    over contexts. Contexts without a usable reply have zeros, and no say.
    """
    blank = (0.0,) * truth.tokens.shape[1]
    x = np.array([blank if values is None else values for values in said], np.float64)
    usable = np.array([values is not None for values in said], dtype=bool)
    counted = truth.counted & usable[:, None]
    x, y = x * counted, truth.activations.astype(np.float64) * counted
    parts = [counted.astype(np.float64), x, y, x * x, y * y, x * y]
    return np.stack([part.sum(axis=1) for part in parts], axis=1)


def correlation(sums: np.ndarray) -> tuple[float | None, bool]:
    """Correlate over all contexts [n, 6]: r, and whether it is 0 for a constant prediction."""
    total = sums.sum(axis=0)
    r = pearson(Sums(*total.tolist()))
    if r is None and not np.isnan(correlations(total[None])[0]):
        return 0.0, True
    return r, False


def correlations(totals: np.ndarray) -> np.ndarray:
    """Correlate many resamples at once, float64 [m] from totals [m, 6].

    As `pearson`, but 0 where the prediction is constant; NaN where the truth is.
    """
    n, x, y, xx, yy, xy = totals.T
    size = np.maximum(n, 1)
    spread_x, spread_y = xx - x * x / size, yy - y * y / size
    varies = (n >= 2) & (spread_y > 1e-12 * yy)
    sure = varies & (spread_x > 1e-12 * xx)
    r = np.where(varies, 0.0, np.nan)
    r[sure] = (xy - x * y / size)[sure] / np.sqrt((spread_x * spread_y)[sure])
    return np.clip(r, -1, 1)


def _interval(r: float, classes: list[np.ndarray], seed: int) -> tuple[float, float] | None:
    if min(len(sums) for sums in classes) < 2:
        return None
    random = seeds.generator(seed)
    totals = np.zeros((RESAMPLES, 6))
    for sums in classes:
        n = len(sums)
        totals += random.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) @ sums
    found = correlations(totals)
    low, high = np.percentile(found[~np.isnan(found)], [2.5, 97.5])
    return min(float(low), r), max(float(high), r)


def _weighted_r(sums: np.ndarray, weight: np.ndarray) -> float | None:
    total = weight @ sums
    # As many tokens as were asked about, so that `pearson` does not take them for less than two.
    scale = sums[:, 0].sum() / total[0] if total[0] > 0 else 0.0
    return correlation((total * scale)[None])[0]


def r_squared(sums: np.ndarray, unit: float) -> float | None:
    """Share of the truth's variance explained, 1 - sum of (y - unit x)^2 / sum of (y - mean y)^2.

    `unit` is the raw activation that a predicted 1 stands for. Right places with wrong strengths
    correlate well and explain little; below 0 is worse than predicting the mean.
    """
    n, _, y, xx, yy, xy = sums.sum(axis=0).tolist()
    spread = yy - y * y / max(n, 1)
    if n < 2 or spread <= 1e-12 * yy:
        return None
    return 1 - (yy - 2 * unit * xy + unit * unit * xx) / spread


def _detail(truth: Truth, usable: np.ndarray, said: Simulation) -> dict[str, Any]:
    """Count contexts, tokens and failures, and name the failures."""
    kinds = np.array(truth.items.kinds)
    return {
        "asked": len(usable),
        "failure_rate": float((~usable).mean()),
        "contexts": {
            str(kind): {
                "n": int((usable & (kinds == kind)).sum()),
                "failed": int((~usable & (kinds == kind)).sum()),
            }
            for kind in np.unique(kinds)
        },
        "tokens": int(truth.counted[usable].sum()),
        "base_rate": truth.base_rate,
        "defects": dict(Counter(defect for defect in said.defects if defect)),
    }

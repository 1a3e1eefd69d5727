"""Figures of many features beside their baselines, at equal KL; pure functions over rows.

A row is one feature in one arm at one target, as data/interventions.py reads it. Flagged features
(no strength, no explanation, no answer) are left out and counted. Of random SAE and features two
separate samples are compared, of shuffled explanations the same features. An ablation moves the
next token by a KL of its own, so its figures stand beside the others and are not taken off them.

Arms and equal KL are those of arXiv 2410.13928 (methods.md 5.9, 6.1); intervals and differences
over features are ours.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from core.intervening.figures import difference, mean_interval
from data.records import Interval

Row = Mapping[str, Any]
BASELINES = ("random-sae", "shuffled", "ablation")
WORDS = {
    "feature": "features",
    "random-sae": "features of a random SAE",
    "shuffled": "explanations of other features",
    "ablation": "zero-ablations",
}


class Arm(NamedTuple):
    """All scores of one kind at one target."""

    arm: str
    values: np.ndarray  # nats, float64 [features]
    features: np.ndarray  # int64 [features]
    flagged: int  # features without a score
    kl: float | None  # achieved, mean over features, nats
    mean: Interval | None  # nats, with a 95 % bootstrap interval over features
    more: Interval | None  # of the features over this arm at equal KL; None: there is none


class Target(NamedTuple):
    """Features and their baselines at one KL."""

    target: float
    arms: dict[str, Arm]

    @property
    def sentence(self) -> str:
        """Say whether the features beat the random SAE at this KL, or why nobody can."""
        own, random = self.arms["feature"], self.arms.get("random-sae")
        at = f"At KL {self.target:g}"
        if own.mean is None:
            n, flagged = len(own.values), own.flagged
            return f"{at}: features with a score: {n}, two are needed; flagged: {flagged}."
        said = f"{at} the explanations of {len(own.values)} features score {_nats(own.mean)}"
        if random is None:
            return f"{said}; there is no random SAE to compare with."
        if random.mean is None or random.more is None:
            n, flagged = len(random.values), random.flagged
            return f"{said}; directions of the random SAE with a score: {n}, flagged: {flagged}."
        than = f"those of {len(random.values)} random directions {_nats(random.mean)}"
        more = random.more
        apart = f"{more.value:+z.2f} nats, {more.low:+z.2f} to {more.high:+z.2f}"
        if more.low > 0:
            verdict = "the features beat the random SAE"
        elif more.high < 0:
            verdict = "the random SAE beats the features"
        else:
            verdict = "the interval holds 0, so they are not told apart"
        return f"{said}, {than}: {verdict} ({apart})."


def _nats(one: Interval) -> str:
    return f"{one.value:z.2f} nats ({one.low:z.2f} to {one.high:z.2f})"


def pooled(rows: Sequence[Row], seed: int = 0) -> list[Target]:
    """Pool rows by target, ascending; the ablation, which has no target, stands beside each."""
    targets = sorted({row["target"] for row in rows if row["target"] is not None})
    return [Target(target, _arms(rows, target, seed)) for target in targets]


def _arms(rows: Sequence[Row], target: float, seed: int) -> dict[str, Arm]:
    here = [row for row in rows if row["target"] in (target, None)]
    own = _arm([row for row in here if row["arm"] == "feature"], "feature", None, seed)
    arms = {"feature": own}
    for name in BASELINES:
        found = [row for row in here if row["arm"] == name]
        if found:
            arms[name] = _arm(found, name, own, seed)
    return arms


def _arm(rows: Sequence[Row], name: str, own: Arm | None, seed: int) -> Arm:
    known = sorted(
        (row for row in rows if row["value"] is not None), key=lambda row: row["feature"]
    )
    values = np.array([row["value"] for row in known], np.float64)
    features = np.array([row["feature"] for row in known], np.int64)
    kls = [row["kl"] for row in known if row["kl"] is not None]
    more = None
    if own is not None and name == "random-sae":
        more = difference(own.values, values, seed)
    elif own is not None and name == "shuffled":
        _, mine, theirs = np.intersect1d(own.features, features, return_indices=True)
        more = mean_interval(own.values[mine] - values[theirs], seed)
    return Arm(
        name, values, features, len(rows) - len(known), float(np.mean(kls)) if kls else None,
        mean_interval(values, seed), more,
    )  # fmt: skip

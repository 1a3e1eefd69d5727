"""Texts with and without a fact: which features react, in one subject or in two.

In: pairs of texts and a probe of each subject. Out: per feature the mean difference of activation,
text a minus text b, paired; for two subjects also the difference of those differences (methods.md
8 b). With few pairs the test can only say little: 5 pairs give p = 2 / 2^5 at best. Adjusted for is
the number of features that differ in half of the pairs, or in ten; this filter looks at how many
differences there are, not at their signs, so the test stays what it is.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from core import seeds
from core.diffing.settings import PairSettings
from core.diffing.statistics import Spans, mean_spans, sign_flip
from core.fired import Everything
from core.probe import Probe
from core.score.statistics import benjamini_hochberg
from data.contrast import TextPair

CELLS = 8_000_000  # values of a block of features
OFTEN = 10  # pairs that differ, enough for a feature to be tested
AT_ONCE = 64  # texts run before progress is told


class Reactions(NamedTuple):
    """What features did on the texts of all pairs: those that fired, each once a text."""

    text: np.ndarray  # 2 * pair, + 1 for text b, int64 [n]
    feature: np.ndarray  # int64 [n]
    value: np.ndarray  # activation a token, or the peak, float64 [n]
    usable: np.ndarray  # pairs of which both texts have a token, bool [pairs]


class Reaction(NamedTuple):
    """How the features of one side react, those that fire in any text."""

    side: int  # 1 first subject, 2 second, 3 second minus first
    feature: np.ndarray  # int64 [features], ascending
    n: np.ndarray  # pairs with a difference that is not 0
    spans: Spans  # mean difference over pairs
    p: np.ndarray
    q: np.ndarray  # Benjamini-Hochberg over those that differ often enough; NaN: too seldom


def run(
    probe: Probe, pairs: Sequence[TextPair], hookpoints: Sequence[str], settings: PairSettings
) -> Iterator[tuple[int, dict[str, list[Everything]]]]:
    """Run all texts, some at a time: how many are done, and what fired in these."""
    texts = [text for pair in pairs for text in pair]
    for first in range(0, len(texts), AT_ONCE):
        part = texts[first : first + AT_ONCE]
        yield first + len(part), probe.across(part, hookpoints)


def gathered(found: Sequence[Everything], settings: PairSettings) -> Reactions:
    """What is kept of the texts, in their order: a value for each feature that fires in one."""
    parts = [_of_text(one, settings.value == "peak") for one in found]
    sizes = [len(features) for features, _ in parts]
    has_tokens = [len(one.ids) > 0 for one in found]
    usable = np.array(has_tokens[::2], bool) & np.array(has_tokens[1::2], bool)
    return Reactions(
        np.repeat(np.arange(len(parts)), sizes),
        np.concatenate([features for features, _ in parts]).astype(np.int64),
        np.concatenate([values for _, values in parts]),
        usable,
    )


def _of_text(one: Everything, is_peak: bool) -> tuple[np.ndarray, np.ndarray]:
    features, place = np.unique(one.feature, return_inverse=True)
    out = np.zeros(len(features))
    if is_peak:
        np.maximum.at(out, place, one.activation)
        return features, out
    np.add.at(out, place, one.activation)
    return features, out / max(1, len(one.ids))


def reactions(sides: Sequence[Reactions], settings: PairSettings, hookpoint: str) -> list[Reaction]:
    """Test every feature that fires in any text of any side; two sides also by their difference."""
    usable = np.logical_and.reduce([one.usable for one in sides])
    least = min(-(-int(usable.sum()) // 2), OFTEN)
    alive = np.unique(np.concatenate([one.feature for one in sides]))
    n_sides = 3 if len(sides) == 2 else 1
    parts: list[list[Reaction]] = [[] for _ in range(n_sides)]
    step = max(1, CELLS // max(1, 2 * len(usable)))
    for first in range(0, max(1, len(alive)), step):
        chosen = alive[first : first + step]
        differences = [_differences(one, chosen)[:, usable] for one in sides]
        if n_sides == 3:
            differences.append(differences[1] - differences[0])
        for side, difference in enumerate(differences):
            seed = seeds.seed_of(settings.seed, hookpoint, first, "pairs")
            parts[side].append(_tested(side + 1, chosen, difference, seed))
    return [_joined(one, least) for one in parts]


def _differences(one: Reactions, chosen: np.ndarray) -> np.ndarray:
    """Text a minus text b of some features (ascending), float64 [features, pairs]."""
    place = np.searchsorted(chosen, one.feature)
    here = (place < len(chosen)) & (
        chosen[np.minimum(place, len(chosen) - 1)] == one.feature if len(chosen) else False
    )
    out = np.zeros((len(chosen), len(one.usable)))
    sign = 1.0 - 2.0 * (one.text[here] % 2)
    np.add.at(out, (place[here], one.text[here] // 2), sign * one.value[here])
    return out


def _tested(side: int, feature: np.ndarray, difference: np.ndarray, seed: int) -> Reaction:
    p = sign_flip(difference, seed)
    return Reaction(
        side, feature, (difference != 0).sum(axis=1), mean_spans(difference, seed), p, p
    )


def _joined(parts: Sequence[Reaction], least: int) -> Reaction:
    """The blocks as one; q over features that differ in at least so many pairs."""
    p = np.concatenate([one.p for one in parts])
    n = np.concatenate([one.n for one in parts])
    q, often = np.full(len(p), np.nan), np.flatnonzero(n >= max(1, least))
    q[often] = benjamini_hochberg(p[often])
    return Reaction(
        side=parts[0].side,
        feature=np.concatenate([one.feature for one in parts]),
        n=n,
        spans=Spans(*(np.concatenate(c) for c in zip(*(o.spans for o in parts), strict=True))),
        p=p,
        q=q,
    )

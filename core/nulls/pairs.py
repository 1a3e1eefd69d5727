"""Which feature is judged with whose explanation: pairs without fixed points (methods.md 6.5).

In: the explanations of one hookpoint by one explainer. Out: pairs, their claims for a scorer, and
the rows that a scorer's outcomes become. Nobody is ever paired with a text that says what its own
does. Knows nothing of judges or stores.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain, islice
from typing import Literal, NamedTuple

import numpy as np

from core.grammar import parse
from core.score.material import Claim, Outcomes
from core.seeds import draws, text_seed
from data.nulls import Donor, NullKind, NullScore
from data.records import Score

Kind = Literal["shuffled", "neighbour"]
PER_FEATURE: dict[Kind, int] = {"shuffled": 3, "neighbour": 1}


class Pairing(NamedTuple):
    """A feature whose items are asked about with the explanation of another."""

    feature: int
    other: int
    explanation_id: int  # of the other
    text: str
    rule: str | None
    kind: Kind


def pairings(
    explained: Sequence[Donor],
    kind: Kind,
    *,
    seed: int,
    hookpoint: str,
    nearest: Mapping[int, Sequence[int]] | None = None,
    features: Collection[int] | None = None,
    n: int | None = None,
) -> list[Pairing]:
    """Pair features with up to n explanations of others, features ascending.

    explained: one explanation a feature, all of one explainer; features: those to find partners
    for, None = all of them; nearest: for "neighbour", features by decoder cosine, nearest first.
    A feature gets fewer partners where there are no more others with another text.

    shuffled: the features stand on a ring in random order and each takes the explanations of those
    behind it, so that no explanation is used more often than others. With the ring 5 2 9 and n = 2,
    feature 5 is judged with what was said of 2 and of 9. A feature's place on the ring depends on
    its number only: explaining more features changes few pairs of the others.
    """
    own = {donor.feature: donor for donor in explained}
    meaning = {donor.feature: _meaning(donor) for donor in explained}
    ring = _ring(list(own), seed, hookpoint)
    place = {feature: i for i, feature in enumerate(ring)}
    found: list[Pairing] = []
    for feature in sorted(own.keys() if features is None else own.keys() & set(features)):
        others = (
            _behind(ring, place[feature])
            if kind == "shuffled"
            else (nearest or {}).get(feature, ())
        )
        unlike = (o for o in others if o in own and meaning[o] != meaning[feature])
        for other in islice(unlike, PER_FEATURE[kind] if n is None else n):
            _, explanation_id, text, rule = own[other]
            found.append(Pairing(feature, other, explanation_id, text, rule, kind))
    return found


def _ring(features: list[int], seed: int, hookpoint: str) -> list[int]:
    """Order features at random, each by a draw of its own."""
    numbers = np.sort(np.array(features, np.int64))
    drawn = draws(text_seed(f"{seed}|{hookpoint}|null-shuffled"), numbers)
    return numbers[np.argsort(drawn, kind="stable")].tolist()


def _behind(ring: list[int], place: int) -> Iterator[int]:
    """All others on the ring, from the next one on."""
    return chain(islice(ring, place + 1, None), islice(ring, place))


def _meaning(donor: Donor) -> str:
    """What an explanation says: its rules without figures, or its words without case and stops."""
    if donor.rule is not None:
        rules = parse(donor.rule).rules
        return " ; ".join(" & ".join(map(str, rule.literals)) for rule in rules)
    return " ".join(donor.text.casefold().split()).rstrip(". ")


def null_claims(pairs: Sequence[Pairing]) -> dict[int, list[Claim]]:
    """By feature, what its scorer is to be asked: `scorer.score(material, claims[feature])`."""
    found: dict[int, list[Claim]] = {}
    for pair in pairs:
        claim = Claim(pair.explanation_id, pair.text, pair.rule)
        found.setdefault(pair.feature, []).append(claim)
    return found


def null_scores(pairs: Sequence[Pairing], outcomes: Sequence[Outcomes]) -> list[NullScore]:
    """Rows for what a scorer answered to the null claims of one feature, in any order."""
    by_explanation = {pair.explanation_id: pair for pair in pairs}
    pair_of = [(by_explanation[found.explanation_id], found.score) for found in outcomes]
    return [null_score(pair.feature, pair.kind, score, pair) for pair, score in pair_of]


def null_score(
    feature: int, kind: NullKind, score: Score, pair: Pairing | None = None
) -> NullScore:
    """Turn a score into a null score; without a pair nobody's explanation was used."""
    detail = {
        "metric": score.metric, "low": score.low, "high": score.high,
        "tpr": score.tpr, "tnr": score.tnr,
    } | score.detail  # fmt: skip
    if score.usage is not None:
        detail |= {"usage": asdict(score.usage)}
    return NullScore(
        feature=feature,
        kind=kind,
        other=pair.other if pair else None,
        explanation_id=pair.explanation_id if pair else None,
        value=score.value,
        n=score.n,
        failed=score.failed,
        detail=detail,
        usage=score.usage,
    )

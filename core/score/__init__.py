"""Scores: how far an explanation can be trusted, one file a scorer.

    items.py       questions of detection, and what all questions share
    marks.py       wrong marks that look like right ones
    detection.py   fuzzing.py
    judge.py       who answers: the Judge protocol, the grammar as a judge
    metrics.py     verdicts -> score
    statistics.py  intervals, tests, rank measures

Scores of different judges or presets are never averaged or compared.
"""

from typing import NamedTuple


class Method(NamedTuple):
    """One scorer, for people."""

    measures: str
    needs: str  # what has to be there besides an explanation
    metric: str
    low: float  # range of the metric
    high: float
    chance: float | None  # value of a judge that knows nothing; None = depends on the feature
    source: str


METHODS = {
    "exact": Method(
        measures="every token of the corpus, checked by a program",
        needs="a grammar explanation",
        metric="f1",
        low=0.0,
        high=1.0,
        chance=None,
        source="EleutherAI 2024 (proposed); Gloss",
    ),
    "detection": Method(
        measures="whether a context contains the concept",
        needs="a judge",
        metric="balanced_accuracy",
        low=0.0,
        high=1.0,
        chance=0.5,
        source="arXiv 2410.13928",
    ),
    "fuzzing": Method(
        measures="whether marked tokens are the right ones",
        needs="a judge",
        metric="balanced_accuracy",
        low=0.0,
        high=1.0,
        chance=0.5,
        source="arXiv 2410.13928; wrong marks: EleutherAI, July 2024",
    ),
}

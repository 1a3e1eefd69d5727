"""Scores: how far an explanation can be trusted, one file a scorer.

    material.py    what a scorer gets and gives
    items.py       questions of detection, and what all questions share
    marks.py       wrong marks that look like right ones
    classify.py    a verdict on every context: detection.py, fuzzing.py, neighbour.py
    choices.py     one context of several: intruder.py, discrimination.py
    simulation.py  a value for every token; simulators.py: who predicts it
    generation.py  texts written for an explanation; sensitivity.py: for contexts
    output_side.py texts written under a feature: steered_sets.py; named_tokens.py: who counts
    roles.py       is a feature about what is read, or about what is written next
    ranking.py     a number for every context: embedding.py, surprisal.py
    judge.py       who answers: the Judge protocol, the grammar as a judge
    language.py    a language model as a judge; asking.py: requests and strict reading
    metrics.py     verdicts -> score
    statistics.py  intervals, tests, rank measures
    undefined.py   no value, and why

Scores of different judges or presets are never averaged or compared.
"""

import math
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
    "neighbour": Method(
        measures="whether it tells the feature's contexts from those of near features",
        needs="a judge, the neighbours",
        metric="balanced_accuracy",
        low=0.0,
        high=1.0,
        chance=0.5,
        source="EleutherAI, July 2024; filter: Gloss",
    ),
    "intruder": Method(
        measures="whether the feature's contexts share anything visible; not the explanation",
        needs="a judge; no explanation is shown",
        metric="accuracy",
        low=0.0,
        high=1.0,
        chance=0.2,
        source="arXiv 2507.08473",
    ),
    "discrimination": Method(
        measures="whether it picks its own feature out of ten near ones",
        needs="a judge, the neighbours",
        metric="accuracy",
        low=0.0,
        high=1.0,
        chance=0.1,
        source="Gloss, after arXiv 2605.12874",
    ),
    "simulation": Method(
        measures="whether it predicts how strongly each token activates the feature",
        needs="a judge",
        metric="pearson",
        low=-1.0,
        high=1.0,
        chance=0.0,
        source="Bills et al. 2023; arXiv 2410.13928",
    ),
    "generation": Method(
        measures="whether texts written for it activate the feature",
        needs="a language model, the subject and the SAE",
        metric="hit_share",
        low=0.0,
        high=1.0,
        chance=None,
        source="EleutherAI, July 2024; lift: Gloss",
    ),
    "sensitivity": Method(
        measures="whether new texts like the feature's contexts activate it; not the explanation",
        needs="a language model, the subject and the SAE; no explanation is shown",
        metric="hit_share",
        low=0.0,
        high=1.0,
        chance=None,
        source="arXiv 2509.23717",
    ),
    "output-side": Method(
        measures="whether it tells what the feature makes the subject write",
        needs="the subject and the SAE; a judge, or an explanation that names tokens",
        metric="accuracy",
        low=0.0,
        high=1.0,
        chance=1 / 3,
        source="arXiv 2501.08319; trials, matched distractors: Gloss",
    ),
    "intervention": Method(
        measures="whether it says what the subject writes too much of when the feature is pushed",
        needs="the subject, the SAE and a local language model; gloss intervene",
        metric="nats",
        low=-math.inf,
        high=math.inf,
        chance=0.0,
        source="arXiv 2410.13928; separate prompts for choosing: Gloss",
    ),
    "embedding": Method(
        measures="whether contexts read like the explanation, as sentences",
        needs="a sentence encoder",
        metric="auroc",
        low=0.0,
        high=1.0,
        chance=0.5,
        source="arXiv 2410.13928",
    ),
    "surprisal": Method(
        measures="whether it makes the feature's contexts less surprising",
        needs="a local language model",
        metric="auroc",
        low=0.0,
        high=1.0,
        chance=0.5,
        source="arXiv 2410.13928",
    ),
}

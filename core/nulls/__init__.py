"""What a score is worth nothing below: the same scorer asked about explanations that are not meant.

    pairs.py    which feature is judged with whose explanation, as claims for a scorer
    judge.py    a judge that says yes to everything, worth exactly one half
    figures.py  where a score stands among null scores; a hookpoint's scores against its null

The paper's null has medians of .51 and quartiles of .45 and .57, far wider than chance alone
(methods 6.5), so the null is measured and not computed. Rows and queries are in data/nulls.py.
"""

from core.nulls.figures import Percentile, Summary, percentile, summarise
from core.nulls.judge import AlwaysYes
from core.nulls.pairs import PER_FEATURE, Pairing, null_claims, null_score, null_scores, pairings

__all__ = [
    "PER_FEATURE",
    "AlwaysYes",
    "Pairing",
    "Percentile",
    "Summary",
    "null_claims",
    "null_score",
    "null_scores",
    "pairings",
    "percentile",
    "summarise",
]

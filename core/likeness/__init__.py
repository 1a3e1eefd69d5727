"""How alike two SAEs are: by their weights, by what their explanations say, by where they fire.

    matching.py      similarities of every pair, each feature with one partner: exact or greedy
    figures.py       a mean over matched pairs beside what chance gives, with an interval
    directions.py    decoder and encoder directions at one hookpoint        (methods.md 8)
    wording.py       explanations as vectors, between any hookpoints
    together.py      tokens on which both fire (Jaccard), over the same text

In: arrays. Out: `Likeness`: which features were matched, how alike they are, what chance would
give. Knows nothing of stores; core/pipeline/likeness.py reads and writes.
"""

from core.likeness.figures import Likeness, Near
from core.likeness.matching import EXACT, Cosines, Dense, Matching, Similarities, matched

__all__ = [
    "EXACT",
    "Cosines",
    "Dense",
    "Likeness",
    "Matching",
    "Near",
    "Similarities",
    "matched",
]

"""Two sets of features compared by what their explanations say: cosines of sentence vectors.

Methods.md 8 gives the recipe (the first version of arXiv 2410.13928 reports neighbouring residual
layers so, by a method that is not stated in full). Generic wording makes any two explanations
alike, so the control deals all explanations of both sides out anew, at random, and matches again.
Zero difference: the two sides are as alike as two random halves of everything said. Above zero:
what one side says the other says too, feature by feature. Below zero: the sides speak of different
things.
"""

import numpy as np

from core.encoder import unit
from core.likeness.figures import Likeness, likeness
from core.likeness.matching import Cosines
from core.seeds import generator

CONTROLS = 10  # deals


def by_wording(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], *, seed: int
) -> Likeness:
    """Match explanations one to one; each side: feature numbers [n] and vectors [n, d].

    A text that could not be encoded is a row of NaN and is left out.
    """
    (rows, a), (columns, b) = (_usable(*side) for side in (first, second))
    pool, n = np.concatenate([a, b]) if len(a) and len(b) else np.empty((0, 1)), len(a)
    rng = generator(seed)

    def dealt() -> Cosines:
        order = rng.permutation(len(pool))
        return Cosines(pool[order[:n]], pool[order[n:]])

    return likeness(Cosines(a, b), (rows, columns), [dealt] * CONTROLS, seed=seed)


def _usable(features: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    good = np.isfinite(vectors).all(axis=1)
    return features[good], unit(vectors[good].astype(np.float32))

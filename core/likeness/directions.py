"""Two SAEs that read the same place, compared by their weights.

Decoder directions are matched one to one; a pair is *shared* if its decoder and its encoder
directions both have a cosine above 0.7. EleutherAI (December 2024, arXiv 2501.16615) found 53 % of
the features of two seeds shared so, on Pythia-160m with 32k features (methods.md 8). Ours is the
control: what directions drawn at random give, in as many dimensions and numbers: in few dimensions
the best of many is near.
"""

from typing import NamedTuple

import numpy as np

from core.likeness.figures import SHARED, Likeness, likeness
from core.likeness.matching import EXACT, Cosines
from core.seeds import generator

CONTROLS = 3  # draws of random directions; one of very many features varies little
BLOCK = 8_192  # pairs measured at once


class Directions(NamedTuple):
    """The weights of one SAE."""

    decoder: np.ndarray  # [features, d]
    encoder: np.ndarray  # [features, d]
    alive: np.ndarray  # bool [features]: it fired in its cache


def by_direction(first: Directions, second: Directions, *, seed: int) -> Likeness:
    """Match decoder directions, and count the pairs that are shared."""
    (n, d), m = first.decoder.shape, len(second.decoder)
    rng = generator(seed)

    def drawn() -> Cosines:
        return Cosines(*(rng.standard_normal((rows, d), np.float32) for rows in (n, m)))

    found = likeness(
        Cosines(first.decoder, second.decoder),
        (np.arange(n), np.arange(m)),
        [drawn] * (CONTROLS if max(n, m) <= EXACT else 1),
        seed=seed,
        pair_values=lambda a, b: cosines(first.decoder[a], second.decoder[b]),
    )
    encoder = cosines(first.encoder[found.first], second.encoder[found.second])
    shared = (found.value > SHARED) & (encoder > SHARED)
    alive = first.alive[found.first] & second.alive[found.second]
    return found._replace(
        encoder=encoder,
        detail={
            "shared": int(shared.sum()),
            "alive": int(alive.sum()),
            "shared_alive": int((shared & alive).sum()),
        },
    )


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosines row by row, float64 [n]; exactly 1 for equal rows, 0 where one has no direction.

    a.b / sqrt(a.a b.b) and not a product of two unit vectors: the root of a square is exact.
    """
    out = np.zeros(len(first))
    for lo in range(0, len(first), BLOCK):
        a, b = (x[lo : lo + BLOCK].astype(np.float64) for x in (first, second))
        dot, a_square, b_square = (np.einsum("nd,nd->n", *xy) for xy in ((a, b), (a, a), (b, b)))
        length = np.sqrt(a_square * b_square)
        np.divide(dot, length, out=out[lo : lo + BLOCK], where=length > 0)
    return out

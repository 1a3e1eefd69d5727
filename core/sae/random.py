"""A random SAE, the baseline that nothing was trained for: `random:FEATURES:K[:SEED][:NORM]`.

    p = x W_enc                a = relu of the k largest entries of p                xhat = a W_encᵀ

Rows of W_enc's transpose are unit vectors in uniformly random directions, the decoder is that
transpose and b_dec is 0 (methods 5.9 and 6.5; the baseline of arXiv 2410.13928). No mean is
subtracted, as there: the weights then follow from their address alone, before a token is read. So
where the hookpoint has a large mean, the features along it fire on most tokens and many others on
none; compare densities before scores. Each hookpoint gets its own directions, or those of
neighbouring layers of one residual stream would be the same features twice. Beside an SAE that
normalises its input, NORM says the same (`layer_norm`, `centre+unit_norm`, ...): contexts are
ranked by values, which grow with the vector that is read.
"""

import hashlib
import re
from typing import NamedTuple

import numpy as np
import torch

from core.sae.coder import Origin, Weights
from core.sae.normalise import NORMS, Step
from core.sae.topk import TopK
from core.seeds import generator, text_seed
from data.errors import BadInput

PREFIX = "random:"
SPEC = re.compile(r"random:(\d{1,9}):(\d{1,9})(?::(\d{1,18}))?(?::([a-z_+]{1,60}))?")
MOST = 2**24  # features: more than any dictionary has
ROWS = 4096  # drawn at once
NOTE = "random directions: a baseline, nothing was trained"


class Random(TopK):
    """TopK with weights from a seed."""

    kind = "random"


class Size(NamedTuple):
    """What a source without files says."""

    n_features: int
    k: int  # features on at a token, at most
    seed: int
    norm: str = ""  # of the input: names of core/sae/normalise.py joined by "+", first one first

    @property
    def norms(self) -> tuple[str, ...]:
        """What is done to the input, one name a step."""
        return tuple(self.norm.split("+")) if self.norm else ()


def is_random(source: object) -> bool:
    """Say whether a source is drawn and not loaded."""
    return str(source).startswith(PREFIX)


def read_size(source: str) -> Size:
    """Read "random:2048:32:7" as 2048 features, 32 at a token, seed 7; without a seed 0.

    A norm of the input may end it, "random:2048:32:rms".
    """
    found = SPEC.fullmatch(source)
    size = found and Size(int(found[1]), int(found[2]), int(found[3] or 0), found[4] or "")
    is_size = size and 1 <= size.k <= size.n_features <= MOST
    if not size or not is_size or not NORMS.keys() >= set(size.norms):
        raise BadInput(
            f"--sae {source} is no random SAE: write random:FEATURES:K or random:FEATURES:K:SEED "
            f"with 1 <= K <= FEATURES <= {MOST:,}, e.g. random:2048:32, and behind it what is done "
            f"to its input, if anything: {', '.join(f':{name}' for name in NORMS)}"
        )
    return size


def draw_sae(source: str, hookpoint: str, width: int) -> Random:
    """Draw the SAE of one hookpoint; `width` numbers a token are read and rebuilt there."""
    size = read_size(source)
    rows = _unit_rows(text_seed(f"random-sae|{size.seed}|{hookpoint}"), size.n_features, width)
    W_dec = torch.from_numpy(rows)  # [features, width]
    weights = Weights(
        W_enc=W_dec.T, b_enc=torch.zeros(size.n_features), b_dec=torch.zeros(width), W_dec=W_dec
    )
    origin = Origin(
        source=source,
        sha256=hashlib.sha256(rows.tobytes()).hexdigest(),
        hookpoint=hookpoint,
        settings={"d_in": width, "num_latents": size.n_features, "k": size.k, "seed": size.seed,
                  "dtype": "F32"},
        notes=(NOTE,),
    )  # fmt: skip
    drawn = Random(weights, size.k, origin=origin)
    drawn.transforms = tuple(Step(NORMS[name]) for name in size.norms)
    return drawn


def _unit_rows(seed: int, n: int, width: int) -> np.ndarray:
    """Draw directions uniformly on the sphere: normal numbers over their length, float32 [n, w].

    In 64 bits until the end, so that the rounding of one machine's sums does not show in the hash.
    """
    rng = generator(seed)
    rows = np.empty((n, width), np.float32)
    for first in range(0, n, ROWS):
        drawn = rng.standard_normal((min(ROWS, n - first), width))
        rows[first : first + ROWS] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return rows

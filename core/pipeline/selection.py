"""Which features: the text of --features, turned into numbers.

all            every live feature
0-99           a range, both ends included
3,17,40-49     a list of numbers and ranges
random:200     that many live features, drawn by the cache's seed
first:200      that many live features, lowest numbers first
"""

import re

import numpy as np

from core.seeds import draws, text_seed
from data.errors import BadInput

SPAN = re.compile(r"(\d+)(?:-(\d+))?")


def features(spec: str, live: np.ndarray, n_features: int, *, seed: int, name: str) -> np.ndarray:
    """Feature numbers in ascending order, int64; dead ones appear only when named themselves.

    live: numbers of the features that fired; name: of the hookpoint, so that two hookpoints draw
    differently.
    """
    spec = spec.strip()
    if spec == "all":
        return live
    kind, _, count = spec.partition(":")
    if kind in ("random", "first") and count.isdecimal() and int(count):
        return _drawn(kind, int(count), live, seed, name)
    return _listed(spec, n_features)


def _drawn(kind: str, n: int, live: np.ndarray, seed: int, name: str) -> np.ndarray:
    if kind == "first" or n >= len(live):
        return live[:n]
    order = np.argsort(draws(text_seed(f"{seed}|{name}|features"), live), kind="stable")
    return np.sort(live[order[:n]])


def _listed(spec: str, n_features: int) -> np.ndarray:
    found: set[int] = set()
    for part in spec.split(","):
        span = SPAN.fullmatch(part.strip())
        if not span:
            raise BadInput(
                f"--features {spec}: '{part.strip()}' is not understood; "
                "write all, 0-99, 3,17,40-49, first:200 or random:200"
            )
        first, last = int(span[1]), int(span[2] or span[1])
        if last < first:
            raise BadInput(f"--features {spec}: {part.strip()} ends before it begins")
        if last >= n_features:
            raise BadInput(
                f"--features {spec}: {part.strip()} is outside 0 to {n_features - 1:,}, "
                "the features of this SAE"
            )
        found.update(range(first, last + 1))
    return np.array(sorted(found), np.int64)

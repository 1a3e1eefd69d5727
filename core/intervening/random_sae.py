"""Where a random SAE's features fire, found by running part of the cache's tokens through it.

The baseline of methods.md 5.9, 7: top-k with k = 50, unit-norm encoder, decoder its transpose. Its
directions are alike, so it has at most 4,096 features, whatever the SAE beside it has; and it is
drawn at the place that the SAE writes to, which is another than it reads in a transcoder.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from core.hookpoints import written
from core.intervening.prompts import Text
from core.intervening.settings import RANDOM_K, RANDOM_MOST, RANDOM_TOKENS
from core.sae import Sae
from core.sae.random import Random, draw_sae
from core.seeds import permutation, text_seed
from core.subject import Subject

BATCH = 16  # sequences run at once
USABLE = 60  # contexts' worth of firings that a feature needs to be drawn: enough for prompts


class Fired(NamedTuple):
    """Where one feature is on."""

    token: np.ndarray  # flat index in the cache, ascending, int64 [n]
    activation: np.ndarray  # raw, float32 [n]


class RandomFeatures(NamedTuple):
    """A random SAE with where it fires."""

    sae: Random
    hookpoint: str
    source: str  # "random:FEATURES:K:SEED"
    feature: np.ndarray  # int64 [firings], ascending
    token: np.ndarray  # flat index, int64 [firings], ascending within a feature
    activation: np.ndarray  # float32 [firings]

    def fired(self, feature: int) -> Fired:
        """Where a feature is on."""
        low, high = np.searchsorted(self.feature, [feature, feature + 1])
        return Fired(self.token[low:high], self.activation[low:high])

    def chosen(self, n: int, seed: int) -> list[int]:
        """Draw n features that fire often enough, ascending."""
        counts = np.bincount(self.feature, minlength=self.sae.n_features)
        usable = np.flatnonzero(counts >= USABLE)
        order = permutation(text_seed(f"{seed}|random-sae-features"), len(usable))
        return sorted(usable[order[:n]].tolist())


def random_source(n_features: int, seed: int) -> str:
    """The address of the random SAE beside one with so many features."""
    size = min(n_features, RANDOM_MOST)
    return f"random:{size}:{min(RANDOM_K, size)}:{seed}"


def run_random(
    subject: Subject, sae: Sae, hookpoint: str, text: Text, seed: int
) -> Iterator[tuple[int, int, RandomFeatures | None]]:
    """Run tokens through the random SAE beside a hookpoint's own: sequences done, in all, result.

    Sequences are chosen by the seed; special positions are left out.
    """
    place = written(sae, hookpoint)
    source = random_source(sae.n_features, seed)
    drawn = draw_sae(source, place, sae.d_out).to(subject.device)
    n_sequences, length = text.tokens.shape
    wanted = max(1, min(n_sequences, RANDOM_TOKENS // length))
    rows = np.sort(permutation(text_seed(f"{seed}|{place}|random-sae"), n_sequences)[:wanted])
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for first in range(0, wanted, BATCH):
        batch = rows[first : first + BATCH]
        ids = torch.from_numpy(text.tokens[batch].astype(np.int64))
        found = subject.activations(ids, [place])[place]
        active = drawn.encode(found.flatten(0, 1))
        row, feature = active.row.cpu().numpy(), active.feature.cpu().numpy()
        flat = batch[row // length] * length + row % length
        ordinary = ~np.isin(text.tokens[batch].ravel()[row], text.special_ids)
        value = active.value.float().cpu().numpy()
        parts.append((feature[ordinary], flat[ordinary], value[ordinary]))
        yield min(first + BATCH, wanted), wanted, None
    feature, token, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort((token, feature))
    yield (
        wanted,
        wanted,
        RandomFeatures(drawn, place, source, feature[order], token[order], value[order]),
    )

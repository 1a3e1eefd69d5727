"""A TopK SAE trained on a cache's tokens, by the demo's recipe (core/demo/autoencoder.py).

The control of arXiv 2501.17727: one recipe on the trained subject and on weights drawn anew
(methods.md 7.2, 8).

In: a subject, the tokens of a cache, the size of an SAE. Out: weights in sparsify's layout, one
folder a hookpoint, whole or not there. Steps are counted, not timed, so that a slower machine makes
the same SAE. Knows nothing of the catalogue.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from core.demo import autoencoder
from core.demo.autoencoder import SaeReport, SaeSettings
from core.subject import Subject
from data.cachefiles import CacheFiles
from data.durable import reporting

TOKENS = 500_000  # that activations are kept of, spread over the corpus
MOST = 2**30  # bytes of activations held at once
SEQUENCES = 32  # run at once
EVERY = 10  # steps between two reports


class Wanted(NamedTuple):
    """The SAE to be trained."""

    hookpoint: str
    n_features: int
    k: int  # features on at a token
    steps: int
    seed: int


def n_tokens(files: CacheFiles, d_model: int) -> int:
    """Tokens whose activations an SAE learns from: the cache's, within TOKENS and MOST bytes."""
    return min(files.meta.n_tokens, TOKENS, MOST // (2 * d_model))


def is_trained(wanted: Wanted, folder: Path) -> bool:
    """Whether the SAE is there."""
    return (folder / wanted.hookpoint / "sae.safetensors").exists()


def train(
    subject: Subject, files: CacheFiles, wanted: Wanted, folder: Path
) -> Iterator[SaeReport | None]:
    """Train one SAE into folder/HOOKPOINT; None is a sign of life while activations are read."""
    parts: list[Tensor] = []
    for part in _activations(subject, files, wanted.hookpoint):
        parts.append(part)
        yield None
    data = torch.cat(parts)
    settings = SaeSettings(n_features=wanted.n_features, k=wanted.k, report_every=EVERY,
                           seed=wanted.seed)  # fmt: skip
    sae = autoencoder.new(data, settings)
    yield from autoencoder.train_until(sae, data, settings, lambda step: step / wanted.steps)
    _save(sae, folder / wanted.hookpoint)


def _activations(subject: Subject, files: CacheFiles, hookpoint: str) -> Iterator[Tensor]:
    """Vectors at ordinary positions of sequences spread over the corpus, float16 [token, width]."""
    meta = files.meta
    n = max(1, n_tokens(files, subject.width(hookpoint)) // meta.sequence_length)
    chosen = np.linspace(0, meta.n_sequences - 1, min(n, meta.n_sequences)).round().astype(int)
    first = chosen * meta.sequence_length
    for at in range(0, len(first), SEQUENCES):
        ids = files.tokens.windows(first[at : at + SEQUENCES], meta.sequence_length)
        ordinary = torch.from_numpy(~np.isin(ids, meta.special_ids))
        found = subject.activations(torch.from_numpy(ids.astype(np.int64)), [hookpoint])[hookpoint]
        yield found.cpu()[ordinary].half()


def _save(sae: autoencoder.TopK, folder: Path) -> None:
    """Write the whole folder, then give it its name."""
    draft = folder.with_name(folder.name + ".tmp")
    with reporting(folder):
        shutil.rmtree(draft, ignore_errors=True)
        autoencoder.save(sae, draft)
        draft.rename(folder)

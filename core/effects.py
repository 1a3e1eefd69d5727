"""Which tokens a feature makes more and less likely: the logit effects of its decoder direction.

    effect[f, token] = W_dec[f] @ W_U,   W_U with the final norm folded in

Only the direct path to the logits counts, and the norm's divisor, which differs by position, is
left out: values rank tokens within a feature and are not logits (the "logit lens"; methods.md 3.2,
5.10).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

BUDGET = 256 * 2**20  # bytes of effects held at once


class Effects(NamedTuple):
    """The strongest effects of features lo .. hi - 1; equal values in no defined order."""

    lo: int
    hi: int
    promoted_ids: np.ndarray  # int64 [f, 10], strongest first
    promoted: np.ndarray  # float32 [f, 10]
    suppressed_ids: np.ndarray  # int64 [f, 10], most negative first
    suppressed: np.ndarray  # float32 [f, 10]


def logit_effects(
    W_dec: Tensor,  # [features, d_model]
    W_U: Tensor,  # [d_model, vocabulary]
    *,
    vocabulary_size: int | None = None,
    n: int = 10,
    budget: int = BUDGET,
) -> Iterator[Effects]:
    """Go through all features in chunks; ids from `vocabulary_size` on are padding and left out."""
    if vocabulary_size is not None:
        W_U = W_U[:, :vocabulary_size]
    W_dec, n = W_dec.float().to(W_U.device), min(n, W_U.shape[1])
    step = max(1, budget // (4 * W_U.shape[1]))
    for lo in range(0, len(W_dec), step):
        with torch.inference_mode():
            effect = W_dec[lo : lo + step] @ W_U  # [features, vocabulary]
            high, low = effect.topk(n), effect.topk(n, largest=False)
        yield Effects(
            lo=lo,
            hi=lo + len(effect),
            promoted_ids=high.indices.cpu().numpy(),
            promoted=high.values.cpu().numpy(),
            suppressed_ids=low.indices.cpu().numpy(),
            suppressed=low.values.cpu().numpy(),
        )

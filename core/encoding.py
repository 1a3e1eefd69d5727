"""One batch of sequences -> what is stored of it, for every SAE.

In: token ids [batch, sequence]. Out: flat token index, feature and activation of everything
stronger than 1e-5 at positions that are not special. Knows nothing of files.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from core.sae import Sae
from core.subject import Subject
from data.activations import LARGEST
from data.errors import BadInput

THRESHOLD = 1e-5  # weaker activations are not stored (methods: one definition everywhere)


class Found(NamedTuple):
    """Stored activations in the order of the corpus."""

    token: np.ndarray  # uint32 [n], flat index, ascending
    feature: np.ndarray  # int32 [n]
    activation: np.ndarray  # float16 [n]


def encode_batch(
    subject: Subject,
    saes: Mapping[int, tuple[str, Sae]],
    ids: np.ndarray,  # [batch, sequence]
    first: int,
    special_ids: Sequence[int],
) -> dict[int, Found]:
    """Run a batch whose first token has the flat index `first`, up to the last hookpoint."""
    tokens = torch.from_numpy(ids.astype(np.int64))
    names = list(dict.fromkeys(name for name, _ in saes.values()))
    activations = subject.activations(tokens, names)
    special = torch.isin(tokens, torch.tensor(list(special_ids), dtype=torch.int64)).reshape(-1)
    return {
        number: _found(activations[name].flatten(0, 1), sae, special, first, name)
        for number, (name, sae) in saes.items()
    }


def _found(x: Tensor, sae: Sae, special: Tensor, first: int, name: str) -> Found:
    """Encode vectors [tokens, width] and keep what is stored."""
    special = special.to(x.device)
    with torch.inference_mode():
        if not _usable(x, special):
            raise BadInput(
                f"the subject gives infinite or undefined numbers at {name}: use float32"
            )
        active = sae.encode(x)
        keep = (active.value.abs() > THRESHOLD) & ~special[active.row]
        value = active.value[keep].float().clamp(-LARGEST, LARGEST).half()
        return Found(
            token=(active.row[keep] + first).cpu().numpy().astype(np.uint32),
            feature=active.feature[keep].int().cpu().numpy(),
            activation=value.cpu().numpy(),
        )


def _usable(x: Tensor, special: Tensor) -> bool:
    """Say whether all vectors at ordinary positions are finite; one sum settles most batches."""
    if bool(torch.isfinite(x.sum(dtype=torch.float32))):
        return True
    return bool((torch.isfinite(x).all(dim=1) | special).all())


class Gathered:
    """The batches of a shard, one after the other.

    The arrays are kept for the next shard: fresh ones of a slightly different size each time would
    fragment the memory of a long run.
    """

    def __init__(self) -> None:
        self._room = Found(np.empty(0, np.uint32), np.empty(0, np.int32), np.empty(0, np.float16))
        self._n = 0

    def add(self, part: Found) -> None:
        """Append a batch."""
        end = self._n + len(part.token)
        if end > len(self._room.token):
            size = max(end, 2 * self._n)
            self._room = Found(*(np.resize(array, size) for array in self._room))
        for array, new in zip(self._room, part, strict=True):
            array[self._n : end] = new
        self._n = end

    def take(self) -> Found:
        """Give what was gathered, valid until the next batch is added, and begin anew."""
        n, self._n = self._n, 0
        return Found(*(array[:n] for array in self._room))

"""A subject that has not learned what it seems to: weights drawn anew, or noise for embeddings.

`re-randomised:SEED:NAME`: every parameter, embeddings and norms too, is drawn anew from a normal
distribution with the mean and standard deviation that this parameter has (arXiv 2501.17727);
buffers stay. What is left is what the architecture alone does to a text.

`random-embeddings:SEED:NAME`: the trained weights, but every occurrence of a token is another
draw, with the mean and deviation of the embedding's entries; our reading of that work's "random
embeddings", whose score at chance fits nothing else. No feature can know the text.

Both are made in memory from the seed: nothing is written, and the same name is the same subject.
"""

import hashlib
from typing import Any

import torch
from torch import Tensor

from core.seeds import text_seed
from data.baselines import Redrawn
from data.errors import BadInput

DIGITS = 6  # of mean and deviation: sums differ in the last bits from machine to machine
NOISE = "random-embeddings"


@torch.no_grad()
def redraw(model: Any, how: Redrawn) -> None:
    """Draw all weights of a model anew, in place (tied ones stay tied), or what it reads."""
    if getattr(model, "is_loaded_in_8bit", False):
        raise BadInput(f"{how}: 8-bit weights cannot be drawn anew; load the subject without 8bit")
    if how.what == NOISE:
        _read_noise(model.get_input_embeddings(), how.seed)
        return
    for name, weight in model.named_parameters():
        if not weight.is_floating_point() or weight.device.type == "meta":
            raise BadInput(f"{how}: the weight {name} is not held here as numbers")
        mean, spread = _moments(weight)
        drawn = _normal(weight.shape, f"{how.seed}|{name}|redrawn")
        weight.copy_(drawn.mul_(spread).add_(mean))


def _moments(weight: Tensor) -> tuple[float, float]:
    """Mean and standard deviation of a parameter's entries."""
    values = weight.detach().double()
    pair = float(values.mean()), float(values.std(correction=0))
    return float(f"{pair[0]:.{DIGITS}g}"), float(f"{pair[1]:.{DIGITS}g}")


def _normal(shape: torch.Size, stream: str) -> Tensor:
    rng = torch.Generator().manual_seed(text_seed(stream) % 2**63)
    return torch.empty(shape, dtype=torch.float32).normal_(generator=rng)


def _read_noise(embedding: Any, seed: int) -> None:
    """Give noise in place of what an embedding looks up; a sequence always gets the same.

    In place of its own forward: what traces read is seen before a hook could change it.
    """
    mean, spread = _moments(next(embedding.parameters()))
    look_up = embedding.forward

    def noise(ids: Tensor, *more: Any, **named: Any) -> Tensor:
        output = look_up(ids, *more, **named)
        rows = [
            _normal(row.shape, f"{seed}|{_digest(one)}|{NOISE}")
            for one, row in zip(ids, output, strict=True)
        ]
        return torch.stack(rows).mul_(spread).add_(mean).to(output)

    embedding.forward = noise


def _digest(ids: Tensor) -> str:
    return hashlib.sha256(ids.cpu().numpy().tobytes()).hexdigest()


def fingerprint(weights: str, how: Redrawn | None) -> str:
    """Tell a subject that reads noise from the one with the same weights."""
    if how is None or how.what != NOISE:
        return weights
    return hashlib.sha256(f"{weights}|{how.what}|{how.seed}".encode()).hexdigest()

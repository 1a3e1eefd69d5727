"""Figures of a finished demo folder, measured from the shipped files on held-out documents.

An ablation at a residual stream removes everything the later layers read, so zero is an absurdly
weak opponent: the mean of the training activations is reported beside it. Special positions keep
their own residual in all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import GPTNeoXForCausalLM

from core.demo import autoencoder
from core.demo.autoencoder import TopK
from core.demo.language_model import held_out_loss
from core.demo.residual import activations, replaced


class SaeFigures(NamedTuple):
    """How good one SAE is; everything on held-out text but `dead`."""

    hookpoint: str
    n_features: int
    k: int
    fvu: float  # share of the variance that stays unexplained, 0..1
    active: float  # features on at a token, mean
    dead: int  # features that never fire on `dead_on` training tokens
    dead_on: int  # tokens
    loss_spliced: float  # nats a token, with the reconstruction in place of the residual
    loss_zero: float  # nats a token, with zeros
    loss_mean: float  # nats a token, with the mean of the training activations
    recovered_zero: float  # share of the gap between zeros and the intact model that is closed
    recovered_mean: float  # the same against the mean


@dataclass(frozen=True, slots=True)
class Figures:
    """What the model card states."""

    n_parameters: int
    loss: float  # nats a token
    saes: tuple[SaeFigures, ...]


def measure(folder: Path, held_out: Tensor, train: Tensor) -> Figures:
    """Load the model and every SAE of a demo folder and measure them.

    held_out, train: int64 [sequence, position], beginning with BOS.
    """
    model = GPTNeoXForCausalLM.from_pretrained(folder / "model").eval()
    hookpoints = tuple(sorted(path.name for path in (folder / "sae").iterdir()))
    loss = held_out_loss(model, held_out)
    tested = activations(model, held_out, hookpoints)
    trained = activations(model, train, hookpoints)
    saes = tuple(
        _sae_figures(folder, name, model, held_out, loss, tested[name], trained[name])
        for name in hookpoints
    )
    n = sum(parameter.numel() for parameter in model.parameters())
    return Figures(n, loss, saes)


def _sae_figures(
    folder: Path,
    hookpoint: str,
    model: GPTNeoXForCausalLM,
    ids: Tensor,
    loss: float,
    tested: Tensor,
    trained: Tensor,
) -> SaeFigures:
    sae = autoencoder.load(folder / "sae" / hookpoint)
    mean = trained.float().mean(0)
    spliced = _loss_with(model, hookpoint, ids, sae)
    zero = _loss_with(model, hookpoint, ids, torch.zeros_like)
    flat = _loss_with(model, hookpoint, ids, mean.expand_as)
    fvu, active, _ = _fit(sae, tested)
    alive = _fit(sae, trained)[2]
    return SaeFigures(
        hookpoint=hookpoint,
        n_features=len(sae.W_dec),
        k=sae.k,
        fvu=fvu,
        active=active,
        dead=int((~alive).sum()),
        dead_on=len(trained),
        loss_spliced=spliced,
        loss_zero=zero,
        loss_mean=flat,
        recovered_zero=(zero - spliced) / (zero - loss),
        recovered_mean=(flat - spliced) / (flat - loss),
    )


class _Fit(NamedTuple):
    fvu: float
    active: float  # features on at a token
    alive: Tensor  # bool [feature]


@torch.inference_mode()
def _fit(sae: TopK, data: Tensor) -> _Fit:
    mean = data.float().mean(0)
    left, total, on = 0.0, 0.0, 0
    alive = torch.zeros(len(sae.W_dec), dtype=torch.bool)
    for x in data.split(4096):
        indices, values = sae.encode(x.float())
        left += (x - sae.decode(indices, values) - sae.b_dec).square().sum().item()
        total += (x - mean).square().sum().item()
        on += int((values > 0).sum())
        alive[indices[values > 0]] = True
    return _Fit(left / total, on / len(data), alive)


def _loss_with(
    model: GPTNeoXForCausalLM, hookpoint: str, ids: Tensor, edit: Callable[[Tensor], Tensor]
) -> float:
    parts = []
    for batch in ids.split(16):
        with replaced(model, hookpoint, batch, edit):
            parts.append(held_out_loss(model, batch) * len(batch))
    return sum(parts) / len(ids)

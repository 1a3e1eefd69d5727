"""Figures of a finished demo folder, measured from the shipped files on held-out documents.

An ablation at a residual stream removes everything the later layers read, so zero is an absurdly
weak opponent: the mean of the training activations is reported beside it. Special positions keep
their own residual in all of them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import GPTNeoXForCausalLM

from core.demo.residual import activations
from core.demo.text import BOS_ID
from core.quality import Sample
from core.sae import Sae, load_sae
from core.subject import Subject
from data.records import Losses


class SaeFigures(NamedTuple):
    """How good one SAE is; everything on held-out text but `dead`."""

    hookpoint: str
    n_features: int
    k: int
    fvu: float  # share of the variance that stays unexplained, 0..1
    active: float  # features on at a token, mean
    dead: int  # features that never fire on `dead_on` training tokens
    dead_on: int  # tokens
    losses: Losses  # with the reconstruction, zeros or the training mean in its place


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
    n = sum(parameter.numel() for parameter in model.parameters())
    subject = Subject(model, name="the demo's model")
    sample = Sample.of_ids(subject, held_out, (BOS_ID,), loss_tokens=held_out.numel())
    trained = activations(model, train, hookpoints)
    saes = tuple(
        _sae_figures(name, load_sae(folder / "sae", name), sample, trained[name])
        for name in hookpoints
    )
    return Figures(n, sample.loss, saes)


def _sae_figures(hookpoint: str, sae: Sae, sample: Sample, trained: Tensor) -> SaeFigures:
    fvu, active, _ = sample.quality(hookpoint, sae)
    losses = sample.losses(hookpoint, sae, trained.float().mean(0))
    assert fvu is not None
    assert losses is not None
    return SaeFigures(
        hookpoint=hookpoint,
        n_features=sae.n_features,
        k=sae.settings["k"],
        fvu=fvu,
        active=active,
        dead=sae.n_features - _alive(sae, trained),
        dead_on=len(trained),
        losses=losses,
    )


@torch.inference_mode()
def _alive(sae: Sae, data: Tensor) -> int:
    """Count the features that fire on vectors [token, d_model]."""
    alive = torch.zeros(sae.n_features, dtype=torch.bool)
    for x in data.split(4096):
        alive[sae.encode(x.float()).feature] = True
    return int(alive.sum())

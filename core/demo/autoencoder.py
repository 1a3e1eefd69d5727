"""Train a top-k sparse autoencoder (Gao et al. 2024) on stored activations.

    p = (x - b_dec) W_encᵀ + b_enc      a = relu of the k largest entries of p, 0 elsewhere
    x̂ = a W_dec + b_dec                 loss = |x - x̂|² / |x - mean|²

Rows of W_dec have length 1. At the start W_enc = W_dec and b_dec = mean. If features fall silent,
the auxiliary loss of the same paper lets them explain what is left of x.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, linear, normalize


@dataclass(frozen=True, slots=True)
class SaeSettings:
    """Size of an SAE and how it is trained."""

    n_features: int = 2048
    k: int = 16  # features on at a token
    rate: float = 2e-3  # Adam
    batch: int = 2048  # tokens a step
    decay_share: float = 1 / 3  # of the time
    silent_after: int = 200  # steps without firing, then the auxiliary loss sees a feature
    k_auxiliary: int = 64  # silent features on at a token, for the auxiliary loss
    auxiliary_weight: float = 1 / 32
    report_every: int = 100  # steps
    seed: int = 0


class SaeReport(NamedTuple):
    """Where training stands."""

    step: int
    seconds: float  # since the start, wall clock
    unexplained: float  # share of the variance, last step
    silent: int  # features that have not fired lately


class TopK(nn.Module):
    """The autoencoder; parameters carry the names of the file format (formats.md 1.3 a)."""

    def __init__(self, W_dec: Tensor, b_dec: Tensor, k: int):  # [feature, d_model], [d_model]
        super().__init__()
        self.k = k
        self.W_enc = nn.Parameter(W_dec.clone())
        self.b_enc = nn.Parameter(torch.zeros(len(W_dec)))
        self.W_dec = nn.Parameter(W_dec)
        self.b_dec = nn.Parameter(b_dec)

    def pre_activations(self, x: Tensor) -> Tensor:
        return linear(x - self.b_dec, self.W_enc, self.b_enc)

    def decode(self, indices: Tensor, values: Tensor) -> Tensor:
        return embedding_bag(indices, self.W_dec, per_sample_weights=values, mode="sum")

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x [token, d_model] -> indices and values, both [token, k]."""
        values, indices = self.pre_activations(x).topk(self.k, sorted=False)
        return indices, values.relu()

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(*self.encode(x)) + self.b_dec


def new(data: Tensor, settings: SaeSettings) -> TopK:
    """Start an SAE for activations [token, d_model]: random directions around their mean."""
    generator = torch.Generator().manual_seed(settings.seed)
    W_dec = torch.randn(settings.n_features, data.shape[1], generator=generator)
    return TopK(normalize(W_dec, dim=1), _sample(data).mean(0), settings.k)


def train(sae: TopK, data: Tensor, settings: SaeSettings, seconds: float) -> Iterator[SaeReport]:
    """Train in place on activations float16 [token, d_model] until the time is up."""
    start = time.monotonic()
    yield from train_until(sae, data, settings, lambda _: (time.monotonic() - start) / seconds)


def train_until(
    sae: TopK, data: Tensor, settings: SaeSettings, spent: Callable[[int], float]
) -> Iterator[SaeReport]:
    """Train in place until `spent`, given the steps made, says 1: the share of training done.

    Training sees x / scale, so that the learning rate suits any subject; top-k is homogeneous,
    so only the biases have to follow the scale.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    scale = (_sample(data) - sae.b_dec.detach()).norm(dim=1).mean()
    _scale_biases(sae, 1 / scale)
    optimizer = torch.optim.Adam(sae.parameters(), lr=settings.rate, betas=(0.9, 0.99), fused=True)
    silence = torch.zeros(settings.n_features, dtype=torch.long)  # steps since a feature fired
    start, step = time.monotonic(), 0
    while (share := spent(step)) < 1:
        optimizer.param_groups[0]["lr"] = settings.rate * min(
            1.0, (1 - share) / settings.decay_share
        )
        rows = torch.randint(len(data), (settings.batch,), generator=generator)
        unexplained = _step(sae, optimizer, data[rows].float() / scale, silence, settings)
        step += 1
        if step % settings.report_every == 0:
            silent = int((silence > settings.silent_after).sum())
            yield SaeReport(step, time.monotonic() - start, unexplained, silent)
    _scale_biases(sae, scale)
    sae.eval().requires_grad_(False)


def _sample(data: Tensor) -> Tensor:
    return data[:: max(1, len(data) // 50_000)].float()


@torch.no_grad()
def _scale_biases(sae: TopK, scale: Tensor) -> None:
    sae.b_enc.mul_(scale)
    sae.b_dec.mul_(scale)


def _step(
    sae: TopK, optimizer: torch.optim.Optimizer, x: Tensor, silence: Tensor, settings: SaeSettings
) -> float:
    p = sae.pre_activations(x)
    values, indices = p.topk(sae.k, sorted=False)
    rest = x - sae.b_dec - sae.decode(indices, values.relu())
    total = (x - x.mean(0)).square().sum()
    unexplained = rest.square().sum() / total
    loss = unexplained
    silent = (silence > settings.silent_after).nonzero()[:, 0]
    if len(silent) > 0:
        loss = loss + settings.auxiliary_weight * _auxiliary(
            sae, p, rest.detach(), silent, settings
        )
    loss.backward()
    with torch.no_grad():  # else every step's graph stays alive through the gradient it changed
        assert sae.W_dec.grad is not None
        along = (sae.W_dec.grad * sae.W_dec).sum(1, keepdim=True)
        sae.W_dec.grad -= along * sae.W_dec  # a step along the row would be undone by normalising
        optimizer.step()
        optimizer.zero_grad()
        sae.W_dec.copy_(normalize(sae.W_dec, dim=1))
    silence += 1
    silence[indices[values > 0]] = 0
    return unexplained.item()


def _auxiliary(sae: TopK, p: Tensor, rest: Tensor, silent: Tensor, settings: SaeSettings) -> Tensor:
    """Share of the residual variance that silent features leave when they alone explain it."""
    k = min(settings.k_auxiliary, len(silent))
    values, places = p[:, silent].topk(k, sorted=False)
    guess = sae.decode(silent[places], values.relu())
    return (rest - guess).square().sum() / rest.square().sum()


def save(sae: TopK, folder: Path) -> None:
    """Write an SAE in the layout of EleutherAI's sparsify, in float16."""
    folder.mkdir(parents=True, exist_ok=True)
    n_features, d_in = sae.W_dec.shape
    settings = {
        "activation": "topk",
        "d_in": d_in,
        "num_latents": n_features,
        "k": sae.k,
        "normalize_decoder": True,
        "transcode": False,
        "skip_connection": False,
    }
    tensors = {
        "encoder.weight": sae.W_enc,
        "encoder.bias": sae.b_enc,
        "W_dec": sae.W_dec,
        "b_dec": sae.b_dec,
    }
    (folder / "cfg.json").write_text(json.dumps(settings, indent=2) + "\n")
    half = {name: tensor.detach().half().contiguous() for name, tensor in tensors.items()}
    save_file(half, folder / "sae.safetensors")


def load(folder: Path) -> TopK:
    """Read back what `save` wrote, in float32."""
    tensors = {name: t.float() for name, t in load_file(folder / "sae.safetensors").items()}
    k = json.loads((folder / "cfg.json").read_text())["k"]
    sae = TopK(tensors["W_dec"], tensors["b_dec"], k)
    with torch.no_grad():
        sae.W_enc.copy_(tensors["encoder.weight"])
        sae.b_enc.copy_(tensors["encoder.bias"])
    return sae.eval().requires_grad_(False)

"""Noise, or a step along a direction, over a grid of strengths: what it does to a subject.

    noise     h + s R e      e: a direction of its own at every token
    feature   h + s R d      d: the feature's decoder direction
    random    h + s R u      u: random directions, each the same at every token: the control

e, d, u have length 1, R is the mean length of the subject's own vectors there, s the strength. All
ordinary tokens are changed. KL(clean || changed) is of the token after the prompt, in nats; the
target's log-probability is that of a whole text after the prompt (Poser, arXiv 2405.05466, injects
noise at one layer and reads the likelihood of the misaligned answer; methods.md 8, d; KL, a
feature's direction and the random control are ours). The same prompts, directions and noise serve
all subjects of equal width. Knows nothing of texts and stores.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from core import seeds
from core.diffing.settings import NoiseSettings
from core.hookpoints import written
from core.sae import Sae
from core.steering import divergence
from core.subject import Edit, Subject
from data.errors import BadInput, NotFound

MOST = 512  # prompts: their clean logits are held
CELLS = 2**25  # logits held at once beside those
BATCH = 16  # prompts run at once


class Prompts(NamedTuple):
    """What is run, padded behind, which no token of a causal model can see."""

    ids: Tensor  # int64 [prompts, tokens], prompt and then target
    ordinary: Tensor  # tokens that are changed, bool [prompts, tokens]
    last: Tensor  # place of each prompt's last token, int64 [prompts]
    n_target: int  # tokens of the target; 0 = none


class Measured(NamedTuple):
    """What one change does, one number a prompt; None where it is not finite."""

    kl: list[float | None]  # nats
    target: list[float | None] | None  # nats, of the whole target; None = there is none


class Place(NamedTuple):
    """Where a subject is changed."""

    subject: Subject
    sae: Sae
    hookpoint: str

    @property
    def writes(self) -> str:
        """The hookpoint that is changed: a transcoder's other end."""
        return self.subject.resolve(written(self.sae, self.hookpoint))


def prompts_of(
    ids: Sequence[Sequence[int]], target: Sequence[int], special_ids: Sequence[int]
) -> Prompts:
    """Put prompts (with their BOS) and the tokens of a target text together."""
    if not ids or any(len(one) < 2 for one in ids) or len(ids) > MOST:
        raise BadInput(f"noise is tried on 1 to {MOST} prompts of at least one token each")
    whole = [[*one, *target] for one in ids]
    longest = max(map(len, whole))
    padded = torch.tensor([one + [0] * (longest - len(one)) for one in whole])
    real = torch.arange(longest) < torch.tensor([[len(one)] for one in whole])
    special = torch.isin(padded, torch.tensor(list(special_ids), dtype=torch.long))
    last = torch.tensor([len(one) - 1 for one in ids])
    return Prompts(padded, real & ~special, last, len(target))


class Sweep:
    """One subject on some prompts; its clean predictions are kept."""

    def __init__(self, place: Place, prompts: Prompts, settings: NoiseSettings) -> None:
        _require(place, settings)
        self.place, self.prompts, self.settings = place, prompts, settings
        self.length = self._length()
        self._clean, _ = self._read(None)

    def measure(self, direction: str, strength: float) -> Measured:
        """Change all prompts; random directions are averaged prompt by prompt."""
        n = self.settings.controls if direction == "random" else 1
        found = [self._once(direction, strength, number) for number in range(n)]
        target = None
        if self.prompts.n_target:
            target = _averaged([one.target or [] for one in found])
        return Measured(_averaged([one.kl for one in found]), target)

    def _once(self, direction: str, strength: float, number: int) -> Measured:
        step = strength * self.length

        def change(first: int, ids: Tensor) -> Tensor:
            return step * self._direction(direction, number, first, ids.shape)

        logits, target = self._read(change)
        kl = divergence(self._clean, logits)
        return Measured([_finite(x) for x in kl], target)

    def _direction(self, direction: str, number: int, first: int, shape: torch.Size) -> Tensor:
        """Unit vectors, float32, [batch, tokens, width] or the like of it."""
        width, seed = self.place.subject.width(self.place.writes), self.settings.seed
        if direction == "feature":
            assert self.place.sae.W_dec is not None
            assert self.settings.feature is not None
            return _unit(self.place.sae.W_dec[self.settings.feature].float().cpu())
        if direction == "random":
            return _unit(_normal((width,), seeds.seed_of(seed, "", number, "random-direction")))
        # A stream for each prompt: how prompts are batched does not matter.
        return torch.stack([
            _unit(_normal((shape[1], width), seeds.seed_of(seed, "", first + row, "noise")))
            for row in range(shape[0])
        ])  # fmt: skip

    def _batches(self) -> Iterator[tuple[int, Tensor, Tensor]]:
        subject, ids = self.place.subject, self.prompts.ids
        size = max(1, min(BATCH, CELLS // (subject.vocabulary_size * ids.shape[1])))
        for first in range(0, len(ids), size):
            yield first, ids[first : first + size], self.prompts.ordinary[first : first + size]

    def _length(self) -> float:
        """Mean length of the vectors that are changed, over all ordinary tokens."""
        total, n = 0.0, 0
        for _, ids, ordinary in self._batches():
            found = self.place.subject.activations(ids, [self.place.writes])[self.place.writes]
            norms = found.float().norm(dim=-1).cpu()[ordinary]
            total, n = total + float(norms.sum(dtype=torch.float64)), n + len(norms)
        return total / max(1, n)

    def _read(
        self, change: Callable[[int, Tensor], Tensor] | None
    ) -> tuple[Tensor, list[float | None] | None]:
        """Logits after each prompt, float32 [prompts, vocabulary], and the target's nats."""
        rows, target = [], []
        for first, ids, ordinary in self._batches():
            edit = None
            if change is not None:
                edit = _adding(self.place.writes, change(first, ids), ordinary)
            logits = self.place.subject.every_logit(ids, edit).float().cpu()
            last = self.prompts.last[first : first + len(ids)]
            rows.append(logits[torch.arange(len(ids)), last])
            target += self._target(logits, ids, last)
        return torch.cat(rows), target if self.prompts.n_target else None

    def _target(self, logits: Tensor, ids: Tensor, last: Tensor) -> list[float | None]:
        if not self.prompts.n_target:
            return []
        place = last[:, None] + torch.arange(self.prompts.n_target)  # that predict the target
        row = torch.arange(len(ids))[:, None]
        shares = logits[row, place].double().log_softmax(-1)
        found = shares.gather(2, ids[row, place + 1][:, :, None])[..., 0].sum(1)
        return [_finite(x) for x in found.tolist()]


def _require(place: Place, settings: NoiseSettings) -> None:
    """Refuse what cannot be measured, before anything is run."""
    subject, sae, feature = place.subject, place.sae, settings.feature
    if not subject.predicts:
        raise BadInput(f"the subject {subject.name} does not say here what comes next: noise "
                       "needs its weights and its output head")  # fmt: skip
    if not settings.strengths or settings.controls < 1:
        raise BadInput("a sweep needs at least one strength and one random direction")
    if feature is None:
        return
    if sae.W_dec is None:
        raise BadInput(f"the SAE {sae.origin.source or 'in memory'} has no decoder: no direction")
    if not 0 <= feature < sae.n_features:
        raise NotFound(f"the SAE has features 0 to {sae.n_features - 1}, not {feature}")


def _adding(hookpoint: str, step: Tensor, ordinary: Tensor) -> Edit:
    """Add a step to the vectors of ordinary tokens, bool [batch, tokens]."""

    def change(_read: Tensor, old: Tensor) -> Tensor:
        added = torch.where(ordinary[:, :, None], step, torch.zeros(()))
        return old + added.to(old.device, old.dtype)

    return Edit(hookpoint, hookpoint, change)


def _normal(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.from_numpy(seeds.generator(seed).standard_normal(shape)).float()


def _unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True).clamp_min(1e-30)


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def _averaged(parts: Sequence[list[float | None]]) -> list[float | None]:
    """Mean of each place; None where any part has none."""
    return [
        None if None in values else sum(v for v in values if v is not None) / len(values)
        for values in zip(*parts, strict=True)
    ]

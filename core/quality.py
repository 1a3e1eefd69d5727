"""Whether an SAE fits the place it is read at: reconstruction, active features, loss recovered.

    FVU       = sum |y - xhat|^2 / sum |y - mean y|^2     over positions that are not special
    recovered = (L_ablated - L_spliced) / (L_ablated - L)

y is what the SAE rebuilds: what it reads, but a transcoder's output. FVU 0 is perfect; 1 or more
means that the mean would do as well, which usually is the wrong side of a module, the wrong layer,
missing normalisation or a missing BOS. L is the subject's cross-entropy; spliced, the
reconstruction stands in the place of y. Ablating a residual stream to zero removes everything that
later layers read, an absurdly weak opponent, so ablation to the mean is reported beside it. Special
positions keep their own vectors, and special tokens are not counted where they come next.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from core.hookpoints import is_output_known, written
from core.sae import Sae
from core.subject import Edit, Subject
from data.cachefiles import CacheFiles
from data.records import Losses

SEQUENCES = 64  # looked at
LOSS_TOKENS = 4096  # whose loss is measured, by four runs of the whole subject
CELLS = 2**26  # logits held at once, at most: 256 MB as float32
BATCH = 16  # sequences run at once


class Quality(NamedTuple):
    """How well an SAE does on a small sample."""

    fvu: float | None  # fraction of variance unexplained; None without decoder or spread
    l0: float  # active features a token, mean
    n_tokens: int  # looked at


class Sample:
    """Some sequences of a subject's corpus, on which any number of SAEs are measured."""

    def __init__(
        self, subject: Subject, ids: Tensor, ordinary: Tensor, loss_tokens: int = LOSS_TOKENS
    ) -> None:
        self.subject = subject
        self.loss_tokens = loss_tokens  # whose loss is measured, at most
        self.ids = ids  # int64 [sequence, position]
        self.ordinary = ordinary  # bool [sequence, position]

    @classmethod
    def of_ids(
        cls,
        subject: Subject,
        ids: Tensor,
        special_ids: Sequence[int],
        loss_tokens: int = LOSS_TOKENS,
    ) -> "Sample":
        """Take sequences, int64 [sequence, position]."""
        special = torch.tensor(list(special_ids), dtype=torch.long)
        return cls(subject, ids, ~torch.isin(ids, special), loss_tokens)

    @classmethod
    def of_cache(cls, subject: Subject, files: CacheFiles, sequences: int = SEQUENCES) -> "Sample":
        """Take the first sequences of a cache."""
        length = files.meta.sequence_length
        flat = files.tokens.flat(0, min(sequences, files.meta.n_sequences) * length)
        ids = torch.from_numpy(flat).long().reshape(-1, length)
        return cls.of_ids(subject, ids, files.meta.special_ids)

    def quality(self, hookpoint: str, sae: Sae) -> Quality:
        """Measure an SAE's reconstruction; hookpoint: what it reads."""
        is_elsewhere = sae.transcoder and is_output_known(sae)
        names = (hookpoint, written(sae, hookpoint)) if is_elsewhere else (hookpoint,)
        x, *y = self._vectors(names)
        return of_vectors(sae, x, y[0] if y else None)

    def _vectors(self, names: tuple[str, ...]) -> list[Tensor]:
        """Read vectors at ordinary positions, [token, width] a hookpoint."""
        parts = []
        for ids, ordinary in self._batches(BATCH):
            found = self.subject.activations(ids, names)
            parts.append([found[name][ordinary.to(found[name].device)] for name in names])
        return [torch.cat(column) for column in zip(*parts, strict=True)]

    def _batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        yield from zip(self.ids.split(size), self.ordinary.split(size), strict=True)

    @cached_property
    def _for_loss(self) -> "Sample":
        """So many of its sequences as a loss is measured on."""
        n = max(1, self.loss_tokens // self.ids.shape[1])
        if n >= len(self.ids):
            return self
        return Sample(self.subject, self.ids[:n], self.ordinary[:n])

    def losses(self, hookpoint: str, sae: Sae, mean: Tensor | None = None) -> Losses | None:
        """Measure what the subject loses with an SAE in its place; None where it cannot be known.

        mean: [d_out], of what the SAE rebuilds; taken from the sample where it is not given.
        Unknown without a decoder or an output head, of a subject that runs elsewhere, of a
        transcoder that writes nobody knows where, and at a norm's input, which the residual stream
        passes by.
        """
        if not is_output_known(sae):
            return None
        writes, short = self.subject.resolve(written(sae, hookpoint)), self._for_loss
        is_known = (
            sae.W_dec is not None and self.subject.predicts and _is_whole(self.subject, writes)
        )
        if not is_known or not short.ordinary[:, 1:].any():
            return None
        if mean is None:
            mean = short._vectors((writes,))[0].float().mean(0)

        def with_new(new: Callable[[Tensor], Tensor]) -> float:
            return short._loss(hookpoint, writes, new)

        return Losses(
            intact=short.loss,
            spliced=with_new(lambda x: sae.decode(sae.encode(x), x)),
            zero=with_new(lambda x: x.new_zeros(len(x), len(mean))),
            mean=with_new(lambda x: mean.to(x.device).expand(len(x), -1)),
        )

    @cached_property
    def loss(self) -> float:
        """Cross-entropy of the subject as it is on the whole sample, nats a token."""
        return self._loss("", "", None)

    def _loss(self, reads: str, writes: str, new: Callable[[Tensor], Tensor] | None) -> float:
        """Cross-entropy with new vectors at `writes` made of those at `reads`, [token, width]."""
        total, n = 0.0, 0
        vocabulary = self.subject.vocabulary_size
        for ids, ordinary in self._batches(max(1, CELLS // (vocabulary * self.ids.shape[1]))):
            edit = None if new is None else Edit(reads, writes, _replacing(ordinary, new))
            logits = self.subject.every_logit(ids, edit)
            found = _cross_entropy(logits, ids.to(logits.device), ordinary.to(logits.device))
            total, n = total + float(found.sum(dtype=torch.float64)), n + len(found)
        return total / n


def of_vectors(sae: Sae, x: Tensor, y: Tensor | None = None) -> Quality:
    """Measure an SAE on vectors [n, d_in]; y [n, d_out]: what a transcoder should give."""
    with torch.inference_mode():
        active = sae.encode(x)
        l0 = len(active.value) / max(1, len(x))
        if sae.W_dec is None or not len(x) or (sae.transcoder and y is None):
            return Quality(None, l0, len(x))
        wide = (x if y is None else y).double()
        missed = (wide - sae.decode(active, x).double()).pow(2).sum()
        spread = (wide - wide.mean(0)).pow(2).sum()
        return Quality(float(missed / spread) if spread else None, l0, len(x))


def _is_whole(subject: Subject, writes: str) -> bool:
    """Say whether all that goes through a place can be changed there."""
    module = subject.model.get_submodule(writes.removesuffix(":in"))
    return not (writes.endswith(":in") and "norm" in type(module).__name__.lower())


def _replacing(
    ordinary: Tensor, new: Callable[[Tensor], Tensor]
) -> Callable[[Tensor, Tensor], Tensor]:
    """Make the change of a batch; ordinary: bool [batch, sequence]."""

    def change(read: Tensor, old: Tensor) -> Tensor:
        chosen = ordinary.to(old.device)
        out = old.clone()
        out[chosen] = new(read[chosen]).to(out.dtype)
        return out

    return change


def _cross_entropy(logits: Tensor, ids: Tensor, ordinary: Tensor) -> Tensor:
    """Nats of every ordinary token that has one before it, [tokens]."""
    wanted = ordinary[:, 1:]
    return torch.nn.functional.cross_entropy(
        logits[:, :-1][wanted].float(), ids[:, 1:][wanted], reduction="none"
    )

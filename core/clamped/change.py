"""Token change: how all logits move when a feature is held at a value on texts that are given.

arXiv 2501.08319: the tokens whose logits change most, on average over 32 random texts, when the
feature is clamped. Here the mean is over all tokens of the texts, BOS left out, and what all logits
have in common is taken away, since it changes no probability.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from core.clamped.edit import Held, holding, require_decoder
from core.sae import Sae
from core.subject import Edit, Subject
from data.errors import BadInput

BUDGET = 256 * 2**20  # bytes of logits held at once


class TokenChange:
    """Some texts, run once without any change."""

    def __init__(self, subject: Subject, texts: Tensor, n_before: int, n_vocabulary: int) -> None:
        """Run the texts: ids int64 [texts, tokens], each with n_before special tokens first."""
        if not subject.predicts:
            name = subject.name or "in memory"
            raise BadInput(
                f"the subject {name} does not say here what comes next, so that no token change "
                "can be measured: use --evidence cached"
            )
        self._subject, self._texts = subject, texts
        self._n_before, self._n_vocabulary = n_before, n_vocabulary
        self._clean = self._mean(lambda _rows: None)

    def of(self, sae: Sae, hookpoint: str, feature: int, value: float) -> Tensor:
        """Mean change of every logit while the feature is held, float64 [vocabulary]."""
        require_decoder(sae, [feature])
        held = Held(feature, value)

        def edit(rows: int) -> Edit:
            return holding(sae, hookpoint, [held] * rows, self._n_before)

        change = self._mean(edit) - self._clean
        return change - change.mean()

    def _mean(self, edit: Callable[[int], Edit | None]) -> Tensor:
        """Logits over all ordinary tokens of the texts, mean, float64 [vocabulary] on the CPU."""
        n_texts, n_tokens = self._texts.shape
        step = max(1, BUDGET // (4 * n_tokens * self._n_vocabulary))
        total = torch.zeros(self._n_vocabulary, dtype=torch.float64)
        for first in range(0, n_texts, step):
            rows = self._texts[first : first + step]
            logits = self._subject.every_logit(rows, edit(len(rows)))
            logits = logits[:, self._n_before :, : self._n_vocabulary]
            total += logits.sum(dim=(0, 1), dtype=torch.float64).cpu()
        return total / (n_texts * (n_tokens - self._n_before))


def strongest(change: Tensor, n: int) -> tuple[Sequence[int], Sequence[int]]:
    """Ids of the n logits that rise most, largest first, and of the n that fall most."""
    n = min(n, len(change))
    return change.topk(n).indices.tolist(), change.topk(n, largest=False).indices.tolist()

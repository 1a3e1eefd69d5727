"""Surprisal: does the explanation make activating contexts less surprising? (methods.md 5.8)

A base language model reads a few descriptions with sentences that fit them, then the explanation,
and says how likely each context is as the next sentence; the same again with a description that
says nothing. What the explanation adds is info(x) = sum_t [log p(x_t | z, x_<t) - log p(x_t |
control, x_<t)], in nats; contexts are ranked by it (arXiv 2410.13928, sec. 4; agreement with
people's ratings is low there, Spearman .34).

Each explanation is given as many blocks as its length leaves room for, with the same number for
its control, so its score does not depend on what other explanations are scored beside it.
"""

from collections.abc import Sequence

import numpy as np

from core.causal import Reader
from core.prompts.surprisal import BLOCKS, CONTROL, continuation, prefix
from core.score import statistics
from core.score.items import Items
from core.score.material import Claim, Material, Outcomes
from core.score.ranking import METRIC, Setting, outcomes, ranked_items
from core.score.undefined import too_few, undefined

LogProbs = list[np.ndarray]  # nats by token, float64 [tokens], one a context


class SurprisalScorer:
    """Ranks contexts by how much likelier the explanation makes them."""

    name = "surprisal"

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @property
    def judge(self) -> str:
        """The language model's name."""
        return self._reader.name

    def score(self, material: Material, claims: Sequence[Claim]) -> list[Outcomes]:
        """Score the explanations of one feature; the control is read once for all of them."""
        setting = Setting(self.name, self.judge)
        reason = too_few(material)
        if reason is not None:
            return self._undefined(material, claims, reason)
        items = ranked_items(material, self.name)
        pieces = material.pieces(material.tokens(items.first_token))
        texts = [continuation("".join(one)) for one in pieces]
        longest = max((self._reader.n_text_tokens(text) for text in texts), default=0)
        controls: dict[int, LogProbs] = {}
        made = []
        for claim in claims:
            n_blocks = self._room(claim.text, longest)
            if n_blocks is None:
                made += self._undefined(material, [claim], self._too_long(claim, longest))
                continue
            if n_blocks not in controls:
                controls[n_blocks] = self._reader.logprobs(prefix(CONTROL, n_blocks), texts)
            found = self._reader.logprobs(prefix(claim.text, n_blocks), texts)
            total, mean = information(found, controls[n_blocks])
            detail = {"blocks": n_blocks, "per_token": _auroc(items, mean)}
            made.append(outcomes(material, items, claim, total, setting, detail))
        return made

    def _undefined(
        self, material: Material, claims: Sequence[Claim], reason: str
    ) -> list[Outcomes]:
        return undefined(
            material, claims, scorer=self.name, metric=METRIC, judge=self.judge, reason=reason
        )

    def _room(self, text: str, longest: int) -> int | None:
        """How many blocks fit before explanation and context; None = not even those two fit."""
        limit = self._reader.max_length
        for n_blocks in range(len(BLOCKS), -1, -1):
            needed = max(self._reader.n_tokens(prefix(said, n_blocks)) for said in (text, CONTROL))
            if limit is None or needed + longest <= limit:
                return n_blocks
        return None

    def _too_long(self, claim: Claim, longest: int) -> str:
        needed = self._reader.n_tokens(prefix(claim.text, 0)) + longest
        return (
            f"explanation and context take {needed} tokens, {self._reader.name} reads "
            f"{self._reader.max_length}: use a model that reads more"
        )


def information(found: LogProbs, control: LogProbs) -> tuple[np.ndarray, np.ndarray]:
    """What a description tells about each text: nats in all and by token, float64 [n].

    A text without tokens tells nothing that could be measured: NaN.

    >>> information([[-1., -2.], []], [[-2., -2.5], []])
    [1.5, nan], [0.75, nan]
    """
    total = np.array(
        [
            (one - other).sum() if len(one) else np.nan
            for one, other in zip(found, control, strict=True)
        ]
    )
    length = np.array([len(one) for one in found])
    return total, total / np.maximum(length, 1)


def _auroc(items: Items, value: np.ndarray) -> float | None:
    used = items.base & np.isfinite(value)
    return statistics.auroc(value[used], items.expected[used])

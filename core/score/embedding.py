"""Embedding: is an activating context nearer to the explanation than a silent one? (methods.md 5.7)

Explanation and contexts are encoded as sentences and compared by cosine; no judge is asked. Cheap,
and blind to form: it knows what a text is about, not which token fires (arXiv 2410.13928, sec. 4;
there Spearman .32 with people's ratings). Good for leaving out explanations before a judge is paid.
"""

from collections.abc import Sequence

import numpy as np

from core.encoder import Encoder, text_of
from core.prompts.embedding import query
from core.score.material import Claim, Material, Outcomes
from core.score.ranking import METRIC, Setting, outcomes, ranked_items
from core.score.undefined import too_few, undefined


class EmbeddingScorer:
    """Ranks contexts by the cosine between their text and the explanation."""

    name = "embedding"

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    @property
    def judge(self) -> str:
        """The encoder's name."""
        return self._encoder.name

    def score(self, material: Material, claims: Sequence[Claim]) -> list[Outcomes]:
        """Score the explanations of one feature; its contexts are encoded once for all of them."""
        setting = Setting(self.name, self.judge)
        reason = too_few(material)
        if reason is not None:
            return self._undefined(material, claims, reason)
        items = ranked_items(material, self.name)
        pieces = material.pieces(material.tokens(items.first_token))
        queries = [query(claim.text) for claim in claims]
        # In one call, so that an endpoint that fails for some gives rows of one width all the same.
        vectors = self._encoder.encode([*(text_of(one) for one in pieces), *queries])
        contexts, asked = vectors[: len(pieces)], vectors[len(pieces) :]
        cosine = np.einsum("nd,cd->cn", contexts, asked)  # [claim, context]
        return [
            outcomes(material, items, claim, value, setting, {"query": said})
            for claim, value, said in zip(claims, cosine, queries, strict=True)
        ]

    def _undefined(
        self, material: Material, claims: Sequence[Claim], reason: str
    ) -> list[Outcomes]:
        return undefined(
            material, claims, scorer=self.name, metric=METRIC, judge=self.judge, reason=reason
        )

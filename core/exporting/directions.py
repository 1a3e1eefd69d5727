"""Decoder rows of a cache's SAEs and their effect on every token's logit, for exports.

Loads the subject and the SAEs, and refuses those that are not what the cache was made with.
"""

from core.exporting.neuronpedia_rows import Direction
from core.hookpoints import transformer_lens_name
from core.probe import open_probe
from data.catalogue import Catalogue
from data.errors import BadInput
from data.records import CacheRecord, HookpointRecord


class Directions:
    """The decoder of one hookpoint."""

    def __init__(
        self, catalogue: Catalogue, record: CacheRecord, hookpoint: HookpointRecord
    ) -> None:
        if not record.has_activations or record.origin:
            raise BadInput(
                f"cache '{record.name}' was imported, so its SAE is not at hand: leave --vectors "
                "out"
            )
        probe = open_probe(catalogue, record, [hookpoint.name])
        W_dec = probe.sae(hookpoint.name).W_dec
        if W_dec is None:
            raise BadInput(f"the SAE of {hookpoint.name} has no decoder: leave --vectors out")
        W_U = probe.subject.unembedding()
        fits = W_U is not None and W_U.shape[0] == W_dec.shape[1]
        self._decoder = W_dec.float()
        self._unembedding = W_U.to(W_dec.device) if W_U is not None and fits else None
        self._hook = transformer_lens_name(hookpoint.name, probe.subject.architecture)

    def of(self, feature: int) -> Direction:
        """One feature's row of the decoder."""
        row = self._decoder[feature]
        logits = None if self._unembedding is None else row @ self._unembedding
        return Direction(
            row.cpu().numpy(), self._hook, None if logits is None else logits.cpu().numpy()
        )

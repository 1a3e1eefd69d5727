"""Sparse autoencoders: one file a kind, one loader a file format, one interface."""

from core.sae.checks import require_fit
from core.sae.coder import Origin, Sae, Sparse, Weights
from core.sae.formats import Listed, list_hookpoints, list_offers, load_sae
from core.sae.jumprelu import JumpReLU
from core.sae.random import Random, is_random
from core.sae.relu import ReLU
from core.sae.topk import TopK

__all__ = [
    "JumpReLU",
    "Listed",
    "Origin",
    "Random",
    "ReLU",
    "Sae",
    "Sparse",
    "TopK",
    "Weights",
    "is_random",
    "list_hookpoints",
    "list_offers",
    "load_sae",
    "require_fit",
]

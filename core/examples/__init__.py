"""From activations to examples: contexts, deciles, the split, and contexts without activation.

    contexts.py    a cache cut into tiles, copies folded, sequences split; built once per cache
    activating.py  a feature's activating contexts, ranked into deciles
    negatives.py   silent contexts: random, token
    draw.py        what explainers and judges of a feature see, one feature or a block of them
    sampling.py    other samples of train contexts for an explainer
    harder.py      silent contexts on request, the neighbours' filter
    similar.py     silent contexts whose text is like that of activating ones
    presets.py     sizes of the protocols

A feature's examples depend on (cache seed, hookpoint, feature, preset) and on nothing else.
"""

from core.examples.contexts import Contexts, Windows
from core.examples.draw import (
    KINDS,
    BlockExamples,
    FeatureExamples,
    draw,
    draw_all,
)
from core.examples.harder import Neighbour, with_neighbours, with_token
from core.examples.presets import PRESETS, Counts, Preset
from core.examples.sampling import explainer_contexts
from core.examples.similar import SimilarIndex, with_similar

__all__ = [
    "KINDS",
    "PRESETS",
    "BlockExamples",
    "Contexts",
    "Counts",
    "FeatureExamples",
    "Neighbour",
    "Preset",
    "SimilarIndex",
    "Windows",
    "draw",
    "draw_all",
    "explainer_contexts",
    "with_neighbours",
    "with_similar",
    "with_token",
]

"""Hookpoints in the words of every library, and as module paths of a subject."""

from core.hookpoints.families import family_of
from core.hookpoints.names import transformer_lens_name
from core.hookpoints.places import Place, fitted, locate, projection, written

__all__ = [
    "Place",
    "family_of",
    "fitted",
    "locate",
    "projection",
    "transformer_lens_name",
    "written",
]

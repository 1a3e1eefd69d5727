"""Hookpoints in the words of every library, and as module paths of a subject."""

from core.hookpoints.families import family_of
from core.hookpoints.names import modules_called, transformer_lens_name
from core.hookpoints.places import (
    Absent,
    Place,
    centred,
    fitted,
    is_output_known,
    locate,
    projection,
    written,
)

__all__ = [
    "Absent",
    "Place",
    "centred",
    "family_of",
    "fitted",
    "is_output_known",
    "locate",
    "modules_called",
    "projection",
    "transformer_lens_name",
    "written",
]

"""The bundled demo: where its files lie, and how it is cached. Light: no torch.

The subject and its SAEs were trained by `core.demo.train`; the text is never shipped, it is read
from the user's own Python installation.
"""

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "data" / "demo"
MODEL = FOLDER / "model"
SAE = FOLDER / "sae"
HOOKPOINTS = ("gpt_neox.layers.1", "gpt_neox.layers.2")  # each has a folder below SAE
CORPUS = "python-docs"
N_TOKENS = 204_800  # cached by `gloss demo`: 1,600 sequences
SEQUENCE_LENGTH = 128  # trained at this length, cached at this length

"""The model being explained: what it is, where it can be read, what passes by when it runs.

In: token ids [batch, sequence]. Out: activations [batch, sequence, width] at modules named as in
the model's `named_modules()`, output side, or input side where the name ends in ":in"; or logits,
with what a module computes changed on its way. Knows nothing of SAEs, text corpora or stores.
"""

from core.subject.decoding import Decoding
from core.subject.edit import Edit
from core.subject.model import RunsOn, Subject

__all__ = ["Decoding", "Edit", "RunsOn", "Subject"]

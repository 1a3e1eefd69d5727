"""What a trial of an explanation on the selection split says, for explainers that choose.

Run by the pipeline (core/pipeline/trial.py) on train contexts that no prompt has shown.
"""

from typing import NamedTuple, Protocol

import numpy as np

from core.explain.evidence import Shown
from core.llm.requests import Outcome


class Tried(NamedTuple):
    """An explanation tried on the selection split: always the same items of a feature."""

    right: np.ndarray  # bool [n], meaningless where not usable
    usable: np.ndarray  # bool [n]; false = no usable reply
    activating: np.ndarray  # bool [n], what the items are
    false_negatives: tuple[Shown, ...]  # activating contexts that the judge said no to
    false_positives: tuple[Shown, ...]  # silent contexts that it said yes to
    value: float | None  # balanced accuracy, 0..1
    outcomes: tuple[Outcome, ...] = ()


class Trial(Protocol):
    """Tries an explanation on contexts of train that no prompt has shown."""

    def __call__(self, text: str) -> Tried:
        """Have a judge that knows only this text answer every item."""
        ...

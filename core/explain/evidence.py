"""What an explainer may see of a feature, in words and numbers, with no cache behind it.

Built by the pipeline from train contexts only (core/pipeline/evidence.py); prompts are made from it
alone, so that they can be read, stored and compared.
"""

from dataclasses import dataclass
from typing import NamedTuple


class Shown(NamedTuple):
    """One context as a prompt shows it: a piece of text and a value a token."""

    pieces: tuple[str, ...]  # text of each token; "" for special tokens and split characters
    activations: tuple[float, ...]  # raw, of the feature being explained; 0 = silent
    decile: int  # 1 weakest .. 10 strongest; 0 = a silent context

    @property
    def peak(self) -> float:
        """Largest activation, raw."""
        return max(self.activations, default=0.0)


class Effect(NamedTuple):
    """A token that a feature makes more or less likely."""

    piece: str
    value: float  # effect on its logit; ranks tokens within the feature


class OutputTokens(NamedTuple):
    """What is known of a feature's output."""

    promoted: tuple[Effect, ...] = ()  # by the decoder direction, strongest first; () = not known
    suppressed: tuple[Effect, ...] = ()  # most negative first
    rising: tuple[Effect, ...] = ()  # measured on texts: mean change, largest first; () = not asked
    falling: tuple[Effect, ...] = ()  # most negative first


class PeakToken(NamedTuple):
    """A token at which the feature fires."""

    piece: str
    n: int  # firings on it
    mean: float  # activation there, raw


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything about one feature that goes into prompts."""

    feature: int
    hookpoint: str
    examples: tuple[Shown, ...]  # activating train contexts, already in shuffled order
    silent: tuple[Shown, ...]  # non-activating train contexts, hardest kind first
    max_activation: float  # over the corpus, raw: the scale of 0..10
    promoted: tuple[Effect, ...] = ()  # strongest first; () = not known
    suppressed: tuple[Effect, ...] = ()  # most negative first
    peak_tokens: tuple[PeakToken, ...] = ()  # most frequent first
    rising: tuple[Effect, ...] = ()  # measured on texts, largest change first; () = not asked for
    falling: tuple[Effect, ...] = ()  # most negative first

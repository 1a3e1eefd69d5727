"""What is asked of steering and what comes of it, as records; knows nothing of tensors.

A strength is in units of the feature's largest activation in the cache, so that 1 means the same of
every feature.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Mode = Literal["add", "ablate", "set"]
Where = Literal["end", "everywhere"]  # from the last prompt token on; from the first one on
LONGEST = 60  # tokens written, at most
LISTED = 10  # tokens that rise, and that fall
MOVED = 1e-4  # smallest change of a probability that is listed


@dataclass(frozen=True, slots=True)
class Steering:
    """What is done to one feature."""

    feature: int
    mode: Mode = "add"
    strength: float = 1.0  # in units of `scale`; an ablation has none
    scale: float = 1.0  # raw: the largest activation of the feature
    where: Where = "end"


@dataclass(frozen=True, slots=True)
class Writing:
    """How the text goes on."""

    n_tokens: int = 20  # 1 .. 60; fewer where the text ends
    n_texts: int = 1
    temperature: float = 0.0  # 0: always the likeliest token, so that all texts are the same
    seed: int = 0


class Continuation(NamedTuple):
    """One text as the subject writes on."""

    ids: tuple[int, ...]  # without the token that ended it
    is_ended: bool  # the subject ended the text


class Change(NamedTuple):
    """A token whose probability moves."""

    token: int
    before: float  # 0..1
    after: float  # 0..1


class Steered(NamedTuple):
    """What an edit does to one prompt."""

    clean: tuple[Continuation, ...]
    steered: tuple[Continuation, ...]
    kl: float  # of the next token after the prompt, KL(clean || steered), nats
    # The same before each token of each steered text; the clean distribution sees that very text.
    kl_by_token: tuple[tuple[float, ...], ...]
    rising: tuple[Change, ...]  # largest gain first, at least MOVED
    falling: tuple[Change, ...]  # largest loss first
    activation: float  # of the feature at the last prompt token without the edit, raw

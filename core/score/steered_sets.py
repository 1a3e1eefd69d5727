"""Texts that a subject wrote while features were held at values, as records and as JSON.

A *set* is one feature's texts; a *trial* shows three sets, one of them the feature's own. Stored
with the trial, so that what a judge saw can be read again. Knows nothing of tensors and judges.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

PROMPTS = ("The explanation is simple:", "I think", "We")  # arXiv 2501.08319
TARGETS = (0.25, 0.5)  # KL of the next token, nats; the same paper, as the rest
SIGNS = (1, -1)
N_TOKENS = 25  # of a text after its prompt


class Aimed(NamedTuple):
    """A value that a feature is held at, or why there is none."""

    target: float  # KL(clean || held) of the next token that was aimed at, nats
    sign: int  # 1 turned up, -1 turned down
    value: float | None  # raw activation
    kl: float | None  # achieved, nats
    reason: str | None = None  # why there is no value

    @property
    def kind(self) -> tuple[float, int]:
        """What makes two features' texts comparable."""
        return self.target, self.sign


class Text(NamedTuple):
    """A beginning and how it went on."""

    prompt: str
    pieces: tuple[str, ...]  # of the new tokens

    @property
    def whole(self) -> str:
        """Beginning and new tokens."""
        return self.prompt + "".join(self.pieces)


class TextSet(NamedTuple):
    """One feature's texts, by the value that it was held at."""

    feature: int
    held: tuple[tuple[Aimed, tuple[Text, ...]], ...]

    def only(self, kinds: Sequence[tuple[float, int]]) -> "TextSet":
        """Keep the texts of some targets and signs."""
        return TextSet(self.feature, tuple(one for one in self.held if one[0].kind in kinds))

    def texts(self, sign: int) -> tuple[Text, ...]:
        """The texts of one sign: 1 turned up, -1 turned down."""
        return tuple(text for at, texts in self.held if at.sign == sign for text in texts)


class Trial(NamedTuple):
    """Three sets in the order in which they are shown."""

    sets: tuple[TextSet, ...]
    right: int  # place of the feature's own, 0 on

    def as_json(self) -> list[dict[str, Any]]:
        """Write for the store, a set an entry."""
        return [
            {
                "feature": one.feature,
                "held": [
                    {
                        "target": at.target,
                        "sign": at.sign,
                        "value": at.value,
                        "kl": at.kl,
                        "texts": [[text.prompt, *text.pieces] for text in texts],
                    }
                    for at, texts in one.held
                ],
            }
            for one in self.sets
        ]


def read_trial(stored: Sequence[Mapping[str, Any]], feature: int) -> Trial:
    """Read a stored trial of a feature back."""
    sets = tuple(
        TextSet(
            entry["feature"],
            tuple(
                (
                    Aimed(at["target"], at["sign"], at["value"], at["kl"]),
                    tuple(Text(prompt, tuple(pieces)) for prompt, *pieces in at["texts"]),
                )
                for at in entry["held"]
            ),
        )
        for entry in stored
    )
    return Trial(sets, [one.feature for one in sets].index(feature))


class SetWriter(Protocol):
    """Writes sets; `core.clamped.texts.ClampedWriter` does."""

    def aimed(self, hookpoint: str, features: Sequence[int]) -> Sequence[Sequence[Aimed]]:
        """For each feature, every target and sign: the value that reaches it, or why none does."""
        ...

    def write(self, hookpoint: str, wanted: Sequence[tuple[int, int]]) -> Sequence[TextSet]:
        """Write a set for each pair of a feature and the number of a draw, 0 on."""
        ...

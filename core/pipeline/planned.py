"""What stands for the subject in a dry run: nothing is loaded, nothing is measured."""

from collections.abc import Sequence

import numpy as np

from core.pipeline.workbench import Workbench
from core.score.steered_sets import N_TOKENS, PROMPTS, SIGNS, TARGETS, Aimed, Text, TextSet
from core.seeds import below, seed_of


class NoSubject:
    """Runs no text."""

    def peaks(self, texts: Sequence[str], hookpoint: str, feature: int) -> Sequence[float | None]:
        """Measure nothing."""
        return [None] * len(texts)


class PlannedSets:
    """Text sets as long as those that will be written, from the tokens of the corpus."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def aimed(self, hookpoint: str, features: Sequence[int]) -> list[tuple[Aimed, ...]]:
        """Reach every target, at any hookpoint."""
        every = tuple(Aimed(kl, sign, float(sign), kl) for kl in TARGETS for sign in SIGNS)
        return [every for _ in features]

    def write(self, hookpoint: str, wanted: Sequence[tuple[int, int]]) -> list[TextSet]:
        """Cut texts out of the corpus."""
        (values,) = self.aimed(hookpoint, [0])  # the same for all
        return [
            TextSet(feature, tuple(
                (at, tuple(
                    Text(prompt, self._pieces(hookpoint, feature, f"{draw}-{i}-{j}"))
                    for j, prompt in enumerate(PROMPTS)
                ))
                for i, at in enumerate(values)
            ))
            for feature, draw in wanted
        ]  # fmt: skip

    def _pieces(self, hookpoint: str, feature: int, purpose: str) -> tuple[str, ...]:
        files, seed = self._bench.files, self._bench.record.seed
        stream = seed_of(seed, hookpoint, feature, f"planned-{purpose}")
        room = files.meta.sequence_length - N_TOKENS
        (sequence,) = below(stream, np.array([0]), self._bench.record.n_sequences)
        (place,) = below(stream, np.array([1]), max(1, room))
        first = np.array([sequence * files.meta.sequence_length + place], np.uint64)
        return tuple(files.vocabulary.pieces(files.tokens.windows(first, N_TOKENS)[0].tolist()))

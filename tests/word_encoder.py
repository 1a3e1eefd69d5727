"""An encoder for tests: a direction for each word, so that cosines count shared words."""

from collections.abc import Sequence

import numpy as np

from core.encoder import unit

WIDTH = 64


class WordEncoder:
    """Satisfies the protocol of core.encoder; remembers what it was asked."""

    name = "words@1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Sum up a fixed direction for each word; a text without words has none."""
        self.asked += texts
        rows = [sum((_direction(word) for word in _words(text)), np.zeros(WIDTH)) for text in texts]
        return unit(np.array(rows).reshape(len(texts), WIDTH))


def _words(text: str) -> list[str]:
    return [word.strip("“”.,") for word in text.lower().split()]


def _direction(word: str) -> np.ndarray:
    return np.random.default_rng(list(word.encode())).normal(size=WIDTH) * bool(word)

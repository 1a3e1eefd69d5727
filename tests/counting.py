"""Fakes of an encoder and of a language model that only count words."""

import re

import numpy as np

WORD = re.compile(r"\bw(\d+)\b")
WIDTH = 100


class CountingEncoder:
    """A text is the counts of its words w0 .. w99; `broken` says which texts have no vector."""

    name = "counting@1"

    def __init__(self, broken=lambda text: False):
        self.asked = []
        self._broken = broken

    def encode(self, texts):
        self.asked.append(list(texts))
        rows = [self._row(text) for text in texts]
        return np.array(rows, np.float32).reshape(len(texts), WIDTH)

    def _row(self, text):
        if self._broken(text):
            return np.full(WIDTH, np.nan)
        counts = np.bincount([int(n) for n in WORD.findall(text)], minlength=WIDTH) + 1e-3
        return counts / np.linalg.norm(counts)


class CountingReader:
    """A word costs 2 nats, and 1 where the prefix named it; a token is a word."""

    name = "counting"

    def __init__(self, max_length=None):
        self.max_length = max_length
        self.asked = []

    def n_tokens(self, prefix):
        return 1 + len(prefix.split())

    def n_text_tokens(self, text):
        return len(text.split())

    def logprobs(self, prefix, texts):
        self.asked.append(prefix)
        named = set(WORD.findall(prefix))
        return [
            np.array([-1.0 if set(WORD.findall(word)) & named else -2.0 for word in text.split()])
            for text in texts
        ]

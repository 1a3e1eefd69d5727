"""Deciding literals on rows of tokens: the only place where a literal gets its meaning.

A `Text` is a block of token rows, [n, w]: whole sequences when an explanation is checked, single
contexts when it is judged. A row sees nothing outside itself: a literal about a token that is not
there is false. Positions in a text are flat indices, row * w + column, as in the caches.
"""

from functools import cached_property

import numpy as np

from core.grammar.language import BACK, NEAR, Literal
from core.grammar.words import Words

BRACKET_REACH = 64  # tokens after which an open bracket is taken for one that was never closed


class Text:
    """Token rows and what can be asked about them.

    tokens int32 [n, w]; starts int64 [n]: position of each row's first token in its sequence;
    document_starts bool [n, w] or None when it is not known where documents start.
    """

    def __init__(
        self,
        words: Words,
        tokens: np.ndarray,
        starts: np.ndarray | None = None,
        document_starts: np.ndarray | None = None,
    ) -> None:
        self.words = words
        self.width = tokens.shape[1]
        self.tokens = np.ascontiguousarray(tokens, np.int32).ravel()
        self.n = len(tokens)
        self.starts = np.zeros(self.n, np.int64) if starts is None else np.asarray(starts, np.int64)
        self.document_starts = document_starts

    @cached_property
    def flags(self) -> dict[str, np.ndarray]:
        """Every state as a bool [n * w]."""
        rows = self.tokens.reshape(self.n, self.width)
        documents = self.document_starts
        starts = np.zeros(rows.shape, bool) if documents is None else documents
        after_line = _shift(self.words.ends_line[rows]) | starts
        after_sentence = _shift(self.words.ends_sentence[rows]) | starts
        states = {
            "seen": self._seen(rows),
            "quoted": self._quoted(rows),
            "bracketed": self._bracketed(rows),
            "line-start": after_line,
            "sentence-start": after_sentence,
            "document-start": starts,
        }
        return {name: state.ravel() for name, state in states.items()}

    @cached_property
    def bigram(self) -> np.ndarray:
        """Number the folded words at t-2 and t-1: int64 [n * w], -1 where there are not two."""
        word = self.words.word[self.tokens].astype(np.int64).reshape(self.n, self.width)
        out = np.full(word.shape, -1, np.int64)
        pairs = word[:, :-2] * len(self.words.kind) + word[:, 1:-1]
        out[:, 2:] = np.where((word[:, :-2] < 0) | (word[:, 1:-1] < 0), -1, pairs)
        return out.ravel()

    def holds(self, literal: Literal, at: np.ndarray) -> np.ndarray:
        """Decide a literal at flat indices: bool [len(at)]."""
        return self._positive(literal, at) != literal.negated

    def all_hold(self, literals: tuple[Literal, ...], at: np.ndarray) -> np.ndarray:
        """List the flat indices, out of `at`, where every literal holds."""
        for literal in literals:
            at = at[self.holds(literal, at)]
        return at

    def _positive(self, literal: Literal, at: np.ndarray) -> np.ndarray:
        place, values = literal.place, literal.values
        if place == "state":
            return self.flags[literal.kind][at]
        if place == "position":
            position = self.starts[at // self.width] + at % self.width
            return (position >= int(values[0])) & (position < int(values[1]))
        if place == "bigram":
            return np.isin(self.bigram[at], self._pairs(values)) & (self.bigram[at] >= 0)
        table = self.words.table(literal.kind, values)
        if place in NEAR:
            return self._near(table, NEAR[place], at)
        back = BACK[place]
        found = table[self.tokens[np.maximum(at - back, 0)]]
        return found & (at % self.width >= back) if back else found

    def _pairs(self, values: tuple[str, ...]) -> list[int]:
        found = []
        for value in values:
            first, _, second = value.partition("\t")
            pair = [self.words.index.get(("word", w)) for w in (first, second)]
            if pair[0] is not None and pair[1] is not None:
                found.append(pair[0] * len(self.words.kind) + pair[1])
        return found

    def _near(self, table: np.ndarray, reach: int, at: np.ndarray) -> np.ndarray:
        """Whether the table is true at one of the `reach` tokens before, in the same row."""
        if len(at) * reach > 4 * len(self.tokens):
            return self._near_everywhere(table, reach)[at]
        column = at % self.width
        found = np.zeros(len(at), bool)
        for back in range(1, reach + 1):
            found |= table[self.tokens[np.maximum(at - back, 0)]] & (column >= back)
        return found

    def _near_everywhere(self, table: np.ndarray, reach: int) -> np.ndarray:
        match = np.flatnonzero(table[self.tokens])
        last_of_row = (match // self.width + 1) * self.width
        change = np.zeros(len(self.tokens) + 1, np.int32)
        np.add.at(change, np.minimum(match + 1, last_of_row), 1)
        np.add.at(change, np.minimum(match + 1 + reach, last_of_row), -1)
        return np.cumsum(change[:-1]) > 0

    def _seen(self, rows: np.ndarray) -> np.ndarray:
        """The same token id came earlier in the row."""
        order = np.argsort(rows, axis=1, kind="stable")
        ranked = np.take_along_axis(rows, order, 1)
        again = np.zeros(rows.shape, bool)
        again[:, 1:] = ranked[:, 1:] == ranked[:, :-1]
        out = np.empty_like(again)
        np.put_along_axis(out, order, again, 1)
        return out

    def _quoted(self, rows: np.ndarray) -> np.ndarray:
        """An odd number of straight quotes, or more opened than closed, since the line began."""
        counts = self.words.quotes[rows].astype(np.int32)
        ends = self.words.ends_line[rows]
        straight = _since(counts[..., 0], ends) % 2 == 1
        return straight | (_since(counts[..., 1] - counts[..., 2], ends) > 0)

    def _bracketed(self, rows: np.ndarray) -> np.ndarray:
        """More brackets opened than closed, the last of them at most BRACKET_REACH tokens ago."""
        step = self.words.brackets[rows].astype(np.int32)
        level = np.cumsum(step, axis=1)
        floor = np.minimum(np.minimum.accumulate(level, axis=1), 0)  # closings never opened
        index = np.broadcast_to(np.arange(self.width), rows.shape)
        opened = np.maximum.accumulate(np.where(step > 0, index, -BRACKET_REACH - 1), axis=1)
        return _shift((level > floor) & (index - opened < BRACKET_REACH))


def _shift(state: np.ndarray) -> np.ndarray:
    """Move a state one token to the right; nothing is known before the first."""
    out = np.zeros_like(state)
    out[:, 1:] = state[:, :-1]
    return out


def _since(step: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Sum steps over the tokens before each one, from the last end of a line on: int32 [n, w]."""
    before = np.zeros_like(step)
    np.cumsum(step[:, :-1], axis=1, out=before[:, 1:])
    starts = _shift(ends)
    columns = np.broadcast_to(np.arange(step.shape[1]), step.shape)
    line = np.maximum.accumulate(np.where(starts, columns, 0), axis=1)
    return before - np.take_along_axis(before, line, 1)

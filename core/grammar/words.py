"""What can be said of a token by looking at its text: tables over the vocabulary.

Goes in: one display string per token id. Comes out: every *attribute* (a kind of test and a value,
such as word="pizza" or suffix="ing") as an integer, with the token ids that have it, both ways
round. Induction counts attributes with `bincount`; nothing here knows of activations.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from core.grammar.lexicon import lexicon
from core.grammar.stems import stem

OPENING, CLOSING = "([{", ")]}"
SENTENCE_ENDS = (".", "!", "?")
MAX_AFFIX = 4  # letters
MAX_LENGTH = 12  # longer words share the last length


def fold(string: str) -> str:
    """Take away the leading space and the case; white space alone stays as it is.

    >>> fold(" Pizza"), fold(" "), fold("\\n")
    ('pizza', ' ', '\\n')
    """
    return (string.strip() or string).casefold()


def classes(string: str) -> list[str]:
    """Name the classes of a token's form.

    >>> classes(" Paris"), classes("ing"), classes("2024"), classes(" NASA")
    (['letters', 'capitalised'], ['letters', 'continuation'], ['digit'], ['letters', 'all-caps'])
    """
    bare = string.strip()
    if not bare:
        return ["newline"] if "\n" in string else ["whitespace"] if string else []
    found = ["newline"] if "\n" in string else []
    letters = [c for c in bare if c.isalpha()]
    if bare.isdigit():
        found.append("digit")
    elif any(c.isdigit() for c in bare):
        found.append("has-digit")
    if letters:
        found += _letter_classes(string, bare, letters)
    elif not any(c.isdigit() for c in bare):
        signs = any(unicodedata.category(c)[0] in "SC" for c in bare)
        found.append("symbol" if signs else "punctuation")
    return found


def _letter_classes(string: str, bare: str, letters: list[str]) -> list[str]:
    found = ["letters"] if len(letters) == len(bare) else []
    if any("LATIN" not in unicodedata.name(c, "LATIN") for c in letters):
        found.append("non-latin")
    if letters[0].isupper():
        caps = len(letters) > 1 and all(c.isupper() for c in letters)
        found.append("all-caps" if caps else "capitalised")
    if not string[0].isspace() and bare[0].isalpha() and bare[0].islower():
        found.append("continuation")
    return found


def attributes(string: str) -> list[tuple[str, str]]:
    """List (kind, value) of every attribute of one token but its clusters."""
    word = fold(string)
    found = [("token", string), ("word", word)]
    found += [("class", name) for name in classes(string)]
    if word.isalpha():
        found.append(("stem", stem(word)))
        found.append(("length", str(min(len(word), MAX_LENGTH))))
    if not any(c.isspace() for c in word):
        for n in range(1, min(MAX_AFFIX, len(word) - 1) + 1):
            found += [("prefix", word[:n]), ("suffix", word[-n:])]
    found += [("group", name) for name in lexicon().groups_of.get(word, ())]
    return found


class Words:
    """Attributes of a vocabulary, as integers.

    strings [V]; kind, value [A] of each attribute; `of_token` and `of_attribute` are the two
    directions as (indptr, ids). Special tokens have no attributes.
    """

    def __init__(
        self,
        strings: Sequence[str],
        special_ids: Sequence[int] = (),
        clusters: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self.strings = list(strings)
        self.special = np.zeros(len(self.strings), bool)
        self.special[[i for i in special_ids if 0 <= i < len(self.strings)]] = True
        self.index: dict[tuple[str, str], int] = {}
        rows, columns = [], []
        for token, string in enumerate(self.strings):
            for pair in () if self.special[token] else attributes(string):
                rows.append(token)
                columns.append(self.index.setdefault(pair, len(self.index)))
        for name, members in (clusters or {}).items():
            rows += [int(token) for token in members]
            columns += [self.index.setdefault(("cluster", name), len(self.index))] * len(members)
        self.kind = [pair[0] for pair in self.index]
        self.value = [pair[1] for pair in self.index]
        self._name_stems()
        token_of, attribute_of = np.array(rows, np.int64), np.array(columns, np.int64)
        self.of_token = _rows(token_of, attribute_of, len(self.strings))
        self.of_attribute = _rows(attribute_of, token_of, len(self.index))

    def __len__(self) -> int:
        """Count the token ids."""
        return len(self.strings)

    def _name_stems(self) -> None:
        """Call each stem by its shortest word, so that a person reads "series" and not "sery"."""
        for kind, word in sorted(self.index, key=lambda pair: (-len(pair[1]), pair[1])):
            at = self.index.get(("stem", stem(word))) if kind == "word" and word.isalpha() else None
            if at is not None:
                self.value[at] = word

    @cached_property
    def single(self) -> dict[str, np.ndarray]:
        """Attribute of each token id for kinds of which it has one: int32 [V], -1 for none."""
        out = {kind: np.full(len(self), -1, np.int32) for kind in ("token", "word", "stem")}
        for attribute, kind in enumerate(self.kind):
            if kind in out:
                out[kind][self.tokens_of(attribute)] = attribute
        return out

    @cached_property
    def word(self) -> np.ndarray:
        """Number the folded forms: int32 [V], -1 for special tokens."""
        return self.single["word"]

    @cached_property
    def quotes(self) -> np.ndarray:
        """Count straight, opening and closing double quotes of each token: int8 [V, 3]."""
        marks = (('"',), ("“", "«"), ("”", "»"))
        counts = [[sum(s.count(m) for m in group) for group in marks] for s in self.strings]
        return np.array(counts, np.int8).reshape(-1, 3)

    @cached_property
    def brackets(self) -> np.ndarray:
        """Opened less closed brackets of each token: int8 [V]."""
        return np.array(
            [
                sum(s.count(c) for c in OPENING) - sum(s.count(c) for c in CLOSING)
                for s in self.strings
            ],
            np.int8,
        )

    @cached_property
    def ends_line(self) -> np.ndarray:
        """Whether a new line starts after the token: bool [V]."""
        return np.array(["\n" in s[len(s.rstrip()) :] for s in self.strings], bool)

    @cached_property
    def ends_sentence(self) -> np.ndarray:
        """Whether a new sentence starts after the token: bool [V]."""
        ends = [s.strip().rstrip("\"'”’)").endswith(SENTENCE_ENDS) for s in self.strings]
        return np.array(ends, bool) | self.ends_line

    def tokens_of(self, attribute: int) -> np.ndarray:
        """List the token ids that have an attribute: int64 [n]."""
        indptr, ids = self.of_attribute
        return ids[indptr[attribute] : indptr[attribute + 1]]

    def kind_value(self, attribute: int) -> tuple[str, str]:
        """Name an attribute."""
        return self.kind[attribute], self.value[attribute]

    def table(self, kind: str, values: Sequence[str]) -> np.ndarray:
        """Say for every token id whether it has one of the values: bool [V].

        A stem is named by any word that has it. Values that no token has are never true, so a
        rule learnt on one vocabulary can be asked about another.
        """
        out = np.zeros(len(self), bool)
        for value in values:
            attribute = self.index.get((kind, stem(value) if kind == "stem" else value))
            if attribute is not None:
                out[self.tokens_of(attribute)] = True
        return out

    def count(self, tokens: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sum weights over token ids into their attributes: (attributes [a], sums [a])."""
        indptr, ids = self.of_token
        lengths = indptr[tokens + 1] - indptr[tokens]
        flat = ids[spread(indptr[tokens], lengths)]
        sums = np.bincount(flat, np.repeat(weights, lengths), minlength=len(self.kind))
        present = np.flatnonzero(sums)
        return present, sums[present]


def spread(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Concatenate ranges.

    >>> spread(np.array([5, 10]), np.array([2, 3]))
    array([ 5,  6, 10, 11, 12])
    """
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - (ends - lengths), lengths)


def _rows(row: np.ndarray, column: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Group columns by row: (indptr int64 [n + 1], columns int64)."""
    order = np.argsort(row, kind="stable")
    indptr = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(row, minlength=n), out=indptr[1:])
    return indptr, column[order]

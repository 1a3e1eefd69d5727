"""The corpus as induction needs it, built once per cache and shared by all features.

Tokens by position and positions by token (posting lists), counts over the learning rows, and the
split: `train` sequences teach, of these `selection` sequences only prune, all others are test.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from core.grammar.text import Text
from core.grammar.words import Words, spread

RESAMPLES = 400  # bootstrap draws of an interval


class Corpus:
    """One tokenised corpus and the tables that make rules fast on it.

    tokens              int32 [n_sequences, sequence_length]
    vocabulary_strings  one display string per token id, or a `Words` built before
    special_ids         ids that never count as text (BOS, EOS, PAD)
    document_starts     flat indices at which documents start, or None
    train, selection    bool [n_sequences]; selection is a part of train (methods.md 4.3, step 4)
    clusters            name -> token ids, from embeddings, computed elsewhere; or None
    """

    def __init__(
        self,
        tokens: np.ndarray,
        vocabulary_strings: Sequence[str] | Words,
        special_ids: Sequence[int] = (),
        document_starts: np.ndarray | None = None,
        train: np.ndarray | None = None,
        selection: np.ndarray | None = None,
        clusters: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        given = vocabulary_strings
        words = given if isinstance(given, Words) else Words(given, special_ids, clusters)
        self.n_sequences, self.length = tokens.shape
        self.train = np.ones(len(tokens), bool) if train is None else np.asarray(train, bool)
        chosen = np.zeros(len(tokens), bool) if selection is None else np.asarray(selection, bool)
        self.selection = chosen & self.train
        self.words = words
        documents = None
        if document_starts is not None:
            documents = np.zeros(tokens.size, bool)
            documents[np.asarray(document_starts, np.int64)] = True
            documents = documents.reshape(tokens.shape)
        self.text = Text(words, tokens, None, documents)
        self.valid = ~words.special[self.text.tokens]  # bool [N]

    @property
    def n_tokens(self) -> int:
        """Positions in all, special ones included."""
        return len(self.text.tokens)

    @cached_property
    def postings(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions by token id: (indptr int64 [V + 1], positions int64 [N])."""
        order = np.argsort(self.text.tokens, kind="stable")
        indptr = np.zeros(len(self.words) + 1, np.int64)
        np.cumsum(np.bincount(self.text.tokens, minlength=len(self.words)), out=indptr[1:])
        return indptr, order

    @cached_property
    def learning(self) -> np.ndarray:
        """Positions that teach: valid, train, not selection; bool [N]."""
        return np.repeat(self.train & ~self.selection, self.length) & self.valid

    @cached_property
    def learning_counts(self) -> np.ndarray:
        """How often each token id occurs among the learning positions: int64 [V]."""
        return np.bincount(self.text.tokens[self.learning], minlength=len(self.words))

    @cached_property
    def n_learning(self) -> int:
        """How many positions teach."""
        return int(self.learning.sum())

    @cached_property
    def attribute_counts(self) -> np.ndarray:
        """How often each attribute occurs among the learning positions: float64 [A]."""
        present = np.flatnonzero(self.learning_counts)
        found, sums = self.words.count(present, self.learning_counts[present])
        out = np.zeros(len(self.words.kind))
        out[found] = sums
        return out

    @cached_property
    def near_shares(self) -> np.ndarray:
        """Share of learning positions with each word in the 4, 8, 16, 32 before: float32 [4, A]."""
        word = self.words.word[self.text.tokens]
        order = np.argsort(word, kind="stable")
        ranked = word[order]
        same = (ranked[1:] == ranked[:-1]) & (np.diff(order // self.length) == 0)
        gap = np.where(same, np.diff(order), self.length)
        gap = np.append(gap, self.length)
        room = self.length - 1 - order % self.length
        out = np.zeros((4, len(self.words.kind)), np.float32)
        keep = ranked >= 0
        for i, reach in enumerate((4, 8, 16, 32)):
            claimed = np.minimum(np.minimum(gap, room), reach)[keep]
            sums = np.bincount(ranked[keep], claimed, minlength=len(self.words.kind))
            out[i] = sums / max(1, self.n_tokens)
        return out

    @cached_property
    def train_positions(self) -> np.ndarray:
        """Positions of train sequences: bool [N]."""
        return np.repeat(self.train, self.length)

    @cached_property
    def test_positions(self) -> np.ndarray:
        """Positions of test sequences: bool [N]."""
        return ~self.train_positions

    @cached_property
    def selection_positions(self) -> np.ndarray:
        """Valid positions of the selection sequences: bool [N]."""
        return np.repeat(self.selection, self.length) & self.valid

    @cached_property
    def n_valid(self) -> int:
        """Positions that may activate."""
        return int(self.valid.sum())

    @cached_property
    def n_valid_test(self) -> int:
        """Positions of test sequences that may activate."""
        return int((self.valid & self.test_positions).sum())

    @cached_property
    def n_contexts(self) -> int:
        """Contexts of 32 tokens in the corpus."""
        return self.n_sequences * -(-self.length // 32)

    @cached_property
    def n_contexts_test(self) -> int:
        """Contexts of 32 tokens in the test sequences."""
        return int((~self.train).sum()) * -(-self.length // 32)

    @cached_property
    def test_rank(self) -> np.ndarray:
        """Number the test sequences: int64 [n_sequences]."""
        return np.cumsum(~self.train) - 1

    @cached_property
    def resamples(self) -> np.ndarray:
        """How often each bootstrap draw takes each test sequence: float32 [draws, test]."""
        n = int((~self.train).sum())
        rng = np.random.default_rng(n)
        return rng.multinomial(n, np.full(n, 1 / max(1, n)), RESAMPLES).astype(np.float32)

    def positions_of(self, token_ids: np.ndarray) -> np.ndarray:
        """List the positions of some token ids, ascending: int64 [n]."""
        indptr, positions = self.postings
        starts = indptr[token_ids]
        found = positions[spread(starts, indptr[token_ids + 1] - starts)]
        return np.sort(found) if len(token_ids) > 1 else found

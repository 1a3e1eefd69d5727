"""From documents to token streams: the tokenizer of the demo subject, packing, the held-out part.

A stream is the documents one after another, each closed by `<|endoftext|>`; a sequence is
`<|endoftext|>` followed by the next tokens of a stream, as in caching.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

BOS = "<|endoftext|>"  # begins every sequence, closes every document, pads
BOS_ID = 0
HELD_OUT = 50  # every 50th document is not trained on


class Split(NamedTuple):
    """The documents, divided once and for all by their place in the corpus."""

    train: list[str]
    held_out: list[str]


def split(documents: Iterable[str]) -> Split:
    """Hold out every 50th document.

    >>> [len(part) for part in split(str(i) for i in range(100))]
    [98, 2]
    """
    train: list[str] = []
    held_out: list[str] = []
    for number, document in enumerate(documents):
        (held_out if number % HELD_OUT == HELD_OUT // 2 else train).append(document)
    return Split(train, held_out)


def train_tokenizer(documents: Sequence[str], n_vocab: int) -> PreTrainedTokenizerFast:
    """Learn a byte-level BPE vocabulary; any text can be encoded and decoded without loss."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=n_vocab,
        special_tokens=[BOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=BOS,
        pad_token=BOS,
        clean_up_tokenization_spaces=False,
    )


def encode(tokenizer: PreTrainedTokenizerFast, documents: Sequence[str]) -> np.ndarray:
    """Encode documents into one run of ids, each document followed by BOS_ID; uint16 [token]."""
    backend = tokenizer.backend_tokenizer
    parts = [np.zeros(0, np.uint16)]
    for first in range(0, len(documents), 256):
        batch = backend.encode_batch_fast(documents[first : first + 256])
        parts += [np.array([*encoding.ids, BOS_ID], np.uint16) for encoding in batch]
    return np.concatenate(parts)


def sequences(tokens: np.ndarray, length: int) -> Tensor:
    """Cut a stream into sequences that begin with BOS; the rest of the stream is left out.

    >>> sequences(np.array([5, 6, 7, 8, 9]), 3).tolist()
    [[0, 5, 6], [0, 7, 8]]
    """
    n = len(tokens) // (length - 1)
    body = tokens[: n * (length - 1)].reshape(n, length - 1)
    return torch.from_numpy(np.pad(body.astype(np.int64), ((0, 0), (1, 0))))


def draw(tokens: np.ndarray, n: int, length: int, rng: np.random.Generator) -> Tensor:
    """Draw `n` sequences that begin anywhere in a stream; int64 [n, length]."""
    first = rng.integers(0, len(tokens) - length + 2, size=n)
    body = tokens[first[:, None] + np.arange(length - 1)]
    return torch.from_numpy(np.pad(body.astype(np.int64), ((0, 0), (1, 0))))

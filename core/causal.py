"""A local language model that is read for log-probabilities: how likely is a text after another?

In: a prefix and texts. Out: the log-probability of every token of each text, the first one too,
which follows from the prefix's last logits. A prefix is run once and its keys and values are kept;
every batch works on a copy, so that no batch leaves anything behind (methods.md 10, 25). Knows
nothing of features; traces and hooks are core.subject's.
"""

import copy
import inspect
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from data.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

CELLS = 2**26  # logits held at once, at most: 256 MB as float32
BATCH = 32  # texts run at once, at most
KEPT = 3  # prefixes whose keys and values are kept


class _Read(NamedTuple):
    """A prefix after it was run."""

    n_tokens: int
    logits: "Tensor"  # of what follows its last token, float32 [vocabulary]
    cache: Any  # keys and values of all layers, batch of one; only ever copied


class Causal:
    """A causal language model with its tokenizer; one thread at a time runs it."""

    def __init__(self, model: Any, tokenizer: Any, *, name: str) -> None:
        self.name = name
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self._lock = threading.RLock()  # tokenizers change their settings while they run
        # transformers renamed the argument within version 5 and warns of the old name.
        known = inspect.signature(self.model.forward).parameters
        self._keyword = "cache" if "cache" in known else "past_key_values"
        self._read: OrderedDict[str, _Read] = OrderedDict()

    @classmethod
    def load(
        cls,
        name_or_path: str,
        *,
        dtype: str = "auto",
        device: str = "auto",
        revision: str | None = None,
        name: str | None = None,
    ) -> "Causal":
        """Load a model from a local folder (without any network) or from the Hugging Face hub.

        `name` is what scores call it, as it was typed if None.
        """
        from core.pretrained import load_model, load_tokenizer

        loaded = load_model(name_or_path, dtype=dtype, device=device, revision=revision)
        tokenizer = load_tokenizer(name_or_path, revision=revision)
        if tokenizer is None or not loaded.has_head:
            lacks = "tokenizer" if tokenizer is None else "output head"
            raise BadInput(
                f"{name_or_path} has no {lacks}: log-probabilities need a whole language model"
            )
        return cls(loaded.model, tokenizer, name=name or name_or_path)

    @property
    def max_length(self) -> int | None:
        """Longest sequence that the model was trained on, tokens; None when it says nothing."""
        return getattr(self.model.config.get_text_config(), "max_position_embeddings", None)

    def n_tokens(self, prefix: str) -> int:
        """Count the tokens of a prefix, the one that begins a sequence included."""
        return len(self._prefix_ids(prefix))

    def n_text_tokens(self, text: str) -> int:
        """Count the tokens of a text as it is scored."""
        return len(self._ids(text))

    def logprobs(
        self, prefix: str, texts: Sequence[str], *, batch: int = BATCH
    ) -> list[np.ndarray]:
        """Log-probability of each token of each text after the prefix, nats, float64 [tokens].

        A text is cut into tokens by itself, so that they are the same after any prefix.
        """
        import torch

        ids = [self._ids(text) for text in texts]
        out = [np.empty(0)] * len(texts)
        with self._lock, torch.inference_mode():
            read = self._prefix(prefix)
            for places in self._batches(ids, batch):
                found = self._run(read, [ids[place] for place in places])
                for place, values in zip(places, found, strict=True):
                    out[place] = values
        return out

    def _ids(self, text: str) -> list[int]:
        with self._lock:
            return self.tokenizer(text, add_special_tokens=False)["input_ids"] if text else []

    def _prefix_ids(self, prefix: str) -> list[int]:
        """Tokens of a prefix behind the one that begins a sequence, if the model has one."""
        bos = self.tokenizer.bos_token_id
        ids = ([] if bos is None else [bos]) + self._ids(prefix)
        if not ids:
            raise BadInput(f"{self.name} has no token that begins a sequence: give a prefix")
        return ids

    def _prefix(self, prefix: str) -> _Read:
        """Run a prefix, or take it from those that were run lately."""
        if prefix not in self._read:
            from transformers import DynamicCache

            ids, cache = (
                self._tensor([self._prefix_ids(prefix)]),
                DynamicCache(config=self.model.config),
            )
            output = self.model(ids, use_cache=True, **{self._keyword: cache})
            self._read[prefix] = _Read(ids.shape[1], output.logits[0, -1].float(), cache)
            if len(self._read) > KEPT:
                self._read.popitem(last=False)
        self._read.move_to_end(prefix)
        return self._read[prefix]

    def _batches(self, ids: Sequence[Sequence[int]], batch: int) -> Iterator[list[int]]:
        """Put texts of about one length together; an empty text has nothing to run."""
        order = sorted((i for i in range(len(ids)) if ids[i]), key=lambda i: -len(ids[i]))
        vocabulary = self.model.get_output_embeddings().weight.shape[0]
        while order:
            fits = max(1, CELLS // (vocabulary * len(ids[order[0]])))
            size = min(batch, fits)
            yield order[:size]
            order = order[size:]

    def _run(self, read: _Read, ids: list[list[int]]) -> list[np.ndarray]:
        """Score texts that follow one prefix; they are padded behind, which no text can see."""
        import torch

        longest = max(len(row) for row in ids)
        padded = self._tensor([row + [0] * (longest - len(row)) for row in ids])
        lengths = torch.tensor([[len(row)] for row in ids], device=padded.device)
        place = torch.arange(longest, device=padded.device)
        before = torch.ones(len(ids), read.n_tokens, dtype=torch.long, device=padded.device)
        cache = copy.deepcopy(read.cache)
        cache.batch_repeat_interleave(len(ids))
        output = self.model(
            padded,
            attention_mask=torch.cat([before, (place < lengths).long()], dim=1),
            position_ids=(read.n_tokens + place)[None],
            use_cache=True,
            **{self._keyword: cache},
        )
        first = read.logits.log_softmax(0)[padded[:, :1]]  # [text, 1]
        later = _chosen(output.logits[:, :-1].float(), padded[:, 1:])
        values = torch.cat([first, later], dim=1).double().cpu().numpy()
        return [values[row, : len(one)].copy() for row, one in enumerate(ids)]

    def _tensor(self, ids: list[list[int]]) -> "Tensor":
        import torch

        return torch.tensor(ids, device=next(self.model.parameters()).device)


def _chosen(logits: "Tensor", ids: "Tensor") -> "Tensor":
    """Log-probabilities of the tokens that came, [text, token]; uses up the logits' memory.

    A second array of that size, as logsumexp makes, would take a quarter of the whole time.
    """
    chosen = logits.gather(2, ids[:, :, None])[:, :, 0]
    top = logits.amax(dim=2, keepdim=True)
    return chosen - top[:, :, 0] - logits.sub_(top).exp_().sum(dim=2).log()

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
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from data.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

CELLS = 2**26  # logits held at once, at most: 256 MB as float32
BATCH = 32  # texts run at once, at most
KEPT = 3  # prefixes whose keys and values are kept


class Reader(Protocol):
    """A local language model that says how likely texts are, as `Causal` does."""

    @property
    def name(self) -> str: ...
    @property
    def max_length(self) -> int | None: ...
    def n_tokens(self, prefix: str) -> int: ...
    def n_text_tokens(self, text: str) -> int: ...
    def logprobs(self, prefix: str, texts: Sequence[str]) -> list[np.ndarray]: ...
    def endings(
        self, prefix: str, texts: Sequence[str], endings: Sequence[str], *, keep: int | None
    ) -> list[list[np.ndarray]]: ...


class _Read(NamedTuple):
    """A prefix after it was run."""

    n_tokens: int
    logits: "Tensor"  # of what follows its last token, float32 [vocabulary]
    cache: Any  # keys and values of all layers, batch of one; only ever copied


class _Begun(NamedTuple):
    """Texts after a prefix, as they were run."""

    logits: "Tensor"  # of what follows each, float32 [text, vocabulary]
    cache: Any  # keys and values; only ever copied
    mask: "Tensor"  # of the padding, int64 [text, tokens]
    n_tokens: "Tensor"  # of each with its prefix, int64 [text, 1]


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
        self._only_last = {"logits_to_keep": 1} if "logits_to_keep" in known else {}
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
        role: str = "language model",
    ) -> "Causal":
        """Load a model from a local folder (without any network) or from the Hugging Face hub.

        `name` is what scores call it, as it was typed if None; `role` is what errors call it.
        """
        from core.pretrained import load_model, load_tokenizer

        loaded = load_model(name_or_path, dtype=dtype, device=device, revision=revision, role=role)
        tokenizer = load_tokenizer(name_or_path, revision=revision)
        if tokenizer is None or not loaded.has_head:
            lacks = "tokenizer" if tokenizer is None else "output head"
            raise BadInput(
                f"{name_or_path} has no {lacks}: log-probabilities need a whole language model"
            )
        return cls(loaded.model, tokenizer, name=name or name_or_path)

    @property
    def sha256(self) -> str:
        """Fingerprint of the weights, as a subject's."""
        from core.subject.fingerprint import of_weights

        return of_weights(self.model, has_head=True)

    @property
    def max_length(self) -> int | None:
        """Longest sequence that the model was trained on, tokens; None when it says nothing."""
        return getattr(self.model.config.get_text_config(), "max_position_embeddings", None)

    @property
    def n_vocabulary(self) -> int:
        """Tokens that can come next."""
        return self.model.get_output_embeddings().weight.shape[0]

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

    def endings(
        self,
        prefix: str,
        texts: Sequence[str],
        endings: Sequence[str],
        *,
        keep: int | None = None,
        batch: int = BATCH,
    ) -> list[list[np.ndarray]]:
        """Log-probability of each token of every ending after prefix and every text, nats.

        Gives float64 [tokens] by ending, then by text. A text and an ending are cut into tokens by
        themselves, so that an ending has the same tokens after any text; every text is run once for
        all endings. keep: last tokens of a text that are read; None = all of them.
        """
        import torch

        bodies = [self._ids(text) for text in texts]
        bodies = [ids if keep is None else ids[max(0, len(ids) - keep) :] for ids in bodies]
        tails = [self._ids(ending) for ending in endings]
        self._require_room(prefix, bodies, tails)
        out = [[np.empty(0)] * len(texts) for _ in endings]
        with self._lock, torch.inference_mode():
            read = self._prefix(prefix)
            for places in self._batches(bodies, batch):
                begun = self._begin(read, [bodies[place] for place in places])
                for found, tail in zip(out, tails, strict=True):
                    for place, values in zip(places, self._end(begun, tail), strict=True):
                        found[place] = values
        return out

    def _require_room(
        self, prefix: str, bodies: Sequence[Sequence[int]], tails: Sequence[Sequence[int]]
    ) -> None:
        longest = self.n_tokens(prefix)
        longest += sum(max((len(one) for one in some), default=0) for some in (bodies, tails))
        if self.max_length is not None and longest > self.max_length:
            raise BadInput(
                f"{self.name} reads {self.max_length} tokens, a passage with what is said of it "
                f"takes {longest}: use a model that reads more, or shorter texts"
            )

    def _begin(self, read: _Read, bodies: list[list[int]]) -> _Begun:
        """Run texts that follow one prefix; they are padded before, so that all end together."""
        import torch

        longest = max(len(row) for row in bodies)
        padded = self._tensor([[0] * (longest - len(row)) + row for row in bodies])
        lengths = torch.tensor([[len(row)] for row in bodies], device=padded.device)
        place = torch.arange(longest, device=padded.device) - longest + lengths  # from 0 on
        before = torch.ones(len(bodies), read.n_tokens, dtype=torch.long, device=padded.device)
        mask = torch.cat([before, (place >= 0).long()], dim=1)
        cache = copy.deepcopy(read.cache)
        cache.batch_repeat_interleave(len(bodies))
        output = self.model(
            padded, attention_mask=mask, position_ids=read.n_tokens + place.clamp_min(0),
            use_cache=True, **{self._keyword: cache}, **self._only_last,
        )  # fmt: skip
        return _Begun(output.logits[:, -1].float(), cache, mask, read.n_tokens + lengths)

    def _end(self, begun: _Begun, tail: Sequence[int]) -> list[np.ndarray]:
        """Score one ending after every text of a batch."""
        import torch

        rows = len(begun.logits)
        if not tail:
            return [np.empty(0)] * rows
        ids = self._tensor([list(tail)] * rows)
        values = begun.logits.log_softmax(1).gather(1, ids[:, :1])  # [text, 1]
        if len(tail) > 1:
            place = torch.arange(len(tail) - 1, device=ids.device)
            output = self.model(
                ids[:, :-1],
                attention_mask=torch.cat([begun.mask, torch.ones_like(ids[:, :-1])], dim=1),
                position_ids=begun.n_tokens + place,
                use_cache=True,
                **{self._keyword: copy.deepcopy(begun.cache)},
            )
            values = torch.cat([values, _chosen(output.logits.float(), ids[:, 1:])], dim=1)
        return list(values.double().cpu().numpy())

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
        while order:
            fits = max(1, CELLS // (self.n_vocabulary * len(ids[order[0]])))
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

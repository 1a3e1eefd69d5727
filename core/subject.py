"""The model being explained, and the only door to nnsight.

In: token ids [batch, sequence]. Out: activations [batch, sequence, width] at modules named as in
the model's `named_modules()`, output side, or input side where the name ends in ":in"; or logits,
with what a module computes changed on its way. Knows nothing of SAEs, text corpora or stores.
Traces stand in this file only: nnsight remembers its with-blocks by file and line.
"""

import hashlib
import inspect
import threading
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from core import environment
from core.pretrained import load_model, load_tokenizer
from data.errors import BadInput

SAMPLE = 1024  # elements of every weight that the fingerprint looks at


class Edit(NamedTuple):
    """A change of what the model computes at one place, whatever it is running."""

    read: str  # hookpoint that the change looks at
    write: str  # hookpoint that is changed: the same, or one that is computed later
    change: Callable[[Tensor, Tensor], Tensor]  # (read, written) -> new, [batch, sequence, width]


class Subject:
    """A causal language model whose modules can be read while it runs."""

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any = None,
        *,
        name: str = "",
        revision: str | None = None,
        has_head: bool = True,
    ) -> None:
        environment.prepare()
        from nnsight import NNsight

        self.model: Any = model.eval().requires_grad_(False)
        self.name = name  # path or hub id as typed
        self.revision = revision
        self._tokenizer = tokenizer
        self._has_head = has_head
        # Traces of one model from two threads at once give wrong or no answers.
        self._lock = threading.Lock()
        self._points = _trial(model)
        self._traced: Any = NNsight(model)

    @classmethod
    def load(
        cls,
        name_or_path: str,
        *,
        dtype: str = "auto",
        device: str = "auto",
        revision: str | None = None,
    ) -> "Subject":
        """Load a model from a local folder (without any network) or from the Hugging Face hub."""
        loaded = load_model(name_or_path, dtype=dtype, device=device, revision=revision)
        tokenizer = load_tokenizer(name_or_path, revision=revision)
        return cls(
            loaded.model,
            tokenizer,
            name=name_or_path,
            revision=revision,
            has_head=loaded.has_head,
        )

    @property
    def tokenizer(self) -> Any:
        """The tokenizer; an error when the subject came without one."""
        if self._tokenizer is None:
            name = self.name or "in memory"
            raise BadInput(f"the subject {name} has no tokenizer: put its files into the folder")
        return self._tokenizer

    @property
    def config(self) -> Any:
        """The configuration of the text model."""
        return self.model.config.get_text_config()

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return self.config.hidden_size

    @property
    def n_layers(self) -> int:
        """Transformer blocks."""
        return self.config.num_hidden_layers

    @property
    def vocabulary_size(self) -> int:
        """Rows of the embedding, which may be more than the tokenizer's ids."""
        return self.model.get_input_embeddings().weight.shape[0]

    @property
    def architecture(self) -> str:
        """Class of the model."""
        return type(self.model).__name__

    @property
    def dtype(self) -> str:
        """Number format of the weights, as run."""
        return str(next(self.model.parameters()).dtype).removeprefix("torch.")

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return next(self.model.parameters()).device

    @property
    def max_length(self) -> int | None:
        """Longest sequence that the subject was trained on, tokens; None when it says nothing."""
        return getattr(self.config, "max_position_embeddings", None)

    @property
    def bos_id(self) -> int | None:
        """The token that begins a sequence."""
        return self._id("bos_token_id")

    @property
    def eos_id(self) -> int | None:
        """The token that ends a document."""
        return self._id("eos_token_id")

    @property
    def special_ids(self) -> tuple[int, ...]:
        """Ids of BOS, EOS and PAD, ascending: their positions have no activations."""
        ids = {self.bos_id, self.eos_id, self._id("pad_token_id")}
        return tuple(sorted(number for number in ids if number is not None))

    def _id(self, which: str) -> int | None:
        return getattr(self._tokenizer or self.config, which, None)

    @cached_property
    def sha256(self) -> str:
        """Fingerprint: names and shapes of all weights and up to 1,024 elements of each."""
        digest = hashlib.sha256()
        head = self.model.get_output_embeddings()
        # A head that no checkpoint filled holds other random numbers after every load.
        left_out = set() if self._has_head or head is None else set(head.parameters())
        for name, weight in self.model.named_parameters():
            if weight in left_out:
                continue
            flat = weight.detach().reshape(-1)
            sample = flat[:: max(1, flat.numel() // SAMPLE)][:SAMPLE].float().cpu().numpy()
            digest.update(f"{name}{tuple(weight.shape)}".encode() + sample.tobytes())
        return digest.hexdigest()

    def hookpoints(self) -> list[str]:
        """Name everything that can be read, in the order in which the model computes it."""
        return list(self._points)

    def width(self, hookpoint: str) -> int:
        """Width of the vectors at a hookpoint."""
        return self._points[self.resolve(hookpoint)]

    def resolve(self, name: str) -> str:
        """Find the full name of a hookpoint, exactly: `layers.1` is never `layers.10`.

        Names of sparsify and delphi are relative to the base model, so a name is tried as it is,
        then below the base model, then below every child of the model.
        """
        below = [getattr(self.model, "base_model_prefix", "")]
        below += [child for child, _ in self.model.named_children() if child not in below]
        candidates = [name, *(f"{prefix}.{name}" for prefix in below)]
        for candidate in candidates:
            if candidate in self._points:
                return candidate
        raise BadInput(self._unknown(name, below))

    def _unknown(self, name: str, below: Sequence[str]) -> str:
        short = {p.removeprefix(f"{prefix}.") for p in self._points for prefix in below}
        near = get_close_matches(name, sorted(short | set(self._points)), n=4)
        hint = f"near it are {', '.join(near)}" if near else f"try {next(reversed(self._points))}"
        return f"{self.name or 'the subject'} has no hookpoint {name!r}: {hint}"

    def activations(self, ids: Tensor, hookpoints: Sequence[str]) -> dict[str, Tensor]:
        """Run tokens [batch, sequence] up to the last hookpoint needed.

        Gives [batch, sequence, width] by the names asked for. One thread at a time.
        """
        order = list(self._points)
        wanted = sorted({self.resolve(name) for name in hookpoints}, key=order.index)
        with self._lock, torch.inference_mode():
            found = self._trace(ids.to(self.device), wanted)
        return {name: found[self.resolve(name)] for name in hookpoints}

    def _trace(self, ids: Tensor, wanted: Sequence[str]) -> dict[str, Tensor]:
        """Read hookpoints, which must be in the order of execution, and stop after the last."""
        readers = [(p, self._traced.get(p.removesuffix(":in")), p.endswith(":in")) for p in wanted]
        out: dict[str, Tensor] = {}
        with self._traced.trace(ids, use_cache=False) as tracer:
            for name, envoy, is_input in readers:
                value = envoy.input if is_input else envoy.output
                out[name] = value[0] if isinstance(value, tuple) else value
            tracer.stop()
        return out

    def decoding(self, edit: Edit | None = None) -> "Decoding":
        """Begin a text that goes on token by token, with a change at one place or without any."""
        if not self._has_head:
            raise BadInput(f"the subject {self.name or 'in memory'} has no output head: it cannot "
                           "say what comes next")  # fmt: skip
        places = None
        if edit is not None:
            places = edit._replace(read=self.resolve(edit.read), write=self.resolve(edit.write))
        return Decoding(self, places)

    def _continue(self, ids: Tensor, given: dict[str, Any], edit: Edit | None) -> Tensor:
        """Run tokens after those in the cache given; logits of what follows [batch, vocabulary]."""
        with self._lock, torch.inference_mode():
            return self._edited(ids.to(self.device), given, edit)[:, -1].float()

    def _edited(self, ids: Tensor, given: dict[str, Any], edit: Edit | None) -> Tensor:
        names = (edit.read, edit.write) if edit else ()
        places = [(self._traced.get(n.removesuffix(":in")), n.endswith(":in")) for n in names]
        out: dict[str, Tensor] = {}
        with self._traced.trace(ids, use_cache=True, **given):
            if edit is not None:
                (seen, seen_before), (changed, changed_before) = places
                read = seen.input if seen_before else seen.output
                read = read[0] if isinstance(read, tuple) else read
                whole = changed.input if changed_before else changed.output
                old = whole[0] if isinstance(whole, tuple) else whole
                new = edit.change(read, old)
                if changed_before:
                    changed.input = new
                else:
                    changed.output = (new, *whole[1:]) if isinstance(whole, tuple) else new
            out["logits"] = self._traced.output.logits
        return out["logits"]

    def unembedding(self) -> Tensor | None:
        """Give W_U [d_model, vocabulary] with the final norm folded in; None without a head.

        A direction v in the residual stream moves the logits by v @ W_U, up to the norm's divisor.
        LayerNorm also takes the mean away, which is folded in too.
        """
        head = self.model.get_output_embeddings()
        if head is None or not self._has_head:
            return None
        W_U = head.weight.detach().float().T  # [d_model, vocabulary]
        norm = self._final_norm()
        if norm is None:
            return W_U
        scale = norm.weight.detach().float()
        if type(norm).__name__.startswith("Gemma"):
            scale = 1 + scale  # these keep the scale's difference from one
        W_U = scale[:, None] * W_U
        return W_U - W_U.mean(0) if isinstance(norm, nn.LayerNorm) else W_U

    def _final_norm(self) -> Any:
        """Find the last norm that runs, by class name: models do not agree on where it is kept."""
        for name in reversed(self._points):
            module = self.model.get_submodule(name.removesuffix(":in"))
            if "norm" in type(module).__name__.lower() and hasattr(module, "weight"):
                return module
        return None


class Decoding:
    """A text that goes on; keys and values are kept, so that every token is run once.

    An edit therefore changes a token when it is run, and what later tokens see of it.
    """

    def __init__(self, subject: Subject, edit: Edit | None) -> None:
        from transformers import DynamicCache

        self._subject, self._edit = subject, edit
        cache = DynamicCache(config=subject.model.config)
        known = inspect.signature(subject.model.forward).parameters
        # transformers renamed the argument within version 5 and warns of the old name.
        self._given: dict[str, Any] = {"cache" if "cache" in known else "past_key_values": cache}
        if "logits_to_keep" in known:
            self._given["logits_to_keep"] = 1

    def run(self, ids: Tensor) -> Tensor:
        """Append tokens [batch, sequence]; logits of what follows, float32 [batch, vocabulary]."""
        return self._subject._continue(ids, self._given, self._edit)


def _trial(model: Any) -> dict[str, int]:
    """Run six tokens, noting what passes by: hookpoint -> width, in order of execution.

    Only tensors [batch, sequence, width] can be explained; a module that runs twice is left out.
    """
    shape = (2, 3)
    seen: list[tuple[str, Any]] = []
    handles = []
    for name, module in model.named_modules():
        handles += _watch(name, module, seen)
    try:
        with torch.inference_mode():
            device = next(model.parameters()).device
            model(torch.zeros(shape, dtype=torch.long, device=device), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    names = [name for name, _ in seen]
    return {
        name: value.shape[-1]
        for name, value in seen
        if isinstance(value, Tensor) and value.shape[:-1] == shape and names.count(name) == 1
    }


def _watch(name: str, module: nn.Module, seen: list[tuple[str, Any]]) -> list[Any]:
    def before(_module: nn.Module, args: tuple, kwargs: dict) -> None:
        seen.append((f"{name}:in", next(iter([*args, *kwargs.values()]), None)))

    def after(_module: nn.Module, _args: tuple, output: Any) -> None:
        seen.append((name, output[0] if isinstance(output, tuple) and output else output))

    return [
        module.register_forward_pre_hook(before, with_kwargs=True),
        module.register_forward_hook(after),
    ]

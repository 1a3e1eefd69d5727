"""A causal language model whose modules can be read while it runs, here or on NDIF."""

import inspect
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from core import environment
from core.foreign import reported
from core.pretrained import load_model, load_skeleton, load_tokenizer, locate
from core.subject import fingerprint
from core.subject.decoding import Decoding
from core.subject.edit import Edit
from core.subject.points import Points
from core.subject.redrawn import fingerprint as noted
from core.subject.redrawn import redraw
from data.baselines import original, redrawn
from data.errors import BadInput

# "rehearsal": here, by the way to NDIF and back, which shows that NDIF could run it.
RunsOn = Literal["here", "ndif", "rehearsal"]
EIGHT_BIT = "8bit"


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
        runs_on: RunsOn = "here",
    ) -> None:
        environment.prepare()
        from core.subject import tracing

        self.model: Any = model.eval().requires_grad_(False)
        self.name = name  # path or hub id as typed
        self.revision = revision
        self.runs_on: RunsOn = runs_on
        self._tokenizer = tokenizer
        self._has_head = has_head
        self._points = Points(model, name)
        if runs_on == "here":
            self._traces = tracing.Traces(model)
        elif runs_on == "rehearsal":
            self._traces = tracing.Rehearsal(model, self.tokenizer)
        else:
            self._traces = tracing.Ndif(model, self.tokenizer, name=name, revision=revision)

    @classmethod
    def load(
        cls,
        name_or_path: str,
        *,
        dtype: str = "auto",
        device: str = "auto",
        revision: str | None = None,
        runs_on: RunsOn = "here",
    ) -> "Subject":
        """Load a model from a local folder or GGUF file (without any network) or from the hub.

        `re-randomised:SEED:NAME` is the model NAME with its weights drawn anew, and
        `random-embeddings:SEED:NAME` reads noise (redrawn.py).
        On NDIF only its configuration and tokenizer are loaded, and six tokens are run at once, so
        that a missing key or model is noticed before any work.
        """
        if runs_on == "ndif":
            return cls._hosted(name_or_path, dtype, device, revision)
        place = original(name_or_path)
        loaded = load_model(place, dtype=dtype, device=device, revision=revision)
        if how := redrawn(name_or_path):
            redraw(loaded.model, how)
        tokenizer = load_tokenizer(place, revision=revision)
        with reported(f"the subject {name_or_path}"):  # some models run on no text alone
            return cls(
                loaded.model, tokenizer, name=name_or_path, revision=revision,
                has_head=loaded.has_head, runs_on=runs_on,
            )  # fmt: skip

    @classmethod
    def _hosted(cls, name: str, dtype: str, device: str, revision: str | None) -> "Subject":
        if redrawn(name):
            raise BadInput(f"{name}: NDIF has the trained weights alone; leave out --remote")
        environment.prepare()
        from core.subject.tracing import require_key

        require_key()
        if {dtype, device} != {"auto"}:
            raise BadInput("with --remote, NDIF decides dtype and device: leave both out")
        if locate(name, revision).folder is not None:
            raise BadInput(f"{name} is on this machine: NDIF runs models of the hub, by their id")
        model = load_skeleton(name, revision=revision)
        tokenizer = load_tokenizer(name, revision=revision)
        subject = cls(model, tokenizer, name=name, revision=revision, runs_on="ndif")
        _ = subject.dtype
        return subject

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

    @cached_property
    def dtype(self) -> str:
        """Number format as run: of the weights, or of what NDIF gives for six tokens."""
        if getattr(self.model, "is_loaded_in_8bit", False):
            return EIGHT_BIT
        if self.runs_on != "ndif":
            return str(next(self.model.parameters()).dtype).removeprefix("torch.")
        first = next(name for name in self.hookpoints() if not name.endswith(":in"))
        found = self.activations(torch.zeros((2, 3), dtype=torch.long), [first])[first]
        return str(found.dtype).removeprefix("torch.")

    @property
    def device(self) -> torch.device:
        """Where tokens go in, and where activations are wanted."""
        place = next(self.model.parameters()).device
        return torch.device("cpu") if place.type == "meta" else place

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
        """Fingerprint of the weights; where NDIF has them, of configuration and commit."""
        if self.runs_on == "ndif":
            return fingerprint.of_skeleton(self.model, self.dtype)
        known = fingerprint.of_weights(self.model, has_head=self._has_head)
        return noted(known, redrawn(self.name))

    def hookpoints(self) -> list[str]:
        """Name everything that can be read, in the order in which the model computes it."""
        return self._points.names()

    def width(self, hookpoint: str) -> int:
        """Width of the vectors at a hookpoint."""
        return self._points.width(hookpoint)

    def resolve(self, name: str) -> str:
        """Find the full name of a hookpoint, exactly: `layers.1` is never `layers.10`."""
        return self._points.resolve(name)

    def activations(self, ids: Tensor, hookpoints: Sequence[str]) -> dict[str, Tensor]:
        """Run tokens [batch, sequence] up to the last hookpoint needed.

        Gives [batch, sequence, width] by the names asked for. One thread at a time.
        """
        if int(ids.max()) >= self.vocabulary_size:
            raise BadInput(
                f"the tokenizer of {self.name or 'the subject'} gives token {int(ids.max())}, but "
                f"the model knows {self.vocabulary_size}: they do not belong together"
            )
        place = self.device  # layers on other GPUs give theirs there
        found = self._traces.read(ids.to(place), self._points.in_order(hookpoints))
        return {name: found[self.resolve(name)].to(place) for name in hookpoints}

    def decoding(self, edit: Edit | None = None, padding: Tensor | None = None) -> Decoding:
        """Begin a text that goes on token by token, with a change at one place or without any.

        padding: tokens before each text of a batch that are none of it, int64 [batch]; only where
        `takes_padding`.
        """
        name = self.name or "in memory"
        if not self._has_head:
            raise BadInput(f"the subject {name} has no output head: it cannot say what comes next")
        if self.runs_on == "ndif":
            raise BadInput(f"the subject {name} runs on NDIF: steering needs its weights here")
        return Decoding(self, None if edit is None else self.resolved(edit), padding)

    @property
    def takes_padding(self) -> bool:
        """Whether texts of different lengths can be run together, filled up before them."""
        known = inspect.signature(self.model.forward).parameters
        is_stateful = getattr(
            self.model, "_is_stateful", False
        )  # a state would take the filling in
        return {"attention_mask", "position_ids"} <= known.keys() and not is_stateful

    def resolved(self, edit: Edit) -> Edit:
        """Give an edit's hookpoints their full names."""
        return edit._replace(read=self.resolve(edit.read), write=self.resolve(edit.write))

    def logits(self, ids: Tensor, given: dict[str, Any], edit: Edit | None) -> Tensor:
        """Run tokens after those in the cache given; logits of what follows [batch, vocabulary]."""
        return self._traces.edited(ids.to(self.device), given, edit)

    @property
    def predicts(self) -> bool:
        """Whether it says here what comes next: it has an output head and runs on this machine."""
        has_head = self._has_head and self.model.get_output_embeddings() is not None
        return has_head and self.runs_on == "here"

    def every_logit(self, ids: Tensor, edit: Edit | None = None) -> Tensor:
        """Run whole sequences [batch, sequence]; logits [batch, sequence, vocabulary]."""
        edit = None if edit is None else self.resolved(edit)
        return self._traces.every_logit(ids.to(self.device), edit)

    def unembedding(self) -> Tensor | None:
        """Give W_U [d_model, vocabulary] with the final norm folded in; None without a head here.

        A direction v in the residual stream moves the logits by v @ W_U, up to the norm's divisor.
        LayerNorm also takes the mean away, which is folded in too.
        """
        head = self.model.get_output_embeddings()
        if head is None or not self._has_head or self.runs_on == "ndif":
            return None
        W_U = head.weight.detach().float().T  # [d_model, vocabulary]
        norm = self._final_norm()
        if norm is None:
            return W_U
        scale = norm.weight.detach().float().to(W_U.device)
        if type(norm).__name__.startswith("Gemma"):
            scale = 1 + scale  # these keep the scale's difference from one
        W_U = scale[:, None] * W_U
        return W_U - W_U.mean(0) if isinstance(norm, nn.LayerNorm) else W_U

    def _final_norm(self) -> Any:
        """Find the last norm that runs, by class name: models do not agree on where it is kept."""
        for name in reversed(self._points.names()):
            module = self.model.get_submodule(name.removesuffix(":in"))
            if "norm" in type(module).__name__.lower() and hasattr(module, "weight"):
                return module
        return None

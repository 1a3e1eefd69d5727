"""The formats of SAEs that are known, one row each: what their files are called, who reads them."""

from collections.abc import Callable
from typing import NamedTuple

from core.sae import dictionary_learning, gemma_scope, openai, saelens, sparsify
from core.sae.coder import Sae
from core.sae.hooks import Hook
from core.sae.places import Place
from core.sae.stored import open_pt
from data.errors import BadInput
from data.imports.foreign import shown

MISSING = (
    "is a file of weights without a configuration, so that nobody can say what it computes: which "
    "activation function, k or thresholds, whether b_dec is subtracted from the input, how the "
    "input is normalised, and which hookpoint it reads; give the folder with its cfg.json or "
    "config.json"
)


class Format(NamedTuple):
    """One way of keeping an SAE."""

    name: str
    files: tuple[str, ...]  # patterns, each of which some file below its folder must match
    load: Callable[[Place], Sae] | None = None  # None = recognised, refused
    read_hook: Callable[[Place], Hook | None] | None = None  # from configuration and names only
    each: bool = False  # whether every such file is an SAE of its own
    why: str = ""  # it is refused, where its name does not say enough

    @property
    def refusal(self) -> str:
        """Say after the address why it is not loaded."""
        return self.why or (
            f"is in the {self.name} format, which is not read yet: convert it to "
            f"{' or '.join(dict.fromkeys(known.name for known in FORMATS if known.load))}"
        )


def _openai(place: Place) -> Sae:
    """Load a `.pt` file that no configuration describes, where it is one that describes itself."""
    if not openai.is_one(open_pt(place.path, openai.NAME)):
        raise BadInput(f"{shown(place.path)} {MISSING}")
    return openai.load(place)


FORMATS = (
    Format("sparsify", ("cfg.json", "sae.safetensors"), sparsify.load, sparsify.read_hook),
    Format("SAELens", ("cfg.json", "sae_weights.safetensors"), saelens.load, saelens.read_hook),
    Format(gemma_scope.NAME, ("params.npz",), gemma_scope.load, gemma_scope.read_hook),
    Format(
        gemma_scope.NAME_2,
        ("config.json", "params.safetensors"),
        gemma_scope.load_2,
        gemma_scope.read_hook_2,
    ),
    Format(
        "dictionary_learning",
        ("config.json", "ae.pt"),
        dictionary_learning.load,
        dictionary_learning.read_hook,
    ),
    Format(
        "dictionary_learning",
        ("config.json", "checkpoints/ae_*.pt"),
        dictionary_learning.load,
        dictionary_learning.read_hook,
    ),
    Format("Llama Scope", ("hyperparams.json", "checkpoints/final.safetensors")),
    Format("Qwen Scope", ("layer*.sae.pt",), each=True),
    Format("circuit-tracer transcoder", ("layer_*.safetensors",), each=True),
    Format(openai.NAME, ("autoencoder*.pt",), _openai, openai.read_hook, each=True),
    Format(openai.NAME, ("[0-9]*.pt",), _openai, openai.read_hook, each=True),
)
BARE = Format("weights alone", ("*.safetensors",), each=True, why=MISSING)
# Tried where no row above fits: a file of tensors may say what it is.
UNNAMED = (
    Format(openai.NAME, ("*.pt",), _openai, openai.read_hook, each=True),
    BARE,
    Format("weights alone", ("*.npz",), each=True, why=MISSING),
)
# Weights of language models, and what training leaves beside SAEs.
NO_SAES = (
    "model*.safetensors", "pytorch_model*", "state.pt", "optimizer*.pt", "lr_scheduler*.pt"
)  # fmt: skip

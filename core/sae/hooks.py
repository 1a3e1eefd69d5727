"""Where an SAE reads, in the words of the library that wrote it."""

from typing import Literal, NamedTuple

World = Literal["module", "transformer_lens", "gemma_scope", "openai", "dictionary_learning"]


class Hook(NamedTuple):
    """A place in a model, not yet in a subject.

    module               "layers.2", a module path below the base model (sparsify, delphi)
    transformer_lens     "blocks.3.hook_resid_pre" (SAELens)
    gemma_scope          "res/12", repository kind and layer; or "embedding"
    openai               "resid_post_mlp/8", location and layer
    dictionary_learning  "resid_post_layer_12", the submodule's name
    """

    world: World
    name: str
    side: Literal["in", "out"] = "out"  # of a module; the other worlds' names say it themselves
    writes: str | None = None  # a transcoder's other end, in the same words
    bos: bool | None = None  # whether sequences began with BOS in training; None: not said
    model: str | None = None  # the model it was trained on, as named there
    centred_weights: bool = False  # trained on a model whose writing weights were centred

"""Names of hooks, translated: every library's into TransformerLens's, and that into module paths.

    Gemma Scope          res/12                  blocks.12.hook_resid_post
    OpenAI               resid_post_attn/8       blocks.8.hook_resid_mid
    dictionary_learning  resid_post_layer_12     blocks.12.hook_resid_post

TransformerLens's names are the richest, so they are the common language. Text in, text out: knows
no model in memory.
"""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from core.hookpoints.families import NEOX, Family, family_of

BLOCK = re.compile(r"blocks\.(\d{1,4})\.(.+)")
LAYERED = re.compile(r"([A-Za-z_]+)/(\d{1,4})")
SUBMODULE = re.compile(r"(resid_post|resid_out|mlp_out|attn_out)_layer_?(\d{1,4})")
GEMMA_SCOPE = {
    "res": "hook_resid_post",
    "mlp": "hook_mlp_out",
    "att": "attn.hook_z",
    "transcoders": "ln2.hook_normalized",
}
OPENAI = {
    "resid_post_mlp": "hook_resid_post",
    "resid_post_attn": "hook_resid_mid",
    "resid_delta_mlp": "hook_mlp_out",
    "resid_delta_attn": "hook_attn_out",
    "mlp_post_act": "mlp.hook_post",
}


class Spot(NamedTuple):
    """A module of a family's models and one of its sides."""

    module: str  # path from the model
    side: Literal["in", "out"]

    @property
    def hookpoint(self) -> str:
        """As Gloss writes it."""
        return self.module + (":in" if self.side == "in" else "")


def from_gemma_scope(name: str) -> str | None:
    """Translate "res/12"; None where the kind is not known."""
    if name.partition("/")[0] == "embedding":
        return "hook_embed"
    return _layered(name, GEMMA_SCOPE)


def from_openai(name: str) -> str | None:
    """Translate "resid_post_mlp/8"; a version after the location, "_v5_32k", says nothing."""
    return _layered(re.sub(r"_v\d+(_\d+k)?(?=/)", "", name), OPENAI)


def _layered(name: str, known: dict[str, str]) -> str | None:
    found = LAYERED.fullmatch(name)
    return f"blocks.{int(found[2])}.{known[found[1]]}" if found and found[1] in known else None


def dictionary_spot(family: Family, name: str, side: Literal["in", "out"]) -> Spot | None:
    """Find the module that dictionary_learning calls so; None where it calls none so.

    That library hooks modules themselves: in Gemma "mlp_out" is before the norm that follows it.
    """
    if name in ("embed", "embed_layer"):
        return Spot(f"{family.base}.{family.embedding}", side)
    found = SUBMODULE.fullmatch(name)
    if not found:
        return None
    part = {"mlp_out": f".{family.mlp}", "attn_out": f".{family.attention}"}.get(found[1], "")
    return Spot(family.block(int(found[2])) + part, side)


def spot(family: Family, name: str) -> Spot | None:
    """Find the module and side that a TransformerLens name means; None where there is none.

    `ln2.hook_normalized` gives the input of the norm, which still has to be divided by its size.
    """
    if name == "hook_embed":
        return Spot(f"{family.base}.{family.embedding}", "out")
    found = BLOCK.fullmatch(name)
    known = found and _in_block(family).get(found[2])
    if not found or known is None:
        return None
    part, side = known
    block = family.block(int(found[1]))
    return Spot(f"{block}.{part}" if part else block, side)


def _in_block(family: Family) -> dict[str, tuple[str, Literal["in", "out"]]]:
    """Module below the block and side, by the name's part behind the block."""
    return {
        "hook_resid_post": ("", "out"),
        "hook_resid_pre": ("", "in"),
        "hook_resid_mid": (family.before_mlp, "in"),
        "hook_mlp_out": (family.mlp_out, "out"),
        "hook_attn_out": (family.attention_out, "out"),
        "attn.hook_z": (family.out_projection, "in"),
        "mlp.hook_post": (family.down, "in"),
        "ln2.hook_normalized": (family.before_mlp, "in"),
    }


def transformer_lens_name(hookpoint: str, architecture: str | None) -> str | None:
    """Name a hookpoint as TransformerLens does; None where it has no name there.

    In GPT-NeoX the stream between attention and MLP has none: Pythia runs both at once.

    >>> transformer_lens_name("gpt_neox.layers.2", "GPTNeoXForCausalLM")
    'blocks.2.hook_resid_post'
    """
    family = family_of(architecture)
    if family is None:
        return None
    module = hookpoint.removesuffix(":in")
    side = "out" if module == hookpoint else "in"
    if (module, side) == (f"{family.base}.{family.embedding}", "out"):
        return "hook_embed"
    found = re.fullmatch(rf"{re.escape(family.base)}\.{family.blocks}\.(\d+)(?:\.(.+))?", module)
    if not found:
        return None
    here = (found[2] or "", side)
    name = next((name for name, there in _in_block(family).items() if there == here), None)
    if name is None or (name == "hook_resid_mid" and family is NEOX):
        return None
    return f"blocks.{found[1]}.{name}"


def modules_called(name: str, architecture: str | None, parameters: Iterable[str]) -> list[str]:
    """Find the modules that a path without its leading parts may mean, ascending.

    parameters: names of a model's parameters, which tell its modules where the family is not known.

    >>> modules_called("layers.2", "GPTNeoXForCausalLM", [])
    ['gpt_neox.layers.2']
    >>> modules_called("layers.2", None, ["a.layers.2.weight", "b.layers.2.weight"])
    ['a.layers.2', 'b.layers.2']
    """
    family = family_of(architecture)
    first = name.partition(".")[0]
    if family and first in (family.blocks, family.embedding):
        return [f"{family.base}.{name}"]
    parts = [one.split(".") for one in parameters]
    modules = {".".join(one[:n]) for one in parts for n in range(1, len(one))}
    return [name] if name in modules else sorted(m for m in modules if m.endswith(f".{name}"))

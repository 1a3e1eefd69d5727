"""How families of models name their parts: what one library's hook is in another's module tree.

All names are facts of the transformers library, relative to a block unless said. Knows no model in
memory.
"""

from typing import NamedTuple


class Family(NamedTuple):
    """Models that are built and named alike; module names below a block unless said."""

    classes: tuple[str, ...]  # of transformers
    base: str  # what holds the blocks, a path from the model
    blocks: str  # below the base
    embedding: str  # below the base
    attention: str
    out_projection: str  # its input is the heads' outputs, head after head
    mlp: str
    down: str  # its input is the MLP's hidden layer
    before_mlp: str  # norm whose input is the residual stream between attention and MLP
    attention_out: str  # its output is what attention adds to the stream
    mlp_out: str  # its output is what the MLP adds
    is_rms: bool  # norms divide by the root mean square only, so a shift of all numbers matters
    scales_embedding: bool = False  # the stream begins with sqrt(d_model) times the embedding

    def block(self, layer: int) -> str:
        """Path of a block from the model."""
        return f"{self.base}.{self.blocks}.{layer}"


GPT2 = Family(
    classes=("GPT2LMHeadModel",),
    base="transformer",
    blocks="h",
    embedding="wte",
    attention="attn",
    out_projection="attn.c_proj",
    mlp="mlp",
    down="mlp.c_proj",
    before_mlp="ln_2",
    attention_out="attn",
    mlp_out="mlp",
    is_rms=False,
)
NEOX = Family(
    classes=("GPTNeoXForCausalLM",),
    base="gpt_neox",
    blocks="layers",
    embedding="embed_in",
    attention="attention",
    out_projection="attention.dense",
    mlp="mlp",
    down="mlp.dense_4h_to_h",
    before_mlp="post_attention_layernorm",
    attention_out="attention",
    mlp_out="mlp",
    is_rms=False,
)
LLAMA = Family(
    classes=(
        "LlamaForCausalLM",
        "MistralForCausalLM",
        "Qwen2ForCausalLM",
        "Qwen3ForCausalLM",
        "Phi3ForCausalLM",
    ),
    base="model",
    blocks="layers",
    embedding="embed_tokens",
    attention="self_attn",
    out_projection="self_attn.o_proj",
    mlp="mlp",
    down="mlp.down_proj",
    before_mlp="post_attention_layernorm",
    attention_out="self_attn",
    mlp_out="mlp",
    is_rms=True,
)
GEMMA = LLAMA._replace(classes=("GemmaForCausalLM",), scales_embedding=True)
GEMMA_2 = GEMMA._replace(
    classes=("Gemma2ForCausalLM", "Gemma3ForCausalLM"),
    before_mlp="pre_feedforward_layernorm",
    attention_out="post_attention_layernorm",
    mlp_out="post_feedforward_layernorm",
)
GEMMA_3_WITH_IMAGES = GEMMA_2._replace(
    classes=("Gemma3ForConditionalGeneration",), base="model.language_model"
)
FAMILIES = (GPT2, NEOX, LLAMA, GEMMA, GEMMA_2, GEMMA_3_WITH_IMAGES)


def family_of(architecture: str | None) -> Family | None:
    """Find the family of a model class, e.g. "GPTNeoXForCausalLM"; None where it is not known."""
    return next((family for family in FAMILIES if architecture in family.classes), None)

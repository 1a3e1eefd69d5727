"""Writes the tiny GPT-2 as a GGUF file, as llama.cpp's converter would."""

from copy import copy
from pathlib import Path

import numpy as np
import tiny
import torch
from transformers import AutoModelForCausalLM

from data.vocabulary import byte_alphabet

NAMES = {
    "wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm", "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
}  # fmt: skip
TURNED = ("c_attn", "c_proj", "c_fc")  # stored [in, out] by transformers, [out, in] in GGUF


def model():
    """Make a GPT-2 that takes 1,024 tokens: transformers reads no other number from a GGUF."""
    config = copy(tiny.FAMILIES["gpt2"][0])
    config.n_positions = 1024
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


def save(path: Path, dtype=np.float32, **entries: int) -> Path:
    """Write the file; entries such as block_count replace what the model has."""
    import gguf

    config = model().config
    writer = gguf.GGUFWriter(path, "gpt2")
    sizes = {
        "context_length": config.n_positions, "embedding_length": config.n_embd,
        "feed_forward_length": 4 * config.n_embd, "block_count": config.n_layer,
        "attention.head_count": config.n_head,
    }  # fmt: skip
    for name, value in (sizes | entries).items():
        writer.add_uint32(f"gpt2.{name}", value)
    writer.add_float32("gpt2.attention.layer_norm_epsilon", config.layer_norm_epsilon)
    letters = sorted(byte_alphabet(), key=byte_alphabet().get)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([*letters, "<bos>", "<eos>", "qx", "<unused>"])
    writer.add_token_types([1] * 256 + [3, 3, 1, 3])
    writer.add_token_merges(["q x"])
    writer.add_bos_token_id(tiny.BOS)
    writer.add_eos_token_id(tiny.EOS)
    for name, weight in model().transformer.named_parameters():
        array = weight.detach().numpy()
        if name.endswith(".weight") and name.split(".")[-2] in TURNED:
            array = array.T
        kept = np.float32 if array.ndim == 1 else dtype
        writer.add_tensor(_renamed(name), np.ascontiguousarray(array, kept))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _renamed(name: str) -> str:
    parts = name.split(".")
    if parts[0] != "h":
        return f"{NAMES[parts[0]]}.{parts[-1]}"
    return f"blk.{parts[1]}.{NAMES['.'.join(parts[2:-1])]}.{parts[-1]}"

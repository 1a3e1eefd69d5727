"""Builders for tests: a byte tokenizer, subjects of three families, SAEs with random weights."""

import json
from copy import deepcopy
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    PreTrainedTokenizerFast,
)

from core.sae import Sae, TopK, Weights
from core.subject import Subject
from data.vocabulary import byte_alphabet

BOS, EOS = 256, 257
VOCABULARY = 260  # rows of the embedding: bytes, two special tokens, two unused
IDS = {"bos_token_id": BOS, "eos_token_id": EOS}
FAMILIES = {
    "gpt-neox": (
        GPTNeoXConfig(
            hidden_size=16,
            num_hidden_layers=3,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=64,
            vocab_size=VOCABULARY,
            **IDS,
        ),
        "gpt_neox.layers.1",
    ),
    "gpt2": (
        GPT2Config(n_embd=16, n_layer=3, n_head=2, n_positions=64, vocab_size=VOCABULARY, **IDS),
        "transformer.h.1",
    ),
    "llama": (
        LlamaConfig(
            hidden_size=16,
            num_hidden_layers=3,
            num_attention_heads=2,
            num_key_value_heads=1,
            intermediate_size=32,
            max_position_embeddings=64,
            vocab_size=VOCABULARY,
            **IDS,
        ),
        "model.layers.1",
    ),
}


def tokenizer(*, special: bool = True) -> PreTrainedTokenizerFast:
    """One token a byte; <bos> 256 and <eos> 257."""
    inner = Tokenizer(models.BPE(byte_alphabet(), []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    marks = {"eos_token": "<eos>", "bos_token": "<bos>"} if special else {}
    return PreTrainedTokenizerFast(tokenizer_object=inner, **marks)


def model(family: str = "gpt-neox", seed: int = 0):
    torch.manual_seed(seed)
    return AutoModelForCausalLM.from_config(deepcopy(FAMILIES[family][0])).eval()


def subject(family: str = "gpt-neox") -> Subject:
    return Subject(model(family), tokenizer(), name=f"tiny {family}")


def weights(d: int = 16, n_features: int = 24, seed: int = 1) -> Weights:
    random = torch.Generator().manual_seed(seed)
    W_dec = torch.randn(n_features, d, generator=random)
    W_dec /= W_dec.norm(dim=1, keepdim=True)
    return Weights(
        W_enc=torch.randn(d, n_features, generator=random),
        b_enc=0.1 * torch.randn(n_features, generator=random),
        b_dec=0.1 * torch.randn(d, generator=random),
        W_dec=W_dec,
    )


def sae(k: int = 4, **overrides) -> Sae:
    return TopK(weights(**overrides), k)


def save_subject(folder: Path, family: str = "gpt-neox") -> Path:
    model(family).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def save_sae(folder: Path, w: Weights, k: int = 4, dtype=torch.float32, **settings) -> Path:
    """Write the sparsify format."""
    folder.mkdir(parents=True)
    d, n_features = w.W_enc.shape
    found = {"encoder.weight": w.W_enc.T, "encoder.bias": w.b_enc, "b_dec": w.b_dec}
    found |= {name: t for name in ("W_dec", "W_skip") if (t := getattr(w, name)) is not None}
    tensors = {name: tensor.to(dtype).contiguous() for name, tensor in found.items()}
    save_file(tensors, folder / "sae.safetensors")
    stored = {"d_in": d, "num_latents": n_features, "k": k} | settings
    (folder / "cfg.json").write_text(json.dumps(stored))
    return folder


def texts(n: int = 6):
    """Documents of 100 to 300 bytes, always the same."""
    for number in range(n):
        yield " ".join(f"{number}é{i * i % (7 + number)}" for i in range(20 + 8 * number))

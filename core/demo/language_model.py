"""Train the demo subject: a small GPT-NeoX, to a budget of wall-clock seconds.

The matrices of the blocks follow Muon, embeddings, norms and biases AdamW. The learning rate is
constant and falls linearly to zero over the last third of the time.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from core.demo.head import chunked_loss
from core.demo.muon import Muon
from core.demo.text import BOS_ID, draw


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Size of the subject and how it is trained."""

    n_vocab: int = 8192
    n_layers: int = 4
    d_model: int = 192
    n_heads: int = 6
    sequence_length: int = 128  # tokens
    batch: int = 16  # sequences a step
    muon_rate: float = 0.02  # share of a matrix's root-mean-square scale a step
    adam_rate: float = 3e-3
    weight_decay: float = 0.01  # times the rate; matrices of the blocks only
    warm_up: int = 50  # steps
    decay_share: float = 1 / 3  # of the time
    report_every: int = 100  # steps
    seed: int = 0


class StepReport(NamedTuple):
    """Where training stands."""

    step: int
    seconds: float  # since the start, wall clock
    loss: float  # nats a token, mean since the last report


def new_model(settings: ModelSettings) -> GPTNeoXForCausalLM:
    """Build an untrained subject."""
    torch.manual_seed(settings.seed)
    config = GPTNeoXConfig(
        vocab_size=settings.n_vocab,
        hidden_size=settings.d_model,
        num_hidden_layers=settings.n_layers,
        num_attention_heads=settings.n_heads,
        intermediate_size=4 * settings.d_model,
        max_position_embeddings=settings.sequence_length,
        tie_word_embeddings=True,
        bos_token_id=BOS_ID,
        eos_token_id=BOS_ID,
        pad_token_id=BOS_ID,
    )
    model = GPTNeoXForCausalLM(config)
    model.set_attn_implementation("eager")  # on a CPU its backward pass is the faster one
    return model


def train(
    model: GPTNeoXForCausalLM, tokens: np.ndarray, settings: ModelSettings, seconds: float
) -> Iterator[StepReport]:
    """Train in place on sequences drawn from a stream until the time is up."""
    rng = np.random.default_rng(settings.seed)
    muon, adam = _optimizers(model, settings)
    start, step, losses = time.monotonic(), 0, []
    model.train()
    while (spent := time.monotonic() - start) < seconds:
        rate = _rate(step, spent / seconds, settings)
        ids = draw(tokens, settings.batch, settings.sequence_length, rng)
        loss = _training_loss(model, ids)
        loss.backward()
        muon.step(settings.muon_rate * rate)
        adam.param_groups[0]["lr"] = settings.adam_rate * rate
        adam.step()
        model.zero_grad()
        losses.append(loss.item())
        step += 1
        if step % settings.report_every == 0:
            yield StepReport(step, spent, float(np.mean(losses)))
            losses.clear()
    if losses:
        yield StepReport(step, min(spent, seconds), float(np.mean(losses)))
    model.eval()


def _training_loss(model: GPTNeoXForCausalLM, ids: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.gpt_neox(input_ids=ids, use_cache=False).last_hidden_state
    return chunked_loss(
        hidden[:, :-1].flatten(0, 1).float(),
        model.get_output_embeddings().weight,
        ids[:, 1:].flatten(),
    )


def next_token_loss(model: GPTNeoXForCausalLM, ids: Tensor) -> Tensor:
    """Mean cross-entropy of every token but the first, in nats; ids [sequence, position]."""
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
    return cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())


@torch.inference_mode()
def held_out_loss(model: GPTNeoXForCausalLM, ids: Tensor) -> float:
    """Mean loss over whole sequences, in nats a token, in float32; ids [sequence, position]."""
    parts = [next_token_loss(model, batch).item() * len(batch) for batch in ids.split(16)]
    return sum(parts) / len(ids)


def _optimizers(
    model: GPTNeoXForCausalLM, settings: ModelSettings
) -> tuple[Muon, torch.optim.AdamW]:
    matrices, others = [], []
    for name, parameter in model.named_parameters():
        in_block = parameter.ndim == 2 and ".layers." in name
        (matrices if in_block else others).append(parameter)
    adam = torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    return Muon(matrices, decay=settings.weight_decay), adam


def _rate(step: int, share: float, settings: ModelSettings) -> float:
    """Scale of the learning rate, 0..1, after `share` of the time."""
    warm = min(1.0, (step + 1) / settings.warm_up)
    return warm * min(1.0, (1 - share) / settings.decay_share)

"""Make the demo: text -> tokenizer -> language model -> SAEs -> model card.

Everything that `data/demo` ships comes out of `retrain`. How far training gets depends on the
machine, since it is given minutes, not steps; the text is whatever this installation holds.
"""

import copy
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import GPTNeoXForCausalLM, PreTrainedTokenizerFast

from core.demo import CORPUS, autoencoder, card, language_model, text
from core.demo.measure import measure
from core.demo.recipe import Recipe
from core.demo.residual import activations
from data.corpus import documents, versions
from data.errors import BadInput
from data.records import Progress


class Material(NamedTuple):
    """The text as the subject sees it."""

    tokenizer: PreTrainedTokenizerFast
    train: np.ndarray  # uint16 [token]
    held_out: np.ndarray  # uint16 [token]
    n_documents: int


def retrain(
    out: Path, minutes: float = 41, *, corpus: str = CORPUS, recipe: Recipe | None = None
) -> Iterator[Progress]:
    """Train a subject and its SAEs into `out`, laid out like `data/demo`.

    `minutes` is the time for training; reading the text before and measuring after it come on
    top (a few minutes). Files appear as they are ready; the model card, last, says it is complete.
    """
    recipe = recipe or Recipe()
    if (out / "model").exists() or (out / "sae").exists():
        raise BadInput(f"{out}: already holds a trained demo; name another folder")
    yield Progress("reading text", 0, 1, unit="corpora")
    material = prepare(documents(corpus), recipe)
    note = f"{len(material.train):,} tokens"
    yield Progress("reading text", 1, 1, unit="corpora", note=note)
    seconds = 60 * minutes * recipe.model_share
    model = language_model.new_model(recipe.model)
    for at in language_model.train(model, material.train, recipe.model, seconds):
        yield _progress("training the subject", at.seconds, seconds, f"loss {at.loss:.3f}")
    save_subject(model, material.tokenizer, out / "model")
    yield from train_saes(out, model, material.train, 60 * minutes - seconds, recipe)
    yield from finish(out, material, corpus, minutes, recipe)


def prepare(stream: Iterable[str], recipe: Recipe) -> Material:
    """Divide the documents, learn the tokenizer on the greater part and encode both."""
    documents_of = text.split(stream)
    settings = recipe.model
    tokenizer = text.train_tokenizer(documents_of.train, settings.n_vocab)
    train, held_out = (text.encode(tokenizer, part) for part in documents_of)
    if len(tokenizer) < settings.n_vocab or len(held_out) < settings.sequence_length:
        raise BadInput(
            f"The corpus is too small to train on: {len(tokenizer):,} tokens of vocabulary and "
            f"{len(held_out):,} held out, of {settings.n_vocab:,} and "
            f"{settings.sequence_length:,} needed; name a larger one"
        )
    return Material(tokenizer, train, held_out, n_documents=sum(map(len, documents_of)))


def save_subject(
    model: GPTNeoXForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path
) -> None:
    """Write model and tokenizer as Hugging Face folders are, weights in float16.

    The configuration names float32, so that loading without a dtype computes in it.
    """
    copy.deepcopy(model).half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text()) | {"dtype": "float32"}
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def train_saes(
    out: Path, model: GPTNeoXForCausalLM, tokens: np.ndarray, seconds: float, recipe: Recipe
) -> Iterator[Progress]:
    """Train one SAE per hookpoint, in equal parts of the time, into `out/sae/HOOKPOINT`."""
    yield Progress("reading activations", 0, recipe.sae_tokens, unit="tokens")
    ids = _sample(tokens, recipe.sae_tokens, recipe)
    data = activations(model.eval(), ids, recipe.hookpoints)
    share = seconds / len(recipe.hookpoints)
    for name in recipe.hookpoints:
        sae = autoencoder.new(data[name], recipe.sae)
        for at in autoencoder.train(sae, data[name], recipe.sae, share):
            note = f"unexplained {at.unexplained:.3f}, silent {at.silent}"
            yield _progress(f"training the SAE at {name}", at.seconds, share, note)
        autoencoder.save(sae, out / "sae" / name)


def finish(
    out: Path, material: Material, corpus: str, minutes: float, recipe: Recipe
) -> Iterator[Progress]:
    """Measure the files as they lie in `out` and write the model card beside them."""
    yield Progress("measuring", 0, 1, unit="folders")
    held_out = text.sequences(material.held_out, recipe.model.sequence_length)
    train = _sample(material.train, recipe.measured_tokens, recipe)
    figures = measure(out, held_out, train)
    facts = card.Facts(
        corpus=corpus,
        versions=versions(corpus),
        n_documents=material.n_documents,
        train_tokens=len(material.train),
        held_out_tokens=len(material.held_out),
        minutes=minutes,
    )
    (out / "README.md").write_text(card.render(figures, facts, recipe), encoding="utf-8")
    yield Progress("measuring", 1, 1, unit="folders")


def _sample(tokens: np.ndarray, n_tokens: int, recipe: Recipe) -> Tensor:
    """Choose sequences with about `n_tokens` in all, or all there are; [sequence, position]."""
    ids = text.sequences(tokens, recipe.model.sequence_length)
    order = torch.randperm(len(ids), generator=torch.Generator().manual_seed(recipe.seed))
    return ids[order[: n_tokens // recipe.model.sequence_length]]


def _progress(stage: str, seconds: float, total: float, note: str) -> Progress:
    return Progress(stage, int(seconds), int(total), unit="seconds", rate=1.0, note=note)

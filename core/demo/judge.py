"""Train a second language model on the demo's text: a judge that is not the subject.

The same architecture and tokenizer as the bundled subject, another seed, and twice its context, so
that a few passages and a statement fit. It judges interventions (core/intervening) without any
download; a large base model judges better.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerFast

from core.demo import CORPUS, MODEL, language_model, text
from core.demo.language_model import ModelSettings
from core.demo.train import save_subject
from core.pretrained import load_tokenizer
from data.corpus import documents
from data.errors import BadInput
from data.records import Progress

SECONDS = 300.0
SETTINGS = ModelSettings(sequence_length=256, batch=8, report_every=20, seed=1)

CARD = """\
---
license: apache-2.0
---
# A judge for interventions

A small language model, trained by `gloss demo --judge-model` on the text of corpus `{corpus}`
({n_tokens:,} tokens) with the tokenizer of the bundled subject: GPT-NeoX, {n_layers} layers,
d_model {d_model}, context {context} tokens, seed {seed}, {seconds:g} seconds of training, loss
{loss} nats a token at the end. It says how likely an explanation is after a text (`gloss
intervene --judge-model`); the text that it writes is of no use.
"""


def train_judge(
    out: Path,
    seconds: float = SECONDS,
    seed: int = SETTINGS.seed,
    *,
    corpus: str = CORPUS,
    settings: ModelSettings = SETTINGS,
) -> Iterator[Progress]:
    """Train a judge into `out`, a folder as `Causal.load` reads it; the card, last, completes it.

    `seconds` is the time for training; reading the text comes on top. Seed 0 is the subject's.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out} is not empty: name another folder for the judge")
    if seconds <= 0:
        raise BadInput(f"--seconds {seconds:g}: training takes more than 0 seconds")
    settings = replace(settings, seed=seed)
    yield Progress("reading text", 0, 1, unit="corpora")
    tokenizer = load_tokenizer(str(MODEL), revision=None)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    settings = replace(settings, n_vocab=len(tokenizer))
    tokens = text.encode(tokenizer, text.split(documents(corpus)).train)
    if len(tokens) < settings.sequence_length:
        raise BadInput(f"corpus {corpus} has {len(tokens):,} tokens, too few to train on")
    yield Progress("reading text", 1, 1, unit="corpora", note=f"{len(tokens):,} tokens")
    model = language_model.new_model(settings)
    at = language_model.StepReport(0, 0.0, math.inf)
    for at in language_model.train(model, tokens, settings, seconds):
        yield Progress("training the judge", int(at.seconds), int(seconds), unit="seconds",
                       rate=1.0, note=f"loss {at.loss:.3f}")  # fmt: skip
    save_subject(model, tokenizer, out)
    card = CARD.format(
        corpus=corpus, n_tokens=len(tokens), n_layers=settings.n_layers, loss=f"{at.loss:.3f}",
        d_model=settings.d_model, context=settings.sequence_length, seed=seed, seconds=seconds,
    )  # fmt: skip
    (out / "README.md").write_text(card, encoding="utf-8")
    yield Progress("training the judge", int(seconds), int(seconds), unit="seconds",
                   note=warning(at, tokens))  # fmt: skip


def warning(at: language_model.StepReport, tokens: np.ndarray) -> str:
    """Say so where the judge knows no more than how frequent tokens are; "" = it knows more."""
    counts = np.bincount(tokens)
    share = counts[counts > 0] / len(tokens)
    frequencies = float(-(share * np.log(share)).sum())
    if at.loss < frequencies:
        return ""
    return (f"{at.step:,} steps were too few: its loss is {at.loss:.2f} nats a token, and "
            f"{frequencies:.2f} takes no more than how frequent tokens are, so that its scores "
            "will be near 0; train one for more --seconds")  # fmt: skip

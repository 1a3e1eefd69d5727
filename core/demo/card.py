"""The model card of the demo: facts and figures -> Markdown. Every number is handed in."""

from math import exp
from typing import NamedTuple

from core.demo.measure import Figures, SaeFigures
from core.demo.recipe import Recipe


class Facts(NamedTuple):
    """What is known without measuring."""

    corpus: str
    versions: dict[str, str]  # package -> version that the text was read from
    n_documents: int
    train_tokens: int
    held_out_tokens: int
    minutes: float  # of training, all parts together


HEAD = """\
---
license: apache-2.0
---
# The demo subject and its SAEs

A small language model and sparse autoencoders (SAEs) on its residual stream, trained by Gloss so
that `gloss demo` runs with no network, no key and no GPU. They are for looking at features; the
text that the model writes is of no use."""

TEXT = """\
## Text
Corpus `{corpus}`: docstrings, taken from the source files of a Python installation, and Python's
help topics ({versions}).
The text is not shipped: training and caching read it from the user's own installation, so other
versions give slightly other text. {n_documents:,} documents; {train_tokens:,} tokens to train on;
every 50th document ({held_out_tokens:,} tokens in all) was held out."""

SUBJECT = """\
## Subject: `model/`
| | |
|---|---|
| architecture | GPT-NeoX, {n_layers} layers, d_model {d_model}, {n_heads} heads, tied embeddings |
| size | {n_parameters:,} parameters, stored in float16, computed in float32 |
| tokenizer | byte-level BPE, {n_vocab:,} tokens |
| special token | `<|endoftext|>` begins every sequence, closes every document, and pads |
| sequence length | {sequence_length} tokens, in training and in caching |
| training time | {model_minutes:.0f} minutes on two CPU cores shared with other work |
| optimizer | Muon for the matrices of the blocks, AdamW for the rest; bfloat16 autocast |
| held-out loss | {loss:.3f} nats a token |
| held-out perplexity | {perplexity:.1f} |"""

SAE_HEAD = """\
## SAEs: `sae/<hookpoint>/`
TopK, k = {k}, {n_features:,} features, rows of `W_dec` of length 1, float16, in the layout of
EleutherAI's sparsify. {sae_seconds:.0f} seconds of training each on two CPU cores, on the
activations of up to {n_tokens:,} training tokens. `<|endoftext|>` was neither trained on nor
measured.

| hookpoint | FVU | L0 | dead | spliced loss | recovered (zero) | recovered (mean) |
|---|---|---|---|---|---|---|"""

SAE_FOOT = """\
FVU: share of the variance that stays unexplained. L0: features on at a token, mean. Dead: never
on in {dead_on:,} training tokens.
Spliced loss: held-out loss in nats with the reconstruction in place of the residual stream, where
the intact model has {loss:.3f}. Recovered: the share of the damage done by an ablation that the
reconstruction avoids. Zeros (losses {zero}) take away everything that later layers
read and flatter any SAE; the mean of the training activations ({mean}) is the
fairer opponent."""

MAKING = """\
## Made by
The stages of `core/demo/train.py`, which `gloss demo --retrain` runs one after the other, with
{minutes:g} minutes of training. All figures were measured on the files that lie here, on the
held-out documents unless said otherwise. Another machine gets another result, because training is
given minutes, not steps.

Licence: Apache-2.0."""


def render(figures: Figures, facts: Facts, recipe: Recipe) -> str:
    """Write the whole card."""
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    stated = facts._asdict() | {"versions": versions or "files of the user"}
    parts = (
        HEAD,
        TEXT.format_map(stated),
        _subject(figures, facts, recipe),
        _saes(figures, facts, recipe),
        MAKING.format_map(stated),
    )
    return "\n\n".join(parts) + "\n"


def _subject(figures: Figures, facts: Facts, recipe: Recipe) -> str:
    model = recipe.model
    return SUBJECT.format(
        n_layers=model.n_layers,
        d_model=model.d_model,
        n_heads=model.n_heads,
        n_parameters=figures.n_parameters,
        n_vocab=model.n_vocab,
        sequence_length=model.sequence_length,
        model_minutes=facts.minutes * recipe.model_share,
        loss=figures.loss,
        perplexity=exp(figures.loss),
    )


def _saes(figures: Figures, facts: Facts, recipe: Recipe) -> str:
    saes = figures.saes
    head = SAE_HEAD.format(
        k=recipe.sae.k,
        n_features=recipe.sae.n_features,
        sae_seconds=60 * facts.minutes * (1 - recipe.model_share) / len(saes),
        n_tokens=recipe.sae_tokens,
    )
    foot = SAE_FOOT.format(
        dead_on=saes[0].dead_on,
        loss=figures.loss,
        zero=" and ".join(f"{sae.losses.zero:.2f}" for sae in saes),
        mean=" and ".join(f"{sae.losses.mean:.2f}" for sae in saes),
    )
    return "\n".join([head, *(_row(sae) for sae in saes), "", foot])


def _row(sae: SaeFigures) -> str:
    cells = (
        f"`{sae.hookpoint}`",
        f"{sae.fvu:.3f}",
        f"{sae.active:.2f}",
        f"{sae.dead} of {sae.n_features:,}",
        f"{sae.losses.spliced:.3f}",
        f"{sae.losses.recovered_zero:.4f}",
        f"{sae.losses.recovered_mean:.4f}",
    )
    return f"| {' | '.join(cells)} |"

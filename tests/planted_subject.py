"""A subject and an SAE whose weights are set by hand, so that what every feature does is known.

The subject is a GPT-2 with 56 words of one token each, 64 positions and two layers, the second of
which does nothing. Token and position are one-hot and every normalisation before the first layer's
attention is the identity, so that its four heads compute exactly: the previous token; whether the
nearest bracket before is "(" (+1) or ")" (-1); and two bits of two words far back, at a distance
that differs from position to position. A text is words joined by spaces, e.g. "( river stone )".

    from planted_subject import Planted, POINT, make_store, subject, sae
    make_store(tmp_path / "store")    # Catalogue with the cache "planted" at POINT; 1 s a process
    subject(), sae()                  # the same in memory
    save_subject(folder), save_sae(folder), save_texts(folder)     # as files, for any stage
    subject(brackets=False)           # another model: CONTEXT_ONLY and TOKEN_IN_CONTEXT are silent

The features, whose values are 1 to 2 unless said and vary with a word that does not matter:

    POSITIONAL        the first 8 positions after BOS, whatever stands there
    UNIGRAM           the word "apple", whatever is before it
    PRIOR_TOKEN       whatever follows the word "river"
    CONTEXT_ONLY      every word between "(" and ")"
    TOKEN_IN_CONTEXT  the word "bank" between "(" and ")", nowhere else
    OUTPUT_ONLY       1 token in 20, unrelated to word, predecessor and position; its decoder row
                      moves no logit but that of PROMOTED, which it makes likelier
    MOSTLY            7 to 8 on "stone", 1 to 2 on each word of WEAK: single-token, weakly
    EVERYWHERE        every token
    RARE              the word "zenith", which the corpus has RARE_TIMES times
    DEAD              nothing

The other decoder rows point to what the feature reads; they change logits by the final norm alone
or by the fixed preferences of the subject for what follows a word.
"""

import atexit
import json
import shutil
import tempfile
from enum import IntEnum
from functools import cache
from pathlib import Path

import numpy as np
import tiny
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from core.pipeline.caching import CacheRequest, cache_stage
from core.sae import TopK, Weights
from core.subject import Subject
from data.catalogue import Catalogue

SPECIAL = ("<bos>", "<eos>", "<unk>")
BOS, EOS, UNKNOWN = range(3)
WEAK = (
    "red", "blue", "green", "white", "black", "small", "large", "old", "new", "cold", "warm",
    "fast", "slow", "soft", "hard", "dry", "wet", "bright", "dark", "clean", "plain", "quiet",
    "loud",
)  # fmt: skip
OTHERS = (
    "the", "of", "and", "to", "in", "is", "was", "for", "on", "that", "with", "as", "by", "at",
    "from", "it", "an", "be", "this", "which", "or", "are",
)  # fmt: skip
NAMED = ("apple", "river", "bank", "stone", "lantern", "zenith", "(", ")")
PROMOTED = "lantern"
RARE_TIMES = 3
WORDS = (*SPECIAL, *NAMED, *WEAK, *OTHERS)
IDS = {word: number for number, word in enumerate(WORDS)}
LENGTH = 64  # tokens a sequence, and positions of the subject
POINT = "transformer.h.0"
HOOKPOINT = "h.0"  # as the SAE's folder calls it
D = 256
HEADS, HEAD = 4, 64
TOKEN, POSITION, PREVIOUS = 0, 64, 128  # where each begins in the residual stream
INSIDE, FIRST_BIT, SECOND_BIT, OUTPUT = 192, 193, 194, 195
UNUSED = slice(196, D - 1)
ON, OFF = 3.0, -2.0  # weight of what a feature reads, and its bias: silent without it


class Planted(IntEnum):
    """Numbers of the features."""

    POSITIONAL = 0
    UNIGRAM = 1
    PRIOR_TOKEN = 2
    CONTEXT_ONLY = 3
    TOKEN_IN_CONTEXT = 4
    OUTPUT_ONLY = 5
    MOSTLY = 6
    EVERYWHERE = 7
    RARE = 8
    DEAD = 9


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a word; an unknown one is <unk>, an ordinary token."""
    inner = Tokenizer(models.WordLevel({_spelled(w): i for w, i in IDS.items()}, SPECIAL[UNKNOWN]))
    inner.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    inner.decoder = decoders.Metaspace(prepend_scheme="always")
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token=SPECIAL[BOS], eos_token=SPECIAL[EOS]
    )


def _spelled(word: str) -> str:
    return word if word in SPECIAL else f"▁{word}"


def subject(*, brackets: bool = True) -> Subject:
    """The subject in memory; without `brackets` nothing knows of them, all else is the same."""
    return Subject(model(brackets=brackets), tokenizer(), name="planted")


def model(*, brackets: bool = True) -> GPT2LMHeadModel:
    """The model with its weights set."""
    config = GPT2Config(
        n_embd=D, n_layer=2, n_head=HEADS, n_positions=LENGTH, vocab_size=len(WORDS), n_inner=4,
        tie_word_embeddings=False, bos_token_id=BOS, eos_token_id=EOS,
    )  # fmt: skip
    made = GPT2LMHeadModel(config).eval().requires_grad_(False)
    for name, weight in made.named_parameters():
        weight.fill_(1.0 if ".ln_" in name and name.endswith("weight") else 0.0)
    words, places = range(len(WORDS)), range(LENGTH)
    made.transformer.wte.weight[words, [TOKEN + t for t in words]] = 1.0
    made.transformer.wpe.weight[places, [POSITION + p for p in places]] = 1.0
    _be_identity(made.transformer.h[0].ln_1)
    _set_heads(made.transformer.h[0].attn, brackets)
    _set_head_of_words(made.lm_head.weight)
    return made


def _be_identity(norm: torch.nn.LayerNorm) -> None:
    """Undo the normalisation: every input has two ones, so its mean and deviation are known."""
    mean = 2 / D
    norm.weight.fill_((2 / D - mean**2 + norm.eps) ** 0.5)
    norm.bias.fill_(mean)


def _set_heads(attention: torch.nn.Module, brackets: bool) -> None:
    W, b = attention.c_attn.weight, attention.c_attn.bias  # [d, query | key | value]
    out = attention.c_proj.weight
    _look_at(W, 0, [max(0, p - 1) for p in range(LENGTH)])
    for token in range(len(WORDS)):
        W[TOKEN + token, 2 * D + token] = 1.0
        out[token, PREVIOUS + token] = 1.0
    # The nearest bracket or end of a document before: their keys exceed all others, later ones
    # exceed earlier ones, and BOS exceeds what is neither.
    b[HEAD] = 8.0  # the query, times the 1/8 of the attention
    for p in range(LENGTH):
        W[POSITION + p, D + HEAD] = 15.0 * p
    kept = {"(": (2000, 1), ")": (2000, -1), "<eos>": (2000, 0), "<bos>": (1200, 0)}
    for word, (key, value) in kept.items():
        W[TOKEN + IDS[word], D + HEAD] = key
        W[TOKEN + IDS[word], 2 * D + HEAD] = value
    out[HEAD, INSIDE] = float(brackets)
    for head, bit in ((2, FIRST_BIT), (3, SECOND_BIT)):
        rng = np.random.default_rng(head)
        _look_at(W, head, [int(rng.integers(0, max(1, p - 2))) for p in range(LENGTH)])
        chosen = rng.choice(np.arange(len(SPECIAL), len(WORDS)), len(WORDS) // 4, replace=False)
        W[TOKEN + chosen, 2 * D + head * HEAD] = 1.0
        out[head * HEAD, bit] = 1.0


def _look_at(W: torch.Tensor, head: int, places: list[int]) -> None:
    """Let every position attend to one place."""
    for p, place in enumerate(places):
        W[POSITION + p, head * HEAD + place] = 8.0 * 30
        W[POSITION + p, D + head * HEAD + p] = 1.0


def _set_head_of_words(W: torch.Tensor) -> None:
    """Prefer some words after each word, moderately; OUTPUT moves one word and no other."""
    rng = np.random.default_rng(0)
    preferred = torch.from_numpy(rng.normal(0, 0.15, (len(WORDS), len(WORDS)))).float()
    W[:, TOKEN : TOKEN + len(WORDS)] = preferred
    unlikely = torch.full((LENGTH,), -1.5)  # specials; balanced elsewhere, for the norm's mean
    W[: len(SPECIAL), POSITION : POSITION + LENGTH] = unlikely
    W[: len(SPECIAL), UNUSED] = -unlikely.sum() / (UNUSED.stop - UNUSED.start)
    W[IDS[PROMOTED], OUTPUT] = 1.0


def sae() -> TopK:
    """The SAE in memory; k is all features, so that none is silenced by others."""
    return TopK(weights(), len(Planted))


def weights() -> Weights:
    """Encoder and decoder of the planted features."""
    W_enc = torch.zeros(D, len(Planted))
    b_enc = torch.full((len(Planted),), OFF)
    first = POSITION + 1 + np.arange(8)
    reads = {
        Planted.POSITIONAL: [first],
        Planted.UNIGRAM: [TOKEN + IDS["apple"]],
        Planted.PRIOR_TOKEN: [PREVIOUS + IDS["river"]],
        Planted.CONTEXT_ONLY: [INSIDE],
        Planted.TOKEN_IN_CONTEXT: [TOKEN + IDS["bank"], INSIDE],
        Planted.OUTPUT_ONLY: [FIRST_BIT, SECOND_BIT],
        Planted.MOSTLY: [TOKEN + np.array([IDS[word] for word in WEAK])],
        Planted.EVERYWHERE: [POSITION + np.arange(LENGTH)],
        Planted.RARE: [TOKEN + IDS["zenith"]],
        Planted.DEAD: [],
    }
    for feature, places in reads.items():
        for place in places:
            W_enc[place, feature] = ON
        b_enc[feature] -= ON * max(0, len(places) - 1)  # all of them
    W_enc[TOKEN + IDS["("], Planted.CONTEXT_ONLY] = -ON  # not the bracket itself
    W_enc[TOKEN + IDS["stone"], Planted.MOSTLY] = ON + 6
    W_dec = W_enc.T.clone().clamp(min=0)
    _vary(W_enc)
    W_dec[Planted.OUTPUT_ONLY] = 0
    W_dec[Planted.OUTPUT_ONLY, OUTPUT] = 1.0
    W_dec[Planted.DEAD, D - 1] = 1.0
    W_dec /= W_dec.norm(dim=1, keepdim=True)
    return Weights(W_enc=W_enc, b_enc=b_enc, b_dec=torch.zeros(D), W_dec=W_dec)


def _vary(W_enc: torch.Tensor) -> None:
    """Add 0 to 1 for a word that does not matter: the predecessor, or else the word itself."""
    amount = torch.linspace(0, 0.95, len(WORDS))[torch.randperm(
        len(WORDS), generator=torch.Generator().manual_seed(3))]  # fmt: skip
    for feature in Planted:
        by_word = feature in (Planted.PRIOR_TOKEN, Planted.CONTEXT_ONLY)
        begin = TOKEN if by_word else PREVIOUS
        W_enc[begin : begin + len(WORDS), feature] += amount


def texts(n: int = 240, seed: int = 0) -> list[str]:
    """Documents of 50 to 100 words; about one word in eight stands between brackets."""
    rng = np.random.default_rng(seed)
    frequency = dict.fromkeys((*WEAK, *OTHERS), 1.0)
    frequency |= {"apple": 2.5, "river": 2.5, "bank": 3.0, "stone": 1.0, PROMOTED: 1.0}
    words, share = list(frequency), np.array([*frequency.values()]) / sum(frequency.values())
    documents = []
    for length in rng.integers(50, 101, n):
        found = rng.choice(words, length, p=share).tolist()
        for place in np.flatnonzero(rng.random(length) < 0.03)[::-1]:
            end = place + rng.integers(2, 7)
            found[place:end] = ["(", *found[place:end], ")"]
        documents.append(found)
    for number in range(RARE_TIMES):
        documents[number * (n // RARE_TIMES)][20] = "zenith"
    return [" ".join(found) for found in documents]


def save_subject(folder: Path, *, brackets: bool = True) -> Path:
    """Write the subject, for `Subject.load`."""
    model(brackets=brackets).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def save_sae(folder: Path) -> Path:
    """Write the SAE in the sparsify format below a folder; gives the folder for `--sae`."""
    tiny.save_sae(folder / HOOKPOINT, weights(), k=len(Planted))
    return folder


def save_texts(folder: Path, n: int = 240, seed: int = 0) -> Path:
    """Write the corpus as JSON lines."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({"text": text}) + "\n" for text in texts(n, seed))
    (folder / "texts.jsonl").write_text("".join(lines))
    return folder / "texts.jsonl"


def request(things: Path, **other) -> CacheRequest:
    """What to ask of `cache_stage`, with subject, SAE and texts in one folder."""
    settings = {
        "subject": str(things / "model"), "saes": (str(things / "sae"),), "name": "planted",
        "corpus": str(things / "texts.jsonl"), "n_tokens": 30_000, "sequence_length": LENGTH,
        "anyway": True,  # it does not rebuild its vectors
    }  # fmt: skip
    return CacheRequest(**settings | other)


def make_store(folder: Path) -> Catalogue:
    """Make a store with the cache "planted", about 18,000 tokens in sequences of 64."""
    shutil.copytree(_template() / "store", folder, dirs_exist_ok=True)
    return Catalogue(folder)


@cache
def _template() -> Path:
    """Cache once in this process; subject and SAE stay on disk until it ends."""
    place = Path(tempfile.mkdtemp(prefix="gloss-planted-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    save_subject(place / "model")
    save_sae(place / "sae")
    save_texts(place)
    list(cache_stage(Catalogue(place / "store"), request(place)))
    return place

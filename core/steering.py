"""What a feature does to the text that follows: add to it, ablate it or set it, and read on.

    add     h + s m W_dec[f]            h: the subject's own vector at the hookpoint
    ablate  h - a_f W_dec[f]            a_f: the feature's activation there, m: its largest in
    set     h + (s m - a_f) W_dec[f]    the cache, s: strength

Where the SAE normalises its inputs or weighs its features, W_dec[f] stands for what one unit of
activation adds to the reconstruction of that very vector (methods.md 5.9).

Only one direction is moved, so the SAE's reconstruction error stays in h. As methods.md 5.9 has it,
the edit is made at the last token of the prompt and at every token written after it; on request at
all tokens of the prompt. A transcoder reads one place and writes another.
In: token ids. Out: continuations with and without the edit, drawn with the same random numbers, and
how far apart the next-token distributions are. Knows nothing of texts, stores or pages.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from core.hookpoints import written
from core.sae import Sae
from core.steered import (
    LISTED,
    LONGEST,
    MOVED,
    Change,
    Continuation,
    Steered,
    Steering,
    Writing,
)
from core.subject import Decoding, Edit, Subject
from data.errors import BadInput, NotFound


def ignore(_done: int, _total: int) -> None:
    """Watch nothing."""


def steer(
    subject: Subject,
    sae: Sae,
    hookpoint: str,
    ids: Sequence[int],
    steering: Steering,
    writing: Writing | None = None,
    *,
    special_ids: Sequence[int] = (),
    watch: Callable[[int, int], None] = ignore,
) -> Steered:
    """Continue a prompt with and without an edit of one feature.

    ids: the prompt with its BOS; special_ids are never edited. `watch` is called between tokens
    with how many of how many are written, and may raise to stop.
    """
    writing = writing or Writing()
    _require(subject, sae, steering, writing, ids, special_ids)
    prompt = torch.tensor([list(ids)] * writing.n_texts)
    ordinary = ~torch.isin(prompt[0], torch.tensor(list(special_ids), dtype=torch.int64))
    edit = edit_of(sae, hookpoint, steering, ordinary)
    steps = _Steps(writing, subject.eos_id, watch)
    written = _write(steps, prompt, subject.decoding())
    moved = _write(steps, prompt, subject.decoding(edit), beside=subject.decoding())
    before, after = (_shares(first[:1])[0] for first in (written.first, moved.first))
    return Steered(
        clean=written.texts,
        steered=moved.texts,
        kl=divergence(written.first[:1], moved.first[:1])[0],
        kl_by_token=moved.kl,
        rising=_movers(before, after, after - before),
        falling=_movers(before, after, before - after),
        activation=_activation(subject, sae, hookpoint, prompt[:1], steering.feature),
    )


def _require(
    subject: Subject,
    sae: Sae,
    steering: Steering,
    writing: Writing,
    ids: Sequence[int],
    special_ids: Sequence[int],
) -> None:
    """Refuse what cannot be done, before anything is run."""
    if sae.W_dec is None:
        raise BadInput(
            f"the SAE {sae.origin.source or 'in memory'} has no decoder: nothing says which "
            "direction the feature writes, so it cannot be steered"
        )
    if not 0 <= steering.feature < sae.n_features:
        raise NotFound(f"the SAE has features 0 to {sae.n_features - 1}, not {steering.feature}")
    if not 1 <= writing.n_tokens <= LONGEST or writing.n_texts < 1 or writing.temperature < 0:
        raise BadInput(f"a text goes on for 1 to {LONGEST} tokens, at a temperature from 0 on")
    if not ids or ids[-1] in special_ids:
        raise BadInput("there is no prompt to go on from: give at least one ordinary token")
    longest = subject.max_length
    if longest is not None and len(ids) + writing.n_tokens > longest:
        raise BadInput(
            f"a prompt of {len(ids)} tokens and {writing.n_tokens} new ones are more than the "
            f"{longest} that the subject was trained on: shorten one of them"
        )


def edit_of(sae: Sae, hookpoint: str, steering: Steering, ordinary: Tensor) -> Edit:
    """Make the edit; ordinary: positions of the prompt that may be edited, bool [prompt]."""

    def change(read: Tensor, written: Tensor) -> Tensor:
        # The prompt is run at once; after it each step presents one token.
        is_prompt = read.shape[1] == len(ordinary) and read.shape[1] > 1
        everywhere = is_prompt and steering.where == "everywhere"
        chosen = ordinary.nonzero()[:, 0] if everywhere else torch.tensor([read.shape[1] - 1])
        chosen = chosen.to(written.device)
        here = read[:, chosen]
        step = _step(sae, steering, here)  # [batch, chosen, 1]
        unit = sae.effect(steering.feature, here.flatten(0, 1)).float().to(written.device)
        out = written.clone()
        out[:, chosen] += (step.to(written.device) * unit.unflatten(0, step.shape[:2])).to(
            written.dtype
        )
        return out

    return Edit(hookpoint, written(sae, hookpoint), change)


def _step(sae: Sae, steering: Steering, read: Tensor) -> Tensor:
    """How far to go along the direction at each token, raw, float32 [batch, tokens, 1]."""
    batch, tokens, _ = read.shape
    wanted = 0.0 if steering.mode == "ablate" else steering.strength * steering.scale
    if steering.mode == "add":
        return torch.full((batch, tokens, 1), wanted, device=read.device)
    active = sae.encode(read.reshape(batch * tokens, -1))
    own = torch.zeros(batch * tokens, device=read.device)
    here = active.feature == steering.feature
    own[active.row[here]] = active.value[here].float()
    return (wanted - own).reshape(batch, tokens, 1)


def _activation(
    subject: Subject, sae: Sae, hookpoint: str, prompt: Tensor, feature: int
) -> float:  # fmt: skip
    found = subject.activations(prompt, [hookpoint])[hookpoint][:, -1]
    active = sae.encode(found)
    return float(active.value[active.feature == feature].sum())


class _Steps(NamedTuple):
    """What all texts of one question share."""

    writing: Writing
    eos_id: int | None
    watch: Callable[[int, int], None]


class _Written(NamedTuple):
    """Texts as they were written."""

    texts: tuple[Continuation, ...]
    first: Tensor  # logits after the prompt, float32 [texts, vocabulary]
    kl: tuple[tuple[float, ...], ...]  # nats, before each token; () where nothing stood beside


def _write(
    steps: _Steps, prompt: Tensor, decoding: Decoding, beside: Decoding | None = None
) -> _Written:
    """Go on token by token; `beside` reads the same text, and how far it would stray is noted."""
    writing, rows = steps.writing, len(prompt)
    random = torch.Generator().manual_seed(writing.seed)  # the same draws for both sides
    ids: list[list[int]] = [[] for _ in range(rows)]
    apart: list[list[float]] = [[] for _ in range(rows)]
    ended = [False] * rows
    block, first, n_before = prompt, None, 0 if beside is None else writing.n_tokens
    for step in range(writing.n_tokens):
        steps.watch(n_before + step, 2 * writing.n_tokens)
        logits = decoding.run(block)
        first = logits if first is None else first
        distance = [] if beside is None else divergence(beside.run(block), logits)
        chosen = choose(logits, writing.temperature, random)
        for row in range(rows):
            if ended[row]:
                continue
            apart[row] += distance[row : row + 1]
            ended[row] = chosen[row] == steps.eos_id
            ids[row] += [] if ended[row] else [chosen[row]]
        if all(ended):
            break
        block = torch.tensor(chosen)[:, None]
    assert first is not None
    texts = tuple(Continuation(tuple(i), end) for i, end in zip(ids, ended, strict=True))
    return _Written(texts, first, tuple(map(tuple, apart)))


def choose(logits: Tensor, temperature: float, random: torch.Generator) -> list[int]:
    """Choose one token a text, by Gumbel noise: two like distributions mostly choose alike."""
    logits = logits.cpu()
    if temperature == 0:
        return logits.argmax(dim=1).tolist()
    uniform = torch.rand(logits.shape, generator=random, dtype=torch.float64)
    noise = -(-uniform.clamp_min(1e-300).log()).log()
    return (logits.double() / temperature + noise).argmax(dim=1).tolist()


def _shares(logits: Tensor) -> Tensor:
    return logits.double().softmax(dim=-1)


def divergence(clean: Tensor, steered: Tensor) -> list[float]:
    """KL(clean || steered) of the distributions of logits [texts, vocabulary], nats each.

    Of equal logits exactly 0, as every term is; rounding never makes it negative.
    """
    p, q = (logits.double().log_softmax(dim=-1) for logits in (clean, steered))
    terms = torch.where(p > -torch.inf, p.exp() * (p - q), 0.0)  # a share of 0 adds nothing
    return terms.sum(dim=-1).clamp_min(0).tolist()


def _movers(before: Tensor, after: Tensor, gain: Tensor) -> tuple[Change, ...]:
    """The tokens that gain most; none that gain next to nothing."""
    top = gain.topk(min(LISTED, len(gain)))
    return tuple(
        Change(token, float(before[token]), float(after[token]))
        for token, value in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        if value >= MOVED
    )

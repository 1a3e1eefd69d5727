"""Texts that go on from prompts with and without an edit, and the tokens that the edit makes rise.

Both texts of a prompt are drawn with the same random numbers, a stream of their own for every
prompt, so that a text does not depend on what is written beside it (methods.md 5.9, 4).
In: prompts run to their ends. Out: token ids and probabilities. Knows no words, no stores.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from core.intervening.ends import Ends
from core.intervening.settings import Sizes
from core.steered import MOVED, Change
from core.steering import choose
from core.subject import Edit


class Written(NamedTuple):
    """How each prompt goes on."""

    texts: tuple[tuple[int, ...], ...]  # without the token that ended it
    logits: Tensor  # of the first new token, float32 [prompts, vocabulary]


def write(
    ends: Ends, edit: Edit | None, seeds: Sequence[int], sizes: Sizes, eos_id: int | None
) -> Written:
    """Write on from every prompt; seeds: one a prompt."""
    texts: list[tuple[int, ...]] = [()] * ends.n
    first: list[Tensor] = [torch.empty(0)] * ends.n
    for group, text, begun in ends.begun(edit):
        logits = begun
        drawn = [torch.Generator().manual_seed(seeds[place] % 2**63) for place in group.places]
        for place, row in zip(group.places, logits.cpu(), strict=True):
            first[place] = row
        ids: list[list[int]] = []
        for step in range(sizes.new_tokens):
            chosen = [
                choose(row[None], sizes.temperature, random)[0]
                for row, random in zip(logits, drawn, strict=True)
            ]
            ids.append(chosen)
            if step + 1 < sizes.new_tokens:
                logits = text.run(torch.tensor(chosen)[:, None])
        for row, place in enumerate(group.places):
            texts[place] = _until([step[row] for step in ids], eos_id)
    return Written(tuple(texts), torch.stack(first))


def _until(ids: Sequence[int], eos_id: int | None) -> tuple[int, ...]:
    return tuple(ids[: ids.index(eos_id)] if eos_id is not None and eos_id in ids else ids)


def rising(clean: Tensor, steered: Tensor, most: int) -> list[tuple[Change, ...]]:
    """Find the tokens that gain most probability at each prompt, largest gain first.

    clean, steered: logits [prompts, vocabulary]. Those that gain next to nothing are left out.
    """
    before, after = (logits.double().softmax(dim=-1) for logits in (clean, steered))
    top = (after - before).topk(min(most, before.shape[1]), dim=1)
    return [
        tuple(
            Change(token, float(before[row, token]), float(after[row, token]))
            for token, gain in zip(tokens, gains, strict=True)
            if gain >= MOVED
        )
        for row, (tokens, gains) in enumerate(
            zip(top.indices.tolist(), top.values.tolist(), strict=True)
        )
    ]

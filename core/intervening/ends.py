"""Prompts that are run once up to their last token, which is then run again with every edit.

An edit changes the last token and what follows, so all before it is the same for every strength:
its keys and values are kept and copied. Prompts run together, filled up before them where the
subject takes that, else those of equal length.
In: token ids. Out: logits of what follows each prompt, or texts that go on. Knows no texts, no
stores.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from core.subject import Decoding, Edit, Subject
from data.errors import BadInput

TOGETHER = 64  # prompts run at once, at most


class _Group(NamedTuple):
    """Prompts that run together."""

    places: list[int]  # among all prompts
    last: Tensor  # int64 [rows, 1]
    before: Decoding  # what stands before the last token


class Ends:
    """Prompts run up to their last token."""

    def __init__(self, subject: Subject, prompts: Sequence[Sequence[int]]) -> None:
        if not prompts or not all(prompts):
            raise BadInput("there is no prompt to go on from: give at least one ordinary token")
        self.n = len(prompts)
        self._subject = subject
        together = _in_order if subject.takes_padding else _by_length
        self._groups = [self._run(prompts, places) for places in together(prompts)]

    def _run(self, prompts: Sequence[Sequence[int]], places: list[int]) -> _Group:
        some = [list(prompts[place]) for place in places]
        longest = max(map(len, some))
        ids = torch.tensor([[0] * (longest - len(one)) + one for one in some])
        padding = torch.tensor([longest - len(one) for one in some])
        before = self._subject.decoding(padding=padding if padding.any() else None)
        if longest > 1:
            before.run(ids[:, :-1])
        return _Group(places, ids[:, -1:], before)

    def logits(self, edit: Edit | None) -> Tensor:
        """Logits of what follows each prompt, float32 [prompts, vocabulary], on the CPU."""
        found = [(group.places, logits.cpu()) for group, _, logits in self.begun(edit)]
        out = found[0][1].new_empty(self.n, found[0][1].shape[1])
        for places, logits in found:
            out[places] = logits
        return out

    def begun(self, edit: Edit | None) -> Iterator[tuple[_Group, Decoding, Tensor]]:
        """Run the last tokens with an edit; gives prompts, the text that goes on, its logits."""
        for group in self._groups:
            text = group.before.branch(edit)
            yield group, text, text.run(group.last)


def _in_order(prompts: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Places of all prompts by length, at most TOGETHER: neighbours need the least filling."""
    order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    for first in range(0, len(order), TOGETHER):
        yield order[first : first + TOGETHER]


def _by_length(prompts: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Places of prompts of equal length, at most TOGETHER.

    >>> list(_by_length([[1], [2, 3], [4]]))
    [[0, 2], [1]]
    """
    by_length: dict[int, list[int]] = {}
    for place, prompt in enumerate(prompts):
        by_length.setdefault(len(prompt), []).append(place)
    for places in by_length.values():
        for first in range(0, len(places), TOGETHER):
            yield places[first : first + TOGETHER]

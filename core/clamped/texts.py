"""What a subject writes while a feature is held at a value everywhere.

Prompts, length, temperature and targets are those of arXiv 2501.08319 (its output-based metric):
three beginnings, 25 tokens at 0.75, the feature clamped at every token so that the next token's
distribution moves by a KL of 0.25 and of 0.5 nats, turned up and turned down: 12 texts. Each text
has a seed of its own and is the same whatever it is written beside, up to rounding.
"""

import threading
from collections.abc import Sequence
from functools import cached_property
from itertools import islice, product
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from core import seeds
from core.clamped.edit import Held, holding, require_decoder
from core.clamped.strength import Aim, matched_together
from core.sae import Sae
from core.score.steered_sets import N_TOKENS, PROMPTS, SIGNS, TARGETS, Aimed, Text, TextSet
from core.steering import divergence
from core.subject import Subject
from data.errors import BadInput

TEMPERATURE = 0.75
TOGETHER = 96  # texts in a batch
KEPT = 4096  # text sets that stay in memory; one is about 10 kB


class Steerable(Protocol):
    """A subject with its SAEs; `core.probe.Probe` is one."""

    @property
    def subject(self) -> Subject: ...

    def sae(self, hookpoint: str) -> Sae:
        """The SAE of a hookpoint."""
        ...

    def prompt(self, text: str) -> list[int]:
        """Token ids of a text, with the BOS that sequences of the cache begin with."""
        ...

    @property
    def n_before(self) -> int:
        """Special tokens that every sequence begins with: 1 or 0."""
        ...

    @property
    def n_vocabulary(self) -> int:
        """Tokens that can be spelt; rows of the output beyond them are padding."""
        ...

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Spell out tokens."""
        ...


class _Order(NamedTuple):
    """One text to be written."""

    held: Held
    prompt: int
    seed: int


class ClampedWriter:
    """Writes text sets of features, and remembers them; safe to share between threads."""

    def __init__(self, steerable: Steerable, seed: int) -> None:
        self._steerable, self._seed = steerable, seed
        self._prompts = [steerable.prompt(text) for text in PROMPTS]
        self._aimed: dict[tuple[str, int], tuple[Aimed, ...]] = {}
        self._written: dict[tuple[str, int, int], TextSet] = {}
        self._lock = threading.Lock()
        longest = max(map(len, self._prompts)) + N_TOKENS
        most = steerable.subject.max_length
        if most is not None and longest > most:
            raise BadInput(
                f"the subject reads {most} tokens, too few for the output-side score's prompts "
                f"with {N_TOKENS} new tokens: leave the score out"
            )

    def aimed(self, hookpoint: str, features: Sequence[int]) -> list[tuple[Aimed, ...]]:
        """For each feature the values that reach the targets, or why they do not."""
        with self._lock:
            new = [f for f in dict.fromkeys(features) if (hookpoint, f) not in self._aimed]
            if new:
                self._aimed |= self._search(hookpoint, new)
            return [self._aimed[hookpoint, feature] for feature in features]

    def write(self, hookpoint: str, wanted: Sequence[tuple[int, int]]) -> list[TextSet]:
        """Write a set for each pair of a feature and the number of a draw, 0 on."""
        aimed = self.aimed(hookpoint, [feature for feature, _ in wanted])
        at = dict(zip([feature for feature, _ in wanted], aimed, strict=True))
        with self._lock:
            new = [w for w in dict.fromkeys(wanted) if (hookpoint, *w) not in self._written]
            made = self._texts(hookpoint, [(*one, at[one[0]]) for one in new])
            found = self._written | {(hookpoint, *one): text for one, text in made.items()}
            self._written = dict(list(found.items())[-KEPT:])
            return [found[hookpoint, *one] for one in wanted]

    def _search(
        self, hookpoint: str, features: Sequence[int]
    ) -> dict[tuple[str, int], tuple[Aimed, ...]]:
        sae = self._steerable.sae(hookpoint)
        require_decoder(sae, features)
        aims = [Aim(*one) for one in product(features, TARGETS, SIGNS)]
        found = matched_together(aims, lambda asked: self._kl(hookpoint, sae, asked))
        return {
            (hookpoint, feature): tuple(
                Aimed(
                    aim.target, aim.sign,
                    None if at.strength is None else aim.sign * at.strength, at.kl, at.reason,
                )
                for aim in aims for at in [found[aim]] if aim.feature == feature
            )
            for feature in features
        }  # fmt: skip

    def _kl(self, hookpoint: str, sae: Sae, asked: Sequence[tuple[int, float]]) -> list[float]:
        """KL(clean || held) after a prompt, mean over the prompts, nats, one for each pair."""
        total = np.zeros(len(asked))
        for prompt, clean in zip(self._prompts, self._clean, strict=True):
            for first in range(0, len(asked), TOGETHER):
                rows = [Held(*one) for one in asked[first : first + TOGETHER]]
                edit = holding(sae, hookpoint, rows, self._steerable.n_before)
                held = self._steerable.subject.decoding(edit).run(
                    torch.tensor([prompt] * len(rows))
                )
                apart = divergence(clean.expand(len(rows), -1), held)
                total[first : first + len(rows)] += apart
        return (total / len(self._prompts)).tolist()

    @cached_property
    def _clean(self) -> list[Tensor]:
        """Logits after each prompt without any change, float32 [1, vocabulary]."""
        subject = self._steerable.subject
        return [subject.decoding().run(torch.tensor([prompt])) for prompt in self._prompts]

    def _texts(
        self, hookpoint: str, wanted: Sequence[tuple[int, int, tuple[Aimed, ...]]]
    ) -> dict[tuple[int, int], TextSet]:
        orders: dict[tuple[int, int, Aimed], list[_Order]] = {}
        for feature, draw, aimed in wanted:
            reached = [at for at in aimed if at.value is not None]
            for place, (at, prompt) in enumerate(product(reached, range(len(PROMPTS)))):
                purpose = f"output-side-text-{draw}-{place}"
                seed = seeds.seed_of(self._seed, hookpoint, feature, purpose)
                order = _Order(Held(feature, at.value or 0.0), prompt, seed)
                orders.setdefault((feature, draw, at), []).append(order)
        texts = iter(self._ordered(hookpoint, [one for some in orders.values() for one in some]))
        held: dict[tuple[int, int], list[tuple[Aimed, tuple[Text, ...]]]] = {
            (feature, draw): [] for feature, draw, _ in wanted
        }
        for (feature, draw, at), some in orders.items():
            held[feature, draw].append((at, tuple(islice(texts, len(some)))))
        return {key: TextSet(key[0], tuple(found)) for key, found in held.items()}

    def _ordered(self, hookpoint: str, orders: Sequence[_Order]) -> list[Text]:
        """Write texts, those of one prompt together."""
        found: dict[int, Text] = {}
        for prompt in range(len(PROMPTS)):
            places = [i for i, order in enumerate(orders) if order.prompt == prompt]
            for first in range(0, len(places), TOGETHER):
                batch = places[first : first + TOGETHER]
                ids = self._batch(hookpoint, [orders[i] for i in batch], self._prompts[prompt])
                pieces = (tuple(self._steerable.pieces(row)) for row in ids)
                found |= {i: Text(PROMPTS[prompt], p) for i, p in zip(batch, pieces, strict=True)}
        return [found[i] for i in range(len(orders))]

    def _batch(
        self, hookpoint: str, orders: Sequence[_Order], prompt: Sequence[int]
    ) -> list[list[int]]:
        subject = self._steerable.subject
        rows = [order.held for order in orders]
        edit = holding(self._steerable.sae(hookpoint), hookpoint, rows, self._steerable.n_before)
        decoding = subject.decoding(edit)
        seed = np.array([order.seed for order in orders], np.uint64)
        block = torch.tensor([list(prompt)] * len(rows))
        written: list[list[int]] = [[] for _ in rows]
        ended = [False] * len(rows)
        for step in range(N_TOKENS):
            logits = decoding.run(block)[:, : self._steerable.n_vocabulary]
            chosen = drawn(logits, seeds.draws(seed, np.array(step)))
            for row, token in enumerate(chosen):
                ended[row] |= token == subject.eos_id
                written[row] += [] if ended[row] else [token]
            block = torch.tensor(chosen)[:, None]
        return written


def drawn(logits: Tensor, draw: np.ndarray) -> list[int]:
    """Draw a token a row at TEMPERATURE: logits [rows, vocabulary], draw uint64 [rows].

    By the inverse of the distribution function, so that a row's token depends on its own number.
    """
    below = (logits.float().cpu() / TEMPERATURE).softmax(dim=-1).cumsum(dim=-1, dtype=torch.float64)
    at = torch.from_numpy((draw >> np.uint64(11)).astype(np.float64) / 2.0**53)  # 0 <= at < 1
    wanted = (at * below[:, -1])[:, None]
    return torch.searchsorted(below, wanted, right=True)[:, 0].tolist()

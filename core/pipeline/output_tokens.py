"""What explainers are told of a feature's output: tokens that it makes likelier and less likely.

    cached        the ten strongest logit effects either way, as the cache keeps them
    projection    fifty either way, from the weights of subject and SAE
    token-change  ten either way, measured on 32 train contexts with the feature at its largest
    both          projection and token change

arXiv 2501.08319 (VocabProj, TokenChange; methods.md 5.10); it takes the ten largest changes
whatever their sign.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from core import seeds
from core.examples.contexts import TRAIN
from core.explain.evidence import Effect, OutputTokens
from core.explain.settings import ExplainerSettings
from core.pipeline.workbench import Workbench
from data.catalogue import Catalogue
from data.errors import BadInput
from data.records import HookpointRecord

if TYPE_CHECKING:  # they load torch
    from torch import Tensor

    from core.clamped.change import TokenChange
    from core.probe import Probe

PROJECTED, CHANGED = 50, 10  # tokens either way
TEXTS = 32

TokensOf = Callable[[int], OutputTokens]  # of a feature

EFFECTS = """
select feature, promoted, suppressed
from feature_chart
where hookpoint_id = ? and feature between ? and ?
"""


def cached_tokens(
    catalogue: Catalogue, bench: Workbench, hookpoint: HookpointRecord, features: Sequence[int]
) -> TokensOf:
    """Read the logit effects that the cache has of some features."""
    wanted = set(features)
    span = [min(wanted, default=0), max(wanted, default=0)]
    with catalogue.reading() as con:
        rows = con.rows(EFFECTS, [hookpoint.hookpoint_id, *span])
    strings = bench.files.vocabulary.strings
    known = {
        row["feature"]: OutputTokens(
            _effects(row["promoted"], strings), _effects(row["suppressed"], strings)
        )
        for row in rows
        if row["feature"] in wanted
    }
    return lambda feature: known.get(feature, OutputTokens())


def _effects(
    entries: Sequence[Mapping[str, float]] | None, strings: Sequence[str]
) -> tuple[Effect, ...]:
    return tuple(Effect(strings[int(e["token"])], float(e["value"])) for e in entries or ())


class OutputSource:
    """Measures what the settings ask for; opens subject and SAEs when it is first asked."""

    def __init__(self, catalogue: Catalogue, bench: Workbench, settings: ExplainerSettings) -> None:
        self._catalogue, self._bench, self._wanted = catalogue, bench, settings.evidence
        self._lock = Lock()  # features of other threads wait

    def of(self, hookpoint: HookpointRecord, features: Sequence[int]) -> TokensOf:
        """Get ready to measure features of a hookpoint."""
        if self._wanted == "cached":
            return cached_tokens(self._catalogue, self._bench, hookpoint, features)

        def tokens(feature: int) -> OutputTokens:
            with self._lock:
                return self._measured(hookpoint, feature)

        return tokens

    def _measured(self, hookpoint: HookpointRecord, feature: int) -> OutputTokens:
        found = OutputTokens()
        if self._wanted in ("projection", "both"):
            found = self._projected(hookpoint, feature)
        if self._wanted in ("token-change", "both"):
            rising, falling = self._changed(hookpoint, feature)
            found = found._replace(rising=rising, falling=falling)
        return found

    @cached_property
    def _probe(self) -> "Probe":
        from core.probe import open_probe

        return open_probe(self._catalogue, self._bench.record)

    def _projected(self, hookpoint: HookpointRecord, feature: int) -> OutputTokens:
        from core.effects import logit_effects

        W_U, W_dec = self._unembedding, self._probe.sae(hookpoint.name).W_dec
        if W_U is None or W_dec is None or W_dec.shape[1] != W_U.shape[0]:
            raise BadInput(
                f"nothing projects {hookpoint.name} onto the vocabulary: the SAE has no decoder, "
                "or the subject no output head of its width; use --evidence token-change"
            )
        (found,) = logit_effects(
            W_dec[feature : feature + 1], W_U, n=PROJECTED,
            vocabulary_size=len(self._bench.files.vocabulary),
        )  # fmt: skip
        return OutputTokens(
            self._named(found.promoted_ids[0], found.promoted[0]),
            self._named(found.suppressed_ids[0], found.suppressed[0]),
        )

    @cached_property
    def _unembedding(self) -> "Tensor | None":
        return self._probe.subject.unembedding()

    def _changed(
        self, hookpoint: HookpointRecord, feature: int
    ) -> tuple[tuple[Effect, ...], tuple[Effect, ...]]:
        from core.clamped.change import strongest

        largest = float(self._bench.slice(hookpoint, feature).activation.max(initial=0))
        sae = self._probe.sae(hookpoint.name)
        change = self._texts.of(sae, hookpoint.name, feature, largest)
        rising, falling = (np.array(ids, np.int64) for ids in strongest(change, CHANGED))
        return (
            self._named(rising, change[rising].numpy()),
            self._named(falling, change[falling].numpy()),
        )

    @cached_property
    def _texts(self) -> "TokenChange":
        import torch

        from core.clamped.change import TokenChange

        ids = random_texts(self._bench, self._probe.n_before)
        return TokenChange(
            self._probe.subject, torch.from_numpy(ids), self._probe.n_before,
            len(self._bench.files.vocabulary),
        )  # fmt: skip

    def _named(self, ids: np.ndarray, values: np.ndarray) -> tuple[Effect, ...]:
        strings = self._bench.files.vocabulary.strings
        return tuple(
            Effect(strings[token], float(value))
            for token, value in zip(ids.tolist(), values.tolist(), strict=True)
        )


def random_texts(bench: Workbench, n_before: int) -> np.ndarray:
    """Draw train contexts without special tokens, each after BOS, int64 [texts, tokens]."""
    contexts = bench.contexts
    pool = contexts.pool[TRAIN]
    order = seeds.permutation(seeds.text_seed(f"{contexts.seed}|token-change"), len(pool))
    tokens = contexts.tokens.windows(
        contexts.first_token(pool[order[: 8 * TEXTS]]), contexts.length
    )
    ordinary = tokens[~contexts.special(tokens).any(axis=1)][:TEXTS].astype(np.int64)
    if not len(ordinary):
        raise BadInput(
            f"cache '{bench.record.name}' has no train context without special tokens to measure "
            "a token change on: use --evidence projection"
        )
    before = np.full((len(ordinary), n_before), bench.files.meta.bos_id or 0, np.int64)
    return np.concatenate([before, ordinary], axis=1)


def planned_tokens(settings: ExplainerSettings) -> TokensOf:
    """Stand in for what would be measured, in a dry run: as many tokens, named by their rank."""
    projected = PROJECTED if settings.evidence in ("projection", "both") else 0
    changed = CHANGED if settings.evidence in ("token-change", "both") else 0

    def tokens(feature: int) -> OutputTokens:
        def some(n: int, sign: float) -> tuple[Effect, ...]:
            # The feature stands in the first: what is asked about two is never the same.
            names = [f" f{feature}", *(f" t{rank}" for rank in range(2, n + 1))]
            return tuple(Effect(name, sign) for name in names[:n])

        return OutputTokens(
            some(projected, 1.0), some(projected, -1.0), some(changed, 1.0), some(changed, -1.0)
        )

    return tokens

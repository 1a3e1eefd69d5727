"""What an explainer is shown of a feature, read from a cache: train contexts, effects, peak tokens.

Everything comes from train sequences; the exceptions are the scale (the largest activation of the
corpus) and what is known of the output, which is a property of the weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from core import seeds
from core.examples import FeatureExamples, with_token
from core.examples.contexts import TRAIN, spread
from core.examples.sampling import Part, Sampling, explainer_contexts
from core.examples.stored import sampled
from core.explain.evidence import Evidence, PeakToken, Shown
from core.pipeline.output_tokens import TokensOf
from core.pipeline.workbench import Workbench
from core.prompts.judged_texts import pieces
from data.activations import FeatureActivations
from data.records import HookpointRecord

N_PEAK_TOKENS = 20  # of the most frequent
LOOKED_AT = 20_000  # firings that peak tokens are counted on, evenly spaced
HARD = 5  # silent contexts that hold a peak token


class Wanted(NamedTuple):
    """What to gather for one explanation."""

    sampling: Sampling = "quantiles"
    size: int = 40  # activating contexts
    silent: int = 0  # non-activating contexts
    part: Part = "train"
    attempt: int = 0  # another draw


class Gathered(NamedTuple):
    """Evidence, and where its activating contexts lie."""

    evidence: Evidence
    first_token: tuple[int, ...]  # flat index of each context shown, in the order shown


@dataclass(frozen=True)
class Gatherer:
    """Gathers the evidence of one hookpoint's features."""

    bench: Workbench
    hookpoint: HookpointRecord
    output: TokensOf  # what a feature makes likelier and less likely

    def gather(self, feature: int, wanted: Wanted) -> Gathered:
        """Draw and read one feature's evidence; the same arguments give the same."""
        bench, name = self.bench, self.hookpoint.name
        found = bench.slice(self.hookpoint, feature)
        kept = None if bench.stored is None else bench.taught(self.hookpoint, feature)
        drawn = self._drawn(feature, wanted, kept)
        purpose = f"order-{wanted.attempt}" if wanted.attempt else "order"
        seed = seeds.seed_of(bench.contexts.seed, name, feature, purpose)
        order = seeds.permutation(seed, len(drawn.first_token))
        examples = self.shown(found, drawn.first_token[order], drawn.decile[order])
        output = self.output(feature)
        evidence = Evidence(
            feature=feature,
            hookpoint=name,
            examples=examples,
            silent=self._silent(feature, found, wanted.silent),
            max_activation=float(found.activation.max(initial=0)),
            promoted=output.promoted,
            suppressed=output.suppressed,
            peak_tokens=self._peak_tokens(found, self._taught(kept)),
            rising=output.rising,
            falling=output.falling,
        )
        return Gathered(evidence, tuple(drawn.first_token[order].tolist()))

    def _drawn(self, feature: int, wanted: Wanted, kept: FeatureExamples | None) -> FeatureExamples:
        """The activating contexts to show; of an import some of those kept for explainers."""
        bench, name = self.bench, self.hookpoint.name
        if kept is None:
            return explainer_contexts(
                bench.contexts, bench.columns(self.hookpoint), feature, hookpoint=name,
                sampling=wanted.sampling, size=wanted.size, part=wanted.part,
                attempt=wanted.attempt,
            )  # fmt: skip
        seed = seeds.seed_of(bench.record.seed, name, feature, f"train-{wanted.attempt}")
        return kept.at(sampled(kept.peak, seed, wanted.sampling, wanted.size))

    def _taught(self, kept: FeatureExamples | None) -> np.ndarray:
        """Sequences that explainers may be shown, bool [sequences]."""
        contexts = self.bench.contexts
        if kept is None:
            return contexts.train
        first = kept.first_token.astype(np.int64)
        mine = np.zeros_like(contexts.train)
        mine[first // contexts.sequence_length] = True
        return mine

    def shown(
        self, found: FeatureActivations, first_token: np.ndarray, decile: Sequence[int] | np.ndarray
    ) -> tuple[Shown, ...]:
        """Read contexts as prompts show them."""
        length = self.bench.contexts.length
        tokens = self.bench.files.tokens.windows(first_token, length)
        values = spread(found, first_token, length)
        files = self.bench.files
        texts = pieces(files.vocabulary, files.meta.special_ids, tokens)
        return tuple(
            Shown(tuple(text), tuple(value.tolist()), int(ten))
            for text, value, ten in zip(texts, values, decile, strict=True)
        )

    def _silent(self, feature: int, found: FeatureActivations, n: int) -> tuple[Shown, ...]:
        """Take silent train contexts: first those with one of the feature's tokens, then any."""
        if not n:
            return ()
        drawn = self.bench.draw(self.hookpoint, feature)
        hard = with_token(
            self.bench.contexts, found, drawn, hookpoint=self.hookpoint.name,
            size=min(n, HARD), side=TRAIN,
        )  # fmt: skip
        slots = [*hard.rows("token", "train"), *hard.rows("random", "train")]
        first = _distinct(hard, np.array(slots, np.int64))[:n]
        return self.shown(found, first, [0] * len(first))

    def _peak_tokens(self, found: FeatureActivations, taught: np.ndarray) -> tuple[PeakToken, ...]:
        """Count the tokens of firings in sequences that may be shown, most frequent first."""
        contexts = self.bench.contexts
        train = taught[found.token // contexts.sequence_length]
        token, value = found.token[train], found.activation[train]
        step = max(1, len(token) // LOOKED_AT)
        ids = self.bench.files.tokens.windows(token[::step].astype(np.uint64), 1)[:, 0]
        kinds, place, count = np.unique(ids, return_inverse=True, return_counts=True)
        mean = np.bincount(place, weights=value[::step], minlength=len(kinds)) / count
        pieces = self.bench.files.vocabulary.strings
        return tuple(
            PeakToken(pieces[kinds[i]], int(count[i]), float(mean[i]))
            for i in np.argsort(-count, kind="stable")[:N_PEAK_TOKENS].tolist()
        )


def _distinct(examples: FeatureExamples, slot: np.ndarray) -> np.ndarray:
    """First tokens at the slots, each once, in order."""
    return np.array(list(dict.fromkeys(examples.first_token[slot].tolist())), np.uint64)

"""The nouns that travel between rooms: frozen records, a unit in every field.

Bulk data (activations, contexts of a whole block of features) travels as numpy arrays in named
tuples beside the code that makes it; what is here is what a person would name.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

Kind = Literal[
    "activating", "random", "token", "neighbour", "similar", "wrong-mark",
    "intruder", "discrimination",
]  # fmt: skip
Split = Literal["train", "test"]
Stage = Literal[
    "cache",
    "explain",
    "score",
    "import",
    "filter",
    "intervene",
    "diff",
    "similarity",
    "train",
    "baselines",
]
State = Literal["queued", "running", "interrupted", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage has come; a stage is a generator of these."""

    stage: str  # what is being done, in words a person reads ("caching", "explaining")
    done: int  # units finished
    total: int  # units in all; 0 = not known yet
    unit: str = "features"
    rate: float | None = None  # units per second, None until measured
    note: str = ""  # one short sentence ("resumed at shard 3 of 9")

    @property
    def seconds_left(self) -> float | None:
        """Time to go at the present rate, in seconds; None when it cannot be said."""
        if not self.rate or not self.total:
            return None
        return (self.total - self.done) / self.rate


# Nats a token, a hundredth of perplexity. The mean of 4,096 tokens (core/quality.py) whose losses
# change by 0.3 at random is known to within 0.01, so a smaller gap may be none.
LEAST_GAP = 0.01


@dataclass(frozen=True, slots=True)
class Losses:
    """Cross-entropy of a subject, nats a token, with an SAE's place left alone or changed."""

    intact: float
    spliced: float  # the reconstruction in place of what the SAE rebuilds
    zero: float  # zeros there
    mean: float  # the mean of what stands there

    @property
    def recovered_zero(self) -> float | None:
        """Share of the gap to zeros that is closed, 1 = all; None where zeros do hardly any harm.

        Below LEAST_GAP the share is the quotient of two small numbers and can be anything.
        """
        return self._recovered(self.zero)

    @property
    def recovered_mean(self) -> float | None:
        """The same of the gap to the mean."""
        return self._recovered(self.mean)

    def _recovered(self, ablated: float) -> float | None:
        gap = ablated - self.intact
        return (ablated - self.spliced) / gap if gap >= LEAST_GAP else None


@dataclass(frozen=True, slots=True)
class HookpointRecord:
    """One SAE at one module of the subject, within one cache."""

    hookpoint_id: int
    cache_id: int
    name: str  # dotted module path; output side unless it ends in ":in"
    sae_source: str  # the path or repository that the SAE was loaded from
    sae_kind: str  # "topk", "relu", "jumprelu"
    n_features: int
    n_alive: int  # features that fired at least once
    n_activations: int  # stored values
    fvu: float | None  # variance left unexplained on the first sequences; None = not measured
    l0: float | None  # active features a token there, mean
    status: str  # "running" or "done"
    is_size_known: bool = True  # False = n_features is only one more than the largest number met
    losses: Losses | None = None  # with the SAE in its place, on the first sequences

    @property
    def extent(self) -> str:
        """How many features there are, in words; an import of contexts cannot say."""
        if self.is_size_known:
            return f"{self.n_features:,} features"
        return f"{self.n_alive:,} features known; size of the SAE and dead features unknown"


@dataclass(frozen=True, slots=True)
class CacheRecord:
    """One subject x one corpus x any number of SAEs."""

    cache_id: int
    name: str
    subject: str  # path or hub id
    d_model: int | None  # None = an import does not say
    corpus: str  # the corpus specification as typed
    status: str  # "running" or "done"
    folder: str  # relative to the store
    n_tokens: int  # all positions, special ones too; 0 = not known (has_activations is False)
    n_unmasked: int  # positions that may activate (special positions left out); 0 = not known
    sequence_length: int  # tokens
    n_sequences: int
    seed: int
    hookpoints: tuple[HookpointRecord, ...]
    origin: str = ""  # whose files it was imported from, e.g. "delphi"; "" = made by Gloss
    has_activations: bool = True  # False = only some contexts: nothing can be drawn or measured
    baseline_of: str = ""  # name of the cache that this one is a baseline of; "" = it is none
    baseline: str = ""  # which baseline, e.g. random-sae

    @property
    def label(self) -> str:
        """Its name, and what it is where that is a baseline."""
        return f"{self.name} (baseline of {self.baseline_of})" if self.baseline_of else self.name

    @property
    def how_to_finish(self) -> str:
        """What to do with a cache that was stopped; an import begins anew, caching goes on."""
        if self.origin:
            return "run its gloss import command again"
        return "run its gloss cache command again, it goes on where it stopped"


@dataclass(frozen=True, slots=True)
class Interval:
    """A share with its 95 % interval, all in 0..1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Tally:
    """Verdicts of one class of contexts."""

    n: int  # usable verdicts
    correct: int
    failed: int = 0  # asked for but unusable; never inside n


@dataclass(frozen=True, slots=True)
class Usage:
    """What the answers of language models behind a result took."""

    n_calls: int  # answers, those known before included
    input_tokens: int | None  # None = unknown for at least one of them
    output_tokens: int | None
    cost_usd: float | None


NO_USAGE = Usage(0, 0, 0, 0.0)


def total_usage(parts: Iterable[Usage | None]) -> Usage:
    """Add up; a figure that one part lacks is None. Parts that are None took nothing."""
    total = NO_USAGE
    for part in parts:
        if part is not None:
            total = Usage(
                total.n_calls + part.n_calls,
                _plus(total.input_tokens, part.input_tokens),
                _plus(total.output_tokens, part.output_tokens),
                _plus(total.cost_usd, part.cost_usd),
            )
    return total


Number = TypeVar("Number", int, float)


def _plus(a: Number | None, b: Number | None) -> Number | None:
    return None if a is None or b is None else a + b


@dataclass(frozen=True, slots=True)
class Score:
    """One scorer's figures for one explanation."""

    scorer: str  # "detection", "fuzzing", "exact", ...
    metric: str  # "balanced_accuracy", "f1", ...
    value: float | None  # None = undefined (a class without usable verdicts)
    low: float | None  # 95 % interval
    high: float | None
    tpr: float | None  # share of activating contexts judged right
    tnr: float | None  # share of non-activating contexts judged right
    n: int  # usable verdicts
    failed: int  # verdicts asked for that are not usable
    judge: str  # "grammar" or the model's name
    preset: str
    by_decile: dict[int, Tally]  # 1 weakest .. 10 strongest
    non_activating: dict[str, Tally]  # by Kind
    detail: dict  # what only this scorer has (exact: figures, misses, false alarms)
    usage: Usage | None = None  # None = no language model was asked
    scorer_id: int | None = None  # None = not stored
    judged_at: datetime | None = None  # UTC; None = not stored
    run_id: int | None = None  # that made it; None = not stored


@dataclass(frozen=True, slots=True)
class ExplanationRecord:
    """One explanation of one feature: what was written, by whom, from what."""

    explanation_id: int
    hookpoint_id: int
    feature: int
    run_id: int
    explainer: str  # "grammar", "plain", ...
    model: str | None  # None for the grammar
    settings: dict
    text: str | None  # None = no usable explanation; the reason is in error
    rule: str | None  # canonical text of the rules, grammar only
    status: str  # "done", "failed", "skipped"
    error: str | None
    cost_usd: float | None
    seconds: float | None  # None = not known
    created_at: str  # UTC, ISO 8601
    scores: tuple[Score, ...]
    explainer_id: int | None = None  # None = not stored
    usage: Usage | None = None  # None = no language model was asked

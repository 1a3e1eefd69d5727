"""The stage that filters: figures of every feature of a cache, and unigram features on trial.

The figures need the cache's files alone. Whether a unigram feature fires on its token whatever
stands before it needs the subject and the SAE; where they cannot be loaded, the reason is stored
with each such feature, and the same command tries again. A killed run goes on after the last block
of features, or the last batch of tokens, that it stored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from core.filters.measures import Corpus, Measures, measures
from core.filters.scrambled import Outcome, Pairs, check, ordinary_ids
from core.pipeline.running import Meter, running
from core.pipeline.workbench import Workbench
from core.probe import Probe, open_probe
from data import caches
from data import measures as stored
from data.catalogue import Catalogue
from data.errors import BadInput, NotFound
from data.flags import FEW_TOKENS, SCRAMBLED, limits
from data.records import HookpointRecord, Progress
from data.runs import Plan

GATHERED = 1024  # sequences of random tokens between two notes of their outcome


@dataclass(frozen=True, slots=True)
class FilterRequest:
    """What `gloss filters` was asked for."""

    cache: str
    hookpoints: tuple[str, ...] = ()  # () = all
    run: bool = True  # try unigram features by running the subject
    command: tuple[str, ...] = field(default=(), compare=False)

    def settings(self) -> dict[str, Any]:
        """As stored with the run, with the limits that were in force."""
        return {"hookpoints": list(self.hookpoints), "run": self.run, "limits": limits()}


def filter_stage(catalogue: Catalogue, request: FilterRequest) -> Iterator[Progress]:
    """Measure and try what is missing; all there = nothing to do."""
    record = caches.cache(catalogue, request.cache)
    bench = Workbench.open(catalogue, record)
    bench.require_activations()
    named = [caches.hookpoint(record, name) for name in dict.fromkeys(request.hookpoints)]
    hookpoints = named or list(record.hookpoints)
    total = sum(hookpoint.n_features for hookpoint in hookpoints)
    done = _done(catalogue, hookpoints, request)
    if done == total:
        yield Progress("filters", 0, 0, note=f"all {total:,} features are measured")
        return
    one = hookpoints[0].hookpoint_id if len(hookpoints) == 1 else None
    plan = Plan("filter", record.cache_id, one, None, request.settings(), request.command)
    with running(catalogue, plan, total, done) as run_id:
        work = _Work(catalogue, request, bench, hookpoints, run_id)
        yield from _measured(work)
        if request.run:
            yield from _checked(work)


@dataclass(frozen=True, slots=True)
class _Work:
    """What one run is about."""

    catalogue: Catalogue
    request: FilterRequest
    bench: Workbench
    hookpoints: Sequence[HookpointRecord]
    run_id: int


def _done(
    catalogue: Catalogue, hookpoints: Sequence[HookpointRecord], request: FilterRequest
) -> int:  # fmt: skip
    """Features with nothing left to do."""
    with catalogue.reading() as con:
        found = [stored.standing(con, hookpoint.hookpoint_id) for hookpoint in hookpoints]
    return sum(one.n_measured - one.n_unchecked * request.run for one in found)


def _measured(work: _Work) -> Iterator[Progress]:
    """Figures, block by block."""
    corpus = None
    for hookpoint in work.hookpoints:
        with work.catalogue.reading() as con:
            first = stored.standing(con, hookpoint.hookpoint_id).n_measured
        if first == hookpoint.n_features:
            continue
        corpus = corpus or Corpus.open(work.bench.files)
        meter = Meter(f"measuring {hookpoint.name}", hookpoint.n_features - first)
        yield meter.now()
        found = measures(
            work.bench.columns(hookpoint), corpus, seed=work.bench.record.seed,
            hookpoint=hookpoint.name, first=first,
        )  # fmt: skip
        for block in found:
            waiting = int(_few(block.n_tokens).sum()) * work.request.run
            stored.write_measures(
                work.catalogue, hookpoint.hookpoint_id, work.run_id, rows_of(block),
                done=block.hi - block.lo - waiting,
            )  # fmt: skip
            yield meter.advance(block.hi - block.lo)


def _few(n_tokens: np.ndarray) -> np.ndarray:
    return (n_tokens >= 0) & (n_tokens <= FEW_TOKENS)


def rows_of(block: Measures) -> pa.Table:
    """Columns of feature_measure, without whose they are."""
    shares = ("information", "position_share", "strongest_share", "stronger_share",
              "token_entropy", "token_entropy_weighted", "skewness", "crossing_share")  # fmt: skip
    table = {"feature": pa.array(np.arange(block.lo, block.hi), pa.uint32())}
    for name in shares:
        table[name] = pa.array(getattr(block, name), pa.float64(), from_pandas=True)  # NaN = null
    for name in ("n_tokens", "n_previous"):
        counts = getattr(block, name)
        table[name] = pa.array(np.maximum(counts, 0), pa.uint32(), mask=counts < 0)
    for name in ("tokens", "previous"):
        table[name] = pa.array(getattr(block, name), stored.LISTS)
    return pa.table(table)


def _checked(work: _Work) -> Iterator[Progress]:
    """Unigram features on random tokens that end in one of theirs, all hookpoints at once."""
    with work.catalogue.reading() as con:
        found = {h.name: Pairs(*stored.unchecked(con, h.hookpoint_id)) for h in work.hookpoints}
    wanted = {name: pairs for name, pairs in found.items() if len(pairs.feature)}
    if not wanted:
        return
    title = "trying unigram features"
    yield Progress(title, 0, 0, "tokens", note="loading the subject")
    try:
        probe = open_probe(work.catalogue, work.bench.record, list(wanted))
    except (BadInput, NotFound) as error:
        yield _not_run(work, wanted, title, str(error))
        return
    yield from _tried(work, probe, wanted, title)


def _not_run(work: _Work, wanted: dict[str, Pairs], title: str, why: str) -> Progress:
    """Store why no feature could be tried."""
    n = sum(len(np.unique(pairs.feature)) for pairs in wanted.values())
    ids = [h.hookpoint_id for h in work.hookpoints if h.name in wanted]
    stored.write_not_run(work.catalogue, work.run_id, ids, why, failed=n)
    return Progress(title, n, n, note=f"{n:,} unigram features were not tried: {why}")


def _tried(
    work: _Work, probe: Probe, wanted: dict[str, Pairs], title: str
) -> Iterator[Progress]:  # fmt: skip
    """Run the subject and store what came of it, some batches at a time."""
    ids = {h.name: h.hookpoint_id for h in work.hookpoints}
    left = {name: _tokens_left(pairs) for name, pairs in wanted.items()}
    meta, subject = probe.meta, probe.subject
    ordinary = ordinary_ids(work.bench.files.vocabulary, meta.special_ids, subject.vocabulary_size)
    saes = {name: probe.sae(name) for name in wanted}
    steps = check(subject, saes, wanted, ordinary, seed=work.bench.record.seed, bos_id=meta.bos_id)
    meter: Meter | None = None
    kept: list[Outcome] = []
    since = 0
    for done, total, outcomes in steps:
        meter = meter or Meter(title, total, "tokens")
        kept += outcomes
        if SCRAMBLED * (done - since) < GATHERED and done < total:
            continue
        finished = sum(_finish(left[one.hookpoint], one) for one in kept)
        stored.write_tried(work.catalogue, work.run_id, _joined(kept, ids), n=SCRAMBLED,
                           done=finished)  # fmt: skip
        yield meter.advance(done - since)
        since, kept = done, []


def _joined(kept: Sequence[Outcome], ids: dict[str, int]) -> list[stored.Tried]:
    """The outcomes of several batches, by hookpoint."""
    found = []
    for name in dict.fromkeys(one.hookpoint for one in kept):
        parts = zip(*(one[1:] for one in kept if one.hookpoint == name), strict=True)
        found.append(stored.Tried(ids[name], *(np.concatenate(part) for part in parts)))
    return found


def _tokens_left(pairs: Pairs) -> dict[int, int]:
    """Tokens to be tried, by feature."""
    feature, n = np.unique(pairs.feature, return_counts=True)
    return dict(zip(feature.tolist(), n.tolist(), strict=True))


def _finish(left: dict[int, int], outcome: Outcome) -> int:
    """Take off what was tried; the number of features that have nothing left."""
    finished = 0
    for feature in outcome.feature.tolist():
        left[feature] -= 1
        finished += left[feature] == 0
    return finished
